"""Kill -9 at random moments of a stream of rotations: what was acknowledged is never lost.

A program rotates again and again, every time with an idempotency key of its own, and issues a token after
each. The whole service is killed somewhere in between, and started again. Then

* exactly one version signs, and exactly one is next;
* every acknowledged rotation is there, with the very keys that its answer named;
* the rotation that got no answer is wholly there, or wholly absent;
* every token ever issued verifies;
* an idempotency key gets its first answer, byte for byte, and rotates nothing.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from threading import Timer
from typing import Any

from running import running
from service import Line, batch, kill_wholly, operator, prepared, version_of

LIFE_S = 0.4
"""The longest that a service lives before it is killed: some thirty rotations."""

BATCH = 512
REPLAYED = 40
"""Idempotency keys asked again at a restart: the newest, and as many more drawn by lot. At the end, all."""


class Broken(AssertionError):
    """What must never happen has happened."""


@dataclass
class Outcome:
    """What a campaign did, all of it as it must be."""

    kills: int = 0
    rotations: int = 0  # acknowledged
    kept: int = 0  # rotations without an answer that were there after the restart
    absent: int = 0  # and that were not
    tokens: int = 0
    replays: int = 0
    seconds: float = 0.0


@dataclass
class _Known:
    """What the world outside was told."""

    answers: dict[str, bytes] = field(default_factory=dict)  # by idempotency key, in order
    tokens: list[bytes] = field(default_factory=list)
    public_keys: dict[str, str] = field(default_factory=dict)  # by kid
    signs: int = 1  # the version that signs after the last acknowledged rotation
    unanswered: str | None = None  # the idempotency key that was under way

    def acknowledge(self, key: str, answer: bytes, told: Any) -> None:
        """Take note of a rotation's answer."""
        self.answers[key] = answer
        self.signs = version_of(told["current_kid"])
        for version in told["attest"]["versions"]:
            known = self.public_keys.setdefault(version["kid"], version["vk_b64"])
            _must(known == version["vk_b64"], f"{version['kid']} names two keys")


def campaign(
    folder: Path,
    *,
    kills: int,
    workers: tuple[int, ...] = (1, 2),
    seed: int | None = None,
    progress: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Kill a service ``kills`` times, and look after each time whether everything is there.

    Args:
        folder: Where the store is made.
        workers: How many the service has, from life to life in turn.

    Raises:
        Broken: It is not.
    """
    lot = random.Random(seed)  # noqa: S311 - it draws moments, not secrets
    env = prepared(folder, keys__publish_ahead_s=0)
    capability = operator(env)
    known, outcome, began = _Known(), Outcome(), time.monotonic()
    for life in range(kills + 1):
        lives = env | {"PASSPORT_SERVER__WORKERS": str(workers[life % len(workers)])}
        with (
            running(env=lives) as service,
            Line(service.url, capability) as public,
            Line(service.admin_url, capability) as admin,
        ):
            is_last = life == kills
            _check(public, admin, known, outcome, None if is_last else lot)
            if is_last:
                _must(service.end() == 0, "it does not end well")
                break
            end = Timer(lot.uniform(0, LIFE_S), kill_wholly, [service])
            end.start()
            try:
                _rotate_until_it_dies(public, admin, known)
            finally:
                end.join()
        outcome.kills += 1
        outcome.rotations, outcome.tokens = len(known.answers), len(known.tokens)
        outcome.seconds = time.monotonic() - began
        progress(outcome)
    outcome.rotations, outcome.tokens = len(known.answers), len(known.tokens)
    outcome.seconds = time.monotonic() - began
    return outcome


def _rotate_until_it_dies(public: Line, admin: Line, known: _Known) -> None:
    try:
        while True:
            known.unanswered = f"rotation-{len(known.answers)}"
            answer = admin.post("/admin/rotate", idempotency_key=known.unanswered)
            _must(answer.status == 200, f"a rotation is answered {answer.status}")
            _must(version_of(answer.json["current_kid"]) == known.signs + 1, "a rotation is not the next one")
            known.acknowledge(known.unanswered, answer.body, answer.json)
            known.unanswered = None
            token = public.post("/v1/passport/issue", b'{"sub":"alice"}')
            _must(token.status == 200, f"an issue is answered {token.status}")
            _must(version_of(token.json["kid"]) == known.signs, "it does not sign with what it rotated to")
            known.tokens.append(token.body)
    except (OSError, HTTPException):
        return


def _check(public: Line, admin: Line, known: _Known, outcome: Outcome, lot: random.Random | None) -> None:
    """Compare what is there after a restart with what was told.

    Args:
        lot: Draws the idempotency keys that are asked again; None asks all.
    """
    now = admin.get("/admin/attest").json
    versions = {version["kid"]: version for version in now["versions"]}
    states = [version["state"] for version in now["versions"]]
    _must(states.count("active") == 1, "not exactly one version is active")
    _must(states.count("next") == 1, "not exactly one version is next")
    _must(states == ["retiring"] * (len(states) - 2) + ["active", "next"], "the versions make no ring")
    signs = version_of(now["current_kid"])
    for kid, public_key in known.public_keys.items():
        _must(kid in versions, f"{kid} was acknowledged and is not there")
        _must(versions[kid]["vk_b64"] == public_key, f"{kid} is another key")
    _must(known.signs <= signs <= known.signs + bool(known.unanswered), "rotations were lost, or made up")

    if known.unanswered:
        was_kept = signs == known.signs + 1
        outcome.kept += was_kept
        outcome.absent += not was_kept
        answer = admin.post("/admin/rotate", idempotency_key=known.unanswered)
        _must(answer.status == 200, f"a rotation asked again is answered {answer.status}")
        _must(version_of(answer.json["current_kid"]) == known.signs + 1, "half a rotation is there")
        known.acknowledge(known.unanswered, answer.body, answer.json)
        known.unanswered = None

    for start in range(0, len(known.tokens), BATCH):
        tokens = known.tokens[start : start + BATCH]
        told = public.post("/v1/passport/verify_batch", batch(tokens))
        _must(told.body == batch([b"true"] * len(tokens)), f"an old token does not verify: {told.status}")

    keys = list(known.answers)
    if lot:
        keys = keys[-REPLAYED:] + lot.sample(keys, min(REPLAYED, len(keys)))
    for key in keys:
        again = admin.post("/admin/rotate", idempotency_key=key)
        _must(again.status == 200 and again.body == known.answers[key], f"{key} gets another answer")
        outcome.replays += 1
    told_now = version_of(admin.get("/admin/attest").json["current_kid"])
    _must(told_now == known.signs, "a known idempotency key rotated again")


def _must(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise Broken(otherwise)
