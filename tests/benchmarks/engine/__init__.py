"""The engine alone, against other ways to write the same minimal rows from Kafka to Postgres."""
