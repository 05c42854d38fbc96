"""Every engine signs as RFC 8032 says, byte for byte, and nothing shows the key."""

import copy
import gc
import pickle
import threading

import ed25519_vectors as published
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ron_kms import Secret
from ron_kms.engines import Engine, choose
from ron_kms.engines.sodium import SodiumSigner
from ron_kms.errors import AlgUnavailable

SEED = bytes(range(32))


@pytest.fixture(scope="module", params=["sodium", "native"])
def engine(request: pytest.FixtureRequest) -> Engine:
    try:
        return choose(request.param)
    except AlgUnavailable as missing:
        pytest.skip(f"{missing}: it is made where cargo is")


def test_all_1024_of_rfc_8032_come_out(engine: Engine) -> None:
    signed = published.rfc8032_signed()
    assert len(signed) == 1024
    for seed, message, signature in signed:
        assert engine.signer(Secret(seed)).sign(message) == signature


@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=700))
def test_libsodium_signs_the_same(engine: Engine, seed: bytes, message: bytes) -> None:
    assert engine.signer(Secret(seed)).sign(message) == SodiumSigner(Secret(seed)).sign(message)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_seed_is_32_bytes(engine: Engine, length: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - in each library's own words
        engine.signer(Secret(bytes(length)))


@pytest.mark.parametrize("message", [None, 1, "text", bytearray(3), memoryview(b"abc")])
def test_what_is_signed_is_bytes(engine: Engine, message: object) -> None:
    with pytest.raises(TypeError):
        engine.signer(Secret(SEED)).sign(message)  # type: ignore[arg-type]


def test_nothing_shows_the_key(engine: Engine) -> None:
    signer = engine.signer(Secret(SEED))
    shown = f"{signer} {signer!r} {vars(signer) if hasattr(signer, '__dict__') else ''} {dir(signer)}"
    assert SEED.hex() not in shown
    assert repr(SEED)[2:20] not in shown
    with pytest.raises(TypeError):
        copy.deepcopy(signer)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(signer, protocol)


def test_threads_share_a_signer_and_it_outlives_the_seed(engine: Engine) -> None:
    seed = Secret(SEED)
    signer, expected = engine.signer(seed), SodiumSigner(Secret(SEED)).sign(b"m")
    seed.wipe()
    gc.collect()
    seen: set[bytes] = set()
    threads = [
        threading.Thread(target=lambda: seen.update(signer.sign(b"m") for _ in range(50))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {expected}
