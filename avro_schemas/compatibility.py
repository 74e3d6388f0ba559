"""The contract's own rules: versions of one record compatible both ways, flat shapes, and what was released unchanged.

Comes in: the files of this package. Goes out: problems, each saying what to do. A new schema is pinned with
`python -m avro_schemas.compatibility release`; that command must never change what is pinned.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

from avro_schemas.codec import ids, read_text

PRIMITIVES = ("boolean", "int", "long", "float", "double", "bytes", "string")
STRINGS = {"type": "array", "items": "string"}
NAME = re.compile(r"([a-z]+(?:_[a-z]+)*)\.v([1-9][0-9]*)")
Pins = dict[str, dict[str, Any]]


class Contract(NamedTuple):
    """Everything that is checked: schema texts by name, ids by name, and the pins of released.json."""

    texts: Mapping[str, str]
    ids: Mapping[str, int]
    released: Pins


def load() -> Contract:
    """The contract as it stands in this package."""
    files = sorted(p.name for p in resources.files("avro_schemas").iterdir() if p.name.endswith(".avsc"))
    texts = {name.removesuffix(".avsc"): read_text(name) for name in files}
    return Contract(texts, ids(), json.loads(read_text("released.json")))


def problems(contract: Contract) -> list[str]:
    """Everything that is wrong with a contract; empty when it may be released."""
    found = [*_names(contract), *_pins(contract)]
    for name, text in contract.texts.items():
        found += [f"{name}: {what}" for what in shape(json.loads(text))]
    for versions in families(contract.texts).values():
        for reader, writer in permutations(versions, 2):
            for what in incompatible(contract.texts[reader], contract.texts[writer]):
                found.append(
                    f"{reader} cannot read {writer}: {what}; give new fields a default, keep old ones"
                )
    return found


def families(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Record -> its versions' names, oldest first."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name in texts:
        if match := NAME.fullmatch(name):
            found.setdefault(match[1], []).append((int(match[2]), name))
    return {stem: [name for _, name in sorted(versions)] for stem, versions in found.items()}


def incompatible(reader: str, writer: str) -> list[str]:
    """Why a reader with one schema cannot read what another wrote; empty when it can."""
    from avro.compatibility import ReaderWriterCompatibilityChecker  # a development dependency
    from avro.schema import parse

    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    result = checker.get_compatibility(parse(reader), parse(writer))
    return [f"{', '.join(sorted(result.locations))}: {what}" for what in sorted(result.messages)]


def shape(schema: Mapping[str, Any]) -> Iterator[str]:
    """What makes a schema more than a flat record of primitives and lists of text (architecture 14)."""
    if schema.get("type") != "record":
        yield "it is no record"
        return
    for field in schema["fields"]:
        kind = field["type"]
        if kind not in PRIMITIVES and kind != STRINGS:
            yield f"field {field['name']} has type {json.dumps(kind)}; use a primitive or an array of string"
        if not field.get("doc"):
            yield f"field {field['name']} has no doc"


def fingerprint(text: str) -> str:
    """The sha256 of a schema file, whatever its white space."""
    plain = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def release(contract: Contract) -> Pins:
    """The pins with those of new schemas added."""
    new = {n: _pin(contract, n) for n in contract.ids if n in contract.texts and n not in contract.released}
    return contract.released | new


def _pin(contract: Contract, name: str) -> dict[str, Any]:
    return {"id": contract.ids[name], "sha256": fingerprint(contract.texts[name])}


def _names(contract: Contract) -> Iterator[str]:
    for name in sorted(set(contract.texts) ^ set(contract.ids)):
        where = "no .avsc file" if name in contract.ids else "no id in ids.json; append one"
        yield f"{name} has {where}"
    numbers = list(contract.ids.values())
    if numbers != sorted(set(numbers)) or numbers[0] != 1:
        yield "ids.json must rise from 1 in the order of the file; append, never insert or remove"
    for name in contract.texts:
        match = NAME.fullmatch(name)
        if match is None:
            yield f"{name}: a schema file is called record_name.v1.avsc"
        elif json.loads(contract.texts[name])["name"] != match[1].title().replace("_", ""):
            yield f"{name}: the record must be called {match[1].title().replace('_', '')}"


def _pins(contract: Contract) -> Iterator[str]:
    for name, pin in contract.released.items():
        if name not in contract.texts or name not in contract.ids:
            yield f"{name} was released and is gone; restore its file and its id"
        elif _pin(contract, name) != pin:
            yield f"{name} was edited after its release; restore it and add a new version beside it"
    for name in contract.texts:
        if name not in contract.released:
            yield f"{name} is not pinned; run `python -m avro_schemas.compatibility release`"


def main() -> int:
    """Check the contract; with `release`, pin the new schemas first."""
    contract = load()
    if sys.argv[1:] == ["release"]:
        contract = contract._replace(released=release(contract))
        path = Path(__file__).with_name("released.json")
        path.write_text(json.dumps(contract.released, indent=1) + "\n", encoding="utf-8")
    found = problems(contract)
    sys.stdout.write("\n".join(found or ["the contract is sound"]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
