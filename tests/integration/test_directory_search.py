"""The search of the directory on a real Postgres: what fits is found once, and hostile words find nothing."""

from collections.abc import AsyncIterator

import pytest

from tests.support.api import Api
from tests.support.directory import Json, found, listing, publish, say

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("directory")) as running:
        yield running


async def test_search_by_words_need_place_language_and_hours(api: Api) -> None:
    shut = {
        "schedules": [{"freq": "WEEKLY", "opens_at": "00:00", "closes_at": "00:00", "valid_to": "2020-01-01"}]
    }
    far = {
        "service_areas": [{"name": "Los Angeles County"}],
        "service_at_locations": [{"location": {"latitude": 34.05, "longitude": -118.24}}],
        "languages": [{"code": "es"}],
    }
    statewide = {"service_areas": [{"name": "Statewide"}], "service_at_locations": []}
    here, closed, other, anywhere = await publish(
        api,
        "food-b",
        listing("food-b", 1),
        listing("food-b", 2, **shut),
        listing("food-b", 3, **far),
        listing("food-b", 4, **statewide),
    )
    need = {"need": "material-hardship"}
    assert [s["id"] for s in await found(api, **need)] == [here, closed, other, anywhere]
    assert [s["id"] for s in await found(api, q="NUMERO 1")] == [here]
    assert [s["id"] for s in await found(api, q="número 3 ropa food-b")] == [other]
    near = await found(api, near="94607", **need)
    assert [s["id"] for s in near] == [here, closed, anywhere]
    assert [s["serves_area"] for s in near] == [True, True, True]
    assert near[0]["distance_km"] < 5 and near[2]["distance_km"] is None
    assert near[0]["service_at_locations"][0]["location"]["latitude"] == 37.8
    assert [s["id"] for s in await found(api, near="90012", **need)] == [other, anywhere]
    assert [s["id"] for s in await found(api, language="Spanish", **need)] == [other]
    assert {s["id"] for s in await found(api, language="en", **need)} == {here, closed, anywhere}
    assert [s["id"] for s in await found(api, open_now="true", **need)] == [here, other, anywhere]
    assert (await say(api, "food-b", {"closures": [{"from": "2020-01-01"}]}, here)).status_code == 200
    assert [s["id"] for s in await found(api, open_now="true", **need)] == [other, anywhere]


async def test_pages_of_a_search_hold_everything_once(api: Api) -> None:
    ids = await publish(api, "food-a", *(listing("food-a", n, name="Same name") for n in range(7)))
    for params in (
        {"q": "same name"},
        {"q": "same name", "near": "94607"},
        {"q": "same", "open_now": "true"},
    ):
        seen: list[str] = []
        cursor: str | None = ""
        async with api.http("clinic-a") as http:
            while cursor is not None:
                page = (await http.get("/v1/services", params=params | {"limit": 3, "cursor": cursor})).json()
                seen += [s["id"] for s in page["items"]]
                cursor = page["next_cursor"]
        assert sorted(seen) == sorted(ids) and len(seen) == 7, params


HOSTILE = [
    "'",
    "' or 1=1 --",
    "zq & | ! ( ) :*",
    "\\",
    "%",
    "_",
    "<->",
    "😀",
    "x" * 200,
    "zq\tzw",
    "':*",
    "$9zq",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_words_find_nothing_and_break_nothing(api: Api, text: str) -> None:
    async with api.http("clinic-a") as http:
        for path in ("/v1/services", "/v1/organizations"):
            got = await http.get(path, params={"q": text})
            assert got.status_code == 200
            assert got.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    "params",
    [
        {"need": "food"},
        {"near": "00000"},
        {"near": "Oakland"},
        {"open_now": "maybe"},
        {"q": "x" * 201},
        {"language": "y" * 201},
        {"limit": "0"},
        {"cursor": "nonsense"},
    ],
)
async def test_what_no_search_can_be_is_422(api: Api, params: Json) -> None:
    async with api.http("clinic-a") as http:
        assert (await http.get("/v1/services", params=params)).status_code == 422


async def test_organizations_are_found_by_name_and_paged(api: Api) -> None:
    async with api.http("clinic-a") as http:
        named = (await http.get("/v1/organizations", params={"q": "FOOD"})).json()["items"]
        assert [o["id"] for o in named] == ["food-a", "food-b"]
        first = (await http.get("/v1/organizations", params={"limit": 4})).json()
        rest = (await http.get("/v1/organizations", params={"cursor": first["next_cursor"]})).json()
        whole = (await http.get("/v1/organizations")).json()["items"]
    assert [*first["items"], *rest["items"]] == whole and rest["next_cursor"] is None
