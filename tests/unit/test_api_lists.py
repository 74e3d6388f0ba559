"""Cursors, limits, CSV cells, merge patches, problems, quotas, bodies: the small pure parts of the API."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from api import bodies, cursors, grants, problems, shapes, tables
from api.bodies import ResponseBody
from api.limits import Buckets
from api.problems import Problem
from api.reading import Position
from api.responses import check
from api.submitting import merge
from referrals.check import Problem as Wrong

NOW = datetime(2026, 11, 2, 17, 0, tzinfo=UTC)


def request(query: str = "") -> Request:
    return Request(
        {"type": "http", "method": "GET", "query_string": query.encode(), "headers": [], "path": "/"}
    )


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_comes_back_as_it_was(at: datetime, id: UUID) -> None:
    text = cursors.encode(Position(at, id))
    assert cursors.decode(text, Position) == Position(at, id)
    assert text.isascii()


@given(st.text(max_size=80))
def test_any_other_text_is_refused_or_read_never_a_crash(text: str) -> None:
    try:
        cursors.decode(text, Position)
    except Problem as problem:
        assert problem.status == 422


@pytest.mark.parametrize(
    ("text", "limit"), [("", 50), ("limit=1", 1), ("limit=200", 200), ("limit=100000", 200)]
)
def test_limits_are_clamped(text: str, limit: int) -> None:
    assert cursors.limit(request(text)) == limit


@pytest.mark.parametrize("text", ["limit=0", "limit=-1", "limit=x", "limit=1.5", "limit=%C2%B2"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(Problem):
        cursors.limit(request(text))


def test_a_bare_plus_of_an_offset_is_forgiven() -> None:
    when = cursors.moment(request("t=2026-11-02T18:00:00+01:00"), "t")
    assert when == NOW


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\t=1",
        "\r=1",
        " =1",
        "\u00a0=1",
        "\x0c@x",
        "x\n=1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff201",
    ],
)
def test_a_text_that_looks_like_a_formula_is_quoted(text: str) -> None:
    assert tables.cell(text).startswith("'")


@given(st.text())
def test_no_cell_of_text_is_a_formula(text: str) -> None:
    assert not tables.cell(text).lstrip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (-1.5, "-1.5"),
        (NOW, "2026-11-02T17:00:00Z"),
        (UUID(int=1), str(UUID(int=1))),
    ],
)
def test_numbers_and_times_are_written_plainly(value: object, cell: str) -> None:
    assert tables.cell(value) == cell


# RFC 7396, appendix A.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_as_the_rfc_has_it(target: object, patch: object, result: object) -> None:
    assert merge(target, patch) == result


def test_problems_are_rfc_9457_and_operation_outcomes() -> None:
    problem = Problem("invalid", errors=[Wrong("/need/domain", "unknown")], version=3)
    body = msgspec.json.decode(problems.as_json(problem).body)
    assert body["status"] == 422
    assert body["errors"] == [{"pointer": "/need/domain", "detail": "unknown"}]
    assert body["version"] == 3
    assert {"type", "title", "detail"} <= body.keys()
    msgspec.convert(body, shapes.Problem)
    outcome = msgspec.json.decode(problems.as_fhir(problem).body)
    assert outcome["issue"][0]["expression"] == ["/need/domain"]


def test_foreign_and_nonexistent_are_the_same_bytes() -> None:
    assert problems.as_json(problems.not_found()).body == problems.as_json(problems.not_found()).body


def test_what_is_away_says_when_to_come_back() -> None:
    problem = problems.away("Kafka")
    assert problem.status == 503
    assert problem.headers["Retry-After"]


def test_buckets_refill() -> None:
    now = [0.0]
    buckets = Buckets(per_second=1, burst=2, clock=lambda: now[0])
    assert [buckets.wait("a"), buckets.wait("a")] == [0, 0]
    assert buckets.wait("a") == pytest.approx(1)
    assert buckets.wait("b") == 0
    now[0] = 1.0
    assert buckets.wait("a") == 0
    with pytest.raises(Problem) as caught:
        buckets.check("a")
    assert caught.value.status == 429
    assert int(caught.value.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"a": "\xff"}', 400),
        (b"[" * 100_000, 400),
        (b'{"a": "\\u0000"}', 422),
        (b'{"\\u0000": 1}', 422),
        (b'{"a":' * 40 + b"1" + b"}" * 40, 422),
    ],
)
def test_bodies_that_are_no_json_or_hold_nul(body: bytes, status: int) -> None:
    with pytest.raises(Problem) as caught:
        bodies.decode(body, "application/json")
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("media", "fine"),
    [
        ("", True),
        ("application/json; charset=utf-8", True),
        ("application/merge-patch+json", True),
        ("application/fhir+json", True),
        ("text/plain", False),
        ("application/xml", False),
    ],
)
def test_media_types(media: str, fine: bool) -> None:
    if fine:
        assert bodies.decode(b"{}", media) == {}
        return
    with pytest.raises(Problem) as caught:
        bodies.decode(b"{}", media)
    assert caught.value.status == 415


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "dance"}, "/action"),
        ({"action": "reject"}, "/reason"),
        ({"action": "reject", "reason": "mood"}, "/reason"),
        ({"action": "hold", "reason": "nap"}, "/reason"),
        ({"action": "hold", "reason": "waitlist"}, "/review_date"),
        ({"action": "cancel"}, "/reason"),
        ({"action": "cancel", "reason": "mood"}, "/reason"),
        ({"action": "correct"}, "/outcome/code"),
        ({"action": "complete"}, "/outcome/code"),
        ({"action": "complete", "outcome": {"code": "x"}}, "/outcome/code"),
        ({"action": "complete", "outcome": {"code": "service-provided", "need": "x"}}, "/outcome/need"),
        ({"action": "record-service"}, "/service_event_id"),
        ({"action": "note"}, "/note"),
    ],
)
def test_an_answer_that_the_body_alone_shows_to_be_wrong(body: dict[str, object], pointer: str) -> None:
    with pytest.raises(Problem) as caught:
        check(bodies.shaped(body, ResponseBody))
    assert [e.pointer for e in caught.value.errors] == [pointer]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": 1},
        {"action": "accept", "hop": 7},
        {"action": "accept", "version": "x"},
        {"action": "accept", "version": 10**20},
    ],
)
def test_an_answer_of_wrong_types_is_422(body: dict[str, object]) -> None:
    with pytest.raises(Problem) as caught:
        bodies.shaped(body, ResponseBody)
    assert caught.value.status == 422
    assert caught.value.errors[0].pointer.startswith("/")


@pytest.mark.parametrize("text", ["2026-11-02T18:00:00Z", "yesterday", "0001-01-01T00:00:00Z", ""])
def test_the_future_and_nonsense_are_no_time(text: str) -> None:
    with pytest.raises(Problem):
        bodies.said_at(text, NOW)


def test_details_are_the_actions_own_fields() -> None:
    said = bodies.shaped(
        {"action": "hold", "reason": "waitlist", "note": "x", "waitlist": {"position": 3}, "other": 1},
        ResponseBody,
    )
    assert said.details() == {"waitlist": {"position": 3}}


def test_the_documented_referral_is_the_returned_one() -> None:
    assert set(grants.FIELDS) == set(shapes.Referral.__struct_fields__)
