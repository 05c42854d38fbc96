"""Load from `wrk` on the other core, and what one request costs the server meanwhile."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

from bench.servers import LOAD_CORE, ROOT, SERVER_CORE, BenchError, core_s, note

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.servers import Server

SCRIPT = ROOT / "bench/rotate_bodies.lua"
TIMEOUT_S = 30
"""wrk's patience with one answer; a queue of large batches is slow, not wrong."""

NOISE = 0.05
"""More than this of the server's core to others deserves a word."""


@dataclass(frozen=True)
class Pace:
    """How long and how often to measure."""

    seconds: int = 4
    rounds: int = 3


@dataclass(frozen=True)
class Load:
    """What to send: every body in turn, over so many connections."""

    path: str
    bodies: Sequence[bytes]
    connections: int = 32
    answer: bytes | None = None
    """What every body must be answered; None when the answers differ."""


@dataclass(frozen=True)
class Cost:
    """What a window of load showed."""

    cpu_us: float  # of the server, per request
    crypto_us: float  # of that, in the keyring's calls; only our service counts them
    per_s: float  # requests answered
    p50_us: float  # as wrk saw it
    p99_us: float
    busy: float  # cores, by the server
    others: float  # of the server's core, by other processes and the host: a quiet machine shows 0


def measure(
    servers: Mapping[str, Server],
    load: Load | Mapping[str, Load],
    pace: Pace,
    *,
    core: int | None = LOAD_CORE,
) -> dict[str, Cost]:
    """Load the servers in turn, round after round, and return the medians by name.

    Interleaved, so that a slow minute of the machine is every server's slow minute. One second each
    warms up first. ``load`` may be one for each server, by the same names.

    Raises:
        BenchError: an answer was no 2xx, or not the one that is due.
    """
    loads = {name: load if isinstance(load, Load) else load[name] for name in servers}
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        files = {id(one): Path(home) / f"{number}" for number, one in enumerate(loads.values())}
        for one in loads.values():
            files[id(one)].write_bytes(b"\n".join(one.bodies) + b"\n")
        seen: dict[str, list[Cost]] = {name: [] for name in servers}
        for turn in range(pace.rounds + 1):
            for name, server in servers.items():
                one = loads[name]
                cost = _window(server, one, files[id(one)], pace.seconds if turn else 1, core)
                if turn:
                    seen[name].append(cost)
    medians = {name: _median(costs) for name, costs in seen.items()}
    if core is not None and (others := max(cost.others for cost in medians.values())) > NOISE:
        note(f"the machine is not quiet: {others:.0%} of core {SERVER_CORE} went to others")
    return medians


def _window(server: Server, load: Load, bodies: Path, seconds: int, core: int | None) -> Cost:
    """Load one server for a while."""
    pin = [] if core is None else ["taskset", "-c", str(core)]
    wrk = [
        "wrk",
        "-t1",
        f"-c{load.connections}",
        f"-d{seconds}s",
        f"--timeout={TIMEOUT_S}s",
        "-s",
        str(SCRIPT),
    ]
    url = f"http://{server.address}{load.path}"
    sample = _answer_bytes(server, load)
    crypto_before_s = server.crypto_s()
    before_s, core_before_s = server.cpu_s(), core_s()
    printed = subprocess.run([*pin, *wrk, url, "--", str(bodies)], check=True, capture_output=True).stdout
    cpu_s, all_s = server.cpu_s() - before_s, core_s() - core_before_s
    crypto_s = server.crypto_s() - crypto_before_s
    saw = json.loads(printed.splitlines()[-1])
    if not saw["requests"] or saw["not_2xx"] or saw["socket_errors"]:
        raise BenchError(f"{server.name}: {load.path} under load: {saw}")
    # wrk keeps no answers, but counts their bytes: a `false` among many `true` would show.
    if load.answer is not None and abs(saw["bytes"] / saw["requests"] - sample) > 0.05:
        raise BenchError(f"{server.name}: {load.path}: {sample} bytes are due an answer, in the mean: {saw}")
    window_s = saw["window_us"] / 1e6
    return Cost(
        cpu_us=cpu_s / saw["requests"] * 1e6,
        crypto_us=crypto_s / saw["requests"] * 1e6,
        per_s=saw["requests"] / window_s,
        p50_us=saw["p50_us"],
        p99_us=saw["p99_us"],
        busy=cpu_s / window_s,
        others=max(0.0, all_s - cpu_s) / window_s,
    )


def _answer_bytes(server: Server, load: Load) -> int:
    """Ask once, hold the answer to what is due, and return its size with all its headers."""
    connection = HTTPConnection(server.address, timeout=TIMEOUT_S)
    try:
        connection.request("POST", load.path, load.bodies[0], {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200 or load.answer not in {None, body}:
        raise BenchError(f"{server.name}: {load.path} answers {response.status} {body[:200]!r}")
    head = f"HTTP/1.1 {response.status} {response.reason}\r\n\r\n"
    return len(head) + sum(len(f"{name}: {value}\r\n") for name, value in response.getheaders()) + len(body)


def _median(costs: Iterable[Cost]) -> Cost:
    """Return the median of each figure."""
    rows = [asdict(cost) for cost in costs]
    return Cost(**{name: statistics.median(row[name] for row in rows) for name in rows[0]})
