"""What becomes of the promises when everything goes wrong? `make chaos`."""
