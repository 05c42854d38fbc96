"""Every derivation against an HKDF written out here, and whom a secret lets one speak for."""

import copy
import hmac
import pickle
from collections.abc import Callable
from typing import Any
from uuid import UUID

import cryptography_vectors
import pytest
from envelopes import EPOCH, INSTANCE, NOW_S, OTHER_INSTANCE, envelope, opened, sealed, signed, verified
from hypothesis import given, settings
from hypothesis import strategies as st

import ron_auth
from ron_auth import BadTag, Crypto, KeyCache
from ron_kms import Secret
from ron_kms.origin_keys import OriginKeys, PairKeys

ROOT = bytes(range(32))
KEYS = OriginKeys(Secret(ROOT))
HERE, THERE = "svc-here", "svc-there"

# The derivation, once more.


def hkdf(secret: bytes, info: bytes, *, salt: bytes = b"", size: int = 32) -> bytes:
    """RFC 5869, with SHA-256."""
    prk = hmac.digest(salt or bytes(32), secret, "sha256")
    okm = block = b""
    for number in range(1, 256):
        if len(okm) >= size:
            break
        block = hmac.digest(prk, block + info + bytes([number]), "sha256")
        okm += block
    return okm[:size]


def parts(*of: bytes) -> bytes:
    return b"".join(bytes([len(part) >> 8, len(part) & 255]) + part for part in of)


def origin_key(root: bytes, svc: str, instance: UUID, epoch: int) -> bytes:
    return hkdf(root, parts(b"ron-auth/origin/v1", svc.encode(), instance.bytes, epoch.to_bytes(8, "big")))


def pair_secret(root: bytes, svc: str, audience: str) -> bytes:
    return hkdf(root, parts(b"ron-auth/pair/v1", svc.encode(), audience.encode()))


def pair_key(pair: bytes, instance: UUID, epoch: int) -> bytes:
    return hkdf(
        pair, parts(b"ron-auth/pair-key/v1", b"HMAC-SHA256", instance.bytes, epoch.to_bytes(8, "big"))
    )


def test_the_hkdf_of_this_test_is_that_of_rfc_5869() -> None:
    with cryptography_vectors.open_vector_file("KDF/rfc-5869-HKDF-SHA256.txt", "r") as lines:
        cases: list[dict[str, str]] = []
        for name, _, value in (line.partition("=") for line in lines):
            if name.strip() == "COUNT":
                cases.append({})
            elif value:
                cases[-1][name.strip()] = value.strip()
    assert len(cases) == 3
    for case in cases:
        ikm, salt, info, okm = (bytes.fromhex(case.get(name, "")) for name in ("IKM", "salt", "info", "OKM"))
        assert hkdf(ikm, info, salt=salt, size=int(case["L"])) == okm


INFO = (
    b"\x00\x12ron-auth/origin/v1"
    b"\x00\x08svc-here"
    b"\x00\x10\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
    b"\x00\x08\x00\x00\x00\x00\x00\x00\x4f\x98"
)
PAIR_INFO = b"\x00\x10ron-auth/pair/v1\x00\x08svc-here\x00\x09svc-there"
PAIR_KEY_INFO = (
    b"\x00\x14ron-auth/pair-key/v1"
    b"\x00\x0bHMAC-SHA256"
    b"\x00\x10\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
    b"\x00\x08\x00\x00\x00\x00\x00\x00\x4f\x98"
)
"""Spelled out for ``HERE``, ``THERE``, ``INSTANCE`` and ``EPOCH``."""


def test_an_origin_key_is_derived_as_documented() -> None:
    key = KEYS.derive_origin_key(HERE, INSTANCE, EPOCH)
    assert key == hkdf(ROOT, INFO)
    assert key.hex() == "c8da8c67313c69e2709c889d3e4bd8dace9d14adf8e72209b8608629ae6bf4c3"


def test_a_pair_secret_is_derived_as_documented() -> None:
    secret = KEYS.pair_secret(HERE, THERE)
    assert secret == Secret(hkdf(ROOT, PAIR_INFO))
    assert secret.reveal().hex() == "b18d3151b92535bf7f8fff15ed5edd3098377a4ae6f7382faa31768279fbedd5"


def test_a_pair_key_is_derived_as_documented() -> None:
    key = KEYS.derive_pair_key(HERE, INSTANCE, THERE, EPOCH)
    assert key == hkdf(hkdf(ROOT, PAIR_INFO), PAIR_KEY_INFO)
    assert key.hex() == "77cb8fa54d7f12aa351acdc7386910f2088629271d10e6609b3ce3aba986cb87"


