"""One deliberately broken package, as tables and as nested JSON: every planted fault is said with file, row and field,
nothing else is, and every row that can be loaded is.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

from producers import hsds
from tests.support.hsds_nested import Json, organization, service
from tests.support.hsds_package import TABLES, Tables, write
from tests.unit.test_hsds_tabular import OPTIONAL, REQUIRED, Place, places

MORE: list[tuple[str, int, str, Any]] = [
    ("services.csv", 2, "minimum_age", -1),
    ("services.csv", 2, "assurer_email", "somebody"),
    ("organizations.csv", 2, "website", "ftp://h.example"),
    ("organizations.csv", 2, "email", "h.example"),
    ("organizations.csv", 2, "year_incorporated", "last year"),
    ("locations.csv", 2, "latitude", "nan"),
    ("addresses.csv", 2, "city", None),
    ("addresses.csv", 2, "state_province", None),
    ("addresses.csv", 2, "address_1", None),
    ("schedules.csv", 2, "valid_from", "2026-02-30"),
    ("schedules.csv", 2, "interval", "often"),
    ("schedules.csv", 2, "schedule_link", "here"),
    ("cost_options.csv", 2, "valid_to", "whenever"),
    ("taxonomies.csv", 2, "uri", "no uri"),
    ("taxonomy_terms.csv", 2, "name", None),
]
LOST: list[tuple[str, int, str, Any]] = [
    ("programs.csv", 2, "organization_id", "nobody"),
    ("service_at_location.csv", 2, "location_id", "nobody"),
    ("service_at_location.csv", 2, "service_id", "nobody"),
    ("addresses.csv", 2, "location_id", "nobody"),
    ("schedules.csv", 2, "service_id", "nobody"),
    ("languages.csv", 2, "service_id", "nobody"),
    ("required_documents.csv", 2, "service_id", "nobody"),
    ("units.csv", 2, "name", None),
    ("taxonomies.csv", 2, "name", None),
    ("attributes.csv", 2, "taxonomy_term_id", "nobody"),
    ("attributes.csv", 2, "link_id", None),
]


def planted(faults: list[tuple[str, int, str, Any]], tables: Tables, mark: str) -> list[Place]:
    """Each fault on a row of its own at the end of its table, beside the sound ones."""
    expected = []
    for number, (file, row, field, value) in enumerate(faults):
        made = deepcopy(TABLES[file][row - 2]) | {"id": f"{mark}{number}", field: value}
        if file == "services.csv":
            area, term = TABLES["service_areas.csv"][0], TABLES["attributes.csv"][0]
            tables["service_areas.csv"].append(
                area | {"id": f"area-{mark}{number}", "service_id": made["id"]}
            )
            tables["attributes.csv"].append(term | {"id": f"term-{mark}{number}", "link_id": made["id"]})
        tables[file].append(made)
        expected.append((file, len(tables[file]) + 1, field))
    return expected


def test_every_fault_planted_in_tables_is_said_with_its_place(tmp_path: Path) -> None:
    tables = deepcopy(TABLES)
    expected = planted(OPTIONAL + MORE, tables, "kept")
    lost = planted(REQUIRED + LOST, tables, "lost")
    sound = len(TABLES["services.csv"]) + sum(file == "services.csv" for file, *_ in OPTIONAL + MORE)
    write(tmp_path, tables)
    with (tmp_path / "urls.csv").open("ab") as file:
        file.write(b"w8,o1\nw9,o1,Caf\xe9,https://n.example\n" + b'w10,o1,"Ne"ws,https://n.example\n')
    end = len(tables["urls.csv"]) + 1
    files = [("urls.csv", end + 1, ""), ("urls.csv", end + 2, "label"), ("urls.csv", end + 3, "")]
    (tmp_path / "notes.csv").write_text("id\n1\n", encoding="utf-8")
    (tmp_path / "funding.csv").write_text(
        "id,service_id,source,source,hue\nf1,s1,County,X,red\n", encoding="utf-8"
    )
    (tmp_path / "accessibility.csv").write_bytes(b"")
    files += [("notes.csv", 0, ""), ("funding.csv", 1, "source"), ("funding.csv", 1, "hue")]
    files += [("accessibility.csv", 1, "")]
    lost = [p for p in lost if p[0] != "accessibility.csv"]
    result = hsds.read_path(tmp_path)
    said = places(result)
    wanted = [*expected, *lost, *files]
    assert len(wanted) >= 75
    assert [p for p in wanted if p not in said and not _first_owner(p, said)] == []
    assert {(file, row) for file, row, _ in said} == {(file, row) for file, row, _ in wanted}
    assert len(said) == len(wanted)
    assert len(result.services) == sound
    report = result.report
    missing = {table: n - report["loaded"].get(table, 0) for table, n in report["read"].items()}
    del missing["organization"]  # counted as loaded are those with a service
    assert sum(missing.values()) == len(lost) + 2, "and the two rows of urls.csv that are no CSV"


def _first_owner(place: Place, said: list[Place]) -> bool:
    """A row without any owner is said at the first field that could name one."""
    return any(p[:2] == place[:2] and p[2] in ("location_id", "link_id") for p in said)


ADDRESS = {key: value for key, value in TABLES["addresses.csv"][0].items() if key != "location_id"}
KEPT: list[tuple[Json, str]] = [
    ({"status": "open"}, "status"),
    ({"email": "a at h"}, "email"),
    ({"url": "www.h.example"}, "url"),
    ({"assured_date": "02/01/2026"}, "assured_date"),
    ({"assurer_email": 5}, "assurer_email"),
    ({"last_modified": "yesterday"}, "last_modified"),
    ({"minimum_age": "young"}, "minimum_age"),
    ({"maximum_age": 1000}, "maximum_age"),
    ({"minimum_age": 65, "maximum_age": 18}, "maximum_age"),
    ({"languages": [{"code": "en"}, {"name": "Klingon"}]}, "languages"),
    ({"languages": [{"code": "q1", "name": "English"}]}, "languages[0].code"),
    ({"phones": [{"number": "1", "extension": "x7"}]}, "phones[0].extension"),
    ({"phones": [{"id": "t"}]}, "phones[0].number"),
    ({"schedules": [{"freq": "DAILY"}]}, "schedules[0].freq"),
    ({"schedules": [{"byday": "Monday"}]}, "schedules[0].byday"),
    ({"schedules": [{"opens_at": "9 am", "closes_at": "17:00"}]}, "schedules[0].opens_at"),
    ({"schedules": [{"opens_at": "09:00"}]}, "schedules[0].closes_at"),
    ({"schedules": [{"opens_at": "09:00", "closes_at": "08:00"}]}, "schedules[0].closes_at"),
    ({"schedules": [{"valid_from": "2026-03-01", "valid_to": "2026-02-01"}]}, "schedules[0].valid_to"),
    ({"schedules": [{"timezone": 99}]}, "schedules[0].timezone"),
    ({"cost_options": [{"currency": "dollars"}]}, "cost_options[0].currency"),
    ({"cost_options": [{"amount": "free"}]}, "cost_options[0].amount"),
    ({"capacities": [{"available": -1, "updated": "2026-01-02"}]}, "capacities[0].available"),
    ({"capacities": [{"available": 1}]}, "capacities[0].updated"),
    (
        {"capacities": [{"available": 12, "maximum": 10, "updated": "2026-01-02"}]},
        "capacities[0].available",
    ),
    ({"program": {"id": "p"}}, "program.name"),
    ({"service_areas": [{"name": "Our block", "extent_type": "text"}]}, "service_areas"),
    ({"service_areas": [{"name": "Alameda County", "extent_type": "map"}]}, "service_areas[0].extent_type"),
    ({"attributes": [{"taxonomy_term": {"name": "Unheard of"}}]}, "attributes"),
    (
        {"service_at_locations": [{"location": {"latitude": 91, "longitude": 0}}]},
        "service_at_locations[0].location.latitude",
    ),
    (
        {"service_at_locations": [{"location": {"addresses": [ADDRESS | {"country": "USA"}]}}]},
        "service_at_locations[0].location.addresses[0].country",
    ),
]
GONE: list[tuple[Any, str]] = [
    (organization(service(id=None), name="A"), "id"),
    (organization(service(id="n", name=None), name="B"), "name"),
    (service(id="o", organization_id="nobody"), "organization"),
    (organization(name="C") | {"services": "x"}, "services"),
    (organization(5, name="D"), "services"),  # type: ignore[arg-type]
    (["a list"], ""),
    ("a text", ""),
    (organization(service(id="k0"), name="Kept 0", id="k0"), "id"),
    (organization(service(id="z"), name="Kept 1", id="another"), "organization"),
]


def test_every_fault_planted_in_nested_json_is_said_with_its_path() -> None:
    rows: list[Any] = []
    expected: list[tuple[int, str]] = []
    for number, (changes, field) in enumerate(KEPT):
        made = service(id=f"k{number}", **changes)
        rows.append(organization(made, name=f"Kept {number}", id=f"k{number}"))
        expected.append((number + 1, field))
    for row, field in GONE:
        rows.append(row)
        expected.append((len(rows), field))
    result = hsds.read([("broken.json", rows)])
    said = [(p["row"], p["field"]) for p in result.report["problems"]]
    assert len(expected) == 40 and sorted(said) == sorted(expected)
    assert len(result.services) == len(KEPT)
    assert all(p["file"] == "broken.json" and p["problem"] and p["next"] for p in result.report["problems"])
    assert result.services[0].service.active is False
