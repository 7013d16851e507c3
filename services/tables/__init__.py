"""表格: what the services that take tables stand on; no service of its own."""
