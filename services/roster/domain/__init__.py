"""What may be said of the tree, of who sits where, and of who handles what: pure rules."""
