"""What a worker counts about itself, for Prometheus: one process, one port (REFEX_METRICS_PORT), no personal data.

Comes in: what each batch did. Goes out: counters. Must never have an id or a person as a label.
"""

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("refex_worker_records", "Records applied, each exactly once.")
FACTS = Counter("refex_worker_facts", "Facts written to history.")
REJECTED = Counter("refex_worker_rejected_commands", "Commands that were read and had no effect.")
DEAD_LETTERS = Counter("refex_worker_dead_letters", "Records that could not be processed.")
PARKED = Counter("refex_worker_parked_records", "Records set apart because we failed, or behind such a one.")
GAPS = Counter("refex_worker_missing_offsets", "Offsets that were missing when their turn came.")
RETRIES = Counter("refex_worker_retries", "Batches tried again after a transient failure.")
BATCH_SECONDS = Histogram(
    "refex_worker_batch_seconds",
    "From having a batch to its commit, retries included.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30),
)
STOPPED = Gauge("refex_worker_stopped_partitions", "Partitions that must not go on without the operator.")
RELAYED = Counter("refex_worker_relayed_facts", "Facts published from history.")
