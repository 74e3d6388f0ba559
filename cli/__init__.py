"""The switchboard: one file a command; the only place that may import everything."""
