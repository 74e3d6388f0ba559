"""A small story with rows in every projection: services, their room, referrals answered, amended, cancelled, reviewed.

For tests that compare history with what was made of it. Each stream here comes from records, none from an insert.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from producers import envelope
from producers.envelope import Record, Said
from referrals import ids
from stream_processors.rebuild import SQL
from tests.support.api import Api, answer, new
from tests.support.referrals import service


async def tell(api: Api) -> None:
    """Run the whole story."""
    now = datetime.now(UTC)
    async with api.http("food-a") as pantry:
        room = {
            "status": "capacity",
            "available": 9,
            "closures": [{"from": "2020-01-01", "to": "2020-01-02"}],
        }
        said = await pantry.put(f"/v1/services/{service('food-a').id}/capacity", json=room)
        assert said.status_code == 200, said.text
    plan = {"payer": "valley-care-plan", "member_id": "M-2"}
    sent = [await api.submitted() for _ in range(6)]
    asked = [r for r in sent if r["status"] == "requested"]
    async with api.http("clinic-a") as clinic:
        change = {"coverage": plan, "need": asked[0]["need"]}
        assert (await clinic.patch(f"/v1/referrals/{asked[0]['id']}", json=change)).status_code == 200
        cancelled = await clinic.post(f"/v1/referrals/{asked[1]['id']}/cancel", json={"reason": "need-met"})
        assert cancelled.status_code == 200
        absent = new(consent={"status": "absent"})
        assert (await clinic.post("/v1/referrals", json=absent)).status_code == 202
    await _answered(api, asked[2], ("accept", {}), ("start", {}))
    held = {"reason": "waiting-client", "review_date": f"{now + timedelta(days=9):%Y-%m-%d}"}
    await _answered(api, asked[3], ("accept", {}), ("hold", held))
    done = {"outcome": {"code": "service-provided", "need": "resolved"}, "note": "synthetic"}
    await _answered(api, asked[4], ("accept", {}), ("start", {}), ("complete", done))
    await api.broker.send([_too_late(asked[4], now)])


def _too_late(referral: dict[str, Any], now: datetime) -> Record:
    """A command without effect: its rejection is recorded."""
    organization = referral["hops"][0]["organization"]
    said = Said(ids.event_id(organization, "too-late", referral["id"]), organization, now)
    return envelope.responded(said, UUID(referral["id"]), "accept")


async def _answered(api: Api, referral: dict[str, Any], *answers: tuple[str, dict[str, Any]]) -> None:
    for action, fields in answers:
        done = await answer(api, referral, action, **fields)
        assert done.status_code == 200, done.text


async def columns(owner: asyncpg.Connection, table: str) -> dict[str, bool]:
    """The columns of a table, and whether each is in its primary key."""
    return {r["name"]: r["key"] for r in await owner.fetch(SQL["columns"], table)}
