"""Synthetic submissions and worlds for tests of the rules; every person here is invented."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec

from producers.envelope import open_plain, seal
from referrals import check, ids
from referrals import commands as c
from referrals import events as e
from referrals.directory import Directory, Place, Service
from referrals.evolve import evolve
from referrals.lifecycle import decide
from referrals.placing import World
from referrals.state import Referral
from referrals.words import Channel

NOW = datetime(2026, 11, 2, 17, 0, tzinfo=UTC)
NAMES = UUID("00000000-0000-0000-0000-00000000feed")
ZIP, COUNTY = "94607", "alameda"


def body(sender_referral_id: str = "R-1", **changes: Any) -> dict[str, Any]:
    """A whole submission as a sender writes it."""
    made: dict[str, Any] = {
        "sender_referral_id": sender_referral_id,
        "person": {
            "person_id": "P-1",
            "given_name": "Test",
            "family_name": "Synthetic",
            "birth_date": "1980-02-01",
            "phone": "+1 510 555 0100",
            "address": {"line": "1 Test St", "city": "Oakland", "state": "CA", "postal_code": ZIP},
        },
        "need": {"domain": "food-insecurity", "note": "synthetic"},
        "coverage": {"payer": "plan", "member_id": "M-1"},
        "consent": {"status": "active"},
    }
    return made | changes


def submit(sender_referral_id: str = "R-1", **changes: Any) -> c.Submit:
    """The command of a submission."""
    submission = check.submission(body(sender_referral_id, **changes), NOW)
    return c.Submit(submission, seal(msgspec.json.encode(submission)))


def envelope(organization: str, name: str = "e", at: datetime = NOW) -> c.Envelope:
    """Who says it, with an id made from a name."""
    event = uuid5(NAMES, f"{organization}:{name}")
    return c.Envelope(event_id=event, organization=organization, channel=Channel.KAFKA, occurred_at=at, at=at)


def service(organization: str, **changes: Any) -> Service:
    """An active food service in the county of the ZIP."""
    made: dict[str, Any] = {
        "id": str(uuid5(NAMES, organization)),
        "organization": organization,
        "name": f"Food by {organization}",
        "domains": ("food-insecurity",),
        "languages": ("en", "es"),
        "counties": (COUNTY,),
        "latitude": 37.8,
        "longitude": -122.3,
    }
    return Service(**(made | changes))


def world(*services: Service, loads: dict[str, int] | None = None) -> World:
    """Two clinics, a plan, a hub, and a CBO per service."""
    places = {ZIP: Place(37.807, -122.285, COUNTY)}
    kinds = {
        "clinic": "clinic",
        "other-clinic": "clinic",
        "plan": "mco",
        "hub": "hub",
        "bay-community-plan": "mco",
    }
    kinds |= {s.organization: "cbo" for s in services}
    return World(Directory(1, services, places), loads or {}, kinds, "hub", seal, open_plain)


REFERRAL = ids.referral_id("clinic", "R-1")


def applied(
    state: Referral | None, command: c.Command, said: c.Envelope, w: World
) -> tuple[Referral, list[e.Event]]:
    """The state after a command that is not refused, and its events."""
    decision = decide(state, command, said, w)
    assert isinstance(decision, tuple), decision
    for fact in decision:
        state = evolve(state, REFERRAL, fact, said.at)
    assert state is not None
    return state, [f.event for f in decision]


def refused(state: Referral, command: c.Command, said: c.Envelope, w: World) -> c.Rejection:
    """Why a command has no effect."""
    decision = decide(state, command, said, w)
    assert isinstance(decision, c.Rejection), decision
    return decision
