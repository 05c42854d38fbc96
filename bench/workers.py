"""What does a second worker bring?

Nothing is pinned: two workers and the load share the cores there are, so on two cores the second worker
has only what wrk leaves.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench import passports, servers
from bench.load import Load, measure
from bench.table import number, ratio, show

if TYPE_CHECKING:
    from bench.load import Pace


def run(program: Path, pace: Pace) -> None:
    """Print one table."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        stores = {workers: home / f"{workers}/keys.db" for workers in (1, 2)}
        for store in stores.values():
            servers.init(program, store)
        started = {
            workers: stack.enter_context(
                servers.passport(
                    program,
                    core=None,
                    name=f"{workers} worker(s)",
                    SERVER__WORKERS=workers,
                    KEYS__STORE=f"sqlite:{store}",
                )
            )
            for workers, store in stores.items()
        }
        envelopes = {workers: passports.issued_by(server) for workers, server in started.items()}
        rows = []
        for name, path, items, connections in [
            ("verify", passports.VERIFY, 1, 32),
            ("issue", passports.ISSUE, 1, 32),
            ("verify_batch of 64", passports.VERIFY_BATCH, 64, 32),
        ]:
            loads = {f"{workers}": _load(path, envelopes[workers], items, connections) for workers in started}
            costs = measure(
                {f"{workers}": server for workers, server in started.items()}, loads, pace, core=None
            )
            one, two = costs["1"], costs["2"]
            rows.append(
                [
                    name,
                    *(number(cost.per_s, 0) for cost in (one, two)),
                    ratio(two.per_s, one.per_s),
                    *(number(cost.cpu_us) for cost in (one, two)),
                    *(number(cost.busy, 2) for cost in (one, two)),
                ]
            )
    show(
        f"One worker against two; nothing pinned, wrk shares the {os.cpu_count()} cores",
        ["", "requests/s 1", "2", "2 / 1", "CPU µs 1", "2", "cores busy 1", "2"],
        rows,
    )


def _load(path: str, envelopes: list[bytes], items: int, connections: int) -> Load:
    if path == passports.ISSUE:
        return Load(path, passports.claims(), connections)
    if items == 1:
        return Load(path, envelopes, connections, b"true")
    return Load(path, passports.batches(envelopes, items), connections, passports.all_true(items))
