"""The steps: Kafka batches become facts in Postgres, facts become topics, deadlines and deliveries."""
