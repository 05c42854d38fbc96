"""An attacker who can write the store's file but has no seal key plants nothing and revives nothing.

Every change by hand is refused by name, and a keyring that runs stays on the snapshot it has. What cannot be
noticed is here too, in tests named ``test_limit_…``.
"""
# ruff: noqa: S608 - the SQL is put together here, of nobody's input

import os
import sqlite3
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import ed25519_oracle as oracle
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ron_kms import (
    Expired,
    Generations,
    Keyring,
    Kid,
    Policy,
    Secret,
    Snapshot,
    State,
    StoreBusy,
    StoreRefused,
    create,
    make_seal_key,
    read_seal_key,
    seal,
    unseal,
    write_private,
)
from ron_kms.engines import choose
from ron_kms.stores.sqlite import SqliteStore

NOW = 1_800_000_000_000
GRACE = 60_000
KEY = Secret(bytes(range(32)))
ENGINE = choose("auto")
ATTACKER = SigningKey(b"\xa7" * 32)


def kid(number: int) -> str:
    return f"ed25519/default/v{number}"


def said(snapshot: Snapshot) -> bytes:
    return snapshot.head.kid.encode()


@dataclass
class Lived:
    """A store with a past, a keyring that runs on it, and what it had on earlier days.

    Version 1 is revoked, 2 retired, 3 retiring, 4 signs, 5 is next. Generation 5.
    """

    path: Path
    rotated: bytes  # the file of generation 4: version 1 was not revoked yet
    signature: bytes  # over b"mine", by version 1

    def __post_init__(self) -> None:
        self.keyring = self.opened()

    def opened(self, *, key: Secret = KEY, generations: Generations | None = None) -> Keyring:
        return Keyring(
            SqliteStore(self.path),
            ENGINE,
            key,
            Policy(GRACE, publish_ahead_ms=0),
            generations=generations,
            clock_ms=lambda: NOW + GRACE + 20,
        )

    @contextmanager
    def by_hand(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = OFF")  # an attacker need not wait for the disk
            yield db

    def put_back(self, file: bytes) -> None:
        self.path.write_bytes(file)


class Past(NamedTuple):
    """What ``Lived`` begins with."""

    file: bytes
    rotated: bytes
    signature: bytes

    def __repr__(self) -> str:
        return "<Past>"  # not two files of bytes in a report


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    path = tmp_path_factory.mktemp("past") / "store" / "keys.db"
    store, now = SqliteStore(path), NOW
    create(store, KEY, "default", clock_ms=lambda: now)
    keyring = Keyring(store, ENGINE, KEY, Policy(GRACE, publish_ahead_ms=0), clock_ms=lambda: now)
    signature = keyring.sign(lambda _: b"mine").signature
    keyring.rotate(said, idempotency_key="first")
    now += 1
    keyring.rotate(said, idempotency_key="second")
    now += GRACE
    keyring.rotate(said)
    rotated = path.read_bytes()
    keyring.revoke(Kid("default", 1), said)
    states = ["revoked", "retired", "retiring", "active", "next"]
    assert [v.state.value for v in keyring.current.ring.versions] == states
    assert keyring.current.generation == 5
    return Past(path.read_bytes(), rotated, signature)


@pytest.fixture
def lived(tmp_path: Path, past: Past) -> Lived:
    return lived_in(tmp_path / "store", past)


def lived_in(directory: Path, past: Past) -> Lived:
    directory.mkdir(mode=0o700)
    (directory / "keys.db").touch(0o600)
    (directory / "keys.db").write_bytes(past.file)
    return Lived(directory / "keys.db", past.rotated, past.signature)


def refused(name: str, act: Callable[[], object]) -> None:
    with pytest.raises(StoreRefused) as refusal:
        act()
    assert refusal.value.name == name


# A hand in the file

Hand = Callable[[Lived], None]


def sql(script: str) -> Hand:
    def change(lived: Lived) -> None:
        before = lived.path.read_bytes()
        with lived.by_hand() as db:
            db.executescript(f"BEGIN; {script}; COMMIT")
        assert lived.path.read_bytes() != before

    return change


def flip(table: str, column: str, where: str, at: int) -> Hand:
    """Flip one bit of a blob."""

    def change(lived: Lived) -> None:
        with lived.by_hand() as db:
            (held,) = db.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
            changed = bytearray(held)
            changed[at] ^= 1
            db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (bytes(changed),))

    return change


