"""The self-test passes an engine that follows the rule, and finds out one that is blind to a part of it."""

import runpy
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import cache
from pathlib import Path
from typing import cast

import ed25519_oracle as oracle
import pytest
from nacl.signing import SigningKey

from ron_kms.engines import Item, Signer, VerifyingKey
from ron_kms.engines.selftest import SIGNED, VECTORS, Vector, check
from ron_kms.engines.sodium import SodiumEngine
from ron_kms.errors import AlgUnavailable
from ron_kms.secret import Secret

SCRIPT = Path(__file__).parents[3] / "scripts" / "make_selftest_vectors.py"
CANONICAL_SMALL_ORDERS = frozenset(map(oracle.encode, oracle.TORSION))

Rule = Callable[[bytes, bytes, bytes], bool]


class OracleEngine(SodiumEngine):
    """Verifies in big integers, with a rule and a way to hand the verdicts back."""

    name = "oracle"

    def __init__(
        self, rule: Rule = oracle.verdict, hand_back: Callable[[list[bool]], Sequence[int]] = list
    ) -> None:
        self._rule = cache(rule)
        self._hand_back = hand_back

    def load(self, public_key: bytes) -> VerifyingKey:
        return VerifyingKey(public_key)

    def verify_many(self, items: Sequence[Item]) -> Sequence[int]:
        return self._hand_back([self._rule(cast("bytes", key), message, sig) for key, message, sig in items])


class Blind(Enum):
    """What an engine may fail to look at."""

    LENGTHS = auto()  # cuts, and fills with zeros
    S_RANGE = auto()
    KEY_POINT = auto()  # takes what is no point for the neutral element
    KEY_ENCODING = auto()  # decodes leniently, and knows the small orders by their canonical bytes
    KEY_ORDER = auto()
    R_ENCODING = auto()  # as with the key, and compares points
    R_ORDER = auto()
    COFACTOR = auto()  # compares after a multiplication by 8
    REDUCTION = auto()  # multiplies by the whole digest, not by k


def blind(*to: Blind) -> Rule:
    """Return the rule without what ``to`` says. Blind to nothing, it is the rule."""

    def rule(public_key: bytes, message: bytes, signature: bytes) -> bool:
        if Blind.LENGTHS in to:
            public_key, signature = public_key[:32].ljust(32, b"\0"), signature[:64].ljust(64, b"\0")
        if len(public_key) != 32 or len(signature) != 64:
            return False
        commitment, s = signature[:32], int.from_bytes(signature[32:], "little")
        key = decoded(public_key, Blind.KEY_ENCODING, Blind.KEY_ORDER)
        if key is None and Blind.KEY_POINT in to and oracle.decode(public_key, strict=False) is None:
            key = oracle.NEUTRAL
        r = decoded(commitment, Blind.R_ENCODING, Blind.R_ORDER)
        if key is None or r is None or (s >= oracle.L and Blind.S_RANGE not in to):
            return False
        k = (oracle.digest if Blind.REDUCTION in to else oracle.challenge)(commitment, public_key, message)
        error = oracle.combine((s, oracle.BASE), (k, oracle.negate(key)), (1, oracle.negate(r)))
        return oracle.is_small_order(error) if Blind.COFACTOR in to else oracle.is_neutral(error)

    def decoded(raw: bytes, encoding: Blind, order: Blind) -> oracle.Point | None:
        point = oracle.decode(raw, strict=encoding not in to)
        if point is None or order in to:
            return point
        small = raw in CANONICAL_SMALL_ORDERS if encoding in to else oracle.is_small_order(point)
        return None if small else point

    return rule


def bytes_of(vector: Vector) -> tuple[bytes, bytes, bytes]:
    return (
        bytes.fromhex(vector.public_key),
        bytes.fromhex(vector.message),
        bytes.fromhex(vector.r + vector.s),
    )


def test_the_table_is_what_the_script_makes() -> None:
    assert runpy.run_path(str(SCRIPT))["vectors"]() == VECTORS


@pytest.mark.parametrize("vector", [pytest.param(vector, id=vector.what) for vector in VECTORS])
def test_the_oracle_agrees_with_the_table(vector: Vector) -> None:
    assert oracle.verdict(*bytes_of(vector)) is vector.holds
    assert blind()(*bytes_of(vector)) is vector.holds


@pytest.mark.parametrize("engine", [SodiumEngine(), OracleEngine()], ids=lambda engine: str(engine.name))
def test_an_engine_that_follows_the_rule_passes(engine: SodiumEngine) -> None:
    check(engine)


FIRST_TWO = [r + s for _, _, r, s in SIGNED[:2]]


def test_the_signatures_of_the_table_are_those_of_the_oracle() -> None:
    for seed, message, r, s in SIGNED:
        key = SigningKey(bytes.fromhex(seed))
        assert oracle.verdict(bytes(key.verify_key), bytes.fromhex(message), bytes.fromhex(r + s))


class Scribe(SodiumEngine):
    """Signs, and changes what it signed."""

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        self._change = change

    def signer(self, seed: Secret) -> Signer:
        return Changed(super().signer(seed), self._change)


