"""Every store keeps the same promises, and the SQLite store refuses by name what it will not use.

A store does not look into what it keeps, so most rings here are made up. Run as a program, this file is
one of the processes that race for a store.
"""

import ctypes
import json
import multiprocessing
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ron_kms import (
    Generations,
    Keyring,
    KeyStore,
    KmsError,
    Policy,
    StoreBusy,
    StoreRefused,
    create,
    make_seal_key,
    read_seal_key,
)
from ron_kms.engines import choose
from ron_kms.errors import GenerationMoved
from ron_kms.stores import Idempotency, SealedRing, SealedVersion, Stored, open_store
from ron_kms.stores import sqlite as sqlite_store
from ron_kms.stores.sqlite import SqliteStore

ROTATIONS = 20
"""How often each process of a race rotates."""


def sealed(versions: int, tag: str = "") -> SealedRing:
    """Return a ring of so many made-up versions; another tag makes other blobs."""

    def row(n: int) -> SealedVersion:
        state = "next" if n == versions else "active" if n == versions - 1 else "retiring"
        return SealedVersion(
            kid=f"ed25519/default/v{n}",
            algorithm="ed25519",
            number=n,
            public_key=n.to_bytes(32, "big"),
            state=state,
            created_ms=1_800_000_000_000 + n,
            retire_at_ms=1_900_000_000_000 + n if state == "retiring" else None,
            blob=f"blob of {n}, {state} {tag}".encode(),  # a blob binds all the rest
        )

    return SealedRing(tuple(map(row, range(1, versions + 1))), f"manifest of {versions} {tag}".encode())


def asked(key: str, answer: bytes = b"sealed answer") -> Idempotency:
    return Idempotency(key, "ed25519/default/v2", answer)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "keys.db"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, path: Path) -> KeyStore:
    """Return every kind of store in turn, still without a ring."""
    return open_store("memory:" if request.param == "memory" else f"sqlite:{path}")


# What every store promises


def test_a_store_without_a_ring_is_missing(store: KeyStore) -> None:
    with pytest.raises(StoreRefused) as refusal:
        store.load()
    assert refusal.value.name == "store_missing"


def test_the_first_ring_is_generation_1(store: KeyStore) -> None:
    store.replace(0, sealed(2))
    assert store.load() == Stored(1, sealed(2))


def test_what_is_stored_is_given_back_field_by_field(store: KeyStore) -> None:
    store.replace(0, sealed(2))
    store.replace(1, sealed(5))
    stored = store.load()
    assert stored == Stored(2, sealed(5))
    assert [v.number for v in stored.ring.versions] == [1, 2, 3, 4, 5]
    assert [v.retire_at_ms is None for v in stored.ring.versions] == [False, False, False, True, True]


def test_a_store_is_never_made_twice(store: KeyStore) -> None:
    store.replace(0, sealed(2))
    for _ in range(2):
        with pytest.raises(StoreRefused) as refusal:
            store.replace(0, sealed(2, "again"))
        assert refusal.value.name == "store_exists"
        assert store.load() == Stored(1, sealed(2))


@pytest.mark.parametrize(
    "expected",
    [pytest.param(2, id="older"), pytest.param(4, id="newer"), pytest.param(10**12, id="much newer")],
)
def test_another_generation_than_expected_changes_nothing(store: KeyStore, expected: int) -> None:
    store.replace(0, sealed(2))
    for generation in (1, 2):
        store.replace(generation, sealed(2 + generation))
    with pytest.raises(GenerationMoved) as refusal:
        store.replace(expected, sealed(9, "late"), asked("late"))
    assert refusal.value.retryable
    assert store.load() == Stored(3, sealed(4))
    assert store.recall("late") is None


def test_a_ring_is_replaced_whole(store: KeyStore) -> None:
    store.replace(0, sealed(3))
    store.replace(1, sealed(4, "all blobs are other ones"))
    assert store.load() == Stored(2, sealed(4, "all blobs are other ones"))


def test_an_answer_is_recalled_byte_for_byte_by_its_own_key(store: KeyStore) -> None:
    store.replace(0, sealed(2))
    answer = bytes(range(256))
    store.replace(1, sealed(3), asked("Key-1", answer))
    assert store.recall("Key-1") == answer
    assert store.recall("key-1") is None
    assert store.recall("Key-1 ") is None
    assert store.recall("") is None


