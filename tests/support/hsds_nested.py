"""Nested HSDS documents and what an import makes of them; for unit tests."""

from typing import Any

from hypothesis import strategies as st

from producers import hsds

Json = dict[str, Any]
UUID_TEXT = "AC148810-D857-441C-9679-408F346DE14B"


def service(**changes: Any) -> Json:
    """A service of food, as nested HSDS writes it."""
    made = {
        "id": UUID_TEXT,
        "name": "Groceries",
        "status": "active",
        "attributes": [{"taxonomy_term": {"code": "X-1", "name": "Food Pantry"}}],
        "languages": [{"code": "en"}, {"name": "Spanish"}],
        "service_areas": [{"name": "Alameda County", "extent_type": "text", "extent": "94607; 94601"}],
        "service_at_locations": [{"id": "at", "location": {"latitude": "37.8", "longitude": -122.2}}],
    }
    return made | changes


def organization(*services: Json, **changes: Any) -> Json:
    """An organization with its services."""
    return {"id": "o1", "name": "Harvest & Sons' Pantry", "services": list(services)} | changes


def read(document: Any) -> hsds.Result:
    """What an import makes of one document."""
    return hsds.read([("x.json", document)])


def one(document: Any) -> hsds.Imported:
    """The only service in a document."""
    (found,) = read(document).services
    return found


def problems(document: Any) -> list[tuple[int, str]]:
    """Row and field of every problem; each says what to do next."""
    found = read(document).report["problems"]
    assert all(p["problem"] and p["next"] and p["file"] == "x.json" for p in found)
    return [(p["row"], p["field"]) for p in found]


NESTED = {"organization": {"id": "o1", "name": "Harvest & Sons' Pantry"}}
# Any value a JSON file can hold, a few levels deep.
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=6)
    | st.just("1e999"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
