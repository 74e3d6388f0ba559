"""Addresses that secrets and keys may travel to: encrypted, or on this machine."""

from email.message import EmailMessage

import pytest

from infra import addresses, smtp


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://id.example.org", True),
        ("https://id.example.org:8443/realms/a", True),
        ("http://127.0.0.1:9400", True),
        ("http://localhost:9400/x", True),
        ("http://[::1]:9400", True),
        ("http://id.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://127.0.0.2", False),
        ("https://user:secret@id.example.org", False),
        ("https://127.0.0.1@id.example.org", False),
        ("https://id.example.org/#x", False),
        ("https://", False),
        ("https://[", False),
        ("//id.example.org", False),
        ("file:///etc/passwd", False),
        ("ftp://id.example.org", False),
        ("", False),
    ],
)
def test_what_may_be_asked(url: str, may: bool) -> None:
    assert addresses.secure(url) is may


def test_this_machine_is_told_from_others() -> None:
    assert addresses.local("http://localhost:1/x") and not addresses.local("https://localhost.example.org")


@pytest.mark.parametrize("url", ["http://mail.example.org", "smtp://", "mail.example.org:25", "smtp:mail"])
def test_what_is_no_mail_server_says_how_to_write_one(url: str) -> None:
    with pytest.raises(ValueError, match="smtp://"):
        smtp.send(url, EmailMessage())