names = st.text(max_size=30)
epochs = st.integers(0, 2**64 - 1)


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=80), names, names, st.uuids(), epochs)
def test_every_derivation_is_that_hkdf(
    root: bytes, svc: str, audience: str, instance: UUID, epoch: int
) -> None:
    keys = OriginKeys(Secret(root))
    pair = keys.pair_secret(svc, audience)
    assert keys.derive_origin_key(svc, instance, epoch) == origin_key(root, svc, instance, epoch)
    assert pair.reveal() == pair_secret(root, svc, audience)
    expected = pair_key(pair.reveal(), instance, epoch)
    assert keys.derive_pair_key(svc, instance, audience, epoch) == expected
    assert PairKeys({(svc, audience): pair}).derive_pair_key(svc, instance, audience, epoch) == expected


def test_no_two_names_have_the_same_key() -> None:
    services = ["", "a", "b", "ab", "a\0", "é", "e\u0301", "\u0430"]
    made = [
        key
        for svc in services
        for instance in (INSTANCE, OTHER_INSTANCE)
        for epoch in (0, 1, 256, 2**64 - 1)
        for key in (
            KEYS.derive_origin_key(svc, instance, epoch),
            *(KEYS.derive_pair_key(svc, instance, audience, epoch) for audience in services),
        )
    ]
    made += [KEYS.pair_secret(svc, audience).reveal() for svc in services for audience in services]
    assert len(set(made)) == len(made)
    assert {len(key) for key in made} == {32}


def test_another_root_gives_other_keys() -> None:
    other = OriginKeys(Secret(ROOT[::-1]))
    assert other.derive_origin_key(HERE, INSTANCE, EPOCH) != KEYS.derive_origin_key(HERE, INSTANCE, EPOCH)
    assert other.pair_secret(HERE, THERE) != KEYS.pair_secret(HERE, THERE)


# What is refused.


@pytest.mark.parametrize("size", [0, 1, 16, 31])
def test_a_short_root_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        OriginKeys(Secret(bytes(size)))


@pytest.mark.parametrize("size", [32, 33, 64, 1000])
def test_a_root_of_32_bytes_or_more_is_taken(size: int) -> None:
    root = bytes(size)
    assert OriginKeys(Secret(root)).derive_origin_key(HERE, INSTANCE, 0) == origin_key(
        root, HERE, INSTANCE, 0
    )


@pytest.mark.parametrize("epoch", [0, 1, 2**63, 2**64 - 1])
def test_every_unsigned_epoch_of_64_bits_has_keys(epoch: int) -> None:
    pairs = PairKeys({(HERE, THERE): KEYS.pair_secret(HERE, THERE)})
    assert len(KEYS.derive_origin_key(HERE, INSTANCE, epoch)) == 32
    assert len(KEYS.derive_pair_key(HERE, INSTANCE, THERE, epoch)) == 32
    assert len(pairs.derive_pair_key(HERE, INSTANCE, THERE, epoch)) == 32


@pytest.mark.parametrize("epoch", [-1, 2**64, -(2**63)])
def test_no_other_epoch_has(epoch: int) -> None:
    pairs = PairKeys({(HERE, THERE): KEYS.pair_secret(HERE, THERE)})
    derivations: list[Callable[[], object]] = [
        lambda: KEYS.derive_origin_key(HERE, INSTANCE, epoch),
        lambda: KEYS.derive_pair_key(HERE, INSTANCE, THERE, epoch),
        lambda: pairs.derive_pair_key(HERE, INSTANCE, THERE, epoch),
    ]
    for derive in derivations:
        with pytest.raises(OverflowError):
            derive()


def test_a_name_has_at_most_65535_bytes() -> None:
    longest = "é" * 32_767 + "e"
    assert KEYS.derive_origin_key(longest, INSTANCE, 0) == origin_key(ROOT, longest, INSTANCE, 0)
    assert KEYS.pair_secret(HERE, longest).reveal() == pair_secret(ROOT, HERE, longest)
    too_long = "é" * 32_768
    derivations: list[Callable[[], object]] = [
        lambda: KEYS.derive_origin_key(too_long, INSTANCE, 0),
        lambda: KEYS.derive_pair_key(too_long, INSTANCE, THERE, 0),
        lambda: KEYS.pair_secret(HERE, too_long),
    ]
    for derive in derivations:
        with pytest.raises(OverflowError):
            derive()


# Who holds what.

MINE = PairKeys({(HERE, THERE): KEYS.pair_secret(HERE, THERE)})
"""What ``THERE`` holds: it hears from ``HERE`` and from nobody else."""


@pytest.mark.parametrize(
    ("svc", "audience"),
    [
        pytest.param(THERE, HERE, id="the other direction"),
        pytest.param(HERE, "svc-third", id="to a third"),
        pytest.param("svc-third", THERE, id="from a third"),
        pytest.param(HERE, HERE, id="to itself"),
        pytest.param(HERE, "", id="to nobody"),
        pytest.param("", "", id="nobody to nobody"),
        pytest.param("svc-here ", THERE, id="a look-alike"),
        pytest.param(HERE + "svc", "-there", id="the same letters, split elsewhere"),
    ],
)
def test_a_pair_that_is_not_held_has_no_key(svc: str, audience: str) -> None:
    with pytest.raises(LookupError):
        MINE.derive_pair_key(svc, INSTANCE, audience, EPOCH)


