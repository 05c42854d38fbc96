"""What does an envelope cost, to sign and to believe, beside what people use instead?

One process, pinned; every contender in turn, round after round; medians. The same content for all: PyJWT
and itsdangerous carry it as JSON, and text where we carry bytes. The Rust program of the interop test
(rmp-serde, hmac, sha2) does the same work on the same envelope in the same rounds.
"""

from __future__ import annotations

import hmac
import json
import os
import random
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import itsdangerous
import jwt
import msgspec
from bench.servers import ROOT, SERVER_CORE, built
from bench.table import number, ratio, show

import ron_auth
from ron_auth import named, values, wire
from ron_auth.mac import Mac
from ron_auth.policy import Expectations
from ron_kms import Secret
from ron_kms.origin_keys import OriginKeys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.load import Pace

CRATE = ROOT / "tests/interop/envelopes"
SIZES = {"230 B": 230, "2 KiB": 2048}
SVC, INSTANCE, EPOCH, NOW_S = "svc-overlay", UUID(int=7), 20_780, 20_780 * 86_400 + 60
NEEDED = ("overlay:route",)
SENDERS = frozenset({SVC})
CALLS = 2000


@dataclass(frozen=True)
class Contender:
    """Two things to time, and what they are compared with."""

    name: str
    make: Callable[[], object]
    believe: Callable[[], object]


