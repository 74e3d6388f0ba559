"""What commands read and write: publish's files, simulate's bytes, the ready file, what an exchange keeps."""

import os
import stat
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from cli import ready
from cli.keeping import Keeping
from cli.main import cli
from cli.publish_files import read
from infra.participants import KafkaUser, Participant, draft
from referrals.words import OrganizationType

EXAMPLES = Path("producers/examples")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def content(folder: Path, supervisor: int) -> ready.Ready:
    pids = {"kafka": 1, "postgres": 2, "api": 3, "notify": 4, "worker-10": 7, "worker-0": 5, "worker-2": 6}
    return ready.Ready(
        url="http://127.0.0.1:1",
        kafka=ready.Broker(
            bootstrap="127.0.0.1:2",
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-256",
            admin=KafkaUser("admin", "secret"),
        ),
        database_url="postgresql://x",
        data_dir=str(folder),
        pids=ready.Pids.of(pids),
        organizations=[draft("bay-clinic", "Bay", OrganizationType.CLINIC)],
        supervisor=supervisor,
    )


def test_the_ready_file_is_private_and_names_workers_in_order(tmp_path: Path) -> None:
    path = tmp_path / ready.NAME
    ready.write(path, content(tmp_path, os.getpid()))
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    found = msgspec.json.decode(path.read_bytes())
    assert found["pids"] == {"kafka": 1, "postgres": 2, "api": 3, "workers": [5, 6, 7], "notify": 4}
    organization = found["organizations"][0]
    assert organization["kafka"]["username"] == "bay-clinic"
    assert organization["clients"][0]["scope"].split()
    again = ready.running(tmp_path)
    assert again is not None and again.url == "http://127.0.0.1:1"


def test_an_exchange_that_is_gone_does_not_run(tmp_path: Path) -> None:
    assert ready.running(tmp_path) is None
    ready.write(tmp_path / ready.NAME, content(tmp_path, 2**22 - 1))
    assert ready.running(tmp_path) is None
    ready.remove(tmp_path / ready.NAME)  # not ours: it stays
    assert (tmp_path / ready.NAME).exists()


def test_credentials_are_kept_and_never_replaced_by_a_restart(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    first = draft("bay-clinic", "Bay", OrganizationType.CLINIC, [("a@bay.example.org", "A", "staff")])
    assert keeping.add([first]) == [first]
    assert Keeping(tmp_path).add([draft("bay-clinic", "Bay", OrganizationType.CLINIC)]) == [first]
    assert mode(keeping.file) == 0o600
    rotated = draft("bay-clinic", "Bay", OrganizationType.CLINIC)
    keeping.replace(rotated)
    kept = keeping.participants()[0]
    assert kept.kafka == rotated.kafka and kept.users == first.users
    assert keeping.password("refex-api") == Keeping(tmp_path).password("refex-api")
    keeping.keep_port(4711)
    assert Keeping(tmp_path).port() == 4711


@pytest.mark.parametrize(
    ("kind", "has_kafka"),
    [(t, t in ("clinic", "mco", "platform")) for t in OrganizationType],
)
def test_only_senders_get_a_kafka_login(kind: OrganizationType, has_kafka: bool) -> None:
    made: Participant = draft("some-body", "Some", kind)
    assert (made.kafka is not None) == has_kafka
    assert made.clients[0].scope


@pytest.mark.parametrize("file", sorted(EXAMPLES.iterdir()), ids=lambda p: p.name)
def test_every_example_can_be_published(file: Path) -> None:
    found = read(file, None)
    assert found
    assert all(one.submission is not None for one in found)


def test_bad_referrals_are_named_and_the_others_go(tmp_path: Path) -> None:
    good = (EXAMPLES / "referral.json").read_bytes().replace(b"\n", b"")
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(good + b'\n{"need": {}}\n{"resourceType": "Bundle"}\n' + good + b"\n")
    found = read(file, None)
    assert [one.submission is None for one in found] == [False, True, True, False]
    assert found[1].problem and "required" in found[1].problem
    assert found[1].where == "mixed.jsonl:2"


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        arguments = ["simulate", "--referrals", "12", "--seed", "5", "--out", str(tmp_path / name)]
        assert CliRunner().invoke(cli, arguments).exit_code == 0
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 14
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        assert all(one.submission for one in read(tmp_path / "a" / file, None))
