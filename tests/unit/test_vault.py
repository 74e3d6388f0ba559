"""What is sealed opens where it was sealed, with the key it was sealed under, and nowhere else."""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.settings import SettingsError, load
from infra.vault import kept
from infra.vault.cipher import Broken, Erased, Key, named, opened, sealed
from infra.vault.kms import LocalKms, Locked, local_kms
from infra.vault.vault import Keyring, Vault
from tests.support.vault import KEK, plain, ring, vault

PERSON, OTHER, STREAM, NONCE = uuid4(), uuid4(), uuid4(), b"n" * 12
SAME = AESGCM(b"k" * 32)
KEY = Key(PERSON, "clinic", b"12345678", SAME)
CONTENT = b'{"family_name":"Synthetic-Test"}'
NEW = b"another key-encryption key here!"


def test_sealed_bytes_name_their_key_and_hide_their_content() -> None:
    made = sealed(KEY, "note", STREAM, CONTENT, NONCE)
    assert named(made) == (PERSON, b"12345678")
    assert opened(KEY, "note", STREAM, made) == CONTENT
    assert b"Synthetic" not in made


@pytest.mark.parametrize(
    ("key", "kind", "stream"),
    [
        (KEY, "submission", STREAM),
        (KEY, "note", OTHER),
        (KEY._replace(tenant="other-clinic"), "note", STREAM),
        (KEY._replace(cipher=AESGCM(b"x" * 32)), "note", STREAM),
    ],
    ids=["another kind", "another stream", "another tenant", "another key"],
)
def test_what_was_moved_does_not_open(key: Key, kind: str, stream: UUID) -> None:
    with pytest.raises(Broken, match="altered or moved"):
        opened(key, kind, stream, sealed(KEY, "note", STREAM, CONTENT, NONCE))


def test_bytes_that_name_another_person_do_not_open_even_if_the_keys_were_the_same() -> None:
    made = sealed(KEY, "note", STREAM, CONTENT, NONCE)
    moved = made[:1] + OTHER.bytes + made[17:]
    assert named(moved) == (OTHER, KEY.id)
    with pytest.raises(Broken):
        opened(KEY._replace(person=OTHER), "note", STREAM, moved)


def test_no_byte_can_be_changed_and_none_be_cut() -> None:
    made = sealed(KEY, "note", STREAM, CONTENT, NONCE)
    for at in range(len(made)):
        changed = made[:at] + bytes([made[at] ^ 1]) + made[at + 1 :]
        with pytest.raises(Broken):
            opened(KEY, "note", STREAM, changed)
    for cut in (made[:-1], made[:30], made[:1]):
        with pytest.raises(Broken):
            named(cut)
            opened(KEY, "note", STREAM, cut)


def test_what_was_recorded_before_there_were_keys_stays_readable() -> None:
    assert ring().open(plain(CONTENT), "note", STREAM) == CONTENT
    assert vault().open(plain(CONTENT), "note", STREAM, None) == CONTENT
    assert ring().open(b"", "note", STREAM) == b""


def test_the_same_content_is_never_sealed_twice_alike() -> None:
    keys = ring()
    first, second = (keys.seal(PERSON, "clinic", "note", STREAM, CONTENT) for _ in range(2))
    assert first != second and len(keys.made) == 1
    assert keys.open(first, "note", STREAM) == keys.open(second, "note", STREAM) == CONTENT


def test_who_was_erased_is_closed_and_begins_anew() -> None:
    keys = ring()
    before = keys.seal(PERSON, "clinic", "note", STREAM, CONTENT)
    keys.erase(PERSON)
    after = keys.seal(PERSON, "clinic", "note", STREAM, b"later")
    assert keys.open(after, "note", STREAM) == b"later"
    assert list(keys.erased) == list(keys.made) == [PERSON]
    with pytest.raises(Erased):
        keys.open(before, "note", STREAM)


def test_work_that_is_thrown_away_leaves_the_keys_as_they_were() -> None:
    keys = ring()
    child = keys.child()
    child.seal(PERSON, "clinic", "note", STREAM, CONTENT)
    child.erase(OTHER)
    assert not keys.made and not keys.erased


def test_a_key_is_wrapped_for_its_person_and_organization_alone() -> None:
    store = vault()
    row, key = store.made(PERSON, "clinic")
    made = sealed(key, "note", STREAM, CONTENT, NONCE)
    assert Keyring(store, {PERSON: row}).open(made, "note", STREAM) == CONTENT
    for moved in (row._replace(person=OTHER), row._replace(tenant="other"), row._replace(key_id=b"abcdefgh")):
        with pytest.raises(Locked):
            store.key(moved)


