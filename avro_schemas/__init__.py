"""The contract: topics, Avro schemas, pinned ids and the codec that reads and writes them."""
