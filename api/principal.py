"""Who asks: an organization, and the client or user that speaks for it; made by auth.py alone.

Must never hold a secret other than the session's CSRF token.
"""

from datetime import datetime

import msgspec
from msgspec import Struct

from api.looks import Looks


class Acting(Struct, frozen=True):
    """Whom a log-in is about, whether it went well or not: what the audit writes of it."""

    organization: str
    type: str
    user: str
    role: str


class Principal(Struct, frozen=True, kw_only=True):
    """The caller of a request (request.state.principal).

    `user` is the user's id (a UUID as text) or the client id: what envelopes and history name as the actor.
    `role`, `email` and `user_name` are a person's, empty for a client. `csrf` and `session` (the hash of the
    cookie) are set for a browser alone; pages put `csrf` into every form as the field `csrf`. `credential` is
    the hash of what was presented, to see later whether it still holds. `looks` is what the request has shown.
    `second_step`: the session was begun with a code. `opened`: how many of the organization's referrals were opened by
    an operator within a week.
    """

    organization: str
    type: str
    name: str
    user: str
    scopes: frozenset[str]
    expires_at: datetime
    credential: bytes
    role: str | None = None
    email: str = ""
    user_name: str = ""
    csrf: str | None = None
    session: bytes | None = None
    second_step: bool = False
    opened: int = 0
    looks: Looks = msgspec.field(default_factory=Looks)

    @property
    def channel(self) -> str:
        """The channel its commands are recorded with."""
        return "api" if self.session is None else "web"
