"""What one request has shown its caller so far; the audit writes it down before the answer leaves.

Comes in: referrals as views.py shows them. Goes out: the audit's objects. Must never hold a value of a person.
"""

from collections.abc import Iterable
from uuid import UUID

from infra.audit.records import Object


class Looks:
    """The objects looked at, each once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Object] = {}

    def referral(self, id: UUID, sender: str, person: UUID, shown: str, basis: str, rule: str) -> None:
        """A referral was shown as the row `shown` of grants.py allows."""
        self.add(Object("referral", str(id), sender, person, shown, basis, rule))

    def add(self, looked: Object) -> None:
        """Something was shown or acted on."""
        self._found[looked.kind, looked.id] = looked

    def all(self) -> Iterable[Object]:
        """Everything, in the order of the last look."""
        return self._found.values()
