"""Consents on a real Postgres: in force with the answer; what is open under them ends, what is shown follows them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from avro_schemas import topics
from stream_processors.decode import Raw
from stream_processors.outbox import outputs
from tests.support.api import Api, answer, new

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("consent")) as running:
        yield running


PERSONAL = ("Synthetic", "1980-02-01", "+1 510 555 0100", "1 Test St")


async def relayed(api: Api) -> int:
    """What the relay does: every command that consents have made reaches its referral; how many there were."""
    assert api.broker.exchange is not None
    async with api.owner() as owner:
        await owner.execute(
            "insert into progress (topic, partition, next_offset, cluster_id, topic_id)"
            " values ($1, 0, 0, 'c', 't') on conflict do nothing",
            topics.TIMER,
        )
        start = await owner.fetchval("select next_offset from progress where topic = $1", topics.TIMER)
        rows = await owner.fetch(
            "select * from history where kind = 'consent-reach' order by at, lane, lane_seq"
        )
    found = [o for row in rows for o in outputs(dict(row), frozenset(), None) if o.topic == topics.TIMER]
    now = datetime.now(UTC)
    batch = [Raw(o.topic, 0, start + n, o.key, o.value, now) for n, o in enumerate(found)]
    if batch:
        await api.broker.exchange.apply(batch)
    return len(batch)


def under(own_id: str, person: str, **changes: Any) -> dict[str, Any]:
    """A submission of that person that names that consent."""
    made = new(consent={"status": "active", "id": own_id} | changes.pop("consent", {}), **changes)
    made["person"] = made["person"] | {"person_id": person}
    return made


async def sent(api: Api, body: dict[str, Any], organization: str = "clinic-a") -> dict[str, Any]:
    return await api.submitted(organization, **body)


async def seen_by(api: Api, organization: str, id: str) -> Any:
    async with api.http(organization) as http:
        return await http.get(f"/v1/referrals/{id}")


def names() -> tuple[str, str]:
    """A consent id and a person of its own."""
    return f"C-{uuid4().hex[:8]}", f"P-{uuid4().hex[:8]}"


async def test_a_consent_is_in_force_with_the_answer_and_its_end_stops_what_is_open(api: Api) -> None:
    own_id, person = names()
    async with api.http("clinic-a") as http:
        put = await http.put(f"/v1/consents/{own_id}", json={"person_id": person, "status": "active"})
        assert (put.status_code, put.json()["status"]) == (200, "active"), put.text
    referral = await sent(api, under(own_id, person))
    await answer(api, referral, "accept")
    holder = referral["hops"][0]["organization"]
    assert "Synthetic" in (await seen_by(api, holder, referral["id"])).text

    async with api.http("clinic-a") as http:
        ended = await http.post(f"/v1/consents/{own_id}/revoke", json={"person_id": person})
        assert (ended.status_code, ended.json()["status"]) == (200, "revoked"), ended.text

    stub = await seen_by(api, holder, referral["id"])
    assert stub.json()["status"] == "accepted", "the commit hides it, before its command has come through"
    for organization in (holder, "golden-health-plan"):
        for path in ("", "/events"):
            async with api.http(organization) as http:
                text = (await http.get(f"/v1/referrals/{referral['id']}{path}")).text
            assert not any(p in text for p in PERSONAL), (organization, path)
    assert await relayed(api) >= 1
    after = (await seen_by(api, "clinic-a", referral["id"])).json()
    assert (after["status"], after["hops"][0]["status"]) == ("cancelled", "cancelled")
    assert after["hops"][0]["reason"] == "consent-revoked"


async def test_a_consent_known_from_a_referral_alone_can_be_revoked_without_naming_the_person(
    api: Api,
) -> None:
    own_id, person = names()
    referral = await sent(api, under(own_id, person))
    async with api.http("clinic-a") as http:
        ended = await http.post(f"/v1/consents/{own_id}/revoke")
        assert ended.status_code == 200, ended.text
        nobody = await http.post(f"/v1/consents/{uuid4().hex}/revoke", json={})
        assert (nobody.status_code, nobody.json()["errors"][0]["pointer"]) == (422, "/person_id")
    await relayed(api)
    assert (await seen_by(api, "clinic-a", referral["id"])).json()["status"] == "cancelled"
    again = await sent(api, under(own_id, person))
    assert (again["status"], again["outcome"]["reason"]) == ("refused", "consent-refused")


async def test_nobody_accepts_after_the_end_even_before_its_command(api: Api) -> None:
    own_id, person = names()
    referral = await sent(api, under(own_id, person))
    async with api.http("clinic-a") as http:
        await http.post(f"/v1/consents/{own_id}/revoke", json={"person_id": person})
    said = await answer(api, referral, "accept")
    assert (said.status_code, said.json()["reason"]) == (409, "no-consent")


async def test_what_names_another_consent_goes_on(api: Api) -> None:
    (own_id, person), (other, _) = names(), names()
    kept, ended = await sent(api, under(other, person)), await sent(api, under(own_id, person))
    unnamed = await sent(api, new(person=new()["person"] | {"person_id": person}))
    async with api.http("clinic-a") as http:
        await http.post(f"/v1/consents/{own_id}/revoke", json={"person_id": person})
    await relayed(api)
    found = [(await seen_by(api, "clinic-a", r["id"])).json()["status"] for r in (kept, ended, unnamed)]
    assert found == ["requested", "cancelled", "cancelled"]
    later = await sent(api, new(person=new()["person"] | {"person_id": person}))
    assert later["status"] == "requested", "said after the revocation"


async def test_a_consent_that_comes_to_cover_nobody_asked_moves_the_referral(api: Api) -> None:
    own_id, person = names()
    referral = await sent(api, under(own_id, person))
    first = referral["hops"][0]["organization"]
    other = ({"food-a", "food-b"} - {first}).pop()
    async with api.http("clinic-a") as http:
        terms = {"person_id": person, "recipients": [{"organization": other}]}
        assert (await http.put(f"/v1/consents/{own_id}", json=terms)).status_code == 200
        hidden = await seen_by(api, first, referral["id"])
        assert hidden.json()["person"] is None
        await relayed(api)
        moved = (await http.get(f"/v1/referrals/{referral['id']}")).json()
        assert [(h["organization"], h["status"]) for h in moved["hops"]] == [
            (first, "cancelled"),
            (other, "requested"),
        ]
        routing = (await http.get(f"/v1/referrals/{referral['id']}/routing")).json()
    assert routing["chosen"] == moved["hops"][1]["service"]


async def test_part_2_needs_a_named_recipient_and_a_later_consent_lets_it_go_on(api: Api) -> None:
    own_id, person = names()
    body = under(own_id, person, sensitivity=["part2"], routing="automatic")
    body["consent"]["recipients"] = [{"organization": "food-a"}]
    referral = await sent(api, body)
    assert referral["hops"][0]["organization"] == "food-a"
    await answer(api, referral, "reject", reason="no-capacity")
    waiting = (await seen_by(api, "clinic-a", referral["id"])).json()
    assert (waiting["status"], waiting["reason"]) == ("needs-review", "recipient-not-named"), waiting
    async with api.http("clinic-a") as http:
        terms = {"person_id": person, "recipients": [{"organization": "food-a"}, {"organization": "food-b"}]}
        assert (await http.put(f"/v1/consents/{own_id}", json=terms)).status_code == 200
    await relayed(api)
    on = (await seen_by(api, "clinic-a", referral["id"])).json()
    assert [h["organization"] for h in on["hops"]] == ["food-a", "food-b"]


async def test_an_expired_consent_shows_a_stub_with_nothing_written(api: Api) -> None:
    own_id, person = names()
    referral = await sent(api, under(own_id, person))
    holder = referral["hops"][0]["organization"]
    await answer(api, referral, "accept")
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    async with api.http("clinic-a") as http:
        terms = {"person_id": person, "expires_at": soon}
        assert (await http.put(f"/v1/consents/{own_id}", json=terms)).status_code == 200
    assert (await seen_by(api, holder, referral["id"])).json()["person"] is not None
    await asyncio.sleep(1.1)
    stub = (await seen_by(api, holder, referral["id"])).json()
    assert (stub["person"], stub["status"]) == (None, "accepted")


async def test_only_its_organization_and_the_hub_end_a_consent(api: Api) -> None:
    own_id, person = names()
    referral = await sent(api, under(own_id, person))
    on_behalf = {"organization": "clinic-a", "person_id": person}
    async with api.http("clinic-b") as http:
        assert (await http.post(f"/v1/consents/{own_id}/revoke", json=on_behalf)).status_code == 404
    async with api.http("hub") as http:
        assert (await http.put(f"/v1/consents/{own_id}", json=on_behalf)).status_code == 404
        ended = await http.post(f"/v1/consents/{own_id}/revoke", json=on_behalf)
        assert ended.status_code == 200, ended.text
    await relayed(api)
    assert (await seen_by(api, "clinic-a", referral["id"])).json()["status"] == "cancelled"


async def test_where_contact_is_prohibited_the_alternate_is_shown_alone(api: Api) -> None:
    person = new()["person"] | {
        "email": "person@example.org",
        "contact": {
            "prohibited": True,
            "alternate": {"name": "Aunt Test", "phone": "+1 510 555 0199"},
            "phones": [{"number": "+1 510 555 0188"}],
        },
    }
    referral = await sent(api, new(person=person))
    assert "contact-prohibited" in referral["flags"]
    await answer(api, referral, "accept")
    text = (await seen_by(api, referral["hops"][0]["organization"], referral["id"])).text
    assert "+1 510 555 0199" in text
    for withheld in ("+1 510 555 0100", "+1 510 555 0188", "1 Test St", "person@example.org"):
        assert withheld not in text


async def test_the_outcome_of_a_sensitive_need_is_withheld_until_it_is_released(api: Api) -> None:
    own_id, person = names()
    body = under(own_id, person, sensitivity=["behavioral-health"])
    referral = await sent(api, body)
    await answer(api, referral, "accept")
    done = await answer(
        api, referral, "complete", outcome={"code": "enrolled", "need": "resolved"}, note="secret"
    )
    assert done.status_code == 200, done.text
    for organization in ("clinic-a", "golden-health-plan"):
        view = (await seen_by(api, organization, referral["id"])).json()
        assert (view["status"], view["outcome"]["code"], view["outcome"]["reason"]) == (
            "completed",
            None,
            "withheld",
        )
        assert "outcome-withheld" in view["flags"] and view["hops"][0]["reason"] is None
        async with api.http(organization) as http:
            events = (await http.get(f"/v1/referrals/{referral['id']}/events")).text
        assert "enrolled" not in events and "secret" not in events
    async with api.http("clinic-a") as http:
        terms = {"person_id": person, "data_categories": ["need", "outcome"]}
        assert (await http.put(f"/v1/consents/{own_id}", json=terms)).status_code == 200
    told = (await seen_by(api, "clinic-a", referral["id"])).json()
    assert (told["outcome"]["code"], "outcome-withheld" in told["flags"]) == ("enrolled", False)
