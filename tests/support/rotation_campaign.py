"""Rotation under load: no wrong verdict, no refusal, no kid that signs before it is published.

One rotates every 50 ms; four issue, and read the key set after each token; four verify batches of new, old,
repeated and spoilt tokens. All against one service, over kept connections, of which each worker has some.
"""

import random
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import msgspec
from running import running
from service import Answer, Line, batch, prepared, version_of

ROTATE_EVERY_S = 0.05
ISSUERS = 4
VERIFIERS = 4
BATCH = 48
BATCH_AT_THE_END = 512
PAUSE_S = 0.005
"""Between two requests of an issuer or verifier, so that the rotator gets its turn on a small machine."""


class Wrong(AssertionError):
    """What must never happen has happened."""


@dataclass
class Outcome:
    """What a campaign did, all of it as it must be."""

    seconds: float = 0.0
    rotations: int = 0
    issued: int = 0
    key_sets: int = 0
    batches: int = 0
    verdicts: int = 0


class _Token(NamedTuple):
    sent: bytes
    verifies: bool


@dataclass
class _Known:
    """What everybody has been told."""

    tokens: list[bytes] = field(default_factory=list)
    spoilt: list[bytes] = field(default_factory=list)
    signs: int = 1  # the version that signs after the last rotation that was answered
    published: int = 2  # the newest version that a key set listed before it could sign


