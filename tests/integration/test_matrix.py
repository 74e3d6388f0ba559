"""Every route for everybody, on their own, foreign and missing objects: who may, what it shows, what goes on record.

The expected cells are tests/support/matrix/declared.py; what of one tenant another may be shown is shared.py.
"""

import difflib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator

import pytest

from api import policy, views
from infra.audit import records
from stream_processors import outbox
from tests.support import filters
from tests.support.api import Api
from tests.support.matrix import run
from tests.support.matrix.declared import ROUTES, is_page
from tests.support.matrix.people import Who, ended, everybody
from tests.support.matrix.run import Answer
from tests.support.matrix.shared import declared
from tests.support.matrix.world import CONTRACTS, World

pytestmark = pytest.mark.real
# Routes that say so for reasons of their own: no credentials in the form, no Kafka here, the way out.
OTHERWISE: dict[str, set[int]] = {
    "POST /logout": {303},
    "POST /oauth/token": {401},
    "POST /login": {401},
    "POST /login/link/{token}": {401},
    "GET /login/oidc": {401},
    "GET /login/organization/{id}": {401},
    "GET /login/code": {303},
    "POST /login/code": {303, 401, 403},
    "GET /readyz": {503},
}


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("matrix")) as running:
        yield running


@pytest.fixture(scope="module")
async def world(api: Api) -> World:
    made = World(api)
    await made.make()
    return made


@pytest.fixture(scope="module")
async def people(api: Api, world: World) -> list[Who]:
    return [*await everybody(api), *await ended(api)]


@pytest.fixture(scope="module")
async def before(api: Api, world: World) -> dict[str, int]:
    return await versions(api, world)


@pytest.fixture(scope="module")
async def answers(api: Api, world: World, people: list[Who], before: dict[str, int]) -> list[Answer]:
    return await run.run(api, world, people)


async def versions(api: Api, world: World) -> dict[str, int]:
    async with api.owner() as owner:
        rows = await owner.fetch("select id::text as id, version from referral")
    return {row["id"]: row["version"] for row in rows}


def outcome(answer: Answer) -> str:
    """In the words of the declaration."""
    location = dict(answer.headers).get("location", "")
    if answer.status == 401 or (is_page(answer.cell.route) and location.startswith("/login")):
        return "login"
    words = {403: "forbidden", 404: "missing"}
    return words.get(answer.status, "failed" if answer.status >= 500 else "admitted")


def test_there_are_enough_of_everything(answers: list[Answer], people: list[Who]) -> None:
    assert len(people) >= 16 and len(answers) > 3_000
    ways = Counter((a.cell.way, a.cell.whose) for a in answers)
    for way in ("path", "query", "header", "body", "batch", "cursor"):
        assert ways[way, "foreign"] and ways[way, "foreign"] >= ways[way, "missing"] // 8, way
    print(f"{len(people)} principals, {len(ROUTES)} routes, {len(answers)} cells, {dict(ways)}")


def test_every_cell_is_answered_as_declared(answers: list[Answer]) -> None:
    wrong = [
        f"{a.cell.who.name}: {a.cell.route} {a.cell.way} {a.cell.whose}: {a.status}, not {a.cell.must}"
        for a in answers
        if outcome(a) != a.cell.must and a.status not in OTHERWISE.get(a.cell.route, ())
    ]
    assert wrong == [], "\n".join(wrong)


def difference(one: Answer, other: Answer) -> str:
    said = difflib.unified_diff(
        other.said.splitlines(), one.said.splitlines(), other.cell.path, one.cell.path, n=0
    )
    return "\n".join([one.cell.who.name, *said])


def test_foreign_and_missing_are_the_same_bytes(answers: list[Answer]) -> None:
    twins: dict[tuple[str, str], dict[str, list[Answer]]] = defaultdict(lambda: defaultdict(list))
    for answer in answers:
        if answer.cell.twin:
            twins[answer.cell.who.name, answer.cell.twin][answer.cell.whose].append(answer)
    compared = 0
    for (who, twin), found in twins.items():
        missing = {answer.bytes_alike for answer in found["missing"]}
        for answer in found["foreign"]:
            compared += 1
            assert answer.bytes_alike in missing, difference(answer, found["missing"][0])
            assert "etag" not in dict(answer.headers), (who, twin)
    assert compared > 500


def leaks(answers: list[Answer], world: World, before: list[Answer]) -> list[str]:
    """Every value and every id of somebody else's that was shown undeclared.

    What the caller said is none, nor an id that its organization wrote into a body before.
    """
    found: set[str] = set()
    written = [(a.cell.who.organization, str(a.cell.sent)) for a in before if a.cell.way in ("body", "batch")]
    referrals = list(world.of("referral"))
    theirs = {(o, t.id) for o, text in written for t in referrals if t.id in text}
    for answer in answers:
        sent = f"{answer.cell.path} {answer.cell.sent}"
        others = world.canaries.found(answer.said) - world.canaries.found(sent)
        asked = f"{answer.cell.who.name}: {answer.cell.route} {answer.cell.way}"
        found |= {
            f"{asked} shows {v}" for v in others if not declared(v, answer.cell.who.organization, world)
        }
        who = answer.cell.who.organization
        foreign = (t for t in referrals if who not in t.parties and (who, t.id) not in theirs)
        found |= {f"{asked} names {t.name}" for t in foreign if t.id in answer.said and t.id not in sent}
    return sorted(found)


