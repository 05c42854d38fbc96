"""A store in one SQLite file.

A key store is tiny and rarely written, so every operation opens the file anew: the checks of its owner,
mode and kind hold for every read, threads share nothing, and a file that was swapped is seen.

``journal_mode=DELETE`` with ``synchronous=EXTRA`` because some SQLite versions in use can reset a WAL
wrongly; ``secure_delete`` so that a destroyed key leaves the file. SQLite can swallow an fsync error, so a
write counts only after it was read back.
"""

import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import NoneType, UnionType
from typing import Final

from ron_kms.errors import GenerationMoved, StoreBusy, StoreRefused
from ron_kms.private_file import sync_directory
from ron_kms.stores import Idempotency, SealedRing, SealedVersion, Stored

APPLICATION_ID = 0x524B4D53
"""``RKMS``, in the file's header: a file without it is somebody else's."""

SCHEMA_VERSION = 1
LOCK_WAIT_S = 5.0
"""How long an operation waits for another process's commit, which takes milliseconds."""

_SCHEMA = f"""
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {SCHEMA_VERSION};
    CREATE TABLE ring (
        id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, manifest BLOB NOT NULL
    ) STRICT;
    CREATE TABLE version (
        number INTEGER PRIMARY KEY, kid TEXT NOT NULL UNIQUE, algorithm TEXT NOT NULL,
        public_key BLOB NOT NULL, state TEXT NOT NULL, created_ms INTEGER NOT NULL, retire_at_ms INTEGER,
        blob BLOB NOT NULL
    ) STRICT;
    CREATE TABLE idempotency (
        key TEXT PRIMARY KEY, kid TEXT NOT NULL REFERENCES version (kid), answer BLOB NOT NULL
    ) STRICT;
"""
_UPSERT = """
    INSERT INTO version (kid, algorithm, number, public_key, state, created_ms, retire_at_ms, blob)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (number) DO UPDATE SET
        kid = excluded.kid, algorithm = excluded.algorithm, public_key = excluded.public_key,
        state = excluded.state, created_ms = excluded.created_ms, retire_at_ms = excluded.retire_at_ms,
        blob = excluded.blob
    WHERE blob IS NOT excluded.blob
"""