def test_an_answer_outlives_later_changes(store: KeyStore) -> None:
    store.replace(0, sealed(2))
    store.replace(1, sealed(3), asked("first", b"1"))
    for generation in range(2, 8):
        store.replace(generation, sealed(2 + generation), asked(f"later {generation}"))
    assert store.recall("first") == b"1"


def test_one_idempotency_key_changes_a_ring_once(store: KeyStore) -> None:
    store.replace(0, sealed(2))
    store.replace(1, sealed(3), asked("key", b"first"))
    with pytest.raises(GenerationMoved):
        store.replace(2, sealed(4), asked("key", b"second"))
    assert store.load() == Stored(2, sealed(3))
    assert store.recall("key") == b"first"


def test_a_change_without_a_key_stores_no_answer(store: KeyStore) -> None:
    store.replace(0, sealed(2))
    store.replace(1, sealed(3))
    assert store.recall("") is None


def test_of_many_changes_of_one_generation_one_is_made(store: KeyStore) -> None:
    store.replace(0, sealed(2))
    together = threading.Barrier(6)

    def change(who: int) -> bool:
        together.wait()
        try:
            store.replace(1, sealed(3, str(who)), asked("key", str(who).encode()))
        except GenerationMoved:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(change, range(6)))
    assert made.count(True) == 1
    winner = str(made.index(True))
    assert store.load() == Stored(2, sealed(3, winner))
    assert store.recall("key") == winner.encode()


def test_of_many_first_rings_one_is_made(store: KeyStore) -> None:
    together = threading.Barrier(6)

    def make(who: int) -> bool:
        together.wait()
        try:
            store.replace(0, sealed(2, str(who)))
        except StoreRefused as refusal:
            assert refusal.name == "store_exists"  # noqa: PT017 - the others are refused by this name
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(make, range(6)))
    assert made.count(True) == 1
    assert store.load() == Stored(1, sealed(2, str(made.index(True))))


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "memory",
        "memory:x",
        "sqlite",
        "sqlite:",
        "sqlite:keys.db",
        "sqlite:./keys.db",
        "SQLITE:/a",
        "file:/a",
    ],
)
def test_another_uri_is_no_store(uri: str) -> None:
    with pytest.raises(StoreRefused) as refusal:
        open_store(uri)
    assert refusal.value.name == "store_unknown"


# What the SQLite store promises besides


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file as anybody does who has SQLite."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as db:
        yield db


@pytest.fixture
def made(path: Path) -> SqliteStore:
    """Return a SQLite store with a ring of two."""
    store = SqliteStore(path)
    store.replace(0, sealed(2))
    return store


def tree(root: Path) -> dict[str, tuple[str, int, bytes]]:
    """Return everything under ``root``: mode, owner, and content or target."""
    found = {}
    for path in [root, *sorted(root.rglob("*"))]:
        status = path.lstat()
        content = (
            path.read_bytes()
            if stat.S_ISREG(status.st_mode)
            else bytes(path.readlink())
            if stat.S_ISLNK(status.st_mode)
            else b""
        )
        found[str(path.relative_to(root))] = stat.filemode(status.st_mode), status.st_uid, content
    return found


def test_opening_a_store_makes_nothing(tmp_path: Path, path: Path) -> None:
    store = open_store(f"sqlite:{path}")
    for read in (store.load, lambda: store.recall("key")):
        with pytest.raises(StoreRefused):
            read()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_file_and_directory_are_their_owners_alone(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = SqliteStore(path)
        store.replace(0, sealed(2))
        store.replace(1, sealed(3))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_change_leaves_one_file(made: SqliteStore) -> None:
    made.replace(1, sealed(3), asked("key"))
    made.load()
    made.recall("key")
    assert list(made.path.parent.iterdir()) == [made.path]


def test_a_new_handle_finds_what_was_stored(made: SqliteStore) -> None:
    made.replace(1, sealed(3), asked("key", b"said"))
    again = SqliteStore(made.path)
    assert again.load() == Stored(2, sealed(3))
    assert again.recall("key") == b"said"


@pytest.mark.parametrize(
    "name", ["keys.db?mode=memory", "a#b.db", "a%41.db", "with space.db", "schlüssel.db"]
)
def test_a_path_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    store = open_store(f"sqlite:{tmp_path}/s/{name}")
    store.replace(0, sealed(2))
    store.replace(1, sealed(3))
    assert [path.name for path in (tmp_path / "s").iterdir()] == [name]
    assert open_store(f"sqlite:{tmp_path}/s/{name}").load() == Stored(2, sealed(3))


def test_the_file_is_in_rollback_journal_mode_even_if_somebody_changed_it(made: SqliteStore) -> None:
    with by_hand(made.path) as db:
        assert db.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    made.replace(1, sealed(3))
    # Offset 18 and 19 of the header: 1 for a rollback journal, 2 for a WAL.
    assert made.path.read_bytes()[18:20] == b"\x01\x01"
    assert list(made.path.parent.iterdir()) == [made.path]


def test_the_pragmas_are_in_force_on_every_connection(made: SqliteStore) -> None:
    with made._opened() as db:
        in_force = {
            name: db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "trusted_schema")
        }
    assert in_force == {
        "journal_mode": "delete",
        "synchronous": 3,
        "secure_delete": 1,
        "foreign_keys": 1,
        "trusted_schema": 0,
    }


