"""Rust's serde and ron_auth derive the same keys, write the same bytes, and believe each other's envelopes.

The Rust side is ``interop/envelopes``, asked a thousand lines at a time.
"""

import enum
import json
import math
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest

import ron_auth
from ron_auth import Envelope, Plane
from ron_kms.origin_keys import OriginKeys, PairKeys
from ron_kms.secret import Secret

CRATE = Path(__file__).parent / "interop" / "envelopes"
BUILD_S_MAX = 600
ASK_S_MAX = 60

ROOT = bytes([7]) * 32
"""The test secret of both sides."""

EPOCH = 20_376
NOW_S = 1_760_500_000
ME = "svc-получатель"
KEYS = OriginKeys(Secret(ROOT))

MANY = 1_000
SOME = 300


class Rust(NamedTuple):
    """The program of the crate."""

    program: Path

    def __call__(self, *words: object, lines: Iterable[str] = ()) -> list[str]:
        """Return its answer to one command, a line each."""
        done = subprocess.run(
            [self.program, *map(str, words)],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            timeout=ASK_S_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def made(self, *words: object) -> list[bytes]:
        """Return the envelopes it makes."""
        return [bytes.fromhex(line) for line in self(*words)]

    def verdicts(self, *words: object, on: Iterable[bytes]) -> list[str]:
        """Return what it thinks of each envelope: ``ok``, ``bad_tag`` or ``malformed``."""
        lines = [envelope.hex() for envelope in on]
        verdicts = [line.partition(":")[0] for line in self(*words, lines=lines)]
        assert len(verdicts) == len(lines)
        return verdicts


@pytest.fixture(scope="session")
def rust() -> Rust:
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("no cargo here: nothing builds the Rust side of the envelopes")
    build = [cargo, "build", "--release", "--locked", "--quiet"]
    done = subprocess.run(
        build, cwd=CRATE, stderr=subprocess.PIPE, text=True, timeout=BUILD_S_MAX, check=False
    )
    assert done.returncode == 0, done.stderr
    return Rust(CRATE / "target" / "release" / "envelopes")


@pytest.fixture
def lot(request: pytest.FixtureRequest) -> Random:
    """Chance, the same at every run of the same test."""
    return Random(request.node.name)  # noqa: S311 - it draws shapes, not secrets


# What Python services put into envelopes


class Kind(enum.Enum):
    UP = "Up"
    DOWN = "Down"


class Level(enum.IntEnum):
    LOW = -129
    HIGH = 65_536


class Relay(msgspec.Struct):
    """A Rust struct."""

    route: str
    seq: int
    kind: Kind
    more: Any = None


class Span(msgspec.Struct, array_like=True):
    """A Rust tuple struct."""

    start: int
    end: float
    level: Level


class Update(msgspec.Struct, omit_defaults=True, rename="camel"):
    """A Rust struct whose empty fields are skipped."""

    last_seen: int | None = None
    raw_key: bytes = b""


DEPTH_MAX = 8  # of a value, as ``ron_auth`` reads it
LENGTHS = [0, 1, 15, 16, 31, 32, 255, 256, 300]
INTEGERS = [
    integer
    for edge in (0, *(2**bits for bits in (5, 7, 8, 15, 16, 31, 32, 63, 64)))
    for near in (edge - 1, edge, edge + 1)
    for integer in (near, -near)
    if -(2**63) <= integer < 2**64
]
FLOATS = [0.0, -0.0, 1.0, -1.5, 0.1, 5e-324, 2.2e-308, -1.7976931348623157e308, math.inf, -math.inf, math.nan]
LETTERS = "az09 -/\0\x7fßжאहक्€日\ufffd\uffff😀\U0010ffff"


def length(lot: Random) -> int:
    return lot.choice(LENGTHS) if lot.random() < 0.1 else lot.randrange(12)


def text(lot: Random) -> str:
    letters = lot.choice(["a", LETTERS])
    return "".join(lot.choices(letters, k=length(lot)))


def octets(lot: Random) -> bytes:
    return lot.randbytes(length(lot))


def floating(lot: Random) -> float:
    return lot.choice(
        [lot.choice(FLOATS), lot.uniform(-1e6, 1e6), math.ldexp(lot.random(), lot.randint(-1074, 1023))]
    )


def integer(lot: Random) -> int:
    return lot.choice([lot.choice(INTEGERS), lot.randint(-(2**63), 2**64 - 1)])


def key(lot: Random) -> Any:
    return lot.choice([text, text, text, octets, integer])(lot)


def value(lot: Random, depth: int = DEPTH_MAX) -> Any:
    """Return a value nested at most ``depth`` deep; many at the root, few below."""
    flat: list[Callable[[], Any]] = [
        lambda: None,
        lambda: lot.random() < 0.5,
        lambda: integer(lot),
        lambda: floating(lot),
        lambda: text(lot),
        lambda: octets(lot),
        lambda: lot.choice([*Kind, *Level]),
        lambda: UUID(bytes=lot.randbytes(16)),
        lambda: ron_auth.Scope("overlay:route"),
    ]
    if depth == 0:
        return lot.choice(flat)()
    count = lot.randint(0, 20 if depth == DEPTH_MAX else 3)
    deep: list[Callable[[], Any]] = [
        lambda: [value(lot, depth - 1) for _ in range(count)],
        lambda: tuple(value(lot, depth - 1) for _ in range(count)),
        lambda: {key(lot): value(lot, depth - 1) for _ in range(count)},
        lambda: {text(lot): value(lot, depth - 1) for _ in range(count)},
        lambda: Relay(text(lot), integer(lot), lot.choice(list(Kind)), value(lot, depth - 1)),
        lambda: Span(integer(lot), floating(lot), lot.choice(list(Level))),
        lambda: Update(lot.choice([None, integer(lot)]), octets(lot)),
    ]
    return lot.choice(flat + deep + deep)()


def envelope(lot: Random) -> Envelope:
    return Envelope(
        plane=lot.choice(list(Plane)),
        origin_svc=f"svc-{text(lot)}",
        origin_instance=UUID(bytes=lot.randbytes(16)),
        tenant_id=lot.choice([None, text(lot)]),
        scopes=tuple(text(lot) for _ in range(lot.randint(0, 20))),
        nonce=lot.randbytes(16),
        iat=NOW_S - lot.randrange(60),
        exp=NOW_S + lot.randrange(60),
        header=value(lot),
        payload=value(lot),
    )


def flipped(data: bytes, lot: Random) -> bytes:
    """Return ``data`` with one bit changed."""
    bit = lot.randrange(len(data) * 8)
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# Both sides, with nothing to choose


def signed(env: Envelope) -> bytes:
    return ron_auth.pack(ron_auth.sign_envelope(KEYS, env.origin_svc, env.origin_instance, EPOCH, env))


def verified(data: bytes) -> Envelope:
    env = ron_auth.unpack(data)
    return ron_auth.verify_envelope(KEYS, env.origin_svc, EPOCH, env.scopes, env, now_s=NOW_S)


def opened(wire: bytes, audience: str | None) -> Envelope:
    """Open as ``audience`` does: with the secret of the pair, where there is one, and no other."""
    svc = ron_auth.from_bytes(wire).claimed.origin_svc
    keys = PairKeys({(svc, audience): KEYS.pair_secret(svc, audience)}) if audience else KEYS
    return ron_auth.open(keys, wire, senders={svc}, audience=audience, epoch=EPOCH, now_s=NOW_S)


every_audience = pytest.mark.parametrize("audience", [None, ME], ids=["for all", "for one"])


def named(audience: str | None) -> str:
    return audience or "-"


@pytest.mark.parametrize("epoch", [0, EPOCH, 2**64 - 1])
@pytest.mark.parametrize("svc", ["", "svc-overlay", "svc-ж", "s" * 300])
def test_the_keys_are_the_same(rust: Rust, lot: Random, svc: str, epoch: int) -> None:
    instance = UUID(bytes=lot.randbytes(16))
    pair = KEYS.pair_secret(svc, ME)
    assert rust("keys", svc, instance.hex, ME, epoch) == [
        KEYS.derive_origin_key(svc, instance, epoch).hex(),
        pair.reveal().hex(),
        PairKeys({(svc, ME): pair}).derive_pair_key(svc, instance, ME, epoch).hex(),
    ]


def test_python_believes_what_rust_signed_and_writes_it_as_rust_does(rust: Rust, lot: Random) -> None:
    made = rust.made("sign", MANY, lot.getrandbits(64), EPOCH, NOW_S)
    assert len(made) == MANY
    for data in made:
        assert ron_auth.pack(verified(data)) == data


def test_rust_believes_what_python_signed(rust: Rust, lot: Random) -> None:
    made = [signed(envelope(lot)) for _ in range(MANY)]
    assert rust.verdicts("verify", EPOCH, on=made) == ["ok"] * MANY
    assert rust.verdicts("verify", EPOCH + 1, on=made) == ["bad_tag"] * MANY


@every_audience
def test_python_opens_what_rust_sealed(rust: Rust, lot: Random, audience: str | None) -> None:
    made = rust.made("seal", SOME, lot.getrandbits(64), EPOCH, NOW_S, named(audience))
    assert len(made) == SOME
    for wire in made:
        env = opened(wire, audience)
        assert ron_auth.seal(KEYS, env, audience=audience, epoch=EPOCH) == wire


@every_audience
def test_rust_opens_what_python_sealed(rust: Rust, lot: Random, audience: str | None) -> None:
    made = [ron_auth.seal(KEYS, envelope(lot), audience=audience, epoch=EPOCH) for _ in range(SOME)]
    assert rust.verdicts("open", EPOCH, named(audience), on=made) == ["ok"] * SOME
    assert rust.verdicts("open", EPOCH, "svc-other", on=made) == ["bad_tag"] * SOME
    assert rust.verdicts("open", EPOCH + 1, named(audience), on=made) == ["bad_tag"] * SOME


def test_neither_side_believes_a_signed_envelope_with_a_bit_changed(rust: Rust, lot: Random) -> None:
    made = rust.made("sign", SOME, lot.getrandbits(64), EPOCH, NOW_S)
    made += [signed(envelope(lot)) for _ in range(SOME)]
    changed = [flipped(data, lot) for data in made]
    assert set(rust.verdicts("verify", EPOCH, on=changed)) == {"bad_tag", "malformed"}
    for data in changed:
        with pytest.raises((ron_auth.BadTag, ron_auth.Malformed)):
            verified(data)


@every_audience
def test_neither_side_opens_what_has_a_bit_changed(rust: Rust, lot: Random, audience: str | None) -> None:
    made = rust.made("seal", SOME, lot.getrandbits(64), EPOCH, NOW_S, named(audience))
    made += [ron_auth.seal(KEYS, envelope(lot), audience=audience, epoch=EPOCH) for _ in range(SOME)]
    changed = [flipped(wire, lot) for wire in made]
    assert set(rust.verdicts("open", EPOCH, named(audience), on=changed)) == {"bad_tag", "malformed"}
    for wire in changed:
        with pytest.raises((ron_auth.BadTag, ron_auth.Malformed)):
            opened(wire, audience)


def test_the_bench_times_each_of_the_four_verbs(rust: Rust) -> None:
    [line] = rust("bench", 1, 64)
    measured = json.loads(line)
    assert measured.keys() == {"bytes", "sign_ns", "verify_ns", "seal_ns", "open_ns"}
    assert min(measured.values()) > 0
