"""Pure rules that the domains of several services share: no clock, no store, no bus."""
