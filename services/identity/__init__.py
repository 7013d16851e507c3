"""身份: who signs in, and who no longer may."""
