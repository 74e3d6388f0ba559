"""An optional schema registry (SCHEMA_REGISTRY_URL): our schemas are registered there, and its ids put on the wire.

Comes in: its URL. Goes out: schema name -> the registry's id. The schemas stay ours: nothing is ever fetched to decode
with (codec.py). A registry that gives our pinned ids, or none at all, changes nothing.
"""

import json
from collections.abc import Iterable

import httpx
from fastavro.schema import to_parsing_canonical_form

from avro_schemas import codec, topics

TIMEOUT_S = 10.0
TYPE = "application/vnd.schemaregistry.v1+json"


class RegistryError(RuntimeError):
    """The registry does not answer or refuses a schema; the message says what to do."""


def subjects(organizations: Iterable[str] = ()) -> list[tuple[str, str]]:
    """(subject, schema name) of every topic, by TopicRecordNameStrategy; `intake.*` and the like by organization.

    Such a topic has a subject of its bare prefix too (`intake-...`): every schema has an id before anyone joins.
    """
    members = list(organizations)
    found = []
    for pattern, topic in topics.declared().items():
        prefix = pattern.removesuffix(".*")
        names = [prefix, *(f"{prefix}.{member}" for member in members if prefix != pattern)]
        found += [(f"{name}-{_full_name(schema)}", schema) for name in names for schema in topic.schemas]
    return found


def register(url: str, organizations: Iterable[str] = ()) -> dict[str, int]:
    """Register every schema under its subjects; returns name -> id. Raises RegistryError."""
    return _ids(url, organizations, "/versions")


def look_up(url: str, organizations: Iterable[str] = ()) -> dict[str, int]:
    """The ids of schemas that are registered already; registers nothing. Raises RegistryError."""
    return _ids(url, organizations, "")


def adopt(url: str | None) -> dict[str, int]:
    """What a part does at its start: use the registry's ids where they differ from ours; returns those."""
    if not url:
        return {}
    differing = {name: number for name, number in look_up(url).items() if codec.ids()[name] != number}
    codec.use_ids(differing)
    return differing


def _ids(url: str, organizations: Iterable[str], path: str) -> dict[str, int]:
    found: dict[str, int] = {}
    try:
        with httpx.Client(
            base_url=url.rstrip("/"), timeout=TIMEOUT_S, headers={"Content-Type": TYPE}
        ) as client:
            for subject, name in subjects(organizations):
                number = _ask(client, f"/subjects/{subject}{path}", name)
                if found.setdefault(name, number) != number:
                    raise RegistryError(
                        f"{name} has two ids, {found[name]} and {number}; use one registry context"
                    )
                if name not in _written(client, number):
                    raise RegistryError(
                        f"id {number} in the registry is not {name}; remove what was put there"
                    )
    except httpx.HTTPError as error:
        raise RegistryError(
            f"no schema registry answers at SCHEMA_REGISTRY_URL ({type(error).__name__})"
        ) from error
    return found


def _ask(client: httpx.Client, path: str, name: str) -> int:
    answer = client.post(path, content=json.dumps({"schema": codec.read_text(f"{name}.avsc")}))
    if answer.status_code == 404:
        raise RegistryError(f"{name} is not registered yet; run `refex topics apply`")
    if answer.status_code != 200:
        raise RegistryError(f"the registry refuses {name} ({answer.status_code}): {answer.text[:300]}")
    return int(answer.json()["id"])


def _written(client: httpx.Client, number: int) -> set[str]:
    """The names of ours that a registry's id stands for."""
    answer = client.get(f"/schemas/ids/{number}")
    answer.raise_for_status()
    theirs = _canonical(answer.json()["schema"])
    return {name for name in codec.ids() if _canonical(codec.read_text(f"{name}.avsc")) == theirs}


def _canonical(text: str) -> str:
    return str(to_parsing_canonical_form(json.loads(text)))


def _full_name(name: str) -> str:
    schema = json.loads(codec.read_text(f"{name}.avsc"))
    return f"{schema['namespace']}.{schema['name']}"
