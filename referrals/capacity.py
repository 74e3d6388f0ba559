"""How much room a service has and when it is closed, in the words of its own CBO: the rule of the stream `capacity`.

Comes in: the stream as it stands and a new statement; or a service and what its CBO said. Goes out: the stream's new
data; the service as routing sees it. Pure. What is said here wins over every import; it ends with its own dates.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import structs

from referrals import commands as c
from referrals.check import UNWRITABLE, Invalid, Problem, parse_date, parse_time
from referrals.directory import Service
from referrals.errors import RejectionReason as No

if TYPE_CHECKING:
    from referrals.streams import Stream

STATUSES = ("capacity", "no-capacity", "waitlist", "additional-assessment-required")
ALIASES = {"open": "capacity", "limited": "capacity", "full": "no-capacity", "closed": "no-capacity"}
FOREVER = "9999-12-31"
"""How long a closure lasts that names no end: until its CBO says otherwise."""
MAX_AVAILABLE = 1_000_000
MAX_CLOSURES = 100
MAX_TEXT = 2_000
Data = dict[str, Any]


def recorded(
    before: "Stream | None", command: c.RecordFact, envelope: c.Envelope
) -> c.RecordFact | c.Rejection | None:
    """The stream after a statement: what is not said stays; None when only the same closures are said again."""
    try:
        said = statement(command.data, envelope.at.date() - timedelta(days=1))
    except Invalid as error:
        return c.Rejection(No.INVALID, str(error)[:2000])
    old = {k: v for k, v in (before.data if before else {}).items() if k in ("room", "closures")}
    if "room" in said:
        version = before.version + 1 if before else 1
        said["room"] |= {"updated": envelope.at.isoformat(), "version": version}
    after = old | said
    return None if after == old else structs.replace(command, data=after)


def statement(said: Mapping[str, Any], today: date) -> Data:
    """What is said, in its one form: `room` and `closures`, each only if said. Raises Invalid with JSON pointers.

    `status` alone ends counting; `available` alone implies the status; `closures: []` reopens.
    """
    said = {key: value for key, value in said.items() if value is not None}
    counted = said.get("available", said.get("capacity"))
    said = {**said, "available": counted, "until": said.get("until", said.get("expires_at"))}
    if problems := [*_wrong_room(said, today), *_wrong_closures(said.get("closures"))]:
        raise Invalid(problems)
    made: Data = {}
    status = ALIASES.get(str(said.get("status")), said.get("status"))
    if status is not None or counted is not None:
        made["room"] = {
            "status": status or ("capacity" if counted else "no-capacity"),
            "available": counted,
            "until": str(said["until"])[:10] if said["until"] else None,
            "note": said.get("note"),
        }
    if "closures" in said:
        closed = [{k: v for k, v in one.items() if k in ("from", "to", "reason")} for one in said["closures"]]
        made["closures"] = sorted(closed, key=lambda one: (one["from"], one.get("to") or FOREVER))
    return made


def with_room(service: Service, said: Mapping[str, Any]) -> Service:
    """The service as routing sees it, `said` being the data of its own CBO's stream `capacity`."""
    changes: Data = {}
    if room := said.get("room"):
        waits = room["status"] == "waitlist"
        changes = {
            "capacity_status": room["status"],
            # a wait list takes people without a place
            "capacity_available": room["available"] if room["available"] or not waits else None,
            "capacity_updated": room["updated"],
            "capacity_until": room["until"],
            "capacity_version": room["version"],
        }
    if "closures" in said:
        changes["closures"] = tuple((c["from"], c.get("to") or FOREVER) for c in said["closures"])
    found: Service = structs.replace(service, **changes)
    return found


def _wrong_room(said: Mapping[str, Any], today: date) -> Iterator[Problem]:
    status, available, until = said.get("status"), said["available"], said["until"]
    if status is None and available is None and said.get("closures") is None:
        yield Problem("", "send status, available or closures; status alone ends counting")
    known = ALIASES.get(str(status), status)
    if status is not None and known not in STATUSES:
        yield Problem("/status", f"use one of {', '.join(STATUSES)}")
    if available is not None and not _is_count(available):
        yield Problem("/available", f"send a whole number from 0 to {MAX_AVAILABLE}, or null")
    elif (
        available is not None
        and known in ("capacity", "no-capacity")
        and (available > 0) != (known == "capacity")
    ):
        yield Problem("/available", f"{available} contradicts the status {status}; correct one of them")
    if until is not None and ((day := _day(until)) is None or day < today):
        yield Problem("/until", "send a date YYYY-MM-DD that has not passed")
    yield from _wrong_text("/note", said.get("note"))


def _wrong_closures(closures: Any) -> Iterator[Problem]:
    if closures is None:
        return
    if not isinstance(closures, list) or len(closures) > MAX_CLOSURES:
        yield Problem("/closures", f"send an array of at most {MAX_CLOSURES} closures")
        return
    for number, one in enumerate(closures):
        at = f"/closures/{number}"
        if not isinstance(one, dict):
            yield Problem(at, "send an object with from and to")
            continue
        first, last = one.get("from"), one.get("to")
        if not isinstance(first, str) or parse_date(first) is None:
            yield Problem(f"{at}/from", "send the first day as YYYY-MM-DD")
        elif last is not None and (not isinstance(last, str) or parse_date(last) is None or last < first):
            yield Problem(
                f"{at}/to", "send the last day as YYYY-MM-DD, not before the first; leave it out if unknown"
            )
        yield from _wrong_text(f"{at}/reason", one.get("reason"))


def _wrong_text(pointer: str, text: Any) -> Iterator[Problem]:
    if text is not None and (not isinstance(text, str) or len(text) > MAX_TEXT or UNWRITABLE.search(text)):
        yield Problem(pointer, f"send a text of at most {MAX_TEXT} characters")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_AVAILABLE


def _day(value: Any) -> date | None:
    when = parse_time(value) if isinstance(value, str) else None
    return when.date() if when else None
