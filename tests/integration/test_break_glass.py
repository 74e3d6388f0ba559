"""Break-glass on a real Postgres: nothing without it, one organization's view with it, nothing after it.

That a token of a system, or somebody else's role, opens nothing is the matrix's part.
"""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from api import views
from api.database import Database
from cli.audit import openings
from infra.audit import records
from infra.audit.verify import prove
from tests.integration.test_api_access import principal
from tests.support.api import Api
from tests.support.break_glass import NAME, NOTE, PATH, WHY, asking, investigator, opened, over, referred
from tests.support.people import browser, joined, unhurried

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("glass")) as running:
        unhurried(running)
        yield running


async def test_without_it_an_operators_person_sees_ids_and_with_it_exactly_that_view(api: Api) -> None:
    mine, other = await referred(api), await referred(api, "clinic-b")
    cbo = mine["hops"][-1]["organization"]
    async with investigator(api) as http:
        for path in ("/v1/referrals?limit=200", f"/v1/referrals/{mine['id']}", f"/fhir/Task/{mine['id']}"):
            assert NAME not in (await http.get(path)).text, path
        held = await opened(http, asking(mine, cbo))
        seen = (await http.get(f"{PATH}/{held['id']}")).json()["view"]
        async with api.http(cbo) as theirs:
            own = (await theirs.get(f"/v1/referrals/{mine['id']}")).json()
        assert seen["person"] == own["person"] and seen["person"]["given_name"] == NAME
        assert (seen["hops"], seen["status"]) == (own["hops"], own["status"])
        assert own["need"]["note"] == NOTE and "note" not in seen["need"]
        sent = (await http.get(f"{PATH}/{(await opened(http, asking(mine)))['id']}")).text
        assert NAME in sent and NOTE not in sent and "never-shown" not in sent
        for path in (
            "/v1/referrals?limit=200",
            f"/v1/referrals/{mine['id']}",
            f"/v1/referrals/{other['id']}",
        ):
            assert NAME not in (await http.get(path)).text, "elsewhere it stays ids while it is open"
        stranger = await http.post(PATH, json=asking(other, "clinic-a"))
        nowhere = await http.post(PATH, json=asking({"id": str(uuid4())}))
        assert (stranger.status_code, stranger.json()) == (404, nowhere.json())


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": None},
        {"reason": ""},
        {"reason": " " * 40},
        {"minutes": 61},
        {"minutes": 0},
        {"minutes": "5"},
    ],
    ids=["no reason", "empty", "blank", "61 minutes", "no minute", "text"],
)
async def test_without_a_reason_or_for_longer_than_an_hour_it_is_refused(
    api: Api, changes: dict[str, Any]
) -> None:
    mine = await api.submitted()
    async with investigator(api) as http:
        got = await http.post(PATH, json=asking(mine, **changes))
        assert got.status_code == 422, got.text
        assert (await http.get(PATH)).json()["items"] == []


async def test_an_hour_is_the_default(api: Api) -> None:
    said = asking(await api.submitted())
    del said["minutes"]
    async with investigator(api) as http:
        made = msgspec.convert(await opened(http, said), dict[str, Any])
    async with api.owner() as owner:
        span = await owner.fetchval(
            "select ends_at - opened_at from break_glass where id = $1", UUID(made["id"])
        )
    assert span.total_seconds() == 3600


async def test_without_a_second_step_nobody_opens_looks_or_ends(api: Api) -> None:
    mine = await api.submitted()
    async with investigator(api, coded=False) as http:
        asked = [await http.post(PATH, json=asking(mine)), await http.get(f"{PATH}/{uuid4()}")]
        asked.append(await http.delete(f"{PATH}/{uuid4()}"))
        asked.append(await http.post("/break-glass", data={"csrf": http.headers["X-CSRF-Token"]}))
        assert [got.status_code for got in asked] == [403] * 4
        page = await http.get("/break-glass")
        assert page.status_code == 200 and 'action="/break-glass"' not in page.text


async def test_it_ends_by_itself_at_its_moment(api: Api) -> None:
    mine = await referred(api)
    async with investigator(api) as http:
        made = await opened(http, asking(mine))
        assert NAME in (await http.get(f"{PATH}/{made['id']}")).text
        await over(api, made["id"])
        for path in (f"{PATH}/{made['id']}", f"/break-glass/{made['id']}"):
            got = await http.get(path)
            assert got.status_code == 403 and NAME not in got.text, path
        assert (await http.get(PATH)).json()["items"][0]["open"] is False


