"""What sources list: nothing new is no fact, no source touches another's, an end meets what it was meant for."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from referrals import commands as c
from referrals.listing import recorded
from referrals.streams import Stream
from tests.support.referrals import NOW, envelope, service

PANTRY = service("pantry")
ID = UUID(PANTRY.id)
Json = dict[str, Any]


def listed(source: str | None = "county", name: str = "Groceries", **routing: Any) -> c.RecordFact:
    provenance = {"source": source, "id": "17", "digest": f"{name}{routing}"}
    body: Json = {"id": PANTRY.id, "name": name, "status": "active"}
    body |= {"provenance": provenance} if source else {}
    data = {"routing": msgspec.to_builtins(service("pantry", **routing)), "body": body}
    return c.RecordFact("service", ID, "service-changed", data)


def ended(source: str = "county", version: int = 1) -> c.RecordFact:
    return c.RecordFact("service", ID, "service-ended", {"source": source, "version": version})


def after(*commands: c.RecordFact) -> tuple[Stream | None, list[str | None]]:
    """The stream after these, and what became of each: a type, a reason, or None."""
    stream: Stream | None = None
    found: list[str | None] = []
    for command in commands:
        fact = recorded(stream, command, envelope("pantry"))
        found.append(fact.type if isinstance(fact, c.RecordFact) else fact.reason if fact else None)
        if isinstance(fact, c.RecordFact):
            stream = Stream("pantry", stream.version + 1 if stream else 1, fact.type, fact.data)
    return stream, found


def test_a_listing_is_kept_with_the_time_it_was_imported() -> None:
    stream, _ = after(listed())
    assert stream is not None
    assert stream.data["body"]["provenance"] == {
        "source": "county",
        "id": "17",
        "digest": "Groceries{}",
        "imported_at": NOW.isoformat(),
    }


def test_the_same_again_is_no_fact_and_a_change_is_one() -> None:
    _, found = after(listed(), listed(), listed(name="Meals"), listed(name="Meals", active=False))
    assert found == ["service-changed", None, "service-changed", "service-changed"]


def test_a_service_written_without_defaults_is_the_same_service() -> None:
    short = listed()
    short.data["routing"] = {k: v for k, v in short.data["routing"].items() if v not in (None, [], ())}
    assert after(listed(), short)[1] == ["service-changed", None]


@pytest.mark.parametrize(("first", "second"), [("county", "city"), (None, "city"), ("county", None)])
def test_another_source_never_overwrites(first: str | None, second: str | None) -> None:
    stream, found = after(listed(first), listed(second, name="Theirs"))
    assert found == ["service-changed", "not-permitted"]
    assert stream is not None and stream.data["body"]["name"] == "Groceries"


def test_without_a_source_the_organization_is_the_source() -> None:
    assert after(listed(None), listed("pantry", name="Meals"))[1] == ["service-changed", "service-changed"]


def test_what_is_listed_no_more_is_inactive_with_its_date() -> None:
    stream, found = after(listed(), ended())
    assert stream is not None and found == ["service-changed", "service-ended"]
    assert stream.data["routing"]["active"] is False
    body = stream.data["body"]
    assert (body["status"], body["ended_on"], body["name"]) == ("inactive", "2026-11-02", "Groceries")
    assert body["provenance"]["digest"] == "", "so that listing it again is a change"


def test_it_ends_once_and_may_be_listed_again() -> None:
    stream, found = after(listed(), ended(), ended(version=2), listed())
    assert found == ["service-changed", "service-ended", None, "service-changed"]
    assert stream is not None and "ended_on" not in stream.data["body"]


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        ([ended()], "unknown-service"),
        ([listed(), ended("city")], "not-permitted"),
        ([listed(), listed(name="Meals"), ended()], "stale"),
    ],
)
def test_an_end_that_meets_something_else_has_no_effect(commands: list[c.RecordFact], reason: str) -> None:
    stream, found = after(*commands)
    assert found[-1] == reason
    assert stream is None or stream.data["routing"]["active"]


def test_what_routing_cannot_read_is_refused() -> None:
    bad = listed()
    bad.data["routing"] = {"id": 5}
    assert after(bad)[1] == ["invalid"]