def old(query: str, *, manifest: bool = False, generation: bool = False) -> Hand:
    """Put back rows of generation 4, with parts of its ring row if told so."""

    def change(lived: Lived) -> None:
        earlier = lived.path.with_name("earlier.db")
        earlier.write_bytes(lived.rotated)
        with lived.by_hand() as db:
            db.execute("ATTACH ? AS earlier", (str(earlier),))
            db.execute(f"INSERT OR REPLACE INTO version SELECT * FROM earlier.version {query}")
            if manifest:
                db.execute("UPDATE ring SET manifest = (SELECT manifest FROM earlier.ring)")
            if generation:
                db.execute("UPDATE ring SET generation = (SELECT generation FROM earlier.ring)")
        earlier.unlink()

    return change


def plant(blob: str) -> Hand:
    """Add version 6 with the attacker's own key, and a blob."""
    public = bytes(ATTACKER.verify_key).hex()
    return sql(
        "INSERT INTO version (number, kid, algorithm, public_key, state, created_ms, retire_at_ms, blob)"
        f" VALUES (6, '{kid(6)}', 'ed25519', x'{public}', 'retired', {NOW}, {NOW}, {blob})"
    )


def sealed_by_the_attacker(lived: Lived) -> None:
    blob = seal(Secret(bytes(32)), b"", b"", now_ms=NOW)
    plant(f"x'{blob.hex()}'")(lived)


def swap(column: str, one: int, other: int) -> Hand:
    return sql(
        f"UPDATE version SET {column} = (SELECT v.{column} FROM version AS v"
        f" WHERE v.number = {one + other} - version.number) WHERE number IN ({one}, {other})"
    )


