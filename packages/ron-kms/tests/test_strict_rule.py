"""Every engine decides by the one rule, single and batch: as published vectors, and as the oracle, say.

Every engine is asked in every way, so a new engine is one more name in ``ENGINES``.
"""

from collections.abc import Callable, Sequence
from functools import cache, reduce
from itertools import count, product
from random import Random

import ed25519_oracle as oracle
import ed25519_vectors as published
import pytest
from ed25519_vectors import Case
from hypothesis import given, settings
from hypothesis import strategies as st

from ron_kms.engines import Engine, choose
from ron_kms.errors import AlgUnavailable

ENGINES = ["sodium", "native"]

Signed = tuple[bytes, bytes, bytes]
"""(public key, message, signature)."""

Ask = Callable[[Engine, Sequence[Signed]], list[int]]

SECRET = pow(7, 2000, oracle.L)
NONCE = pow(11, 2000, oracle.L)


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    try:
        return choose(request.param)
    except AlgUnavailable as missing:
        pytest.skip(f"{missing}: it is made where cargo is")


def one_by_one(engine: Engine, items: Sequence[Signed]) -> list[int]:
    """Every item in a call of its own."""
    return [verdict for item in items for verdict in together(engine, [item])]


def together(engine: Engine, items: Sequence[Signed]) -> list[int]:
    """All items in one call, with one handle for each key."""
    handles = {key: engine.load(key) for key, _, _ in items}
    return list(engine.verify_many([(handles[key], message, signature) for key, message, signature in items]))


def shuffled_with_duplicates(engine: Engine, items: Sequence[Signed]) -> list[int]:
    """Every item twice in one call, anywhere in it; the two answers have to be one."""
    order = [*range(len(items)), *range(len(items))]
    Random(len(items)).shuffle(order)  # noqa: S311 - an order, no secret
    answers: dict[int, int] = {}
    for i, verdict in zip(order, together(engine, [items[i] for i in order]), strict=True):
        assert answers.setdefault(i, verdict) == verdict
    return [answers[i] for i in range(len(items))]


@pytest.fixture(params=[one_by_one, together, shuffled_with_duplicates], ids=lambda way: str(way.__name__))
def accepted(engine: Engine, request: pytest.FixtureRequest) -> Callable[[Sequence[Case]], list[Case]]:
    """Return the cases that the engine accepts, asked in one of the ways."""
    ask: Ask = request.param

    def accepted(cases: Sequence[Case]) -> list[Case]:
        verdicts = ask(engine, [case.signed for case in cases])
        assert set(verdicts) <= {0, 1}
        return [case for case, verdict in zip(cases, verdicts, strict=True) if verdict]

    return accepted


Accepted = Callable[[Sequence[Case]], list[Case]]


class TestPublishedVectors:
    def test_speccheck_accepts_only_case_3(self, accepted: Accepted) -> None:
        cases = published.speccheck()
        assert len(cases) == 12
        assert [case.number for case in accepted(cases)] == [3]

    def test_cctv_accepts_43_of_914(self, accepted: Accepted) -> None:
        refused_for = {
            "low_order_A",
            "low_order_R",
            "non_canonical_A",
            "non_canonical_R",
            "low_order_residue",
            "reencoded_k",
        }
        cases = published.cctv()
        holding = accepted(cases)
        assert (len(cases), len(holding)) == (914, 43)
        assert holding == [case for case in cases if not case.flags & refused_for]
        assert sum("low_order_component_A" in case.flags for case in holding) == 42

    def test_wycheproof_accepts_the_valid_and_21_of_22_under_mixed_order(self, accepted: Accepted) -> None:
        cases = published.wycheproof()
        valid, invalid, small, mixed = (
            [case for case in cases if flag in case.flags]
            for flag in ("valid", "invalid", "SmallOrderPublicKey", "MixedOrderPublicKey")
        )
        assert [len(some) for some in (cases, valid, invalid, small, mixed)] == [210, 117, 64, 8, 22]
        holding = accepted(cases)
        assert len(holding) == 117 + 21
        assert holding == [case for case in cases if case in valid or (case in mixed and case not in invalid)]

    def test_all_1024_of_rfc_8032_hold(self, accepted: Accepted) -> None:
        cases = published.rfc8032()
        assert len(cases) == 1024
        assert accepted(cases) == cases

    @pytest.mark.parametrize(
        "source", [published.speccheck, published.cctv, published.wycheproof, published.rfc8032]
    )
    def test_the_oracle_says_the_same(self, engine: Engine, source: Callable[[], list[Case]]) -> None:
        items = [case.signed for case in source()]
        assert together(engine, items) == [judged(*item) for item in items]