def test_nobody_is_shown_a_value_of_anothers(answers: list[Answer], world: World) -> None:
    shown = {v for a in answers for v in world.canaries.found(a.said)}
    assert len(shown) > 100, "the canaries are where they can be seen"
    assert (found := leaks(answers, world, answers)) == [], "\n".join(found)


def test_the_stream_tells_of_ones_own_alone(answers: list[Answer], world: World) -> None:
    for answer in (a for a in answers if a.cell.route == run.STREAM and a.status == 200):
        for thing in world.of("referral"):
            seen = answer.cell.who.organization in thing.parties
            assert (thing.id in answer.body) == seen, (answer.cell.who.name, thing.name)


async def test_asking_changed_nothing(
    api: Api, world: World, before: dict[str, int], answers: list[Answer]
) -> None:
    after = await versions(api, world)
    assert {id: after[id] for id in before} == before


async def test_every_request_is_on_record_once_and_as_it_was(
    api: Api, world: World, answers: list[Answer]
) -> None:
    async with api.owner() as owner:
        rows = await owner.fetch("select body from audit_record where kind = 'request'")
    assert not any(world.canaries.found(row["body"].decode()) for row in rows), "ids alone are on record"
    read = [records.record("request", row["body"]) for row in rows]
    kept = [record for record in read if isinstance(record, records.Request)]
    asked = {a.request: a for a in answers if not ROUTES[a.cell.route].free}
    ours = [record for record in kept if record.request in asked]
    assert Counter(r.request for r in ours) == Counter(list(asked)), "one record for each request"
    by_id = {r.request: r for r in ours}
    for request, answer in asked.items():
        record, who = by_id[request], answer.cell.who
        nobody = who.type is None or (is_page(answer.cell.route) and not who.person)
        assert (record.route, record.status) == (answer.cell.route, answer.status)
        assert (record.organization, record.user) == (
            (None, None) if nobody else (who.organization, who.user)
        )
        assert answer.status < 400 or not any(o.shown for o in record.objects), "a refusal has shown nothing"
    unasked = {a.request for a in answers if ROUTES[a.cell.route].free}
    assert not unasked & {record.request for record in kept}


async def test_what_is_sent_to_others_holds_no_value_of_a_third(
    api: Api, world: World, answers: list[Answer]
) -> None:
    async with api.owner() as owner:
        facts = [dict(row) for row in await owner.fetch("select * from history order by lane, lane_seq")]
        deliveries = await owner.fetch("select delivery::text as said, recipient from delivery")
        readers = {row["id"] for row in await owner.fetch("select id from organization")}
    fed = [out for fact in facts for out in outbox.outputs(fact, frozenset(readers), None)]
    told = [(out.topic.partition(".")[2], out.value) for out in fed if out.topic.startswith("feedback.")]
    told += [(row["recipient"], row["said"].encode()) for row in deliveries]
    assert len(told) > 50 and len(deliveries) > 10
    for organization, said in told:
        for value in world.canaries.found(said.decode("utf-8", "replace")):
            assert declared(value, organization, world), (organization, value)


LISTS = {
    "clinic-b": ("/v1/referrals", "/clinic", "/v1/events/stream"),
    "valley-care-plan": (
        "/v1/referrals",
        "/clinic",
        f"/v1/contracts/{CONTRACTS['a']}/measures/received/referrals",
    ),
    "food-b": ("/v1/referrals", "/v1/events/stream"),
    "hub-b": ("/v1/referrals", "/hub", "/v1/persons/links"),
}


def without_application_filters(patch: pytest.MonkeyPatch) -> None:
    """Everybody is everything to every object, and no query asks whose a row is: row-level security is alone."""
    assert filters.take_away(patch) > 25
    every = frozenset({*policy.PARTIES, "owner", "any state", "any operator", "any hub"})
    patch.setattr(policy, "relations", lambda principal, target: every)
    kind_of = views.kind_of
    other = {"mco": "payer", "hub": "hub"}
    patch.setattr(views, "kind_of", lambda who, seen: kind_of(who, seen) or other.get(who.type, "sender"))


async def test_row_level_security_alone_shows_nobody_a_row_of_anothers(
    api: Api, world: World, answers: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_application_filters(monkeypatch)
    whole = [who for who in await everybody(api) if who.whole or who.type is None]
    found = await run.run(api, world, whole, reading=True)
    assert len(found) > 1_000
    assert leaks(found, world, answers) == []
    for answer in found:
        if answer.cell.whose == "foreign" and answer.cell.way == "path":
            assert answer.status >= 400 or not world.canaries.found(answer.body), answer.cell


TABLES = ("referral", "hop", "history", "stream", "person_consent", "parked")


async def test_without_either_wall_the_same_requests_show_everything(
    api: Api, world: World, answers: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What proves the test above: the filters it takes away are the ones that keep others out."""
    found = [who for who in await everybody(api) if who.whole]
    without_application_filters(monkeypatch)
    async with api.owner() as owner:
        for table in TABLES:
            await owner.execute(f"alter table {table} disable row level security")
        try:
            for organization, paths in LISTS.items():
                for path in paths:
                    door = is_page(f"GET {path}")
                    who = next(w for w in found if w.organization == organization and w.person == door)
                    said = await run.said(api, who, path)
                    foreign = [t for t in world.things.values() if organization not in t.parties]
                    assert any(t.id in said for t in foreign), (organization, path)
        finally:
            for table in TABLES:
                await owner.execute(f"alter table {table} enable row level security")
