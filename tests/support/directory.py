"""Services published, searched and spoken for over the API; for integration tests."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from producers import envelope, hsds
from producers.envelope import Said
from tests.support.api import Api

Json = dict[str, Any]


async def service_of(api: Api, organization: str) -> Json:
    """The organization's own first service."""
    async with api.http(organization) as http:
        items = (await http.get("/v1/services", params={"q": organization})).json()["items"]
    found: Json = next(one for one in items if one["organization"]["name"] == organization)
    return found


async def say(api: Api, organization: str, said: Json, service: str | None = None, **headers: str) -> Any:
    """A CBO's word about its service, by default its own first one."""
    id = service or (await service_of(api, organization))["id"]
    async with api.http(organization, **headers) as http:
        return await http.put(f"/v1/services/{id}/capacity", json=said)


def listing(organization: str, number: int, **changes: Any) -> Json:
    """A service that gives clothes, as nested HSDS writes it."""
    made = {
        "id": f"{organization}-{number}",
        "name": f"Ropa número {number}",
        "status": "active",
        "description": "Clothes & shoes, 50% off - no_questions; drop table service",
        "attributes": [{"taxonomy_term": {"code": "material-hardship", "name": "Clothing"}}],
        "service_areas": [{"name": "Alameda County"}],
        "service_at_locations": [{"id": "l", "location": {"latitude": 37.8, "longitude": -122.28}}],
        "schedules": [{"freq": "WEEKLY", "opens_at": "00:00", "closes_at": "00:00"}],
    }
    return made | changes


async def publish(api: Api, organization: str, *services: Json) -> list[str]:
    """Send services as an import does; their ids here."""
    made = hsds.read([("x.json", [{"id": organization, "name": organization, "services": [*services]}])])
    now = datetime.now(UTC)
    records = [
        envelope.service_changed(Said(uuid4(), i.service.organization, now), i.service, i.body)
        for i in made.services
    ]
    await api.broker.send(records)
    return [i.service.id for i in made.services]


async def found(api: Api, **params: Any) -> list[Json]:
    """What a clinic finds."""
    async with api.http("clinic-a") as http:
        got = await http.get("/v1/services", params=params)
    assert got.status_code == 200, got.text
    items: list[Json] = got.json()["items"]
    return items
