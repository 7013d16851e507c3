"""吹哨报到: the whistle, from the call to the settlement."""
