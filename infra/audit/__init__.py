"""The audit: chained records of every look and every write, checkpoints outside the database, and their proof."""