HANDS = [
    # Each column in turn.
    pytest.param(sql("UPDATE version SET number = 6 WHERE number = 5"), id="number"),
    pytest.param(sql("UPDATE version SET number = 0 WHERE number = 1"), id="number 0"),
    pytest.param(sql("UPDATE version SET number = -1 WHERE number = 1"), id="negative number"),
    pytest.param(sql(f"UPDATE version SET kid = '{kid(9)}' WHERE number = 3"), id="kid"),
    pytest.param(sql("UPDATE version SET kid = 'ed25519/other/v3' WHERE number = 3"), id="kid's namespace"),
    pytest.param(sql("UPDATE version SET kid = 'nonsense' WHERE number = 3"), id="kid that is none"),
    pytest.param(sql("UPDATE version SET algorithm = 'ed448' WHERE number = 3"), id="algorithm"),
    pytest.param(
        sql(f"UPDATE version SET public_key = x'{bytes(ATTACKER.verify_key).hex()}' WHERE number = 3"),
        id="public key of a retiring version",
    ),
    pytest.param(
        sql(f"UPDATE version SET public_key = x'{bytes(ATTACKER.verify_key).hex()}' WHERE number = 4"),
        id="public key of the version that signs",
    ),
    pytest.param(sql("UPDATE version SET public_key = x'' WHERE number = 2"), id="public key emptied"),
    pytest.param(sql("UPDATE version SET state = 'retired' WHERE number = 1"), id="revoked made retired"),
    pytest.param(sql("UPDATE version SET state = 'active' WHERE number = 1"), id="revoked made active"),
    pytest.param(sql("UPDATE version SET state = 'retiring' WHERE number = 2"), id="retired made retiring"),
    pytest.param(sql("UPDATE version SET state = 'revoked' WHERE number = 3"), id="retiring made revoked"),
    pytest.param(sql("UPDATE version SET state = 'next' WHERE number = 4"), id="active made next"),
    pytest.param(sql("UPDATE version SET state = 'revoked' WHERE number = 5"), id="next made revoked"),
    pytest.param(sql("UPDATE version SET state = 'ACTIVE' WHERE number = 4"), id="state in capitals"),
    pytest.param(sql("UPDATE version SET state = 'nonsense' WHERE number = 3"), id="state that is none"),
    pytest.param(sql("UPDATE version SET created_ms = created_ms - 1 WHERE number = 5"), id="created_ms"),
    pytest.param(sql("UPDATE version SET created_ms = -1 WHERE number = 5"), id="negative created_ms"),
    pytest.param(
        sql("UPDATE version SET retire_at_ms = retire_at_ms + 1 WHERE number = 3"), id="retire_at_ms"
    ),
    pytest.param(sql("UPDATE version SET retire_at_ms = NULL WHERE number = 3"), id="retire_at_ms gone"),
    pytest.param(sql("UPDATE version SET retire_at_ms = 0 WHERE number = 4"), id="retire_at_ms from nowhere"),
    pytest.param(sql("UPDATE version SET retire_at_ms = -1 WHERE number = 3"), id="negative retire_at_ms"),
    pytest.param(flip("version", "blob", "number = 4", 30), id="blob's ciphertext"),
    pytest.param(flip("version", "blob", "number = 4", -1), id="blob's tag"),
    pytest.param(flip("version", "blob", "number = 1", 0), id="blob's magic"),
    pytest.param(flip("version", "blob", "number = 2", 12), id="blob's time"),
    pytest.param(sql("UPDATE version SET blob = x'' WHERE number = 1"), id="blob emptied"),
    pytest.param(flip("ring", "manifest", "id = 1", -1), id="manifest"),
    pytest.param(sql("UPDATE ring SET manifest = x''"), id="manifest emptied"),
    pytest.param(
        sql("UPDATE ring SET manifest = (SELECT blob FROM version LIMIT 1)"), id="a blob as manifest"
    ),
    pytest.param(sql("UPDATE ring SET generation = generation + 1"), id="next generation"),
    pytest.param(sql("UPDATE ring SET generation = generation + 1000"), id="much later generation"),
    pytest.param(sql("UPDATE ring SET generation = 9223372036854775807"), id="last generation"),
    # Rows that move, come and go.
    pytest.param(swap("blob", 4, 5), id="blobs of two that sign swapped"),
    pytest.param(swap("blob", 1, 2), id="blobs of two that are over swapped"),
    pytest.param(swap("state", 1, 3), id="states swapped"),
    pytest.param(swap("public_key", 2, 3), id="public keys swapped"),
    pytest.param(plant("(SELECT blob FROM version)"), id="a row planted with a blob of another"),
    pytest.param(plant("zeroblob(73)"), id="a row planted with nothing sealed"),
    pytest.param(sealed_by_the_attacker, id="a row planted with a blob of one's own"),
    pytest.param(sql("DELETE FROM version WHERE number = 1"), id="the revoked row deleted"),
    pytest.param(sql("DELETE FROM version WHERE number = 3"), id="a row in the middle deleted"),
    pytest.param(sql("DELETE FROM version WHERE number = 5"), id="the newest row deleted"),
    pytest.param(sql("DELETE FROM version WHERE number >= 4"), id="the newest rows deleted"),
    pytest.param(sql("DELETE FROM version WHERE number > 1"), id="all but the oldest row deleted"),
    pytest.param(sql("DELETE FROM version"), id="all rows deleted"),
    # A revoked version's row of an earlier day.
    pytest.param(old("WHERE number = 1"), id="old row"),
    pytest.param(old("WHERE number = 1", manifest=True), id="old row with the old manifest"),
    pytest.param(old("WHERE number = 1", generation=True), id="old row with the old generation"),
    pytest.param(old("WHERE number = 9", manifest=True, generation=True), id="old manifest and generation"),
]


