"""The audit's chain and checkpoints: whatever is changed afterwards is found."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra.audit import chain, checkpoints
from infra.audit.chain import Head, Link
from infra.audit.checkpoints import Tampered

NOW = datetime(2030, 5, 1, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LINKS, HEAD = chain.extend(Head("api-1"), [("request", f"body {n}".encode()) for n in range(1, 6)])


def test_what_was_written_is_whole() -> None:
    assert list(chain.broken("api-1", LINKS)) == []
    assert Head("api-1", 5, LINKS[-1].hash) == HEAD


def test_it_goes_on_from_its_head() -> None:
    more, _ = chain.extend(HEAD, [("facts", b"x")])
    assert list(chain.broken("api-1", [*LINKS, *more])) == []


def edited(links: list[Link]) -> list[Link]:
    links[2] = msgspec.structs.replace(links[2], body=b"nothing happened")
    return links


def turned(links: list[Link]) -> list[Link]:
    links[2] = msgspec.structs.replace(links[2], kind="facts")
    return links


def deleted(links: list[Link]) -> list[Link]:
    return links[:2] + links[3:]


def renumbered(links: list[Link]) -> list[Link]:
    rest = [msgspec.structs.replace(k, number=k.number - 1) for k in links[3:]]
    return links[:2] + rest


def inserted(links: list[Link]) -> list[Link]:
    forged = chain.link(Head("api-1", 2, links[1].hash), "request", b"forged")
    return [*links[:2], forged, *(msgspec.structs.replace(k, number=k.number + 1) for k in links[2:])]


def reordered(links: list[Link]) -> list[Link]:
    a, b = links[1], links[2]
    links[1] = msgspec.structs.replace(b, number=a.number)
    links[2] = msgspec.structs.replace(a, number=b.number)
    return links


@pytest.mark.parametrize("tamper", [edited, turned, deleted, renumbered, inserted, reordered])
def test_tampering_is_found_where_it_was_done(tamper: Callable[[list[Link]], list[Link]]) -> None:
    found = list(chain.broken("api-1", tamper(list(LINKS))))
    assert found and found[0][0] in (2, 3, 4)


def test_another_chain_cannot_take_its_records() -> None:
    assert list(chain.broken("api-2", LINKS))


def lines(count: int) -> list[bytes]:
    made = [b""]
    for n in range(count):
        head = Head("api-1", n + 1, LINKS[n].hash)
        made.append(checkpoints.made(KEY, [head], made[-1], NOW + timedelta(minutes=n)))
    return made[1:]


def test_checkpoints_say_where_the_chains_ended() -> None:
    found = checkpoints.read(lines(3), KEY.public_key())
    assert [c.heads["api-1"] for c in found] == [(n, LINKS[n - 1].hash.hex()) for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept[1:],
        lambda kept: [kept[0], kept[2]],
        lambda kept: [kept[1], kept[0], kept[2]],
        lambda kept: [kept[0], kept[0], *kept[1:]],
        lambda kept: [kept[0].replace(b"api-1", b"api-2"), *kept[1:]],
        lambda kept: [kept[0].replace(b'"signature":"', b'"signature":"A'), *kept[1:]],
        lambda kept: [b"{}", *kept],
        lambda kept: [b"", *kept],
    ],
)
def test_changed_checkpoints_are_found(change: Callable[[list[bytes]], list[bytes]]) -> None:
    with pytest.raises(Tampered):
        checkpoints.read(change(lines(3)), KEY.public_key())


def test_a_stranger_cannot_sign() -> None:
    with pytest.raises(Tampered):
        checkpoints.read(lines(1), Ed25519PrivateKey.generate().public_key())


def test_a_line_that_a_crash_cut_short_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.jsonl"
    first, second = lines(2)
    checkpoints.append(file, first)
    with file.open("ab") as torn:
        torn.write(second[:20])
    assert checkpoints.lines(file) == [first]
    checkpoints.append(file, second)
    assert checkpoints.lines(file) == [first, second]
    assert file.stat().st_mode & 0o077 == 0
