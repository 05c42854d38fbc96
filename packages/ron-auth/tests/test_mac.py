"""HMAC-SHA256, the way of the library's own and the standard library's."""

import hmac
from collections.abc import Iterator

import cryptography_vectors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ron_auth import mac


def rfc4231() -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield key, message and tag where the key is one that ``Mac`` takes: no longer than a block."""
    with cryptography_vectors.open_vector_file("HMAC/rfc-4231-sha256.txt", "r") as lines:
        case: dict[str, bytes] = {}
        for name, _, value in (line.strip().partition(" = ") for line in lines):
            if name in {"Key", "Msg", "MD"}:
                case[name] = bytes.fromhex(value)
            if name == "MD" and len(case["Key"]) <= 64:
                yield case["Key"], case["Msg"], case["MD"]


VECTORS = [pytest.param(*case, id=str(number)) for number, case in enumerate(rfc4231(), 1)]


def test_four_vectors_have_such_a_key() -> None:
    assert len(VECTORS) == 4


@pytest.mark.parametrize(("key", "message", "tag"), VECTORS)
def test_the_vectors_of_rfc_4231_hold(key: bytes, message: bytes, tag: bytes) -> None:
    assert mac.Mac(key).tag(message) == mac.tag(key, message) == tag


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=300), max_size=4))
def test_a_key_made_ready_gives_the_tags_of_hmac_again_and_again(key: bytes, messages: list[bytes]) -> None:
    ready = mac.Mac(key)
    for message in messages * 2:
        assert ready.tag(message) == mac.tag(key, message) == hmac.new(key, message, "sha256").digest()


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 65_536])
def test_no_length_of_message_is_special(size: int) -> None:
    key = bytes(range(32))
    message = bytes(size)
    assert mac.Mac(key).tag(message) == mac.tag(key, message) == hmac.new(key, message, "sha256").digest()