@pytest.mark.parametrize("hand", HANDS)
def test_a_changed_store_does_not_open(lived: Lived, hand: Hand) -> None:
    hand(lived)
    before = lived.path.read_bytes()
    refused("store_changed", lived.opened)
    assert lived.path.read_bytes() == before


def later(lived: Lived) -> None:
    """Make every keyring look: nobody reads rows whose generation it knows."""
    with lived.by_hand() as db:
        db.execute("UPDATE ring SET generation = max(generation, 6)")


@pytest.mark.parametrize("hand", HANDS)
def test_a_running_keyring_stays_on_its_snapshot(lived: Lived, hand: Hand) -> None:
    running, snapshot = lived.keyring, lived.keyring.current
    hand(lived)
    later(lived)
    for act in (running.refresh, running.look_again, lambda: running.rotate(said)):
        refused("store_changed", act)
        assert running.current is snapshot
    signed = running.sign(lambda name: name.encode())
    assert signed.kid == kid(4)
    running.verify(*signed)
    with pytest.raises(Expired):
        running.verify(kid(1), b"mine", lived.signature)


@pytest.mark.parametrize(
    "hand",
    [
        pytest.param(sql("UPDATE version SET state = 'retired' WHERE number = 1"), id="revoked made retired"),
        pytest.param(old("WHERE number = 1"), id="the revoked version's old row"),
        pytest.param(plant("(SELECT blob FROM version)"), id="a row planted"),
        pytest.param(sql("DELETE FROM version WHERE number = 5"), id="the newest row deleted"),
        pytest.param(flip("version", "blob", "number = 4", 30), id="the private key's blob"),
        pytest.param(flip("ring", "manifest", "id = 1", -1), id="manifest"),
    ],
)
def test_nothing_is_built_on_a_store_that_was_changed(lived: Lived, hand: Hand) -> None:
    # The generation is the one it knows, so only the change itself can find it out.
    snapshot = lived.keyring.current
    hand(lived)
    before = lived.path.read_bytes()
    refused("store_changed", lambda: lived.keyring.rotate(said, idempotency_key="third"))
    assert lived.keyring.current is snapshot
    assert lived.path.read_bytes() == before


@pytest.mark.parametrize("generation", [-1, -(2**63)])
def test_a_generation_below_zero_is_refused(lived: Lived, generation: int) -> None:
    sql(f"UPDATE ring SET generation = {generation}")(lived)
    for act in (lived.opened, lived.keyring.refresh):
        with pytest.raises(StoreRefused):
            act()


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        pytest.param("ring", "generation", "'five'", id="generation as text"),
        pytest.param("ring", "generation", "NULL", id="no generation"),
        pytest.param("ring", "generation", "5.5", id="fractional generation"),
        pytest.param("ring", "manifest", "'text'", id="manifest as text"),
        pytest.param("ring", "manifest", "NULL", id="no manifest"),
        pytest.param("version", "blob", "1", id="blob as integer"),
        pytest.param("version", "blob", "'text'", id="blob as text"),
        pytest.param("version", "kid", "NULL", id="no kid"),
        pytest.param("version", "kid", "x'00'", id="kid as bytes"),
        pytest.param("version", "state", "4", id="state as integer"),
        pytest.param("version", "public_key", "'text'", id="public key as text"),
        pytest.param("version", "created_ms", "'text'", id="created_ms as text"),
        pytest.param("version", "created_ms", "1e300", id="created_ms as a fraction"),
    ],
)
def test_a_table_of_other_types_is_refused(lived: Lived, table: str, column: str, value: str) -> None:
    # STRICT tables refuse such values, so the attacker makes tables of his own.
    sql(
        f"CREATE TABLE loose AS SELECT * FROM {table}; DROP TABLE {table};"
        f"ALTER TABLE loose RENAME TO {table}; UPDATE {table} SET {column} = {value}"
    )(lived)
    with pytest.raises(StoreRefused):
        lived.opened()
    if column != "generation":
        later(lived)
    with pytest.raises(StoreRefused):
        lived.keyring.refresh()


