"""Hands one e-mail to the mail server of REFEX_SMTP_URL.

Comes in: the server's address and a message. Goes out: nothing; it blocks until the server has it. Must never send a
password or a message in the clear to another machine.
"""

import smtplib
import ssl
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

from infra.addresses import LOOPBACK

WAIT_S: Final = 10.0
PORTS: Final = {"smtp": 587, "smtps": 465}


class MailError(OSError):
    """The mail server did not take the message; it is tried again."""


def send(url: str, message: EmailMessage) -> None:
    """Send it. Raises MailError, ValueError for an address that cannot be used."""
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port or PORTS.get(parts.scheme)
    if parts.scheme not in PORTS or not host or not port:
        raise ValueError("REFEX_SMTP_URL must be smtp://[user:password@]host[:port], or smtps://...")
    try:
        with _server(parts.scheme, host, port) as server:
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise MailError(f"{host}: {type(error).__name__}") from None


def _server(scheme: str, host: str, port: int) -> smtplib.SMTP:
    """A session with the server, encrypted unless it is on this machine."""
    trusted = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=WAIT_S, context=trusted)
    server = smtplib.SMTP(host, port, timeout=WAIT_S)
    if host not in LOOPBACK:
        server.starttls(context=trusted)
    return server
