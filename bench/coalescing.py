"""What does it bring to check the verifications of one turn of the event loop together?

It must never make a lone request slower, and must raise throughput at 32 connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import passports, servers
from bench.load import Load, measure
from bench.table import number, ratio, show

if TYPE_CHECKING:
    from pathlib import Path

    from bench.load import Pace

CONNECTIONS = (1, 8, 32, 128)


def run(program: Path, pace: Pace) -> None:
    """Print one table."""
    rows = []
    with (
        servers.passport(program, name="coalescing", VERIFY__MAX_WAIT_US=500) as on,
        servers.passport(program, name="inline", VERIFY__MAX_WAIT_US=0) as off,
    ):
        bodies = {"on": passports.issued_by(on), "off": passports.issued_by(off)}
        for connections in CONNECTIONS:
            loads = {
                name: Load(passports.VERIFY, envelopes, connections, b"true")
                for name, envelopes in bodies.items()
            }
            costs = measure({"on": on, "off": off}, loads, pace)
            with_, without = costs["on"], costs["off"]
            rows.append(
                [
                    f"{connections}",
                    *(number(cost.p50_us, 0) for cost in (with_, without)),
                    ratio(with_.p50_us, without.p50_us),
                    *(number(cost.per_s, 0) for cost in (with_, without)),
                    ratio(with_.per_s, without.per_s),
                    *(number(cost.cpu_us) for cost in (with_, without)),
                    ratio(with_.cpu_us, without.cpu_us),
                ]
            )
    show(
        "Coalescing (verify.max_wait_us = 500) against none (0)",
        [
            "connections",
            *("p50 µs on", "off", "on / off"),
            *("requests/s on", "off", "on / off"),
            *("CPU µs on", "off", "on / off"),
        ],
        rows,
    )