@settings(deadline=None, max_examples=150)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_no_byte_of_the_file_changes_what_is_opened(past: Past, place: float, flip: int) -> None:
    changed = bytearray(past.file)
    changed[int(place * len(changed))] ^= flip
    with TemporaryDirectory() as directory:
        lived = lived_in(Path(directory) / "store", past)
        lived.put_back(bytes(changed))
        try:
            opened = lived.opened().current.ring
        except (StoreRefused, StoreBusy):
            return
        assert opened == lived.keyring.current.ring


@pytest.mark.parametrize(
    "hand",
    [
        pytest.param("UPDATE idempotency SET answer = x'00' WHERE key = 'first'", id="changed"),
        pytest.param("UPDATE idempotency SET answer = x'' WHERE key = 'first'", id="emptied"),
        pytest.param(
            "UPDATE idempotency SET answer = (SELECT answer FROM idempotency WHERE key = 'second')"
            " WHERE key = 'first'",
            id="another key's",
        ),
        pytest.param(
            "UPDATE idempotency SET answer = (SELECT blob FROM version WHERE number = 4) WHERE key = 'first'",
            id="a private key's blob",
        ),
    ],
)
def test_an_answer_changed_by_hand_is_refused(lived: Lived, hand: str) -> None:
    sql(hand)(lived)
    refused("store_changed", lambda: lived.keyring.rotate(said, idempotency_key="first"))
    assert lived.keyring.current.generation == 5


# Older files


def test_a_whole_older_file_is_noticed_by_a_running_keyring(lived: Lived) -> None:
    snapshot = lived.keyring.current
    lived.put_back(lived.rotated)
    for act in (
        lived.keyring.refresh,
        lived.keyring.look_again,
        lambda: lived.keyring.rotate(said),
        lambda: lived.keyring.rotate(said, idempotency_key="first"),
        lambda: lived.keyring.revoke(Kid("default", 3), said),
    ):
        refused("store_rolled_back", act)
        assert lived.keyring.current is snapshot
    assert lived.path.read_bytes() == lived.rotated
    with pytest.raises(Expired):
        lived.keyring.verify(kid(1), b"mine", lived.signature)


def test_an_older_file_that_lived_on_is_noticed_by_a_running_keyring(lived: Lived) -> None:
    # Another process opens the old file in good faith and rotates past the generation that this one knows:
    # version 1 would be back, and versions 6 and 7 would be other keys than those already given out.
    snapshot = lived.keyring.current
    lived.put_back(lived.rotated)
    another = lived.opened()
    for _ in range(2):
        another.rotate(said)
    refused("store_rolled_back", lived.keyring.refresh)
    assert lived.keyring.current is snapshot
    with pytest.raises(Expired):
        lived.keyring.verify(kid(1), b"mine", lived.signature)


def test_nothing_is_built_on_an_older_file_that_lived_on_to_the_same_generation(lived: Lived) -> None:
    snapshot = lived.keyring.current
    lived.put_back(lived.rotated)
    lived.opened().rotate(said)
    before = lived.path.read_bytes()
    refused("store_rolled_back", lambda: lived.keyring.rotate(said))
    assert lived.keyring.current is snapshot
    assert lived.path.read_bytes() == before


