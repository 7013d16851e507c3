"""A small service on our ground, made to fail: it rings, hears its own strokes, and fires what is due."""
