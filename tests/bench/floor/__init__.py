"""The floor that we stand on, measured bare: the same gateway, the same bus, one insert, no rules."""
