"""Which addresses the exchange may ask for keys and log-ins: https ones, and on this machine itself http too.

Comes in: an address that an operator or a provider named. Goes out: yes or no. Must never let a secret or a key travel
where others can read or change it.
"""

from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def secure(url: str) -> bool:
    """Whether it may be asked; a user name or a fragment in it is a mistake."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    encrypted = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    return bool(encrypted and host and not parts.username and not parts.fragment)


def local(url: str) -> bool:
    """Whether it is on this machine."""
    return urlsplit(url).hostname in LOOPBACK