class SqliteStore:
    """See ``KeyStore``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Stored:
        """See ``KeyStore``."""
        with self._opened() as db, _transaction(db, "DEFERRED"):
            held = db.execute("SELECT generation, manifest FROM ring").fetchall()
            rows = db.execute(
                "SELECT kid, algorithm, number, public_key, state, created_ms, retire_at_ms, blob"
                " FROM version ORDER BY number"
            ).fetchall()
        if len(held) != 1 or not _are(held, _RING_TYPES) or not _are(rows, _VERSION_TYPES):
            raise StoreRefused("store_damaged", "the store holds no ring")
        ((generation, manifest),) = held
        if generation < 1:
            raise StoreRefused("store_damaged", "the store holds no ring")
        return Stored(generation, SealedRing(tuple(SealedVersion(*row) for row in rows), manifest))

    def replace(
        self, expected_generation: int, ring: SealedRing, idempotency: Idempotency | None = None
    ) -> None:
        """See ``KeyStore``."""
        if expected_generation == 0:
            self._create(ring)
        else:
            self._update(expected_generation, ring, idempotency)
        self._read_back(Stored(expected_generation + 1, ring), idempotency)

    def recall(self, key: str) -> bytes | None:
        """See ``KeyStore``."""
        with self._opened() as db:
            row = db.execute("SELECT answer FROM idempotency WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _update(self, expected_generation: int, ring: SealedRing, idempotency: Idempotency | None) -> None:
        with self._opened() as db, _transaction(db, "IMMEDIATE"):
            moved = db.execute(
                "UPDATE ring SET generation = generation + 1, manifest = ? WHERE generation = ?",
                (ring.manifest, expected_generation),
            )
            if moved.rowcount != 1:
                raise GenerationMoved("the ring was changed by somebody else")
            db.executemany(_UPSERT, [_row(version) for version in ring.versions])
            if idempotency:
                row = (idempotency.key, idempotency.kid, idempotency.answer)
                db.execute("INSERT INTO idempotency VALUES (?, ?, ?)", row)

    def _create(self, ring: SealedRing) -> None:
        """Make the whole file beside its place, then link it there: it appears complete, or not at all."""
        with _os_refusals():
            # As long as a journal's name, so that a store whose journals cannot be made is not made either.
            draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_directory(self.path.parent)
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        try:
            with _refusals(), closing(_connect(draft)) as db:
                _set_pragmas(db)
                db.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
                with _transaction(db, "IMMEDIATE"):
                    db.execute("INSERT INTO ring VALUES (1, 1, ?)", (ring.manifest,))
                    db.executemany(_UPSERT, [_row(version) for version in ring.versions])
            with _os_refusals():
                os.link(draft, self.path, follow_symlinks=False)
                sync_directory(self.path.parent)
        finally:
            draft.unlink(missing_ok=True)

    def _read_back(self, written: Stored, idempotency: Idempotency | None) -> None:
        found = self.load()
        # A later generation was built on this one, by compare-and-swap.
        if found.generation <= written.generation and found != written:
            raise StoreBusy("the store did not give back what was written")
        if idempotency and self.recall(idempotency.key) != idempotency.answer:
            raise StoreBusy("the store did not give back what was written")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with _os_refusals():
            _check_file(self.path)
        with _refusals():
            _check_untouched(self.path)
        with _refusals(), closing(_connect(self.path)) as db:
            _check_header(db)
            _set_pragmas(db)
            yield db


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=LOCK_WAIT_S)


def _set_pragmas(db: sqlite3.Connection) -> None:
    db.executescript(
        "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
        "PRAGMA synchronous = EXTRA; PRAGMA journal_mode = DELETE;"
    )


@contextmanager
def _transaction(db: sqlite3.Connection, kind: str) -> Iterator[None]:
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what SQLite raises into what the port promises."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        # The idempotency key came in by another hand since it was looked up.
        raise GenerationMoved("the ring was changed by somebody else") from error
    except sqlite3.DatabaseError as error:
        # The low byte is the primary result code (https://sqlite.org/rescode.html).
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _PASSING:
            raise StoreBusy("the store cannot be read or written at the moment") from error
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise StoreRefused("store_foreign", "the file is not a key store") from error
        raise StoreRefused("store_damaged", "the store holds no ring") from error
    except UnicodeDecodeError as error:
        # sqlite3 lets it through for an error message, or a schema, that is not UTF-8.
        raise StoreRefused("store_damaged", "the store holds no ring") from error


@contextmanager
def _os_refusals() -> Iterator[None]:
    """Turn what the operating system says of the file into what the port promises."""
    try:
        yield
    except FileNotFoundError:
        raise StoreRefused("store_missing", "there is no store there") from None
    except FileExistsError:
        raise StoreRefused("store_exists", "something is in the store's place already") from None
    except OSError as error:
        raise StoreBusy("the store's file cannot be reached") from error


def _check_file(path: Path) -> None:
    """Return if the file is ours alone."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise StoreRefused("store_symlink", "the store's path is a symbolic link")
    if not stat.S_ISREG(found.st_mode):
        raise StoreRefused("store_foreign", "the store's path is not a file")
    if found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise StoreRefused(
            "store_exposed", "the store is another user's, or others may read it (its mode is not 0600)"
        )
    _check_directory(path.parent)


def _check_untouched(path: Path) -> None:
    """Return if the file is, or may be, a key store; whatever it is, it is not changed.

    ``immutable`` takes no lock, plays no journal or WAL back and makes no file.
    """
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        try:
            _check_header(db)
        except sqlite3.DatabaseError as error:
            # In a commit, or after a crash in one, page 1 may count more pages than the file has yet: only
            # a connection that locks and plays the journal back can tell.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise


def _check_header(db: sqlite3.Connection) -> None:
    """Return if the file is a key store of a version known here."""
    ((application_id,),) = db.execute("PRAGMA application_id").fetchall()
    ((version,),) = db.execute("PRAGMA user_version").fetchall()
    if application_id != APPLICATION_ID:
        raise StoreRefused("store_foreign", "the file is not a key store")
    if version > SCHEMA_VERSION:
        raise StoreRefused("store_newer", "the store was written by a newer program")


def _check_directory(path: Path) -> None:
    # Whoever can write here can put another file in the store's place, or a journal beside it.
    found = path.stat()
    if found.st_mode & 0o022 or found.st_uid not in (os.geteuid(), 0):
        raise StoreRefused("store_exposed", "others may write in the store's directory")


def _are(rows: Sequence[tuple[object, ...]], types: tuple[type | UnionType, ...]) -> bool:
    """Tell whether rows have these types."""
    return all(isinstance(value, kind) for row in rows for value, kind in zip(row, types, strict=True))


def _row(v: SealedVersion) -> tuple[object, ...]:
    return (v.kid, v.algorithm, v.number, v.public_key, v.state, v.created_ms, v.retire_at_ms, v.blob)


_RING_TYPES: Final = (int, bytes)
_VERSION_TYPES: Final = (str, str, int, bytes, str, int, int | NoneType, bytes)
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_PROTOCOL,
    }
)
"""What may be otherwise the next time."""
