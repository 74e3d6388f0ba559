"""Doors in: partner formats become the canonical submission, and submissions become Kafka events."""