class _Campaign:
    def __init__(self, public: str, admin: str, outcome: Outcome, seed: int | None) -> None:
        self._public = public
        self._admin = admin
        self._outcome = outcome
        self._seed = seed
        self._known = _Known()
        self._over = threading.Event()
        self._counting = threading.Lock()

    def run(self, seconds: float) -> None:
        """Let all of them work for some seconds.

        Raises:
            Wrong: As soon as one of them is answered wrongly.
        """
        began = time.monotonic()
        everybody = [self._rotate, *[self._issue] * ISSUERS, *[self._verify] * VERIFIERS]
        with ThreadPoolExecutor(len(everybody)) as pool:
            working = [pool.submit(self._guarded, work, i) for i, work in enumerate(everybody)]
            self._over.wait(seconds)
            self._over.set()
        for each in working:
            each.result()
        self._verify_everything()
        self._outcome.seconds = time.monotonic() - began

    def _guarded(self, work: Callable[[random.Random], None], number: int) -> None:
        seed = None if self._seed is None else self._seed + number
        try:
            work(random.Random(seed))  # noqa: S311 - it draws tokens, not secrets
        except (OSError, HTTPException) as error:
            raise Wrong(f"a connection ended without an answer: {error!r}") from error
        finally:
            self._over.set()

    def _rotate(self, _: random.Random) -> None:
        known = self._known
        with Line(self._admin) as admin, Line(self._public) as public:
            first = _good(public.get("/v1/keys"), "a key set")
            _must(all(map(first.body.count, (b'/v1"', b'/v2"'))), "the first versions are not published")
            due = time.monotonic()
            while not self._over.wait(max(0.0, due - time.monotonic())):
                due += ROTATE_EVERY_S
                told = _good(admin.post("/admin/rotate"), "a rotation").json
                _must(version_of(told["current_kid"]) == known.signs + 1, "a rotation is not the next one")
                known.signs += 1
                self._outcome.rotations += 1
                # Only this thread rotates: until it does again, the next version cannot sign.
                published = _good(public.get("/v1/keys"), "a key set")
                _must(_lists(published, told["next_kid"]), "the next version is not published")
                _must(_lists(published, told["current_kid"]), "the version that signs is not published")
                known.published = version_of(told["next_kid"])

    def _issue(self, lot: random.Random) -> None:
        known = self._known
        with Line(self._public) as issuing, Line(self._public) as reading:
            while not self._over.wait(PAUSE_S):
                oldest = known.signs
                compact = lot.random() < 0.5
                path = f"/v1/passport/issue{'?format=compact' if compact else ''}"
                token = _good(issuing.post(path, b'{"sub":"alice","aud":"svc-a"}'), "an issue")
                kid = _kid(token.json, compact=compact)
                _must(version_of(kid) >= oldest, "a version signs that had been rotated away")
                _must(version_of(kid) <= known.published, "a version signs that no key set listed before")
                listed = _good(reading.get("/v1/keys"), "a key set")
                _must(_lists(listed, kid), "a token's version is not in the key set read after it")
                known.spoilt.append(_spoilt(token.json, compact=compact, lot=lot))
                known.tokens.append(token.body)
                with self._counting:
                    self._outcome.issued += 1
                    self._outcome.key_sets += 1

    def _verify(self, lot: random.Random) -> None:
        with Line(self._public) as line:
            while not self._over.wait(PAUSE_S):
                drawn = self._drawn(lot)
                told = _good(
                    line.post("/v1/passport/verify_batch", batch([t.sent for t in drawn])), "a batch"
                )
                _must(told.body == _verdicts(drawn), "a verdict is wrong")
                with self._counting:
                    self._outcome.batches += 1
                    self._outcome.verdicts += len(drawn)

    def _drawn(self, lot: random.Random) -> list[_Token]:
        """Return the newest tokens, old ones, one of them twice, and spoilt ones, shuffled."""
        known = self._known
        good = known.tokens[-BATCH // 3 :] + lot.choices(known.tokens or [b""], k=BATCH // 3)
        bad = lot.choices(known.spoilt or [b""], k=BATCH // 3)
        drawn = [_Token(t, verifies=True) for t in good if t] + [_Token(t, verifies=False) for t in bad if t]
        lot.shuffle(drawn)
        return drawn + drawn[:1]

    def _verify_everything(self) -> None:
        with Line(self._public) as line:
            for all_of_them, verifies in ((self._known.tokens, True), (self._known.spoilt, False)):
                for start in range(0, len(all_of_them), BATCH_AT_THE_END):
                    drawn = [_Token(t, verifies) for t in all_of_them[start : start + BATCH_AT_THE_END]]
                    told = _good(
                        line.post("/v1/passport/verify_batch", batch([t.sent for t in drawn])), "a batch"
                    )
                    _must(told.body == _verdicts(drawn), "a verdict at the end is wrong")
                    self._outcome.verdicts += len(drawn)


def campaign(folder: Path, *, seconds: float, workers: int, seed: int | None = None) -> Outcome:
    """Rotate, issue and verify at once, and look at every answer.

    Args:
        folder: Where the store is made.

    Raises:
        Wrong: An answer is not as it must be.
    """
    env = prepared(folder, keys__publish_ahead_s=0, server__workers=workers)
    outcome = Outcome()
    with running("--dev", env=env) as service:
        try:
            _Campaign(service.url, service.admin_url, outcome, seed).run(seconds)
        except Wrong as wrong:
            told = [event for event in service.events() if event["event"] != "request"]
            raise Wrong(f"{wrong}; the log tells {told[-5:]}, exit code {service.process.poll()}") from wrong
        _must(service.end() == 0, "the service does not end well")
    return outcome


def _good(answer: Answer, what: str) -> Answer:
    _must(answer.status == 200, f"{what} is answered {answer.status}: {answer.body[:200]!r}")
    return answer


def _lists(key_set: Answer, kid: str) -> bool:
    return b'"kid":"%b"' % kid.encode() in key_set.body


def _verdicts(tokens: list[_Token]) -> bytes:
    return batch([b"true" if token.verifies else b"false" for token in tokens])


def _kid(issued: dict[str, str], *, compact: bool) -> str:
    if not compact:
        return issued["kid"]
    header = issued["token"].partition(".")[0]
    return str(msgspec.json.decode(b64decode(header + "=" * (-len(header) % 4), altchars="-_"))["kid"])


def _spoilt(issued: dict[str, str], *, compact: bool, lot: random.Random) -> bytes:
    """Return a token with one bit of its signature or message turned, or under a neighbour's kid."""
    if compact:
        name = "token"
        start, end = len(issued[name]) - 80, len(issued[name]) - 2  # in the signature
        if lot.random() < 0.5:
            start, end = issued[name].index(".") + 2, len(issued[name]) - 90  # in the payload
        at = lot.randrange(start, end)
        old = issued[name][at]
        return msgspec.json.encode(
            {name: issued[name][:at] + ("A" if old != "A" else "B") + issued[name][at + 1 :]}
        )
    what = lot.choice(("sig_b64", "msg_b64", "kid"))
    if what == "kid":
        stem, _, version = issued["kid"].rpartition("/v")
        return msgspec.json.encode(issued | {"kid": f"{stem}/v{int(version) + lot.choice((1, -1)) or 2}"})
    raw = bytearray(b64decode(issued[what]))
    raw[lot.randrange(len(raw))] ^= 1 << lot.randrange(8)
    return msgspec.json.encode(issued | {what: b64encode(raw).decode()})


def _must(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise Wrong(otherwise)