judged = cache(oracle.verdict)

KEYS = [oracle.encode(oracle.point(SECRET, torsion)) for torsion in range(8)]
COMMITMENTS = [oracle.encode(oracle.point(NONCE, torsion)) for torsion in range(8)]


def signed(
    message: bytes = b"passport",
    *,
    a: int = SECRET,
    key: bytes = KEYS[0],
    r: int = NONCE,
    commitment: bytes = COMMITMENTS[0],
) -> Signed:
    return key, message, oracle.sign(message, a=a, key=key, r=r, commitment=commitment)


def signed_where_k_is(
    residue: int, *, a: int = SECRET, key: bytes, r: int = NONCE, commitment: bytes = COMMITMENTS[0]
) -> Signed:
    """Sign the first number, in decimal, for which k leaves this residue modulo 8."""
    messages = (str(i).encode() for i in count())
    message = next(text for text in messages if oracle.challenge(commitment, key, text) % 8 == residue % 8)
    return signed(message, a=a, key=key, r=r, commitment=commitment)


class TestTheEdgesOfTheRule:
    def test_every_length_of_message_holds(self, engine: Engine) -> None:
        items = [signed(bytes(length)) for length in range(300)]
        assert together(engine, items) == [True] * 300

    def test_no_bit_may_change(self, engine: Engine) -> None:
        key, message, signature = signed()
        assert together(engine, [(key, message, signature)]) == [True]
        changed = [
            *((one, message, signature) for one in one_bit_off(key)),
            *((key, one, signature) for one in one_bit_off(message)),
            *((key, message, one) for one in one_bit_off(signature)),
        ]
        assert not any(together(engine, changed))

    def test_s_is_below_l(self, engine: Engine) -> None:
        key, message, signature = signed()
        higher = [(key, message, oracle.plus(signature, times * oracle.L)) for times in range(15)]
        assert together(engine, higher) == [True] + [False] * 14

    def test_torsion_holds_only_where_it_cancels(self, engine: Engine) -> None:
        items, cancels = [], []
        for i, j, message in product(range(8), range(8), (b"", b"passport")):
            items.append(signed(message, key=KEYS[i], commitment=COMMITMENTS[j]))
            k = oracle.challenge(COMMITMENTS[j], KEYS[i], message)
            cancels.append((j + k * i) % 8 == 0)
        assert together(engine, items) == cancels == [judged(*item) for item in items]

    @pytest.mark.parametrize("torsion", range(8))
    def test_no_key_of_small_order_holds_in_any_encoding(self, engine: Engine, torsion: int) -> None:
        items = [signed_where_k_is(0, a=0, key=key) for key in oracle.encodings(oracle.TORSION[torsion])]
        assert not any(together(engine, items))
        assert not any(judged(*item) for item in items)

    @pytest.mark.parametrize("torsion", range(8))
    def test_no_r_of_small_order_holds_in_any_encoding(self, engine: Engine, torsion: int) -> None:
        items = [
            signed_where_k_is(torsion, key=KEYS[7], r=0, commitment=commitment)
            for commitment in oracle.encodings(oracle.TORSION[torsion])
        ]
        assert not any(together(engine, items))
        assert not any(judged(*item) for item in items)

    def test_an_empty_batch_has_no_verdicts(self, engine: Engine) -> None:
        assert together(engine, []) == []


def one_bit_off(text: bytes) -> list[bytes]:
    number = int.from_bytes(text, "little")
    return [(number ^ 1 << bit).to_bytes(len(text), "little") for bit in range(8 * len(text))]


def cancelling_pairs() -> dict[str, list[Signed]]:
    """Return refused items whose errors add up to nothing: what an equation over the whole batch accepts."""
    key, one, first = signed(b"one")
    _, two, second = signed(b"two")
    return {
        "S up, S down": [(key, one, oracle.plus(first, 1)), (key, two, oracle.plus(second, -1))],
        "S exchanged": [(key, one, first[:32] + second[32:]), (key, two, second[:32] + first[32:])],
        "torsion and its opposite": [
            signed(b"one", commitment=COMMITMENTS[1]),
            signed(b"two", commitment=COMMITMENTS[7]),
        ],
        "torsion of order 2 twice": [
            signed(b"one", commitment=COMMITMENTS[4]),
            signed(b"two", commitment=COMMITMENTS[4]),
        ],
        "torsion of order 8 eight times": [signed(commitment=COMMITMENTS[1])] * 8,
        "torsion of the key and of R": [
            signed_where_k_is(1, key=KEYS[1]),
            signed(commitment=COMMITMENTS[7]),
        ],
    }


