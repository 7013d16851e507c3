"""Can a person do it: played in real Chromium, on a phone and at a desk, after signing in by clicks and keys alone."""