def test_an_older_file_is_noticed_by_a_worker_that_knows_no_newer(lived: Lived) -> None:
    # The worker itself is at generation 5, but another has seen 6: the store cannot be at 5 any more.
    places: Any = [0, 0]
    first = lived.opened(generations=Generations(places, 0))
    second = lived.opened(generations=Generations(places, 1))
    older = lived.path.read_bytes()
    first.revoke(Kid("default", 2), said)
    lived.put_back(older)
    assert not second.is_current()
    refused("store_rolled_back", second.refresh)


def test_an_older_file_is_noticed_by_a_worker_that_starts_beside_others(lived: Lived) -> None:
    places: Any = [0, 0]
    lived.opened(generations=Generations(places, 0))
    lived.put_back(lived.rotated)
    refused("store_rolled_back", lambda: lived.opened(generations=Generations(places, 1)))


def test_a_store_that_comes_back_is_followed_again(lived: Lived) -> None:
    newest = lived.path.read_bytes()
    lived.put_back(lived.rotated)
    refused("store_rolled_back", lived.keyring.refresh)
    lived.put_back(newest)
    lived.keyring.refresh()
    assert lived.keyring.rotate(said) == kid(5).encode()


def test_a_store_that_was_removed_is_missing_to_a_running_keyring(lived: Lived) -> None:
    snapshot = lived.keyring.current
    lived.path.unlink()
    for act in (lived.keyring.refresh, lambda: lived.keyring.rotate(said)):
        refused("store_missing", act)
    assert lived.keyring.current is snapshot
    assert list(lived.path.parent.iterdir()) == []


def test_limit_a_whole_older_file_put_back_while_nothing_runs_is_not_noticed(lived: Lived) -> None:
    # Nothing outside the file knows its age. The README says so: keep copies from whoever may write there.
    lived.put_back(lived.rotated)
    restored = lived.opened()
    assert restored.current.generation == 4
    restored.verify(kid(1), b"mine", lived.signature)


def test_limit_a_deleted_answer_lets_its_key_rotate_again(lived: Lived) -> None:
    sql("DELETE FROM idempotency WHERE key = 'first'")(lived)
    assert lived.keyring.rotate(said, idempotency_key="first") == kid(5).encode()


# The seal key


@pytest.mark.parametrize("wrong", [bytes(32), bytes(range(1, 33)), bytes(reversed(range(32)))])
def test_another_seal_key_is_wrong_and_changes_nothing(lived: Lived, wrong: bytes) -> None:
    before = lived.path.read_bytes()
    refused("seal_key_wrong", lambda: lived.opened(key=Secret(wrong)))
    assert lived.path.read_bytes() == before


def test_a_store_of_another_seal_key_is_refused_while_running(lived: Lived, tmp_path: Path) -> None:
    snapshot = lived.keyring.current
    other = SqliteStore(tmp_path / "other" / "keys.db")
    create(other, Secret(bytes(32)), "default")
    attacker = Keyring(other, ENGINE, Secret(bytes(32)), Policy(GRACE, 0))
    for _ in range(9):
        attacker.rotate(said)
    lived.put_back(other.path.read_bytes())
    refused("seal_key_wrong", lived.keyring.refresh)
    assert lived.keyring.current is snapshot


def file_of(size: int, mode: int = 0o600) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(bytes(range(size)))
        path.chmod(mode)

    return make


def link_to(size: int, mode: int = 0o600) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        file_of(size, mode)(path.with_name("target"))
        path.symlink_to("target")

    return make


def nobody(_: Path) -> None:
    pass