@pytest.mark.parametrize("size", [0, 41, 73, 100])
def test_a_blob_that_was_replaced_is_not_left_in_the_file(path: Path, size: int) -> None:
    # A sealed seed is 73 bytes, a blob that seals nothing 41.
    store = SqliteStore(path)
    secrets = [os.urandom(73) for _ in range(40)]
    fields = sealed(len(secrets)).versions

    def ring(blobs: list[bytes]) -> SealedRing:
        rows = zip(fields, blobs, strict=True)
        return SealedRing(tuple(replace(version, blob=blob) for version, blob in rows), b"manifest")

    store.replace(0, ring(secrets))
    assert all(secret in path.read_bytes() for secret in secrets)
    store.replace(1, ring([os.urandom(size) for _ in secrets]))
    left = path.read_bytes()
    for secret in secrets:
        assert not any(secret[at : at + 8] in left for at in range(len(secret) - 7))


def test_a_change_that_fails_half_way_is_wholly_absent(made: SqliteStore, tmp_path: Path) -> None:
    first, second = sealed(2, "other").versions
    twice = SealedRing((first, second, replace(second, number=3)), b"manifest")
    before = tree(tmp_path)
    with pytest.raises(KmsError):
        made.replace(1, twice, asked("key"))  # the third row breaks the rule of one row a kid
    assert made.load() == Stored(1, sealed(2))
    assert made.recall("key") is None
    assert tree(tmp_path).keys() == before.keys()


def test_a_first_ring_that_fails_half_way_leaves_no_file(path: Path) -> None:
    first, second = sealed(2).versions
    with pytest.raises(KmsError):
        SqliteStore(path).replace(0, SealedRing((first, second, replace(second, number=3)), b"manifest"))
    assert list(path.parent.iterdir()) == []


# What it refuses


def missing(path: Path) -> None:
    path.unlink()


def directory_missing(path: Path) -> None:
    shutil.rmtree(path.parent)


def link_to_a_store(path: Path) -> None:
    path.rename(path.with_name("real.db"))
    path.symlink_to("real.db")


def link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.db")


def mode(bits: int) -> Callable[[Path], None]:
    return lambda path: path.chmod(bits)


def directory_mode(bits: int) -> Callable[[Path], None]:
    return lambda path: path.parent.chmod(bits)


