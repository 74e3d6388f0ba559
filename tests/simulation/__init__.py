"""A deterministic simulation of the exchange: its own code on a simulated log, database and clock, replayed by a seed."""
