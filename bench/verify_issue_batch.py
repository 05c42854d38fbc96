"""What does a request cost, beside the bare app and beside Rust?

CPU of the server per request at 32 connections (8 for batches of 512), server and load on a core each.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench import passports, servers
from bench.load import Cost, Load, measure
from bench.table import number, ratio, show

if TYPE_CHECKING:
    from pathlib import Path

    from bench.load import Pace
    from bench.servers import Server

NAMES = ("bare", "ours", "axum")


def run(program: Path, pace: Pace) -> None:
    """Print a table of all, and one of microseconds an item."""
    with ExitStack() as stack:
        ours = stack.enter_context(servers.passport(program))
        bare = stack.enter_context(servers.bare())
        axum = stack.enter_context(servers.axum(ours.ask("GET", "/v1/keys")))
        envelopes = passports.issued_by(ours)
        servers.note(f"{len(envelopes)} passports, the first of {len(envelopes[0])} bytes")

        several = {"bare": bare, "ours": ours} | ({"axum": axum} if axum else {})
        verify = _measured(several, Load(passports.VERIFY, envelopes, answer=b"true"), pace)
        issue = _measured(several, Load(passports.ISSUE, passports.claims()), pace)
        batch_64 = _measured(several, _batch(envelopes, 64, connections=32), pace)
        batch_512 = _measured(several, _batch(envelopes, 512, connections=8), pace)

    asked = {
        "verify": verify,
        "issue": issue,
        "verify_batch of 64": batch_64,
        "verify_batch of 512": batch_512,
    }
    show(
        f"CPU µs per request, medians of {pace.rounds} rounds of {pace.seconds} s, interleaved",
        ["", "bare", "ours", "axum", "ours / bare", "ours / axum", "bare /s", "ours /s", "axum /s"],
        [[name, *_row(costs)] for name, costs in asked.items()],
    )
    show(
        "Without crypto: what our service adds to the bare app",
        ["", "bare", "ours", "of that crypto", "ours without", "without / bare"],
        # Threads that wait for one another make a batch of 512's crypto longer than it is.
        [[name, *_without_crypto(costs)] for name, costs in asked.items() if costs is not batch_512],
    )
    show(
        "CPU µs an item, the request's share of HTTP included",
        ["", "bare", "ours", "axum", "ours / axum"],
        [
            [name, *_items_row(costs, items)]
            for name, costs, items in [
                ("verify", verify, 1),
                ("verify_batch of 64", batch_64, 64),
                ("verify_batch of 512", batch_512, 512),
            ]
        ],
    )


def _measured(several: dict[str, Server], load: Load, pace: Pace) -> dict[str, Cost]:
    """Measure all; of the bare app only its own answer is due."""
    bare = Load(load.path, load.bodies, load.connections, b"true")
    return measure(several, {name: bare if name == "bare" else load for name in several}, pace)


def _batch(envelopes: list[bytes], items: int, connections: int) -> Load:
    bodies = passports.batches(envelopes, items)
    return Load(passports.VERIFY_BATCH, bodies, connections, passports.all_true(items))


def _row(costs: dict[str, Cost]) -> list[str]:
    bare, ours, axum = _cpu_us(costs)
    per_s = [number(costs[name].per_s if name in costs else None, 0) for name in NAMES]
    return [number(bare), number(ours), number(axum), ratio(ours, bare), ratio(ours, axum), *per_s]


def _without_crypto(costs: dict[str, Cost]) -> list[str]:
    bare, ours = costs["bare"].cpu_us, costs["ours"]
    without = ours.cpu_us - ours.crypto_us
    return [number(bare), number(ours.cpu_us), number(ours.crypto_us), number(without), ratio(without, bare)]


def _items_row(costs: dict[str, Cost], items: int) -> list[str]:
    bare, ours, axum = (us and us / items for us in _cpu_us(costs))
    return [number(bare), number(ours), number(axum), ratio(ours, axum)]


def _cpu_us(costs: dict[str, Cost]) -> list[float | None]:
    return [costs[name].cpu_us if name in costs else None for name in NAMES]
