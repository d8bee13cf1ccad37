"""Pure decisions: no I/O, no clock, no environment, no randomness of their own."""
