"""Views out: HTTP, FHIR, pages and live updates; reads Postgres, writes only events to Kafka."""
