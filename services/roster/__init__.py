"""区与社区: which districts are open, where their communities are, what they have set."""
