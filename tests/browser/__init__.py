"""Can a person do it? Played in real Chromium: after signing in by clicks and keys alone, on a phone and at a desk."""