def owned_by_another(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(path, 54321, 54321)


def directory_owned_by_another(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(path.parent, 54321, 54321)


def content(data: bytes) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        path.write_bytes(data)

    return spoil


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replaced(old: bytes, new: bytes) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        sound = path.read_bytes()
        assert sound.count(old) == 1
        path.write_bytes(sound.replace(old, new))

    return spoil


def sql(script: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with by_hand(path) as db:
            db.executescript(script)

    return spoil


def somebody_elses_wal(path: Path) -> None:
    path.unlink()
    with by_hand(path) as db:
        db.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE photo (id, bytes); INSERT INTO photo VALUES (1, 2)"
        )
    path.chmod(0o600)


def somebody_elses_wal_not_yet_checkpointed(path: Path) -> None:
    somebody_elses_wal(path)
    wal = path.with_name(path.name + "-wal")
    with by_hand(path) as db:
        db.execute("INSERT INTO photo VALUES (3, 4)")
        file, log = path.read_bytes(), wal.read_bytes()
    path.write_bytes(file)
    wal.touch(0o600)
    wal.write_bytes(log)  # as its program left it when it was killed


def ours_but_empty(path: Path) -> None:
    path.unlink()
    with by_hand(path) as db:
        db.executescript(f"PRAGMA application_id = {sqlite_store.APPLICATION_ID}; PRAGMA user_version = 1")
    path.chmod(0o600)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def unix_socket(path: Path) -> None:
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is at most 108 bytes
    try:
        with closing(socket.socket(socket.AF_UNIX)) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)
    path.chmod(0o600)


REFUSED = [
    pytest.param(missing, "store_missing", id="missing"),
    pytest.param(directory_missing, "store_missing", id="directory missing"),
    pytest.param(link_to_a_store, "store_symlink", id="symlink to a store"),
    pytest.param(link_to_nothing, "store_symlink", id="symlink to nothing"),
    pytest.param(mode(0o640), "store_exposed", id="group may read"),
    pytest.param(mode(0o620), "store_exposed", id="group may write"),
    pytest.param(mode(0o604), "store_exposed", id="others may read"),
    pytest.param(mode(0o601), "store_exposed", id="others may execute"),
    pytest.param(directory_mode(0o777), "store_exposed", id="everybody may write in the directory"),
    pytest.param(directory_mode(0o1777), "store_exposed", id="a directory as /tmp is"),
    pytest.param(directory_mode(0o770), "store_exposed", id="group may write in the directory"),
    pytest.param(owned_by_another, "store_exposed", id="another user's file"),
    pytest.param(directory_owned_by_another, "store_exposed", id="another user's directory"),
    pytest.param(content(b"not a database, but long enough to be one" * 100), "store_foreign", id="text"),
    pytest.param(content(b""), "store_foreign", id="zero bytes"),
    pytest.param(content(b"SQLite format 3\0"), "store_foreign", id="a header's beginning"),
    pytest.param(half, "store_foreign", id="half a store"),
    pytest.param(sql("PRAGMA application_id = 1"), "store_foreign", id="another application_id"),
    pytest.param(sql("PRAGMA application_id = 0"), "store_foreign", id="no application_id"),
    pytest.param(somebody_elses_wal, "store_foreign", id="somebody else's database in WAL mode"),
    pytest.param(
        somebody_elses_wal_not_yet_checkpointed, "store_foreign", id="somebody else's database with a WAL"
    ),
    pytest.param(directory, "store_foreign", id="directory"),
    pytest.param(fifo, "store_foreign", id="FIFO"),
    pytest.param(unix_socket, "store_foreign", id="socket"),
    pytest.param(sql("PRAGMA user_version = 2"), "store_newer", id="the next version"),
    pytest.param(sql("PRAGMA user_version = 2147483647"), "store_newer", id="the last version"),
]


@pytest.mark.parametrize(("spoil", "name"), REFUSED)
def test_a_store_is_refused_by_name_and_left_as_it_is(
    tmp_path: Path, made: SqliteStore, spoil: Callable[[Path], None], name: str
) -> None:
    spoil(made.path)
    before = tree(tmp_path)
    for ask in ways(made).values():
        with pytest.raises(StoreRefused) as refusal:
            ask()
        assert refusal.value.name == name
        assert not refusal.value.retryable
        assert str(tmp_path) not in str(refusal.value)
        assert tree(tmp_path) == before


@pytest.mark.parametrize(("spoil", "name"), REFUSED)
def test_nothing_is_made_in_the_place_of_what_is_there(
    tmp_path: Path, made: SqliteStore, spoil: Callable[[Path], None], name: str
) -> None:
    spoil(made.path)
    if name == "store_missing":
        made.replace(0, sealed(2, "made anew"))
        assert made.load() == Stored(1, sealed(2, "made anew"))
        return
    before = tree(tmp_path)
    with pytest.raises(StoreRefused) as refusal:
        made.replace(0, sealed(2, "made anew"))
    assert refusal.value.name in ("store_exists", "store_exposed")
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(sql("DELETE FROM ring"), id="no ring in it"),
        pytest.param(sql("DROP TABLE version"), id="no versions in it"),
        pytest.param(ours_but_empty, id="no tables in it"),
        pytest.param(
            sql("UPDATE version SET kid = CAST(x'ff' AS TEXT) WHERE number = 1"), id="text not UTF-8"
        ),
        pytest.param(replaced(b" state TEXT", b" stat3 TEXT"), id="a column that is none"),
        pytest.param(
            replaced(b" kid TEXT NOT NULL UNIQUE", b" kid \xffEXT NOT NULL UNIQUE"), id="a schema not UTF-8"
        ),
    ],
)
def test_a_damaged_store_is_refused_for_good(
    tmp_path: Path, made: SqliteStore, spoil: Callable[[Path], None]
) -> None:
    # Not busy: whoever tries again would do so for ever.
    spoil(made.path)
    before = tree(tmp_path)
    with pytest.raises(StoreRefused) as refusal:
        made.load()
    assert refusal.value.name == "store_damaged"
    assert tree(tmp_path) == before


