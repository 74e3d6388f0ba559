"""Imports against what is in force: the same is not sent again, sources stay apart, what is listed no more ends."""

from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import msgspec
import pytest
from click.testing import CliRunner

from avro_schemas import codec
from cli.import_directory import import_directory
from producers import demo_directory, hsds
from producers.hsds.upsert import InForce, Plan, plan, records
from tests.support.hsds_package import TABLES, Tables, write

NOW = datetime(2026, 11, 2, 17, tzinfo=UTC)
Json = dict[str, Any]


class Shelf:
    """What is in force, as records make it: each becomes the row the exchange would write."""

    def __init__(self) -> None:
        self.rows: dict[str, InForce] = {}
        self.names: dict[str, str] = {}

    def import_(self, found: hsds.Result, source: str | None = None, *, whole: bool = True) -> Plan:
        made = plan(found, self.rows.values(), source, whole=whole)
        for record in records(made, NOW):
            name, fields = codec.decode(record.value)
            id = fields["service_id"]
            if name == "service_ended.v1":
                before = self.rows[id]
                assert fields["version"] == before.version and fields["source"] == before.source
                self.rows[id] = before._replace(version=before.version + 1, digest="", ended=True)
                continue
            body = codec_json(fields["body"])
            said = body["provenance"]
            version = self.rows[id].version + 1 if id in self.rows else 1
            self.rows[id] = InForce(
                id, version, fields["organization"], said["source"], said["id"], said["digest"], False
            )
            self.names[id] = body["name"]
            assert body["id"] == id == codec_json(fields["routing"])["id"]
        return made

    @property
    def active(self) -> list[str]:
        return sorted(self.names[id] for id, row in self.rows.items() if not row.ended)


def codec_json(value: bytes) -> Json:
    found: Json = msgspec.json.decode(value)
    return found


def package(
    folder: Path, *, without: str | None = None, name: str | None = None, **change: Any
) -> hsds.Result:
    """The small package as CSVs, without one service, under a name of its own; `change` = fields of service s1."""
    tables: Tables = deepcopy(TABLES)
    tables["services.csv"] = [row for row in tables["services.csv"] if row["id"] != without]
    for row in tables["services.csv"]:
        row |= change if row["id"] == "s1" else {}
    write(folder, tables)
    if name:
        listed = (folder / "datapackage.json").read_text(encoding="utf-8")
        (folder / "datapackage.json").write_text(f'{{"name": "{name}", {listed[1:]}', encoding="utf-8")
    return hsds.read_path(folder)


def sizes(made: Plan) -> tuple[int, int, int]:
    return len(made.changed), made.unchanged, len(made.ended)


@pytest.mark.parametrize("source", [None, "county-211"])
@pytest.mark.parametrize("name", [None, "county-211", "human_services_data"])
def test_the_same_package_again_sends_nothing(tmp_path: Path, source: str | None, name: str | None) -> None:
    shelf = Shelf()
    assert sizes(shelf.import_(package(tmp_path, name=name), source)) == (2, 0, 0)
    assert sizes(shelf.import_(package(tmp_path, name=name), source)) == (0, 2, 0)
    assert sizes(shelf.import_(demo_directory.services())) == (len(demo_directory.services().services), 0, 0)


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("Named", "package", {"Named"}),
        (None, "package", {"package"}),
        (None, None, {"harvest-pantry", "open-door"}),
        (None, "human_services_data", {"harvest-pantry", "open-door"}),
        (None, "not a name/", {"harvest-pantry", "open-door"}),
    ],
)
def test_who_the_source_is(tmp_path: Path, source: str | None, name: str | None, expected: set[str]) -> None:
    shelf = Shelf()
    shelf.import_(package(tmp_path, name=name), source)
    assert {row.source for row in shelf.rows.values()} == expected


