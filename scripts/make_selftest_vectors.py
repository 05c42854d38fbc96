"""Make the table of ``ron_kms.engines.selftest``.

    PYTHONPATH=tests/support .venv/bin/python scripts/make_selftest_vectors.py

prints its rows, always the same; a test compares them with the table. A fault comes alone wherever it can:
an engine that is blind to it finds that the equation holds.
"""

from collections.abc import Callable
from itertools import count

import ed25519_oracle as oracle

from ron_kms.engines.selftest import Vector

SECRET = pow(3, 2000, oracle.L)
NONCE = pow(5, 2000, oracle.L)
MESSAGE = b"passport"

NEUTRAL_AGAIN = (oracle.P + 1).to_bytes(32, "little")
OF_ORDER_8 = oracle.encode(oracle.TORSION[1])
MIXED = oracle.encode(oracle.point(SECRET, torsion=1))

Signed = tuple[bytes, bytes, bytes]
"""(public key, message, signature)."""


def vectors() -> list[Vector]:
    """Return the table, in order."""
    key, message, signature = signed()
    zero_key, _, zero_signature = signed(a=0, r=0)
    return [
        row("a message", True, signed()),
        row("an empty message", True, signed(b"")),
        row("a message that goes on in a second SHA-512 block", True, signed(MESSAGE * 6)),
        row("a flipped bit in the message", False, (key, flipped(message), signature)),
        row("a flipped bit in R", False, (key, message, flipped(signature))),
        row("a flipped bit in S", False, (key, message, signature[:32] + flipped(signature[32:]))),
        row("S + L", False, (key, message, oracle.plus(signature, oracle.L))),
        # The equation can hold for S = L only where key and R are of small order too.
        row("S = L", False, (zero_key, message, oracle.plus(zero_signature, oracle.L))),
        row("the neutral element as key", False, signed(a=0)),
        row("the neutral element as key, with y = p + 1", False, signed(a=0, key=NEUTRAL_AGAIN)),
        row("a key of order 8, and 8 divides k", False, found(divided_by_8, a=0, key=OF_ORDER_8)),
        row("a key that is no point", False, signed(a=0, key=no_point())),
        row("the neutral element as R", False, signed(r=0)),
        row("the neutral element as R, with y = p + 1", False, signed(r=0, commitment=NEUTRAL_AGAIN)),
        row("a mixed-order key, and 8 divides k", True, found(divided_by_8_once_reduced, key=MIXED)),
        row(
            "a mixed-order key, and 8 divides k before it is reduced",
            False,
            found(divided_by_8_at_first, key=MIXED),
        ),
        row("torsion in R", False, signed(commitment=oracle.encode(oracle.point(NONCE, torsion=1)))),
        row(
            "torsion in R that cancels the key's",
            True,
            found(one_modulo_8, key=MIXED, commitment=oracle.encode(oracle.point(NONCE, torsion=-1))),
        ),
        *lengths(),
    ]


def lengths() -> list[Vector]:
    """Return vectors of the wrong length; what is cut off is a zero byte, so that padding would mend them."""
    key, message, signature = signed()
    low_key, _, its_signature = signed(a=next(a for a in count(1) if oracle.encode(oracle.point(a))[31] == 0))
    low_s = next(low for i in count() if (low := signed(str(i).encode()))[2][63] == 0)
    return [
        row("a key of 31 bytes", False, (low_key[:31], message, its_signature)),
        row("a key of 33 bytes", False, (key + b"\0", message, signature)),
        row("a key of none", False, (b"", message, signature)),
        row("a signature of 63 bytes", False, (low_s[0], low_s[1], low_s[2][:63])),
        row("a signature of 65 bytes", False, (key, message, signature + b"\0")),
        row("a signature of none", False, (key, message, b"")),
    ]


def signed(
    message: bytes = MESSAGE,
    *,
    a: int = SECRET,
    r: int = NONCE,
    key: bytes | None = None,
    commitment: bytes | None = None,
) -> Signed:
    """Sign with these scalars; key and R are their points unless others are put in their places."""
    key = key or oracle.encode(oracle.point(a))
    commitment = commitment or oracle.encode(oracle.point(r))
    return key, message, oracle.sign(message, a=a, key=key, r=r, commitment=commitment)


def found(
    wanted: Callable[[int], bool],
    *,
    a: int = SECRET,
    key: bytes,
    commitment: bytes | None = None,
) -> Signed:
    """Sign the first number, in decimal, whose digest is wanted (k is the digest modulo L)."""
    commitment = commitment or oracle.encode(oracle.point(NONCE))
    numbers = (str(i).encode() for i in count())
    message = next(text for text in numbers if wanted(oracle.digest(commitment, key, text)))
    return signed(message, a=a, key=key, commitment=commitment)


def divided_by_8(digest: int) -> bool:
    """Whether both are."""
    return digest % oracle.L % 8 == 0 == digest % 8


def divided_by_8_once_reduced(digest: int) -> bool:
    """Whether k is, and the digest is not."""
    return digest % oracle.L % 8 == 0 != digest % 8


def divided_by_8_at_first(digest: int) -> bool:
    """Whether the digest is, and k is not."""
    return digest % oracle.L % 8 != 0 == digest % 8


def one_modulo_8(digest: int) -> bool:
    """Whether k is."""
    return digest % oracle.L % 8 == 1


def no_point() -> bytes:
    """Return the encoding of the smallest y that no point has."""
    return next(raw for y in count() if oracle.decode(raw := y.to_bytes(32, "little"), strict=False) is None)


def flipped(text: bytes) -> bytes:
    """Return the text with its first bit flipped."""
    return bytes([text[0] ^ 1]) + text[1:]


def row(what: str, holds: bool, signed: Signed) -> Vector:
    """Write the bytes in hexadecimal, R apart from S."""
    key, message, signature = signed
    return Vector(what, holds, key.hex(), message.hex(), signature[:32].hex(), signature[32:].hex())


if __name__ == "__main__":
    for vector in vectors():
        print(
            "    Vector(",
            *(f'        "{field}",' if isinstance(field, str) else f"        {field}," for field in vector),
            "    ),",
            sep="\n",
        )