@pytest.mark.parametrize("bits", [0o700, 0o755, 0o500])
def test_a_directory_that_only_its_owner_writes_in_is_taken(made: SqliteStore, bits: int) -> None:
    made.path.parent.chmod(bits)
    assert made.load() == Stored(1, sealed(2))


@pytest.mark.parametrize("bits", [0o600, 0o700])
def test_a_file_that_only_its_owner_reads_is_taken(made: SqliteStore, bits: int) -> None:
    made.path.chmod(bits)
    assert made.load() == Stored(1, sealed(2))


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("file/keys.db", id="in a file"),
        pytest.param("file/deeper/keys.db", id="under a file"),
        pytest.param("s/" + "n" * 250, id="a name too long for a journal beside it"),
        pytest.param("s/" + "n" * 300, id="a name too long"),
        pytest.param("n" * 300 + "/keys.db", id="a directory's name too long"),
    ],
)
def test_where_no_store_can_be_made_the_error_is_ours(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"somebody's")
    store = SqliteStore(tmp_path / place)
    with pytest.raises((StoreBusy, StoreRefused)):
        store.replace(0, sealed(2))
    with pytest.raises((StoreBusy, StoreRefused)):
        store.load()
    assert (tmp_path / "file").read_bytes() == b"somebody's"


# A store that somebody else is busy with


def ways(store: SqliteStore) -> dict[str, Callable[[], object]]:
    return {
        "load": store.load,
        "recall": lambda: store.recall("key"),
        "replace": lambda: store.replace(1, sealed(3), asked("key")),
    }


@pytest.mark.parametrize(
    ("lock", "busy"),
    [
        pytest.param("EXCLUSIVE", {"load", "recall", "replace"}, id="committing"),
        pytest.param("IMMEDIATE", {"replace"}, id="writing"),
        pytest.param("DEFERRED", {"replace"}, id="reading"),
    ],
)
def test_a_locked_store_is_busy_and_unchanged(
    made: SqliteStore, monkeypatch: pytest.MonkeyPatch, lock: str, busy: set[str]
) -> None:
    monkeypatch.setattr(sqlite_store, "LOCK_WAIT_S", 0.1)  # a shorter wait, or the test is a slow one
    before = made.path.read_bytes()
    with by_hand(made.path) as db:
        db.execute(f"BEGIN {lock}")
        reading = db.execute("SELECT * FROM ring")
        for name, way in ways(made).items():
            if name in busy:
                with pytest.raises(StoreBusy) as refusal:
                    way()
                assert refusal.value.retryable
            else:
                way()
        reading.close()
        db.execute("ROLLBACK")
    assert made.path.read_bytes() == before
    made.replace(1, sealed(3))


@pytest.mark.parametrize("name", ["load", "recall", "replace"])
def test_a_store_that_is_free_in_time_is_waited_for(made: SqliteStore, name: str) -> None:
    with closing(sqlite3.connect(made.path, isolation_level=None, check_same_thread=False)) as db:
        db.execute("BEGIN EXCLUSIVE")
        timer = threading.Timer(0.3, db.execute, ["ROLLBACK"])
        timer.start()
        try:
            ways(made)[name]()
        finally:
            timer.join()