def given_away(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    file_of(32)(path)
    os.chown(path, 54321, 54321)


REFUSED_KEYS = [
    pytest.param(nobody, "seal_key_missing", id="missing"),
    pytest.param(lambda path: path.symlink_to("nowhere"), "seal_key_missing", id="symlink to nothing"),
    pytest.param(lambda path: path.symlink_to(path.name), "seal_key_missing", id="symlink to itself"),
    pytest.param(file_of(32, 0o640), "seal_key_exposed", id="group may read"),
    pytest.param(file_of(32, 0o604), "seal_key_exposed", id="others may read"),
    pytest.param(file_of(32, 0o622), "seal_key_exposed", id="others may write"),
    pytest.param(link_to(32, 0o640), "seal_key_exposed", id="symlink to an exposed one"),
    pytest.param(given_away, "seal_key_exposed", id="another user's"),
    pytest.param(file_of(0), "seal_key_malformed", id="empty"),
    pytest.param(file_of(31), "seal_key_malformed", id="31 bytes"),
    pytest.param(file_of(33), "seal_key_malformed", id="33 bytes"),
    pytest.param(file_of(64), "seal_key_malformed", id="64 bytes"),
    pytest.param(link_to(31), "seal_key_malformed", id="symlink to 31 bytes"),
    pytest.param(lambda path: path.mkdir(0o700), "seal_key_malformed", id="directory"),
    pytest.param(lambda path: os.mkfifo(path, 0o600), "seal_key_malformed", id="FIFO"),
    pytest.param(lambda path: path.symlink_to("/dev/zero"), "seal_key_malformed", id="device"),
]


@pytest.mark.parametrize(("make", "name"), REFUSED_KEYS)
def test_a_seal_key_is_refused_by_name(tmp_path: Path, make: Callable[[Path], None], name: str) -> None:
    path = tmp_path / "seal.key"
    make(path)
    before = list(tmp_path.iterdir())
    with pytest.raises(StoreRefused) as refusal:
        read_seal_key(path)
    assert refusal.value.name == name
    assert str(tmp_path) not in str(refusal.value)
    assert list(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("make", "name"), REFUSED_KEYS[1:])
def test_a_seal_key_is_never_made_in_the_place_of_another(
    tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    path = tmp_path / "seal.key"
    make(path)
    before = sorted(tmp_path.iterdir())
    refused(name, lambda: make_seal_key(path))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(file_of(32), id="file"),
        pytest.param(file_of(32, 0o400), id="read-only file"),
        pytest.param(link_to(32), id="symlink, as secret managers mount them"),
    ],
)
def test_a_good_seal_key_is_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "seal.key")
    assert read_seal_key(tmp_path / "seal.key") == KEY
    assert make_seal_key(tmp_path / "seal.key") == KEY


def test_a_new_seal_key_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "seal.key"
    before = os.umask(0)
    try:
        key = make_seal_key(path)
    finally:
        os.umask(before)
    assert path.read_bytes() == key.reveal()
    assert path.stat().st_size == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_all_who_make_a_seal_key_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda _: make_seal_key(tmp_path / "seal.key"), range(16)))
    assert all(key == keys[0] for key in keys)
    assert list(tmp_path.iterdir()) == [tmp_path / "seal.key"]


def test_a_private_file_is_never_written_over(tmp_path: Path) -> None:
    write_private(tmp_path / "file", b"first")
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


# With the seal key in hand: the layout at rest, and what is no ring even when it is sealed well


