"""The full exchange step against the limit: a hand-written writer of the very rows that the step writes."""