def error_of(key: bytes, message: bytes, signature: bytes) -> oracle.Point:
    """S·B − k·A − R: neutral for what holds."""
    a, r = oracle.decode(key), oracle.decode(signature[:32])
    assert a is not None
    assert r is not None
    s, k = int.from_bytes(signature[32:], "little"), oracle.challenge(signature[:32], key, message)
    return oracle.combine((s, oracle.BASE), (k, oracle.negate(a)), (1, oracle.negate(r)))


@pytest.mark.parametrize("pair", cancelling_pairs().values(), ids=cancelling_pairs())
def test_errors_that_cancel_are_errors(engine: Engine, pair: list[Signed]) -> None:
    assert oracle.is_neutral(reduce(oracle.add, (error_of(*item) for item in pair)))
    assert together(engine, pair) == [False] * len(pair) == [judged(*item) for item in pair]
    assert together(engine, [signed(), *pair, signed()]) == [True, *[False] * len(pair), True]


SCALARS = st.sampled_from([0, 1, SECRET, NONCE, oracle.L - 1])
TORSIONS = st.just(0) | st.integers(0, 7)
EDGES_OF_S = [0, oracle.L - 1, oracle.L, oracle.L + 1, 2**252, 2**253 - 1, 2**255, 2**256 - 1]


@st.composite
def forged(draw: st.DrawFn) -> Signed:
    """Draw what somebody makes who chooses everything: scalars, torsion, encodings, S, single bits."""
    a, r = draw(SCALARS), draw(SCALARS)
    key = draw(st.sampled_from(oracle.encodings(oracle.point(a, draw(TORSIONS)))))
    commitment = draw(st.sampled_from(oracle.encodings(oracle.point(r, draw(TORSIONS)))))
    message = draw(st.binary(max_size=150))
    signature = oracle.sign(message, a=a, key=key, r=r, commitment=commitment)
    match draw(st.sampled_from(["as it is", "as it is", "S + L", "S of an edge", "a bit off", "noise"])):
        case "S + L":
            signature = oracle.plus(signature, draw(st.integers(1, 14)) * oracle.L)
        case "S of an edge":
            signature = signature[:32] + oracle.scalar_bytes(draw(st.sampled_from(EDGES_OF_S)))
        case "a bit off":
            key, signature = draw(
                st.sampled_from(
                    [(one, signature) for one in one_bit_off(key)]
                    + [(key, one) for one in one_bit_off(signature)]
                )
            )
        case "noise":
            signature = draw(st.binary(min_size=64, max_size=64))
    return key, message, signature


def of_about(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=size + 3) | st.binary(min_size=size, max_size=size)


NOISE: st.SearchStrategy[Signed] = st.tuples(of_about(32), of_about(150), of_about(64))
POOL = [
    *(signed(bytes(length), key=key) for length in (0, 48, 200) for key in KEYS[:5]),
    *(signed_where_k_is(0, key=key) for key in KEYS),
    *(item for pair in cancelling_pairs().values() for item in pair[:2]),
]


class TestProperties:
    @settings(deadline=None, max_examples=100)
    @given(items=st.lists(forged(), min_size=1, max_size=3))
    def test_an_engine_says_what_the_oracle_says(self, engine: Engine, items: list[Signed]) -> None:
        assert together(engine, items) == [judged(*item) for item in items]

    @settings(deadline=None, max_examples=150)
    @given(items=st.lists(st.sampled_from(POOL) | NOISE, max_size=24), data=st.data())
    def test_an_item_has_the_verdict_it_has_alone(
        self, engine: Engine, items: list[Signed], data: st.DataObject
    ) -> None:
        alone = one_by_one(engine, items)
        assert together(engine, items) == alone
        order = data.draw(st.permutations(range(len(items))))
        assert together(engine, [items[i] for i in order]) == [alone[i] for i in order]

    @settings(deadline=None, max_examples=200)
    @given(items=st.lists(NOISE, max_size=12))
    def test_noise_of_any_length_is_refused_and_raises_nothing(
        self, engine: Engine, items: list[Signed]
    ) -> None:
        assert together(engine, items) == [False] * len(items)