async def test_it_is_ended_early_by_who_opened_it_and_by_nobody_else(api: Api) -> None:
    mine = await referred(api)
    async with investigator(api) as http, investigator(api) as colleague:
        made = await opened(http, asking(mine))
        path = f"{PATH}/{made['id']}"
        for got in (await colleague.get(path), await colleague.delete(path)):
            assert got.status_code == 404
        assert (await colleague.get(PATH)).json()["items"] == []
        ended = await http.delete(path)
        assert (ended.status_code, ended.json()["open"]) == (200, False)
        assert (await http.get(path)).status_code == 403
        again = await http.delete(path)
        assert (again.status_code, again.json()) == (200, ended.json()), "its end stays what it was"


async def test_the_organization_is_told_at_once_and_nobody_else_is(api: Api) -> None:
    mine = await referred(api)
    cbo = mine["hops"][-1]["organization"]
    async with api.owner() as owner:
        await owner.execute("update organization set webhook_url = 'https://example.org' where id = $1", cbo)
    staff, admin = await joined(api, cbo, "staff"), await joined(api, cbo, "admin")
    auditor = await joined(api, cbo, "auditor")
    async with investigator(api) as http:
        made = await opened(http, asking(mine, cbo))
    for email, details in ((staff, False), (admin, True), (auditor, True)):
        async with browser(api, email) as theirs:
            page = await theirs.get("/account")
            assert "opened a referral of your organization" in page.text or "opened 2 referrals" in page.text
            assert ('href="/break-glass"' in page.text) == details
            listed = await theirs.get(PATH)
            assert (listed.status_code == 200) == details
            if details:
                found = next(i for i in listed.json()["items"] if i["id"] == made["id"])
                assert (found["reason"], found["referral"]) == (WHY, mine["id"])
                assert WHY in (await theirs.get("/break-glass")).text
    async with browser(api, await joined(api, "network", "admin")) as stranger:
        assert "opened a referral" not in (await stranger.get("/account")).text
        assert (await stranger.get(PATH)).json()["items"] == []
    async with api.owner() as owner:
        told = await owner.fetch(
            "select recipient, type from delivery where stream_id = $1", UUID(made["id"])
        )
        await owner.execute("update organization set webhook_url = null where id = $1", cbo)
    assert [tuple(row) for row in told] == [(cbo, "break-glass-opened")]


async def on_record(owner: asyncpg.Connection, id: str) -> list[records.BreakGlass]:
    """The audit's records of one."""
    rows = await owner.fetch(
        "select kind, body from audit_record where kind = 'break-glass' order by chain, number"
    )
    found = [records.record(row["kind"], row["body"]) for row in rows]
    return [r for r in found if isinstance(r, records.BreakGlass) and str(r.opening) == id]


async def test_each_step_of_it_is_on_record_once_with_its_reason_and_the_disclosure_is_accounted_for(
    api: Api,
) -> None:
    mine = await referred(api)
    asked: Counter[tuple[str, int]] = Counter()

    async with investigator(api) as http:
        made = await opened(http, asking(mine))
        path = f"{PATH}/{made['id']}"
        asked["POST /v1/break-glass", 201] += 1
        for _ in range(3):
            asked["GET /v1/break-glass/{id}", (await http.get(path)).status_code] += 1
        asked["GET /break-glass/{id}", (await http.get(f"/break-glass/{made['id']}")).status_code] += 1
        form = {"csrf": http.headers["X-CSRF-Token"]}
        done = await http.post(f"/break-glass/{made['id']}/end", data=form)
        asked["POST /break-glass/{id}/end", done.status_code] += 1
        asked["GET /v1/break-glass/{id}", (await http.get(path)).status_code] += 1
    async with api.owner() as owner:
        kept = await on_record(owner, made["id"])
        disclosed = await owner.fetch(
            "select shown, basis from audit_disclosure where referral_id = $1 and recipient = 'operator'"
            " and basis like 'break-glass%'",
            UUID(mine["id"]),
        )
        async with owner.transaction(isolation="repeatable_read", readonly=True):
            proof = await prove(owner, [])
    assert Counter((r.route, r.status) for r in kept) == asked
    assert asked["GET /v1/break-glass/{id}", 200] == 3 and asked["GET /v1/break-glass/{id}", 403] == 1
    assert {r.reason for r in kept} == {WHY} and {r.organization for r in kept} == {"operator"}
    assert all(r.user and r.role == "investigator" for r in kept)
    shown = ("break-glass-sender", f"break-glass {made['id']}")
    assert [tuple(row) for row in disclosed] == [shown] * 4
    assert proof.wrong == []
    (told,) = [one for one in await openings(api.url, "clinic-a") if str(one["id"]) == made["id"]]
    assert (told["reason"], told["looks"]) == (WHY, 4)


