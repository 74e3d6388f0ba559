"""What the exchange is made of: pinned by hash, licensed as we accept, not older than what is known to be broken."""

import json
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.supply import sbom, secrets
from tests.supply.lock import Package, numbers, packages, too_old

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "tests/benchmarks/engine/peers.lock")
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
FLOORS = tomllib.loads((ROOT / "tests" / "supply" / "floors.toml").read_text(encoding="utf-8"))
FOLDERS = (
    "api", "avro_schemas", "cli", "docs", "infra", "producers", "referrals", "stream_processors", "tests", ".ci"
)  # fmt: skip
# Files in which something looks like a secret on purpose, with the kinds and why.
EXEMPT: Mapping[str, tuple[set[str], str]] = {
    "tests/mutants/bugs/leaks.toml": ({"assigned secret"}, "a planted bug: a key that was committed"),
}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_by_hash_and_nothing_says_where_from(name: str) -> None:
    pinned = packages((ROOT / name).read_text(encoding="utf-8"))
    assert len(pinned) > 20
    assert all(p.hashes for p in pinned)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example.org/simple",
        "thing @ https://packages.example.org/thing-1.0.tar.gz \\",
        "thing>=1.0 \\",
        "    --hash=md5:0123 \\",
        "-e git+https://example.org/thing.git#egg=thing",
    ],
)
def test_a_line_that_pins_nothing_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="make lock"):
        packages(f"{LOCK}{line}\n")


def test_no_package_is_older_than_what_is_known_to_be_broken() -> None:
    assert too_old(packages(LOCK), FLOORS) == []
    assert all("CVE-" in floor["why"] for floor in FLOORS.values())
    watched = {"starlette", "joserfc", "python-multipart", "cryptography"}
    assert watched <= FLOORS.keys() & {p.name for p in packages(LOCK)}


def test_a_version_known_to_be_broken_is_found() -> None:
    old = [
        Package("pyjwt", "2.10.1", "", ()),
        Package("starlette", "1.0.0", "", ()),
        Package("h11", "0.16.0", "", ()),
    ]
    found = too_old(old, FLOORS)
    assert len(found) == 2
    assert "CVE-2026-48523" in found[0] and "CVE-2026-48710" in found[1]
    assert numbers("0.0.9") < numbers("0.0.27") and numbers("1.0.1rc1") < numbers("1.0.1") <= numbers(
        "1.0.1.post1"
    )


def test_every_licence_is_one_we_accept() -> None:
    assert [why for p in packages(LOCK) if (why := sbom.refused(p.name, sbom.licence(p.name)))] == []


def test_an_unknown_licence_is_refused() -> None:
    assert sbom.refused("thing", None)
    assert sbom.refused("thing", "AGPL-3.0-only")
    assert sbom.refused("thing", "MIT AND SSPL-1.0")
    assert sbom.refused("thing", "MIT OR SSPL-1.0") is None
    assert sbom.licence("no-such-package") is None


def test_the_table_of_licences_holds_no_package_of_yesterday() -> None:
    assert sbom.TABLE["packages"].keys() <= {p.name for p in packages(LOCK)}


def test_the_bill_of_materials_names_every_package_with_hashes_and_licence() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    bill = sbom.document(LOCK, project)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    pinned = packages(LOCK)
    assert [c["purl"] for c in bill["components"]] == [f"pkg:pypi/{p.name}@{p.version}" for p in pinned]
    assert len({c["bom-ref"] for c in bill["components"]}) == len(pinned)
    assert all(c["licenses"] and c["properties"] for c in bill["components"])
    assert json.dumps(bill) == json.dumps(sbom.document(LOCK, project)), "the same lock, the same bill"


def kept() -> list[Path]:
    """The files of the repository; of an unpacked source tree those of its folders."""
    if not (ROOT / ".git").exists():
        named = [
            path
            for folder in FOLDERS
            for path in (ROOT / folder).rglob("*")
            if "__pycache__" not in path.parts
        ]
        return [*named, *(path for path in ROOT.iterdir() if path.is_file())]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_no_secret_stands_in_the_repository() -> None:
    found: list[str] = []
    for path in kept():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix in (".png", ".zip") or name in LOCKS or not path.is_file():
            continue
        allowed, _ = EXEMPT.get(name, (set(), ""))
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name}:{f.line}: {f.kind}" for f in secrets.secrets(text) if f.kind not in allowed]
    assert found == [], (
        "take it out, change it where it is used; a made-up one is to look made up, or named in EXEMPT"
    )


def planted() -> dict[str, str]:
    """One of every kind, put together here: this file must not hold one."""
    drawn = "Zk3v9Qw7Lx2Rt8Bn5" + "Hd4Jf6Mp1Yc0Gs"
    return {
        "private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
        "private JWK": '{"kty": "EC", "d' + f'": "{drawn * 2}"}}',
        "cloud access key": "aws_id = AKIA" + "Q3EGRIXKD9SUV7TZ",
        "service token": "ghp_" + "a1B2c3D4e5" * 4,
        "password in an address": "postgresql://owner:" + "Hg62kLw9@db.example.org/refex",
        "assigned secret": "client_" + f'secret = "{drawn}"',
    }


@pytest.mark.parametrize("kind", secrets.PATTERNS)
def test_a_planted_secret_is_found(kind: str) -> None:
    text = f"# a file\n{planted()[kind]}\n"
    assert secrets.Found(2, kind) in list(secrets.secrets(text))


def test_what_is_no_secret_is_left_alone() -> None:
    text = """
    password: str | None = None
    client_secret = os.environ["CLIENT_SECRET_OF_THIS_PART"]
    token_url = "https://exchange.example.org/oauth/token"
    REFEX_KAFKA_PASSWORD_FILE: /secrets/worker/kafka_password
    postgresql://refex_owner:...@db.example.org/refex
    url = f"postgresql://{login}:{password}@{host}/refex"
    secret_of_the_match_keys_in_this_exchange = match_secret_of_the_exchange(configured)
    """
    assert list(secrets.secrets(text)) == []