def test_a_changed_row_is_sent_alone(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.import_(package(tmp_path))
    made = shelf.import_(package(tmp_path, description="Now with bread"))
    assert sizes(made) == (1, 1, 0)
    assert [(one.service.name, version) for one, version in made.changed] == [("Groceries", 1)]


@pytest.mark.parametrize("source", [None, "county-211"])
def test_a_row_that_is_gone_from_the_newer_package_ends_and_may_come_back(
    tmp_path: Path, source: str | None
) -> None:
    shelf = Shelf()
    shelf.import_(package(tmp_path), source)
    assert sizes(shelf.import_(package(tmp_path, without="s2"), source)) == (0, 1, 1)
    assert shelf.active == ["Groceries"]
    assert sizes(shelf.import_(package(tmp_path, without="s2"), source)) == (0, 1, 0), "it ends once"
    assert sizes(shelf.import_(package(tmp_path), source)) == (1, 1, 0)
    assert shelf.active == ["Camas para niños", "Groceries"]


def test_two_sources_with_the_same_ids_share_no_service(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.import_(package(tmp_path), "county")
    assert sizes(shelf.import_(package(tmp_path, name="city", without="s2"), "city")) == (1, 0, 0)
    assert shelf.active == ["Camas para niños", "Groceries", "Groceries"]
    made = shelf.import_(package(tmp_path, without="s1"), "county")
    assert [(row.source, row.source_id) for row in made.ended] == [("county", "s1")]
    assert shelf.active == ["Camas para niños", "Groceries"]
    assert sizes(shelf.import_(package(tmp_path, without="s2"), "city")) == (0, 1, 0), "it keeps its id here"


def test_a_uuid_stays_itself_until_another_source_has_it(tmp_path: Path) -> None:
    own = str(uuid5(UUID(int=0), "service"))
    row = {"id": own.upper(), "name": "Beds", "status": "active", "attributes": []}
    document = [("x.json", {"id": "o", "name": "Open Door", "services": [row]})]
    shelf = Shelf()
    shelf.import_(hsds.read(document), "county")
    assert list(shelf.rows) == [own]
    shelf.import_(hsds.read(document), "city")
    assert len(shelf.rows) == 2 and {row.source_id for row in shelf.rows.values()} == {own.upper()}
    assert sizes(shelf.import_(hsds.read(document), "county")) == (0, 1, 0)
    assert sizes(shelf.import_(hsds.read(document), "city")) == (0, 1, 0)


def test_what_was_imported_before_sources_were_kept_is_its_organizations(tmp_path: Path) -> None:
    found = package(tmp_path)
    shelf = Shelf()
    first = found.services[0]
    shelf.rows[first.service.id] = InForce(
        first.service.id, 4, first.service.organization, first.service.organization, "s1", None, False
    )
    made = shelf.import_(found)
    assert (first.service.id, 4) in [(one.service.id, version) for one, version in made.changed]
    assert len(shelf.rows) == 2


def broken(folder: Path, **bytes_of: bytes) -> hsds.Result:
    for stem, text in bytes_of.items():
        (folder / f"{stem}.csv").write_bytes(text)
    return hsds.read_path(folder)


HEAD = b"id,organization_id,name,status\n"


@pytest.mark.parametrize(
    "services",
    [
        b"",
        HEAD,
        b"organization_id,name,status\no1,Groceries,active\n",
        HEAD + b",o1,Groceries,active\n",
        HEAD + b"s1,o1\n",
        HEAD + b's1,o1,"Gro"ceries,active\n',
    ],
    ids=["empty", "no row", "no id column", "a row without id", "a short row", "a row that is no CSV"],
)
def test_nothing_ends_by_a_package_that_could_not_be_read_whole(tmp_path: Path, services: bytes) -> None:
    shelf = Shelf()
    shelf.import_(package(tmp_path), "county")
    assert shelf.import_(broken(tmp_path, services=services), "county").ended == []
    (tmp_path / "services.csv").unlink()
    assert shelf.import_(hsds.read_path(tmp_path), "county").ended == []


def test_a_row_that_is_there_and_cannot_be_loaded_does_not_end(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.import_(package(tmp_path), "county")
    made = shelf.import_(package(tmp_path, name=None, organization_id="nobody"), "county")
    assert sizes(made) == (0, 1, 0)


def test_a_part_of_a_source_ends_nothing(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.import_(package(tmp_path), "county")
    assert shelf.import_(package(tmp_path, without="s2"), "county", whole=False).ended == []
    alone = {"id": "s1", "name": "Groceries", "organization": {"id": "o1", "name": "Harvest Pantry"}}
    assert shelf.import_(hsds.read([("service.json", alone)]), "county").ended == []


def test_without_a_named_source_organizations_that_are_not_listed_stay(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.import_(package(tmp_path))
    one = {"id": "o2", "name": "Open Door", "services": [{"id": "other", "name": "Beds", "status": "active"}]}
    made = shelf.import_(hsds.read([("x.json", one)]))
    assert [row.source_id for row in made.ended] == ["s2"]
    assert shelf.active == ["Beds", "Groceries"]


def test_the_same_import_makes_the_same_events(tmp_path: Path) -> None:
    first, second = (records(plan(package(tmp_path), (), "county"), NOW) for _ in range(2))
    assert [r.event_id for r in first] == [r.event_id for r in second]


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 81, "a/b"])
def test_a_source_needs_a_name_that_can_be_one(tmp_path: Path, name: str) -> None:
    ran = CliRunner().invoke(import_directory, [str(tmp_path), "--source", name, "--dry-run"])
    assert ran.exit_code == 2 and "letters" in ran.stderr
