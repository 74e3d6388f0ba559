"""Open-loop latency: from when an event was due to when a reader saw it, through HTTP and through the stream."""
