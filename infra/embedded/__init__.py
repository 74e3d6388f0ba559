"""Real Kafka and Postgres as child processes on loopback; for the demo, tests and small installations."""