def length_prefixed(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def row_aad(row: sqlite3.Row) -> bytes:
    """Return what the blob of a row authenticates, as the contract has it."""
    retire_at = row["retire_at_ms"]
    return length_prefixed(
        row["kid"].encode(),
        row["algorithm"].encode(),
        struct.pack(">Q", row["number"]),
        row["public_key"],
        row["state"].encode(),
        struct.pack(">Q", row["created_ms"]),
        b"" if retire_at is None else struct.pack(">Q", retire_at),
    )


def manifest_aad(generation: int, blobs: list[bytes]) -> bytes:
    return length_prefixed(
        b"ron-kms/ring/v1", struct.pack(">Q", generation), blake3(length_prefixed(*blobs)).digest()
    )


def test_rows_and_manifest_are_sealed_as_documented(lived: Lived) -> None:
    with lived.by_hand() as db:
        db.row_factory = sqlite3.Row
        rows = db.execute("SELECT * FROM version ORDER BY number").fetchall()
        ring = db.execute("SELECT * FROM ring").fetchone()
    assert unseal(KEY, ring["manifest"], manifest_aad(5, [row["blob"] for row in rows])) == b""
    for row in rows:
        seed = unseal(KEY, row["blob"], row_aad(row))
        if row["state"] in ("active", "next"):
            assert bytes(SigningKey(seed).verify_key) == row["public_key"]
        else:
            assert seed == b""


def sealed_anew(lived: Lived, of: int, *, seed: bytes | None = None, **columns: object) -> None:
    """Change a row as one who has the seal key, and seal it and the manifest again."""
    with lived.by_hand() as db:
        db.row_factory = sqlite3.Row
        held = db.execute("SELECT * FROM version WHERE number = ?", (of,)).fetchone()
        seed = unseal(KEY, held["blob"], row_aad(held)) if seed is None else seed
        for column, value in columns.items():
            db.execute(f"UPDATE version SET {column} = ? WHERE number = ?", (value, of))
        number = columns.get("number", of)
        row = db.execute("SELECT * FROM version WHERE number = ?", (number,)).fetchone()
        blob = seal(KEY, seed, row_aad(row), now_ms=NOW)
        db.execute("UPDATE version SET blob = ? WHERE number = ?", (blob, number))
        blobs = [row["blob"] for row in db.execute("SELECT blob FROM version ORDER BY number")]
        db.execute("UPDATE ring SET manifest = ?", (seal(KEY, b"", manifest_aad(5, blobs), now_ms=NOW),))


def test_a_row_sealed_anew_with_the_seal_key_opens(lived: Lived) -> None:
    sealed_anew(lived, 3, retire_at_ms=NOW + 10**9)
    assert lived.opened().current.ring.versions[2].retire_at_ms == NOW + 10**9


@pytest.mark.parametrize("number", [4, 5])
def test_a_private_key_that_does_not_give_its_public_key_is_refused(lived: Lived, number: int) -> None:
    sealed_anew(lived, number, seed=bytes(ATTACKER))
    refused("key_mismatch", lived.opened)


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        pytest.param(3, {"state": State.ACTIVE, "seed": bytes(ATTACKER)}, id="two sign"),
        pytest.param(4, {"state": State.REVOKED, "seed": b""}, id="none signs"),
        pytest.param(5, {"state": State.REVOKED, "seed": b""}, id="none is next"),
        pytest.param(3, {"seed": bytes(ATTACKER)}, id="a private key that should be gone"),
        pytest.param(5, {"number": 6, "kid": kid(6)}, id="a gap in the numbers"),
        pytest.param(3, {"number": 9}, id="a number that is not its kid's"),
        pytest.param(3, {"kid": "ed25519/other/v3"}, id="two namespaces"),
        pytest.param(3, {"algorithm": "ed448"}, id="another algorithm"),
        pytest.param(3, {"kid": "ed25519/default/v03"}, id="an alias of a kid"),
        pytest.param(3, {"state": "sleeping"}, id="a state that is none"),
        pytest.param(3, {"public_key": oracle.encode(oracle.point(7, 1))}, id="a key of mixed order"),
        pytest.param(3, {"public_key": oracle.encode(oracle.TORSION[1])}, id="a key of small order"),
        pytest.param(4, {"seed": bytes(31)}, id="half a private key"),
        pytest.param(4, {"seed": b""}, id="no private key"),
    ],
)
def test_what_is_no_ring_is_refused_even_if_it_is_sealed_well(
    lived: Lived, number: int, changes: dict[str, Any]
) -> None:
    if changes.get("state") == State.ACTIVE:
        changes = changes | {"public_key": bytes(ATTACKER.verify_key)}
    sealed_anew(lived, number, **changes)
    with pytest.raises(StoreRefused) as refusal:
        lived.opened()
    assert refusal.value.name in ("store_damaged", "store_changed")
