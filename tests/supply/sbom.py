"""The software bill of materials (CycloneDX 1.6) of requirements.lock, with each package's licence.

`python -m tests.supply.sbom` writes build/sbom.cdx.json (`make sbom`). Comes in: the lock and the metadata of what is
installed. Goes out: JSON. Must never list a licence that nobody stated. Source: the CycloneDX specification, 1.6.
"""

import json
import re
import sys
import tomllib
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.supply.lock import Package, packages

ROOT = Path(__file__).parents[2]
TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("licences.toml").read_text(encoding="utf-8"))
TARGET = ROOT / "build" / "sbom.cdx.json"


def licence(name: str) -> str | None:
    """An SPDX expression: the table's, else what the installed package states; None when neither does."""
    if name in TABLE["packages"]:
        return str(TABLE["packages"][name]["licence"])
    try:
        said = metadata.metadata(name).json
    except metadata.PackageNotFoundError:
        return None
    if expression := said.get("license_expression"):
        return str(expression)
    named = [c.rpartition(" :: ")[2] for c in said.get("classifier", []) if c.startswith("License :: ")]
    named = [c for c in named if c != "OSI Approved"] or [str(said.get("license", "")).strip()]
    meant = [TABLE["means"].get(each) for each in named]
    return " OR ".join(map(str, meant)) if all(meant) else None


def refused(name: str, expression: str | None) -> str | None:
    """Why a package's licence is not accepted; None when it is. Of `A OR B` one suffices, of `A AND B` both must be."""
    if name in TABLE["packages"]:
        return None
    if expression is None:
        return f"{name}: no licence that can be read; look it up and add it to licences.toml"
    ways = [re.split(r" AND ", way) for way in expression.replace("(", "").replace(")", "").split(" OR ")]
    if any(all(part in TABLE["allowed"] for part in way) for way in ways):
        return None
    return f"{name}: {expression} is not an allowed licence (tests/supply/licences.toml)"


def component(package: Package) -> dict[str, Any]:
    """One package as a component; `pkg:pypi/...` names it for scanners."""
    purl = f"pkg:pypi/{package.name}@{package.version}"
    expression = licence(package.name)
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "properties": [{"name": "refex:sha256", "value": each} for each in package.hashes],
    }
    if expression:
        made["licenses"] = [{"expression": expression}]
    if package.marker:
        made["properties"].insert(0, {"name": "refex:marker", "value": package.marker})
    return made


def document(lock: str, project: str) -> dict[str, Any]:
    """The whole bill: the same lock gives the same bytes, serial number and all."""
    stated = tomllib.loads(project)["project"]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{UUID(bytes=sha256(lock.encode()).digest()[:16], version=4)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": stated["name"],
                "name": stated["name"],
                "version": stated["version"],
                "licenses": [{"license": {"id": stated["license"]}}],
            }
        },
        "components": [component(package) for package in packages(lock)],
    }


def main() -> None:
    """Write it, and say how many of which licence."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    made = document(lock, (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    wrong = [why for p in packages(lock) if (why := refused(p.name, licence(p.name)))]
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}: {len(made['components'])} packages\n" + "\n".join(wrong))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