async def test_it_is_open_only_if_it_is_on_record(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = await api.submitted()
    async with investigator(api) as http:

        async def broken(*_: object) -> None:
            raise OSError("the audit's chain cannot be written")

        monkeypatch.setattr(api.app.state.context.deeds._trail, "add", broken)
        assert (await http.post(PATH, json=asking(mine))).status_code == 503
        monkeypatch.undo()
        assert (await http.get(PATH)).json()["items"] == []


async def test_postgres_alone_keeps_a_person_closed_to_operators_but_for_what_is_open_now(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the application's tables: an operator is everything to everybody, and the keys are not given out."""
    mine, other = await referred(api), await referred(api, "clinic-b")
    kind_of = views.kind_of
    monkeypatch.setattr(
        views, "kind_of", lambda who, seen: "sender" if who.type == "operator" else kind_of(who, seen)
    )
    async with investigator(api) as http:
        said = [await http.get(path) for path in ("/v1/referrals?limit=200", f"/v1/referrals/{mine['id']}")]
        assert all(got.status_code == 200 and NAME not in got.text for got in said)
        made = await opened(http, asking(mine))
    async with api.http("clinic-a") as own:
        assert NAME in (await own.get(f"/v1/referrals/{mine['id']}")).text, "the patch shows what there is"
    keys = "select id::text, length(key_of(sealed)) > 0 as given from referral where id = any ($1::uuid[])"
    both = [UUID(mine["id"]), UUID(other["id"])]

    async def given(who: str, through: str) -> dict[str, bool]:
        database = Database(api.url, size=1)
        await database.open()
        try:
            async with database.looking(principal(who, "operator"), UUID(through)) as connection:
                return {row["id"]: row["given"] for row in await connection.fetch(keys, both)}
        finally:
            await database.close()

    assert await given("operator", made["id"]) == {mine["id"]: True, other["id"]: False}
    assert await given("operator", str(uuid4())) == {mine["id"]: False, other["id"]: False}
    assert await given("another-operator", made["id"]) == {mine["id"]: False, other["id"]: False}
    await over(api, made["id"])
    assert await given("operator", made["id"]) == {mine["id"]: False, other["id"]: False}


async def test_postgres_takes_no_row_without_a_reason_or_an_end_or_of_somebody_else(api: Api) -> None:
    mine = await api.submitted()
    row = "insert into break_glass (id, tenant, operator, user_id, referral_id, reason, ends_at) values"
    row += " ($1, $2, $3, $4, $5, $6, now() + $7::interval)"
    good: tuple[Any, ...] = ("clinic-a", "operator", uuid4(), UUID(mine["id"]), WHY, "1 hour")
    wrong: tuple[tuple[int, Any], ...] = (
        (4, ""),
        (5, "61 minutes"),
        (5, "-1 minute"),
        (1, "clinic-b"),
        (0, "operator"),
    )
    connection = await asyncpg.connect(api.url, server_settings={"role": "refex_api"})
    try:
        for place, value in (*wrong, (0, "clinic-a")):
            said = [*good]
            said[place] = value
            attempt = connection.transaction()
            await attempt.start()
            await connection.execute(
                "select set_config('refex.organization', 'operator', true),"
                " set_config('refex.organization_type', 'operator', true)"
            )
            try:
                made = "taken"
                await connection.execute(
                    row.replace("$7::interval", f"interval '{said[5]}'"), uuid4(), *said[:5]
                )
                for change in ("ends_at = now() + interval '1 day'", "reason = 'another one, later'"):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        async with connection.transaction():
                            await connection.execute(f"update break_glass set {change}")
            except (asyncpg.CheckViolationError, asyncpg.InsufficientPrivilegeError):
                made = "refused"
            finally:
                await attempt.rollback()
            assert made == ("taken" if said == [*good] else "refused"), said
    finally:
        await connection.close()
