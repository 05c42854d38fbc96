"""Where do the microseconds of a verification go, inside the service?

In this process, without HTTP: each part is timed on its own, in turn, and the medians are given. What the
whole takes beyond its parts is the shell: routing, coroutines, headers, coalescing, a large batch's thread.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bench import passports
from bench.table import number, show

from ron_kms import Generations
from ron_kms.engines import choose
from svc_passport import carriers, claims
from svc_passport.bootstrap import build, rules_of
from svc_passport.config import load
from svc_passport.errors import Denied
from svc_passport.http import body
from svc_passport.log import Log
from svc_passport.rules import Expected, broken
from svc_passport.telemetry import (
    BATCH,
    KMS_BATCH,
    KMS_LATENCY,
    OP_LATENCY,
    OPS_TOTAL,
    Telemetry,
)

if TYPE_CHECKING:
    from pathlib import Path

    from bench.load import Pace

    from svc_passport.bootstrap import Service
    from svc_passport.rules import Rules

REPEATS = 200
Part = Callable[[], object]


def run(_program: Path, _pace: Pace) -> None:
    """Print one table."""
    asyncio.run(_run())


async def _run() -> None:
    telemetry = Telemetry()
    config = load({"PASSPORT_LOG__LEVEL": "error"}, development=True)
    service = build(config, Log("error"), telemetry, Generations(), is_lone=lambda: True, missing=list)
    rules = rules_of(config)
    envelope = await _answer(service, passports.ISSUE, passports.claims(1)[0])()
    rows = []
    for items in (1, 64, 512):
        sent = envelope if items == 1 else b"[" + b",".join([envelope] * items) + b"]"
        path = passports.VERIFY if items == 1 else passports.VERIFY_BATCH
        whole, *parts = await _medians_us(
            _answer(service, path, sent), *_parts(service, telemetry, rules, sent, items)
        )
        rows.append([str(items), *(number(us / items, 2) for us in (*parts, whole - sum(parts), whole))])
    show(
        "The split of a verification inside the service, µs an item (medians; no HTTP)",
        ["items", "JSON", "base64, carrier", "crypto", "claims, rules", "telemetry", "shell", "all"],
        rows,
    )


def _parts(service: Service, telemetry: Telemetry, rules: Rules, sent: bytes, items: int) -> list[Part]:
    """Return what a verification consists of, each part with what it needs at hand."""
    engine, now_s = choose("auto"), int(time.time())

    def decode() -> list[carriers.Carrier | Denied]:
        return [body.one(sent)] if items == 1 else body.many(sent, items)

    presented = [carrier for carrier in decode() if not isinstance(carrier, Denied)]

    def take_apart() -> list[carriers.Unverified]:
        return [carriers.read(c, carriers.PASSPORT, require_aud=True, max_msg_bytes=4096) for c in presented]

    read = take_apart()
    signed = [(service.keyring.current.verifying_key(u.kid), u.signed, u.signature) for u in read]

    def judge() -> list[object]:
        return [broken(claims.parse(u.message), u.kid, u.aud, Expected(), rules, now_s) for u in read]

    def count() -> None:  # what a request adds to, in ``coalesce``, ``telemetry`` and ``http.app``
        for family in (BATCH, KMS_BATCH):
            telemetry.observe(family, family.place(), items)
        telemetry.observe(KMS_LATENCY, KMS_LATENCY.place("verify"), time.perf_counter())
        telemetry.observe(OP_LATENCY, OP_LATENCY.place("verify"), time.perf_counter())
        for _ in range(7):
            telemetry.counts[OPS_TOTAL.start] += 1

    return [decode, take_apart, lambda: engine.verify_many(signed), judge, count]


def _answer(service: Service, path: str, sent: bytes) -> Callable[[], Awaitable[bytes]]:
    """Return a call of the application, without a server."""
    headers = [
        (b"host", b"127.0.0.1:5307"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(sent)),
    ]
    scope = {
        "method": "POST",
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": None,
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": sent, "more_body": False}

    async def answer() -> bytes:
        reply = await service.public.answer(scope, receive)
        assert reply is not None
        assert reply.status == 200, reply.content
        return reply.content

    return answer


async def _medians_us(whole: Callable[[], Awaitable[object]], *parts: Part) -> list[float]:
    """Time the whole and its parts in turn, many times, so that a slow moment is everybody's."""
    seen: list[list[float]] = [[] for _ in (whole, *parts)]
    for _ in range(REPEATS):
        began = time.perf_counter()
        await whole()
        seen[0].append(time.perf_counter() - began)
        for part, times in zip(parts, seen[1:], strict=True):
            began = time.perf_counter()
            part()
            times.append(time.perf_counter() - began)
    return [statistics.median(times) * 1e6 for times in seen]