class Changed:
    def __init__(self, signer: Signer, change: Callable[[bytes], bytes]) -> None:
        self._signer, self._change = signer, change

    def sign(self, message: bytes, /) -> bytes:
        return self._change(self._signer.sign(message))


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        (lambda signature: signature, True),
        (lambda signature: oracle.plus(signature, oracle.L), False),
        (lambda signature: bytes([signature[0] ^ 1]) + signature[1:], False),
        (lambda signature: signature + b"\0", False),
        (lambda _: bytes(64), False),
        (lambda signature: signature if signature.hex() in FIRST_TWO else bytes(64), False),
        (lambda _: 1 // 0, False),
    ],
    ids=["as it is", "S + L", "a bit of R", "one byte more", "zeros", "zeros for long messages", "raises"],
)
def test_an_engine_that_signs_wrongly_is_found_out(change: Callable[[bytes], bytes], *, holds: bool) -> None:
    if holds:
        check(Scribe(change))
    else:
        with pytest.raises(AlgUnavailable):
            check(Scribe(change))


@pytest.mark.parametrize(
    ("to", "told_by"),
    [
        pytest.param(
            {Blind.LENGTHS},
            {"a key of 31 bytes", "a key of 33 bytes", "a signature of 63 bytes", "a signature of 65 bytes"},
            id="lengths",
        ),
        pytest.param({Blind.S_RANGE}, {"S + L"}, id="the range of S"),
        pytest.param({Blind.KEY_POINT}, {"a key that is no point"}, id="a key that is no point"),
        pytest.param(
            {Blind.KEY_ENCODING},
            {"the neutral element as key, with y = p + 1"},
            id="the key's second encoding",
        ),
        pytest.param(
            {Blind.KEY_ORDER},
            {"the neutral element as key", "a key of order 8, and 8 divides k"},
            id="the key's small order",
        ),
        pytest.param(
            {Blind.R_ENCODING}, {"the neutral element as R, with y = p + 1"}, id="R's second encoding"
        ),
        pytest.param({Blind.R_ORDER}, {"the neutral element as R"}, id="R's small order"),
        pytest.param(
            {Blind.S_RANGE, Blind.KEY_ORDER, Blind.R_ORDER},
            {
                "S + L",
                "S = L",
                "the neutral element as key",
                "a key of order 8, and 8 divides k",
                "the neutral element as R",
            },
            id="the range of S and small orders",
        ),
        pytest.param(
            {Blind.COFACTOR},
            {"a mixed-order key, and 8 divides k before it is reduced", "torsion in R"},
            id="torsion, being cofactored",
        ),
        pytest.param(
            {Blind.REDUCTION},
            {
                "a mixed-order key, and 8 divides k",
                "a mixed-order key, and 8 divides k before it is reduced",
            },
            id="the reduction of k",
        ),
    ],
)
def test_an_engine_blind_to_a_part_of_the_rule_is_found_out(to: set[Blind], told_by: set[str]) -> None:
    rule = blind(*to)
    assert {vector.what for vector in VECTORS if rule(*bytes_of(vector)) != vector.holds} == told_by
    with pytest.raises(AlgUnavailable):
        check(OracleEngine(rule))


def raises(*_: object) -> bool:
    raise ValueError("a bad item")


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(lambda *_: True, id="accepts everything"),
        pytest.param(lambda *_: False, id="refuses everything"),
        pytest.param(lambda *item: not oracle.verdict(*item), id="says the opposite"),
        pytest.param(raises, id="raises"),
    ],
)
def test_an_engine_without_judgement_is_found_out(rule: Rule) -> None:
    with pytest.raises(AlgUnavailable):
        check(OracleEngine(rule))


@pytest.mark.parametrize(
    "hand_back",
    [
        pytest.param(lambda v: v[::-1], id="reversed"),
        pytest.param(lambda v: v[1:] + v[:1], id="moved by one"),
        pytest.param(lambda v: v[:-1], id="one too few"),
        pytest.param(lambda v: [*v, False], id="one too many"),
        pytest.param(lambda v: [all(v)] * len(v), id="one bad item spoils the batch"),
        pytest.param(lambda v: [any(v)] * len(v), id="one good item saves the batch"),
        pytest.param(lambda v: v if len(v) > 1 else [True], id="accepts a lone item"),
        pytest.param(lambda v: v if len(v) > 1 else [False], id="refuses a lone item"),
        pytest.param(lambda v: [2 * one for one in v], id="two for yes"),
        *(
            pytest.param(
                lambda v, lane=lane: [one and i % 8 != lane for i, one in enumerate(v)],
                id=f"refuses in lane {lane}",
            )
            for lane in range(8)
        ),
        *(
            pytest.param(
                lambda v, lane=lane: [one or i % 8 == lane for i, one in enumerate(v)],
                id=f"accepts in lane {lane}",
            )
            for lane in range(8)
        ),
    ],
)
def test_an_engine_that_mixes_its_items_up_is_found_out(
    hand_back: Callable[[list[bool]], Sequence[int]],
) -> None:
    with pytest.raises(AlgUnavailable):
        check(OracleEngine(hand_back=hand_back))
