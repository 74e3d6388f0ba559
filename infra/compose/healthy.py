"""The containers' health checks: the API or the worker answers /livez. Neither asks what the part depends on.

Comes in: the part's name and its own settings. Goes out: exit 0 or 1. Must never call a part dead because Postgres or
Kafka is: starting it again would mend nothing.
"""

import sys
import urllib.request

from infra.settings import settings


def main() -> None:
    """`python -m infra.compose.healthy api|worker`."""
    part = sys.argv[1]
    port = settings().port if part == "api" else settings().metrics_port
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=3) as answer:
            well = answer.status == 200
    except OSError as error:
        sys.exit(f"{part}: {type(error).__name__}")
    sys.exit(0 if well else f"{part}: it does not answer as it should")


if __name__ == "__main__":
    main()
