from typing import Any

import ed25519_oracle as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ron_kms.errors import BadPublicKey, KmsError
from ron_kms.publickey import import_public_key

HONEST = oracle.encode(oracle.point(2024))
SCALARS = [1, 2, 2024, oracle.L - 1]
NO_POINT = next(
    raw for raw in (y.to_bytes(32, "little") for y in range(9)) if oracle.decode(raw, strict=False) is None
)


@pytest.mark.parametrize("scalar", SCALARS)
def test_a_point_of_prime_order_is_imported_as_it_is(scalar: int) -> None:
    raw = oracle.encode(oracle.point(scalar))
    assert import_public_key(raw) == raw


@pytest.mark.parametrize("torsion", range(1, 8))
@pytest.mark.parametrize("scalar", SCALARS)
def test_a_mixed_order_is_refused(scalar: int, torsion: int) -> None:
    # Order 2·L (torsion 4) is what libsodium before PyNaCl 1.6.2 lets through (CVE-2025-69277).
    with pytest.raises(BadPublicKey):
        import_public_key(oracle.encode(oracle.point(scalar, torsion)))


@pytest.mark.parametrize("torsion", range(8))
def test_a_small_order_is_refused_in_every_encoding(torsion: int) -> None:
    for raw in oracle.encodings(oracle.TORSION[torsion]):
        with pytest.raises(BadPublicKey):
            import_public_key(raw)


def test_every_encoding_with_y_not_below_p_is_refused() -> None:
    for y in range(oracle.P, 2**255):
        for sign in (0, 1):
            with pytest.raises(BadPublicKey):
                import_public_key((y | sign << 255).to_bytes(32, "little"))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(HONEST[:31], id="one byte short"),
        pytest.param(HONEST + b"\0", id="one byte long"),
        pytest.param(NO_POINT, id="no point of the curve"),
        pytest.param(bytearray(HONEST), id="not bytes"),
        pytest.param(HONEST.hex(), id="text"),
        pytest.param(None, id="nothing"),
    ],
)
def test_what_is_not_32_bytes_of_a_point_is_refused(raw: Any) -> None:
    with pytest.raises(BadPublicKey):
        import_public_key(raw)


def test_a_refusal_is_a_fixed_sentence() -> None:
    sentences = set()
    for raw in (NO_POINT, oracle.encode(oracle.point(5, 1)), oracle.encode(oracle.TORSION[1])):
        with pytest.raises(KmsError) as refusal:
            import_public_key(raw)
        sentences.add(str(refusal.value))
    assert sentences == {"a public key is the canonical encoding of a point of prime order"}


@settings(deadline=None, max_examples=200)
@given(st.binary(min_size=32, max_size=32))
def test_any_32_bytes_are_judged_as_the_oracle_judges_them(raw: bytes) -> None:
    point = oracle.decode(raw)
    try:
        imported = import_public_key(raw)
    except BadPublicKey:
        assert point is None or not oracle.is_prime_order(point)
    else:
        assert imported == raw
        assert point is not None
        assert oracle.is_prime_order(point)