def test_a_key_that_nobody_here_has_says_what_to_do() -> None:
    row, _ = vault().made(PERSON, "clinic")
    wrong = Vault(LocalKms([NEW], Random(1).randbytes))
    with pytest.raises(Locked, match=f"wrapped by key {row.kek}.*set REFEX_VAULT_KEY"):
        wrong.key(row)


def test_keys_are_wrapped_anew_without_touching_what_they_sealed() -> None:
    old = vault()
    row, key = old.made(PERSON, "clinic")
    made = sealed(key, "note", STREAM, CONTENT, NONCE)
    both = Vault(LocalKms([NEW, KEK], Random(1).randbytes))
    again = both.rewrapped(row)
    assert again.kek == both.kek != row.kek
    only = Vault(LocalKms([NEW], Random(1).randbytes))
    assert Keyring(only, {PERSON: again}).open(made, "note", STREAM) == CONTENT
    with pytest.raises(Locked):
        only.key(row)


class Nobody:
    """A database with these key-encryption keys and no person."""

    def __init__(self, *keks: str) -> None:
        self.keks = list(keks)
        self.asked = 0

    async def fetch(self, sql: str, *args: object) -> list[dict[str, str]]:
        self.asked += 1
        return [{"id": id} for id in self.keks]

    async def execute(self, sql: str, id: str) -> None:
        self.keks.append(id)


@pytest.mark.parametrize("asks", [lambda v, c: asyncio.run(v.keyring(c, ()))])
def test_a_process_with_another_key_makes_none(asks: Callable[[Vault, object], Keyring]) -> None:
    store, database = vault(), Nobody()
    asks(store, database)
    assert database.keks == [store.kek]
    asks(store, database)
    asks(store, database)
    assert database.asked == 2, "once it is sure it does not ask again"
    with pytest.raises(Locked, match="REFEX_VAULT_KEY"):
        asks(Vault(LocalKms([NEW], Random(1).randbytes)), database)


@pytest.mark.parametrize("agrees", [lambda v, c: asyncio.run(v.agree(c, first=False))])
def test_who_may_not_be_the_first_to_use_a_key_says_who_has_to(
    agrees: Callable[[Vault, object], None],
) -> None:
    store, database = vault(), Nobody()
    with pytest.raises(Locked, match=f"{store.kek} yet: start a worker"):
        agrees(store, database)
    assert database.keks == []
    database.keks.append(store.kek)
    agrees(store, database)


def test_a_secret_opens_for_its_row_alone() -> None:
    store, user = vault(), uuid4()
    places = [
        kept.of_device(user, "clinic"),
        kept.of_device(user, "other"),
        kept.of_device(uuid4(), "clinic"),
        kept.of_provider("clinic", "https://id.example.org", "us"),
        kept.of_provider("clinic", "https://id.other.example.org", "us"),
        kept.of_provider("other", "https://id.example.org", "us"),
        kept.of_provider("clinic", "https://id.example.org", "them"),
    ]
    for whose in places:
        wrapped = store.wrap(b"secret", whose)
        assert kept.opened(store, store.kek, wrapped, whose) == b"secret" and b"secret" not in wrapped
        for other in places:
            if other != whose:
                with pytest.raises(Locked, match="moved to another row"):
                    kept.opened(store, store.kek, wrapped, other)
    with pytest.raises(Locked, match="refex migrate"):
        kept.opened(store, None, b"secret", places[0])


def test_the_key_is_a_setting_or_a_file_and_old_ones_open_beside_it(tmp_path: Path) -> None:
    random = Random(1).randbytes
    told = base64.b64encode(NEW).decode() + ", " + base64.b64encode(KEK).decode()
    both = local_kms(load({"REFEX_VAULT_KEY": told}), random)
    assert both.id == LocalKms([NEW], random).id and both.knows(LocalKms([KEK], random).id)
    here = load({"REFEX_DATA_DIR": str(tmp_path)})
    first = local_kms(here, random)
    assert local_kms(here, random).id == first.id, "made once"
    assert (tmp_path / "vault" / "kek.key").stat().st_mode & 0o077 == 0
    (tmp_path / "vault" / "kek.key").rename(tmp_path / "vault" / "old-1.key")
    second = local_kms(here, random)
    assert second.id != first.id and second.knows(first.id)
    with pytest.raises(SettingsError, match="REFEX_VAULT_KEY"):
        local_kms(load({"REFEX_VAULT_KEY": "c2hvcnQ="}), random)
