"""What may happen to a whistle, and who answers for what: pure rules."""
