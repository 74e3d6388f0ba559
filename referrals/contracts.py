"""Contracts as reviewed data files: parties, needs, hop limit, clocks, authorization, targets.

Comes in: referrals/data/contracts/*.json. Goes out: which contract holds for a referral. Never a person's data.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import Literal

import msgspec
from msgspec import Struct

DEFAULT = "exchange-default"


class Duplicates(Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a likely duplicate: flag and route, hold for a person, or refuse; and how far back to look."""

    action: Literal["flag", "hold", "refuse"] = "flag"
    window_days: int = 30


class Contract(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One contract. `member_ids` names a numbering of members that plans share (a state's); else it is the plan's own.
    `needs` empty = every need domain; hours are per priority, `routine` always given.

    `offers`: how many organizations are asked at once, per priority (one when not said). `contact_attempts`: how often
    a person must have been tried before `client-unreachable`. The hub records an answer that came by telephone or
    fax for the organizations of `answered_by_phone` at once, for others after `assisted_after_hours` of silence.
    """

    id: str
    title: str
    payer: str | None = None
    needs: tuple[str, ...] = ()
    hop_limit: int = 3
    offers: Mapping[str, int] = {}
    contact_attempts: int = 0
    assisted_after_hours: float = 4.0
    answered_by_phone: tuple[str, ...] = ()
    first_response_hours: Mapping[str, float]
    authorization: bool = False
    targets: Mapping[str, float] = {}
    member_ids: str | None = None
    duplicates: Duplicates = Duplicates()

    def asked_at_once(self, priority: str) -> int:
        """How many organizations one offer round asks."""
        return max(1, self.offers.get(priority, 1))

    def first_response(self, priority: str) -> timedelta:
        """How long a recipient may take to answer."""
        hours = self.first_response_hours
        return timedelta(hours=hours.get(priority, hours["routine"]))


@cache
def contracts() -> dict[str, Contract]:
    """Every contract by id."""
    folder = resources.files("referrals").joinpath("data", "contracts")
    found = [msgspec.json.decode(p.read_bytes(), type=Contract) for p in folder.iterdir()]
    return {c.id: c for c in sorted(found, key=lambda c: c.id)}


def contract_for(payer: str | None, domain: str) -> Contract:
    """The contract of a payer that covers the need, else the exchange's default."""
    for contract in contracts().values():
        if contract.payer is not None and contract.payer == payer and domain in (contract.needs or (domain,)):
            return contract
    return contracts()[DEFAULT]


@cache
def member_ids(payer: str) -> str:
    """Whose numbering the member ids of a plan are: one that it shares with others, or its own."""
    shared = (c.member_ids for c in contracts().values() if c.payer == payer and c.member_ids)
    return next(shared, payer)
