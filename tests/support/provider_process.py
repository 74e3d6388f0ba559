"""`python -m tests.support.provider_process PORT`: an OpenID provider of another make, as a process of its own.

oidc-provider-mock speaks the protocol; around it stands what it leaves out: the client's secret is checked, and a code
is exchanged only for the verifier whose challenge came with the request (RFC 7636). `/asked` tells what it was asked.
"""

import base64
import binascii
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from oidc_provider_mock import app
from werkzeug.serving import run_simple

from tests.support.provider import CLIENT

Environ = dict[str, Any]
Start = Callable[..., Any]


class Strict:
    """A WSGI layer that refuses what the provider would let pass."""

    def __init__(self, inner: Callable[[Environ, Start], Iterable[bytes]]) -> None:
        self._inner = inner
        self._challenges: dict[str, str] = {}
        self._exchanged = 0

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """Serve one request."""
        path = environ["PATH_INFO"]
        if path == "/oauth2/authorize":
            return self._authorize(environ, start)
        if path == "/oauth2/token":
            return self._token(environ, start)
        if path == "/asked":
            return _answer(start, "200 OK", {"exchanged": self._exchanged})
        return self._inner(environ, start)

    def _authorize(self, environ: Environ, start: Start) -> Iterable[bytes]:
        asked = parse_qs(environ.get("QUERY_STRING", ""))
        if asked.get("code_challenge_method") != ["S256"] or "nonce" not in asked or "state" not in asked:
            return _answer(start, "400 Bad Request", {"error": "invalid_request"})

        def started(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            location = dict(headers).get("Location", "")
            for code in parse_qs(urlsplit(location).query).get("code", ()):
                self._challenges[code] = asked["code_challenge"][0]
            return start(status, headers, *more)

        return self._inner(environ, started)

    def _token(self, environ: Environ, start: Start) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if _client(environ) != CLIENT:
            return _answer(start, "401 Unauthorized", {"error": "invalid_client"})
        if self._challenges.pop(form.get("code", ""), None) != challenge:
            return _answer(start, "400 Bad Request", {"error": "invalid_grant"})
        self._exchanged += 1
        return self._inner(environ | {"wsgi.input": io.BytesIO(body)}, start)


def _client(environ: Environ) -> tuple[str, str] | None:
    scheme, _, encoded = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    try:
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (unquote(name), unquote(secret)) if scheme == "Basic" else None


def _answer(start: Start, status: str, body: dict[str, Any]) -> Iterable[bytes]:
    start(status, [("Content-Type", "application/json")])
    return [json.dumps(body).encode()]


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), Strict(app()), threaded=True)
