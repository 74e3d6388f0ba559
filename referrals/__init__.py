"""The rules of the exchange: pure functions over frozen values; no I/O, no clock, no randomness."""
