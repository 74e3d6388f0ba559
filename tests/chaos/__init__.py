"""Faults of every kind against a real exchange; a package, so that the exchange of its core ends with it."""