def run(_program: Path, pace: Pace) -> None:
    """Print one table for each size."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    try:
        rust = built(CRATE, "envelopes")
        for title, size in SIZES.items():
            _measure(title, size, pace.rounds * 5, rust)
        _split(_envelope(SIZES["230 B"]), pace.rounds * 5)
    finally:
        os.sched_setaffinity(0, allowed)


def _measure(title: str, size: int, rounds: int, rust: Path | None) -> None:
    env = _envelope(size)
    contenders = _contenders(env)
    taken: dict[str, tuple[list[float], list[float]]] = {one.name: ([], []) for one in contenders}
    for _ in range(rounds):
        for one in contenders:
            making, believing = taken[one.name]
            making.append(_nanoseconds(one.make))
            believing.append(_nanoseconds(one.believe))
        if rust:
            told = json.loads(subprocess.check_output([rust, "bench", "100", str(len(env.payload))]))
            for form, make, believe in (("signed", "sign_ns", "verify_ns"), ("sealed", "seal_ns", "open_ns")):
                making, believing = taken.setdefault(f"Rust, {form}", ([], []))
                making.append(told[make])
                believing.append(told[believe])
    medians = {
        name: (statistics.median(making), statistics.median(believing))
        for name, (making, believing) in taken.items()
    }
    show(
        f"Envelopes of {title} under the MAC: one core, medians of {rounds} rounds",
        ["", "sign µs", "verify µs", "verifies/s", *(f"{form} is faster" for form in ("verify", "open"))],
        [
            [
                name,
                number(make / 1000, 2),
                number(believe / 1000, 2),
                number(1e9 / believe, 0),
                ratio(believe, medians["ron-auth, signed"][1]),
                ratio(believe, medians["ron-auth, sealed"][1]),
            ]
            for name, (make, believe) in medians.items()
        ],
    )


def _split(env: ron_auth.Envelope, rounds: int) -> None:
    """Print what a verification and an opening consist of, each part timed alone."""
    kd = ron_auth.KeyCache(OriginKeys(Secret(bytes(32))))
    signed = ron_auth.sign_envelope(kd, SVC, INSTANCE, EPOCH, env)
    sealed = ron_auth.seal(kd, env)
    message, covered, claim = named.mac_input(signed), wire.LABEL + sealed[:-32], wire.parse(sealed)
    expected = Expectations(SENDERS, NEEDED, NOW_S, 0, 3600, None)
    raws = bytes(claim.header), bytes(claim.payload)
    tags = Mac(bytes(32))
    parts: dict[str, dict[str, Callable[[], object]]] = {
        "verify": {
            "write the MAC input": lambda: named.mac_input(signed),
            "find the kept key, tag, compare": lambda: kd.check(
                SVC, INSTANCE, None, EPOCH, message, signed.tag
            ),
            "… of which the tag": lambda: tags.tag(message),
            "window, sender, scopes": lambda: expected.check(signed),
            "all": lambda: ron_auth.verify_envelope(kd, SVC, EPOCH, NEEDED, signed, now_s=NOW_S),
        },
        "open": {
            "bounds and shape": lambda: wire.parse(sealed),
            "find the kept key, tag, compare": lambda: kd.check(
                SVC, INSTANCE, None, EPOCH, covered, sealed[-32:]
            ),
            "… of which the tag": lambda: tags.tag(covered),
            "canonical form, header, payload": lambda: wire.read(sealed, claim),
            "… of which header and payload": lambda: [values.read(raw) for raw in raws],
            "window, sender, scopes": lambda: expected.check(signed),
            "all": lambda: ron_auth.open(kd, sealed, senders=SENDERS, scopes=NEEDED, now_s=NOW_S),
        },
    }
    taken = {(verb, name): list[float]() for verb, calls in parts.items() for name in calls}
    for _ in range(rounds):
        for (verb, name), times in taken.items():
            times.append(_nanoseconds(parts[verb][name]))
    show(
        f"Where it goes: 230 B, medians of {rounds} rounds, each part called alone (a call itself is 0.06)",
        ["", "part", "µs"],
        [[verb, name, number(statistics.median(times) / 1000, 2)] for (verb, name), times in taken.items()],
    )


def _contenders(env: ron_auth.Envelope) -> list[Contender]:
    secret = bytes(32)
    kd = ron_auth.KeyCache(OriginKeys(Secret(secret)))
    signed = ron_auth.sign_envelope(kd, SVC, INSTANCE, EPOCH, env)
    sealed = ron_auth.seal(kd, env)
    said = msgspec.to_builtins(env) | {"nonce": env.nonce.hex(), "payload": "x" * len(env.payload), "tag": ""}
    serializer = itsdangerous.URLSafeTimedSerializer(
        secret, signer_kwargs={"key_derivation": "hmac", "digest_method": "sha256"}
    )
    serialized = serializer.dumps(said)
    claims = said | {"iat": int(time.time()), "exp": int(time.time()) + 3600}
    token = jwt.encode(claims, secret, "HS256")
    message = named.mac_input(env)
    return [
        Contender(
            "ron-auth, signed",
            lambda: ron_auth.sign_envelope(kd, SVC, INSTANCE, EPOCH, env),
            lambda: ron_auth.verify_envelope(kd, SVC, EPOCH, NEEDED, signed, now_s=NOW_S),
        ),
        Contender(
            "ron-auth, sealed",
            lambda: ron_auth.seal(kd, env),
            lambda: ron_auth.open(kd, sealed, senders=SENDERS, scopes=NEEDED, now_s=NOW_S),
        ),
        Contender(
            "itsdangerous", lambda: serializer.dumps(said), lambda: serializer.loads(serialized, max_age=3600)
        ),
        Contender(
            "PyJWT HS256",
            lambda: jwt.encode(claims, secret, "HS256"),
            lambda: jwt.decode(token, secret, ["HS256"]),
        ),
        Contender(
            "hmac.digest alone",
            lambda: hmac.digest(secret, message, "sha256"),
            lambda: hmac.digest(secret, message, "sha256"),
        ),
    ]


def _envelope(size: int) -> ron_auth.Envelope:
    """Return one whose MAC input has `size` bytes: opaque bytes make up the rest."""

    def of(payload: bytes) -> ron_auth.Envelope:
        return ron_auth.Envelope(
            ron_auth.Plane.Node,
            SVC,
            INSTANCE,
            None,
            NEEDED,
            bytes(range(100, 116)),
            NOW_S - 30,
            NOW_S + 30,
            {"route": "/v1/relay", "seq": 300},
            payload,
        )

    filler = random.Random(size).randbytes(size)  # noqa: S311 - the same bytes in every run
    return next(
        env for env in map(of, (filler[:n] for n in range(size, 0, -1))) if len(named.mac_input(env)) <= size
    )


def _nanoseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter_ns()
    for _ in range(CALLS):
        call()
    return (time.perf_counter_ns() - began) / CALLS