def test_pairs_know_no_origin_key() -> None:
    with pytest.raises(LookupError):
        MINE.derive_origin_key(HERE, INSTANCE, EPOCH)


def test_pairs_are_those_that_were_given() -> None:
    given_pairs = {(HERE, THERE): KEYS.pair_secret(HERE, THERE)}
    pairs = PairKeys(given_pairs)
    given_pairs[HERE, "svc-third"] = KEYS.pair_secret(HERE, "svc-third")
    with pytest.raises(LookupError):
        pairs.derive_pair_key(HERE, INSTANCE, "svc-third", EPOCH)
    given_pairs.clear()
    assert pairs.derive_pair_key(HERE, INSTANCE, THERE, EPOCH)


def test_an_envelope_for_a_receiver_opens_with_what_it_holds() -> None:
    for kd in (MINE, KeyCache(MINE)):
        wire = sealed(KEYS, origin_svc=HERE, audience=THERE)
        assert opened(wire, kd, senders=(HERE,), audience=THERE).origin_svc == HERE


def test_a_receiver_forges_for_no_third_party() -> None:
    for audience in ("svc-third", HERE, None):
        with pytest.raises(BadTag):
            sealed(MINE, origin_svc=HERE, audience=audience)
    # Nor by the key that it has: for another audience, or for all.
    key = MINE.derive_pair_key(HERE, INSTANCE, THERE, EPOCH)

    class Forger:
        def derive_origin_key(self, _svc: str, _instance: UUID, _epoch: int, /) -> bytes:
            return key

        def derive_pair_key(self, _svc: str, _instance: UUID, _audience: str, _epoch: int, /) -> bytes:
            return key

    for audience in ("svc-third", HERE, None):
        with pytest.raises(BadTag):
            opened(
                sealed(Forger(), origin_svc=HERE, audience=audience), KEYS, senders=(HERE,), audience=audience
            )


def test_a_receiver_with_pairs_alone_believes_nothing_without_an_audience() -> None:
    with pytest.raises(BadTag):
        opened(sealed(KEYS, origin_svc=HERE), MINE, senders=(HERE,))
    with pytest.raises(BadTag):
        verified(signed(KEYS, origin_svc=HERE), MINE, senders=(HERE,))


def test_with_every_key_every_form_is_signed_and_verified() -> None:
    for kd in (KEYS, KeyCache(KEYS)):
        assert verified(signed(KEYS), kd).tag == signed(KEYS).tag
        assert opened(sealed(KEYS), kd).nonce == envelope().nonce
        for adjacent in (EPOCH - 1, EPOCH + 1):
            verified(signed(KEYS, epoch=adjacent), kd, adjacent=True)
            opened(sealed(KEYS, epoch=adjacent), kd)


def test_what_has_no_keys_has_no_verdict() -> None:
    with pytest.raises(Crypto):
        signed(KEYS, epoch=-1)
    with pytest.raises(Crypto):
        ron_auth.verify_envelope(KEYS, "svc-overlay", 2**64, (), signed(KEYS), now_s=NOW_S)


# What is shown.


@pytest.mark.parametrize("keys", [KEYS, MINE], ids=["origin keys", "pair keys"])
def test_no_secret_is_shown_or_written_out(keys: object) -> None:
    secrets = [ROOT, KEYS.pair_secret(HERE, THERE).reveal()]
    for shown in (repr(keys), str(keys), repr(vars(keys)), f"{keys!r}", repr([keys])):
        for secret in secrets:
            assert secret.hex() not in shown
            assert repr(secret)[2:20] not in shown
    for write in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            write(keys)


def test_a_refusal_shows_no_secret_and_no_name() -> None:
    def refused(derive: Any, *name: Any) -> str:
        with pytest.raises((LookupError, OverflowError)) as refusal:
            derive(*name)
        return f"{refusal.value!r}"

    told = [
        refused(MINE.derive_pair_key, HERE, INSTANCE, "svc-third", EPOCH),
        refused(MINE.derive_origin_key, HERE, INSTANCE, EPOCH),
        refused(KEYS.derive_origin_key, HERE, INSTANCE, -1),
    ]
    assert not any("svc" in text or ROOT.hex()[:8] in text for text in told)


def test_a_pair_secret_is_a_secret() -> None:
    secret = KEYS.pair_secret(HERE, THERE)
    assert type(secret) is Secret
    assert len(secret) == 32
    assert repr(secret) == "<Secret>"