def crashed(path: Path, *, grown: bool) -> None:
    """Leave the file and its journal as a process does that is killed in a commit that adds pages."""
    sound = path.read_bytes()
    with by_hand(path) as db:
        db.executescript("PRAGMA cache_size = 1; BEGIN IMMEDIATE")
        for n in range(50):
            db.execute("INSERT INTO idempotency VALUES (?, 'ed25519/default/v1', zeroblob(3000))", (str(n),))
        journal = path.with_name(path.name + "-journal").read_bytes()
        written = path.read_bytes()
        db.execute("ROLLBACK")
    if not grown:
        # Page 1 is written first: its count of pages (offset 28) is ahead of the file. The change counter and
        # the one that the count is valid for (offsets 24 and 92) go together.
        ahead = bytearray(sound)
        ahead[28:32] = (len(written) // 4096 + 1).to_bytes(4, "big")
        ahead[24:28] = ahead[92:96] = (int.from_bytes(sound[24:28], "big") + 1).to_bytes(4, "big")
        written = bytes(ahead)
    path.write_bytes(written)
    path.with_name(path.name + "-journal").touch(0o600)
    path.with_name(path.name + "-journal").write_bytes(journal)


@pytest.mark.parametrize("grown", [True, False], ids=["pages after the end", "page 1 alone"])
def test_a_store_whose_process_was_killed_as_it_grew_is_as_before(made: SqliteStore, *, grown: bool) -> None:
    crashed(made.path, grown=grown)
    assert made.load() == Stored(1, sealed(2))
    assert made.recall("0") is None
    made.replace(1, sealed(3))
    assert made.load() == Stored(2, sealed(3))
    assert list(made.path.parent.iterdir()) == [made.path]


def test_reading_a_store_does_not_let_go_of_a_lock_of_this_process(made: SqliteStore) -> None:
    # POSIX drops all of a process's locks on a file as it closes any descriptor of it: whoever opens the file
    # past SQLite lets another process write into a transaction of this one.
    attempt = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    with by_hand(made.path) as db:
        db.execute("BEGIN IMMEDIATE")
        made.load()
        made.recall("key")
        other = subprocess.run(
            [sys.executable, "-c", attempt, str(made.path)], capture_output=True, text=True, check=False
        )
        db.execute("ROLLBACK")
    assert "database is locked" in other.stderr


def test_two_processes_never_make_two_active_versions(path: Path) -> None:
    key = make_seal_key(path.with_name("seal.key"))
    create(SqliteStore(path), key, "default")
    racers = [
        subprocess.Popen(
            [sys.executable, __file__, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    while any(racer.poll() is None for racer in racers):
        with closing(sqlite3.connect(path, timeout=30)) as db:
            seen = db.execute("SELECT state, count(*) FROM version GROUP BY state").fetchall()
        assert dict(seen)["active"] == dict(seen)["next"] == 1
        time.sleep(0.005)
    answers = [racer.communicate(timeout=30) for racer in racers]
    assert [(racer.returncode, err) for racer, (_, err) in zip(racers, answers, strict=True)] == [(0, "")] * 2
    said = [json.loads(out) for out, _ in answers]

    assert [len(kids) for kids in said] == [ROTATIONS, ROTATIONS]
    assert sorted(said[0] + said[1]) == sorted(f"ed25519/default/v{n}" for n in range(2, 2 + 2 * ROTATIONS))
    for kids in said:
        assert kids == sorted(kids, key=lambda kid: int(kid.rpartition("v")[2]))
    keyring = Keyring(SqliteStore(path), choose("auto"), key, Policy(grace_ms=60_000, publish_ahead_ms=0))
    assert keyring.current.generation == 1 + sum(map(len, said))
    public_keys = [v.public_key for v in keyring.current.ring.versions]
    assert len(set(public_keys)) == len(public_keys) == 2 + 2 * ROTATIONS


def race(path: Path) -> None:
    """Rotate as fast as one can, once the parent says so, and print the kids that became active."""
    policy = Policy(grace_ms=60_000, publish_ahead_ms=0)
    key = read_seal_key(path.with_name("seal.key"))
    keyring = Keyring(SqliteStore(path), choose("auto"), key, policy)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps([keyring.rotate(lambda s: s.head.kid.encode()).decode() for _ in range(ROTATIONS)]))


# The generation number in memory


def test_the_newest_of_all_places_is_in_force() -> None:
    places: Any = multiprocessing.RawArray(ctypes.c_uint64, 3)
    workers = [Generations(places, mine) for mine in range(3)]
    workers[0].saw(5)
    workers[2].saw(7)
    assert [worker.newest() for worker in workers] == [7, 7, 7]
    workers[0].saw(6)  # behind another: nothing is lost
    assert [worker.newest() for worker in workers] == [7, 7, 7]
    assert list(places) == [6, 0, 7]


def test_alone_a_worker_has_a_place_of_its_own() -> None:
    alone, another = Generations(), Generations()
    assert alone.newest() == 0
    alone.saw(2**64 - 1)
    assert alone.newest() == 2**64 - 1
    assert another.newest() == 0


if __name__ == "__main__":
    race(Path(sys.argv[1]))
