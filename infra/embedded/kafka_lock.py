"""`python -m infra.embedded.kafka_lock`: writes kafka.lock anew by walking the dependency graph; for maintainers.

Run after a change of ENDPOINT, then read the difference. The runtime never calls it.
"""

import dataclasses
import hashlib
import sys
import tempfile
from pathlib import Path

from infra.embedded.jars import LOCK_FILE, TIMEOUT

ENDPOINT = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:2.0.17"
"""The broker, and an SLF4J binding that matches its slf4j-api."""

HEADER = """\
# The embedded broker's jars, in class path order: group:artifact:version size sha256.
# Written by `python -m infra.embedded.kafka_lock`; never by hand.
"""


def main() -> None:
    """Fetch everything into a scratch directory and write down what came."""
    from jgo.maven import MavenContext
    from jgo.parse import Endpoint

    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), timeout=TIMEOUT)
        asked = [
            context.create_dependency(dataclasses.replace(coordinate, scope="compile"))
            for coordinate in Endpoint.parse(ENDPOINT).coordinates
        ]
        direct, others = context.resolver.resolve(asked)
        lines = []
        for found in [*direct, *(other for other in others if other.scope in ("compile", "runtime"))]:
            content = Path(found.artifact.resolve()).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            lines.append(f"{found.groupId}:{found.artifactId}:{found.version} {len(content)} {digest}\n")
    LOCK_FILE.write_text(HEADER + "".join(lines))
    sys.stdout.write(f"{len(lines)} jars in {LOCK_FILE}\n")


if __name__ == "__main__":
    main()
