"""The sealed blob, taken apart by hand: the layout is a promise to every program that reads one."""

import struct

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from ron_kms import Entropy, KmsError, SealAuth, SealError, SealFormat, Secret, seal, unseal
from ron_kms.entropy import unsafe_seeded

NOW = 1_800_000_000_123
KEY = Secret(bytes(range(32)))
OTHER_KEY = Secret(bytes(range(1, 33)))
AAD = b"ed25519/default/v1"
PLAINTEXT = b"thirty-two bytes of private seed"
BLOB = seal(KEY, PLAINTEXT, AAD, now_ms=NOW, entropy=unsafe_seeded(b"sealed"))

PINNED = (
    "524b4d5301000001a3185c507b42a2b3b1bd1ae15390bf7d253d25618846e86c66716f3fa8"
    "6bec9effdaec1cd374d24e4bcc7905d420b5fb6879191a47d7eba74dd0080f37fda5aa4b"
)
"""``PLAINTEXT`` for ``AAD`` under ``KEY`` at ``NOW``, with the nonce of the seed ``sealed``."""


def test_a_blob_is_laid_out_as_documented() -> None:
    magic, version, ts_ms, nonce = struct.unpack(">4sBQ12s", BLOB[:25])
    assert (magic, version, ts_ms) == (b"RKMS", 1, NOW)
    assert nonce == unsafe_seeded(b"sealed")(12)
    assert len(BLOB) == 25 + len(PLAINTEXT) + 16
    opened = ChaCha20Poly1305(KEY.reveal()).decrypt(nonce, BLOB[25:], BLOB[:25] + AAD)
    assert opened == PLAINTEXT


def test_a_blob_made_by_hand_opens() -> None:
    header = b"RKMS" + b"\x01" + NOW.to_bytes(8, "big") + b"twelve bytes"
    blob = header + ChaCha20Poly1305(KEY.reveal()).encrypt(b"twelve bytes", PLAINTEXT, header + AAD)
    assert unseal(KEY, blob, AAD) == PLAINTEXT


def test_the_pinned_blob_is_made_and_opened() -> None:
    assert BLOB.hex() == PINNED
    assert unseal(KEY, bytes.fromhex(PINNED), AAD) == PLAINTEXT


def test_the_header_is_authenticated_by_the_aead_itself() -> None:
    with pytest.raises(InvalidTag):
        ChaCha20Poly1305(KEY.reveal()).decrypt(BLOB[13:25], BLOB[25:], AAD)


@pytest.mark.parametrize("size", [0, 1, 24, 25, 40])
def test_under_41_bytes_is_no_blob(size: int) -> None:
    for bytes_ in (BLOB[:size], bytes(size), (b"RKMS\x01" + bytes(40))[:size]):
        with pytest.raises(SealFormat):
            unseal(KEY, bytes_, AAD)


def test_41_bytes_seal_nothing() -> None:
    smallest = seal(KEY, b"", AAD, now_ms=NOW)
    assert len(smallest) == 41
    assert unseal(KEY, smallest, AAD) == b""
    with pytest.raises(SealAuth):
        unseal(KEY, b"RKMS\x01" + bytes(36), AAD)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"RKMT\x01", id="another magic"),
        pytest.param(b"rkms\x01", id="lowercase magic"),
        pytest.param(b"\0\0\0\0\x01", id="no magic"),
        pytest.param(b"RKMS\x00", id="version 0"),
        pytest.param(b"RKMS\x02", id="a later version"),
        pytest.param(b"RKMS1", id="the version as a character"),
        pytest.param(b"RKMS\xff", id="version 255"),
    ],
)
def test_another_magic_or_version_is_no_blob(head: bytes) -> None:
    with pytest.raises(SealFormat):
        unseal(KEY, head + BLOB[5:], AAD)


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(SealAuth):
        unseal(OTHER_KEY, BLOB, AAD)


@pytest.mark.parametrize(
    "aad",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"ed25519/default/v2", id="another place"),
        pytest.param(AAD + b"\0", id="longer"),
        pytest.param(AAD[:-1], id="shorter"),
        pytest.param(BLOB[:25] + AAD, id="with the header twice"),
    ],
)
def test_a_blob_that_was_moved_does_not_open(aad: bytes) -> None:
    with pytest.raises(SealAuth):
        unseal(KEY, BLOB, aad)


def test_no_bit_may_change() -> None:
    for bit in range(len(BLOB) * 8):
        changed = bytearray(BLOB)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealFormat if bit // 8 < 5 else SealAuth):
            unseal(KEY, bytes(changed), AAD)


@pytest.mark.parametrize("cut", [1, 15, 16, 31])
def test_a_blob_cut_short_or_drawn_out_does_not_open(cut: int) -> None:
    for changed in (BLOB[:-cut], BLOB + bytes(cut), BLOB[:25] + BLOB[25 + cut :]):
        with pytest.raises(SealAuth):
            unseal(KEY, changed, AAD)


def test_bytes_do_not_move_between_header_and_aad() -> None:
    # The header has a fixed length, so no other split of the same authenticated bytes is a blob.
    with pytest.raises(SealError):
        unseal(KEY, BLOB[:24] + BLOB[25:], BLOB[24:25] + AAD)


def test_the_same_plaintext_is_never_sealed_the_same_way_twice() -> None:
    blobs = {seal(KEY, PLAINTEXT, AAD, now_ms=NOW) for _ in range(100)}
    assert len({blob[13:25] for blob in blobs}) == 100


def test_a_plaintext_does_not_show_in_its_blob() -> None:
    assert PLAINTEXT not in BLOB
    assert KEY.reveal() not in BLOB


def test_a_refusal_is_one_of_two_fixed_sentences() -> None:
    sentences = set()
    for blob, aad in ((BLOB, b"x"), (BLOB[:-1], AAD), (BLOB[:-1] + bytes(1), AAD)):
        with pytest.raises(SealAuth) as refusal:
            unseal(KEY, blob, aad)
        sentences.add(str(refusal.value))
        assert refusal.value.__cause__ is None
        assert isinstance(refusal.value, KmsError)
    assert len(sentences) == 1


def test_without_randomness_nothing_is_sealed() -> None:
    def none(_: int) -> bytes:
        raise Entropy("none")

    with pytest.raises(Entropy):
        seal(KEY, PLAINTEXT, AAD, now_ms=NOW, entropy=none)


@settings(deadline=None)
@given(
    key=st.binary(min_size=32, max_size=32),
    plaintext=st.binary(max_size=200),
    aad=st.binary(max_size=100),
    now_ms=st.integers(0, 2**64 - 1),
)
def test_what_is_sealed_opens(key: bytes, plaintext: bytes, aad: bytes, now_ms: int) -> None:
    blob = seal(Secret(key), plaintext, aad, now_ms=now_ms)
    assert unseal(Secret(key), blob, aad) == plaintext
    assert len(blob) == 41 + len(plaintext)
    assert int.from_bytes(blob[5:13], "big") == now_ms


@settings(deadline=None)
@given(
    blob=st.binary(max_size=100)
    | st.builds(b"RKMS\x01".__add__, st.binary(max_size=100))
    | st.builds(b"RKMS".__add__, st.binary(min_size=37, max_size=60)),
    aad=st.binary(max_size=20),
)
def test_noise_is_refused_and_nothing_else_escapes(blob: bytes, aad: bytes) -> None:
    with pytest.raises(SealError):
        unseal(KEY, blob, aad)
