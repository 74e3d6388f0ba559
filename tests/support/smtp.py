"""A mail server on loopback that takes what it is sent: enough of RFC 5321 for one client.

`async with MailServer() as server`: `server.url` for REFEX_SMTP_URL, `await server.message()` for the next e-mail.
`server.refuse = True` turns messages away.
"""

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage


class MailServer:
    """The server and what it was sent."""

    def __init__(self) -> None:
        self.refuse = False
        self.url = ""
        self._taken: asyncio.Queue[EmailMessage] = asyncio.Queue()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "MailServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"smtp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def message(self) -> EmailMessage:
        """The next e-mail, within ten seconds."""
        return await asyncio.wait_for(self._taken.get(), 10)

    @property
    def empty(self) -> bool:
        """Whether no e-mail waits to be looked at."""
        return self._taken.empty()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(text: str) -> None:
            writer.write(f"{text}\r\n".encode())
            await writer.drain()

        await say("220 test")
        try:
            while line := await reader.readline():
                verb = line.split()[0].upper().decode() if line.split() else ""
                if verb == "DATA" and not self.refuse:
                    await say("354 go on")
                    self._take(await reader.readuntil(b"\r\n.\r\n"))
                await say("451 not now" if verb == "DATA" and self.refuse else "250 ok")
                if verb == "QUIT":
                    break
        finally:
            writer.close()

    def _take(self, sent: bytes) -> None:
        found = message_from_bytes(sent.removesuffix(b".\r\n"), policy=policy.default)
        assert isinstance(found, EmailMessage)
        self._taken.put_nowait(found)
