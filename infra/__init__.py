"""Plumbing: settings, Postgres, Kafka, topics, participants, logs and metrics."""
