"""统计: figures that anyone can recompute."""
