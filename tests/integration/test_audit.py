"""Every request on record before it is answered, and every change of the record found."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra.audit import chain, checkpoints, records
from infra.audit.chain import Head
from infra.audit.checkpoints import Checkpoint
from infra.audit.verify import Proof, prove
from tests.support.api import Api

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("api")) as running:
        yield running


async def kept(api: Api, request_id: str) -> list[records.Request]:
    async with api.owner() as owner:
        rows = await owner.fetch(
            "select body from audit_record where kind = 'request' order by chain, number"
        )
    found = [records.record("request", row["body"]) for row in rows]
    return [r for r in found if isinstance(r, records.Request) and r.request == request_id]


async def asked(
    api: Api, organization: str | None, method: str, path: str, **more: Any
) -> tuple[int, records.Request]:
    request_id = uuid4().hex
    async with api.http(organization, **{"X-Request-Id": request_id}) as http:
        got = await http.request(method, path, **more)
    found = await kept(api, request_id)
    assert len(found) == 1
    return got.status_code, found[0]


async def test_a_look_at_a_referral_says_who_saw_what_of_whom_and_by_which_right(api: Api) -> None:
    referral = await api.submitted()
    hop = referral["hops"][-1]
    _, own = await asked(api, "clinic-a", "GET", f"/v1/referrals/{referral['id']}")
    _, cbo = await asked(api, hop["organization"], "GET", f"/v1/referrals/{referral['id']}")
    assert (own.organization, own.user, own.action, own.operation, own.outcome) == (
        "clinic-a",
        "clinic-a-client",
        "read",
        "R",
        "0",
    )
    assert [(o.kind, o.id, o.owner, o.shown, o.basis) for o in own.objects] == [
        ("referral", referral["id"], "clinic-a", "sender", "sender")
    ]
    assert [(o.shown, o.basis) for o in cbo.objects] == [("offered", "consent said with it")]


async def test_a_list_names_everything_in_it(api: Api) -> None:
    ids = {(await api.submitted("clinic-b"))["id"] for _ in range(3)}
    _, record = await asked(api, "clinic-b", "GET", "/v1/referrals")
    assert ids <= {o.id for o in record.objects}


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        (None, "/v1/referrals", 401),
        ("clinic-b", "/v1/referrals/{id}", 404),
        ("clinic-b", f"/v1/referrals/{uuid4()}", 404),
        ("state", "/v1/referrals", 403),
    ],
)
async def test_a_refusal_is_on_record_without_saying_whose_it_was(
    api: Api, who: str | None, path: str, status: int
) -> None:
    referral = await api.submitted()
    got, record = await asked(api, who, "GET", path.format(id=referral["id"]))
    assert (got, record.status, record.outcome, record.organization) == (status, status, "4", who)
    assert all(o.owner is None and o.person is None and o.shown is None for o in record.objects)


async def test_what_is_written_in_a_path_is_kept_only_if_it_is_an_id(api: Api) -> None:
    _, record = await asked(api, "clinic-a", "GET", "/v1/referrals/Maria%20Synthetic")
    assert (record.status, record.objects) == (404, ())


async def test_a_command_is_on_record_beside_its_fact(api: Api) -> None:
    referral = await api.submitted()
    path = f"/v1/referrals/{referral['id']}/cancel"
    status, record = await asked(api, "clinic-a", "POST", path, json={"reason": "need-met"})
    assert (status, record.action, record.operation) == (200, "cancel", "U")
    assert [o.id for o in record.objects] == [referral["id"]]


async def test_probes_and_documents_are_not(api: Api) -> None:
    request_id = uuid4().hex
    async with api.http(None, **{"X-Request-Id": request_id}) as http:
        for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/version"):
            await http.get(path)
    assert await kept(api, request_id) == []


async def test_a_disclosure_to_another_is_indexed_for_its_sender_alone(api: Api) -> None:
    referral = await api.submitted()
    recipient = referral["hops"][-1]["organization"]
    await asked(api, recipient, "GET", f"/v1/referrals/{referral['id']}")
    query = "select recipient from audit_disclosure where referral_id = $1"
    async with api.owner() as owner:
        assert [r["recipient"] for r in await owner.fetch(query, referral["id"])] == [recipient]
    database = api.app.state.context.database
    for organization, type, seen in (
        ("clinic-a", "clinic", 1),
        ("clinic-b", "clinic", 0),
        (recipient, "cbo", 0),
    ):
        async with database.auditing() as connection:
            await connection.fetch(
                "select set_config('refex.organization', $1, true), set_config('refex.organization_type', $2, true)",
                organization,
                type,
            )
            assert len(await connection.fetch(query, referral["id"])) == seen


async def test_records_hold_no_value_of_a_person(api: Api) -> None:
    async with api.owner() as owner:
        bodies = b"\n".join(r["body"] for r in await owner.fetch("select body from audit_record"))
        people = await owner.fetch("select sealed from referral")
    assert people and bodies
    for value in (b"Synthetic", b"1990-", b"555-01", b"M-1", b"94607"):
        assert value not in bodies


async def test_without_the_database_nothing_is_shown(api: Api) -> None:
    referral = await api.submitted()
    async with api.owner() as owner:
        await owner.execute("revoke insert on audit_record from refex_api")
    try:
        async with api.http("clinic-a") as http:
            got = await http.get(f"/v1/referrals/{referral['id']}")
        assert got.status_code == 503 and "Synthetic" not in got.text
    finally:
        async with api.owner() as owner:
            await owner.execute("grant insert on audit_record to refex_api")
    status, _ = await asked(api, "clinic-a", "GET", f"/v1/referrals/{referral['id']}")
    assert status == 200


async def test_many_at_once_make_one_chain_without_a_gap(api: Api) -> None:
    async with api.http("clinic-a") as http:
        await asyncio.gather(*(http.get("/v1/me") for _ in range(60)))
    proof = await proved(api)
    assert proof.wrong == [] and proof.records >= 60


async def proved(api: Api, known: list[Checkpoint] | None = None) -> Proof:
    async with api.owner() as owner, owner.transaction(isolation="repeatable_read", readonly=True):
        return await prove(owner, known or [])


async def checkpoint(api: Api, folder: Path) -> list[Checkpoint]:
    file = folder / "checkpoints.jsonl"
    async with api.owner() as owner:
        rows = await owner.fetch("select chain, length, head from audit_chain")
    heads = [Head(r["chain"], r["length"], r["head"]) for r in rows]
    before = checkpoints.lines(file)
    checkpoints.append(file, checkpoints.made(KEY, heads, before[-1] if before else b"", datetime.now(UTC)))
    return checkpoints.read(checkpoints.lines(file), KEY.public_key())


HISTORY = {
    "edited": "update history set data = data || ' '::bytea where (lane, lane_seq) = ($1, $2)",
    "shown to another": "update history set recipients = '{safe-a}' where (lane, lane_seq) = ($1, $2)",
    "removed": "delete from history where (lane, lane_seq) = ($1, $2)",
    "cut off": "with cut as (delete from history where lane = $1 and lane_seq >= $2)"
    " update lane set seq = $2 - 1 where lane = $1",
}


@pytest.mark.parametrize("change", ["edited", "shown to another", "removed", "cut off"])
async def test_a_changed_fact_is_found(api: Api, change: str) -> None:
    await api.submitted()
    async with api.owner() as owner:
        held = owner.transaction()
        await held.start()
        try:
            lane = await owner.fetchrow("select lane, seq from lane order by seq desc limit 1")
            assert lane is not None
            await owner.execute(HISTORY[change], lane["lane"], lane["seq"])
            proof = await prove(owner, [])
        finally:
            await held.rollback()
    assert proof.wrong and all(f"lane {lane['lane']}" in f"{w.where} {w.what}" for w in proof.wrong)


async def test_a_fact_that_no_batch_wrote_is_found(api: Api) -> None:
    async with api.owner() as owner:
        held = owner.transaction()
        await held.start()
        try:
            lane = await owner.fetchval("update lane set seq = seq + 1 where lane = 63 returning lane")
            proof = await prove(owner, [])
        finally:
            await held.rollback()
    assert [w.where for w in proof.wrong] == [f"lane {lane}"]


Tamper = Callable[[asyncpg.Connection, str], Awaitable[object]]


async def edit(owner: asyncpg.Connection, name: str) -> None:
    query = "update audit_record set body = replace(body::text, '72', '73')::bytea where chain = $1 and number = 3"
    await owner.execute(query, name)


async def relabel(owner: asyncpg.Connection, name: str) -> None:
    await owner.execute("update audit_record set tenant = 'clinic-b' where chain = $1 and number = 3", name)


async def delete(owner: asyncpg.Connection, name: str) -> None:
    await owner.execute("delete from audit_record where chain = $1 and number = 3", name)


async def insert(owner: asyncpg.Connection, name: str) -> None:
    query = """insert into audit_record select chain, 1000000, kind, at, tenant, body, hash
        from audit_record where chain = $1 and number = 3"""
    await owner.execute(query, name)


async def reorder(owner: asyncpg.Connection, name: str) -> None:
    query = """with two as (select number, body, at, tenant from audit_record where chain = $1 and number in (3, 4))
        update audit_record r set body = o.body, at = o.at, tenant = o.tenant
        from two o where r.chain = $1 and r.number in (3, 4) and o.number = 7 - r.number"""
    await owner.execute(query, name)


async def restamp(owner: asyncpg.Connection, name: str, upto: int | None = None) -> None:
    """Make the whole chain anew, without its third record, so that it is consistent in itself."""
    rows = await owner.fetch("select * from audit_record where chain = $1 order by number", name)
    rows = [r for r in rows if r["number"] != 3][:upto]
    links, head = chain.extend(Head(name), [(r["kind"], r["body"]) for r in rows])
    await owner.execute("delete from audit_record where chain = $1", name)
    made = [
        (name, k.number, k.kind, r["at"], r["tenant"], k.body, k.hash)
        for k, r in zip(links, rows, strict=True)
    ]
    await owner.executemany("insert into audit_record values ($1, $2, $3, $4, $5, $6, $7)", made)
    query = "update audit_chain set length = $2, head = $3 where chain = $1"
    await owner.execute(query, name, head.length, head.hash)


async def fork(owner: asyncpg.Connection, name: str) -> None:
    await restamp(owner, name)


async def cut(owner: asyncpg.Connection, name: str) -> None:
    query = "delete from audit_record where chain = $1 and number > 5"
    await owner.execute(query, name)
    last = await owner.fetchrow("select hash from audit_record where chain = $1 and number = 5", name)
    assert last is not None
    await owner.execute("update audit_chain set length = 5, head = $2 where chain = $1", name, last["hash"])


async def forget(owner: asyncpg.Connection, name: str) -> None:
    await owner.execute("delete from audit_record where chain = $1", name)
    await owner.execute("delete from audit_chain where chain = $1", name)


@pytest.mark.parametrize(
    "tamper", [edit, relabel, delete, insert, reorder, fork, cut, forget], ids=lambda t: t.__name__
)
async def test_tampering_is_found(api: Api, tmp_path: Path, tamper: Tamper) -> None:
    async with api.http("clinic-a") as http:
        for _ in range(8):
            await http.get("/v1/me")
    known = await checkpoint(api, tmp_path)
    assert (await proved(api, known)).wrong == []
    async with api.owner() as owner:
        change = owner.transaction()
        await change.start()
        try:
            name = await owner.fetchval(
                "select chain from audit_chain where chain like 'api-%' and length > 6 limit 1"
            )
            await tamper(owner, name)
            proof = await prove(owner, known)
        finally:
            await change.rollback()
    assert proof.wrong and all(wrong.where.startswith(name) for wrong in proof.wrong)
