"""Counts anew, over the API and with nothing of ours, what the platform says that it did."""
