"""How long from start to ready, and how much memory, with one key version and with a thousand?"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench import passports, servers
from bench.load import Load, Pace, measure
from bench.table import number, show

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from bench.servers import Server

VERSIONS = 1_000


def run(program: Path, pace: Pace) -> None:
    """Print one table."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        few, many = Path(home) / "few/keys.db", Path(home) / "many/keys.db"
        make_store(program, few, versions=2)
        rotation_ms = make_store(program, many, versions=VERSIONS)
        rows = [_row(program, "2 (the first)", few, pace), _row(program, f"{VERSIONS:,}", many, pace)]
    show(
        f"Start to ready, and resident memory; median of {pace.rounds} starts",
        ["versions", "start to ready, ms", "RSS MiB after start", "RSS MiB after load"],
        rows,
    )
    servers.note(f"the last rotations of the store of {VERSIONS:,} took {rotation_ms:.1f} ms each")


def make_store(program: Path, path: Path, *, versions: int) -> float:
    """Make a store with so many versions at ``path``; return what the last rotations took, in ms.

    By the front door: a new store has an active version and a next one, each rotation adds one.
    """
    servers.init(program, path)
    with _on(program, path) as server:
        began = time.monotonic()
        for made in range(2, versions):
            if made == versions - 10:
                began = time.monotonic()
            server.ask("POST", "/admin/rotate")
        return (time.monotonic() - began) / 10 * 1e3


def _row(program: Path, name: str, path: Path, pace: Pace) -> list[str]:
    """Start some times; put load on the last."""
    starts_s = []
    for _ in range(pace.rounds - 1):
        with _on(program, path) as server:
            server.ask("GET", "/readyz")
            starts_s.append(server.started_in_s)
    with _on(program, path) as server:
        server.ask("GET", "/readyz")
        starts_s.append(server.started_in_s)
        idle_mib = server.rss_mib()
        load = Load(passports.VERIFY, passports.issued_by(server), answer=b"true")
        measure({"ours": server}, load, Pace(pace.seconds, rounds=1))
        loaded_mib = server.rss_mib()
    return [name, number(statistics.median(starts_s) * 1e3, 0), number(idle_mib), number(loaded_mib)]


def _on(program: Path, path: Path) -> AbstractContextManager[Server]:
    """Start our service on the store at ``path``."""
    return servers.passport(program, KEYS__STORE=f"sqlite:{path}", KEYS__PUBLISH_AHEAD_S=0)
