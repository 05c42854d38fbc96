"""The judge in the tests: Ed25519 in big integers, slow and plain, and the material an attacker would make.

It shares nothing with the engines but the rule. References are to RFC 8032; the rule is stricter than its
§5.1.7: cofactorless, no key and no R of small order, nothing in a second encoding.

A point is (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z (§5.1.4).
"""

import hashlib
from itertools import count

Point = tuple[int, int, int, int]

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)
NEUTRAL: Point = (0, 1, 1, 0)


def verdict(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """The rule: what every engine must answer, for bytes of any length."""
    if len(signature) != 64:
        return False
    key, s = decode(public_key), int.from_bytes(signature[32:], "little")
    if key is None or is_small_order(key) or s >= L:
        return False
    k = challenge(signature[:32], public_key, message)
    recovered = combine((s, BASE), (k, negate(key)))
    return encode(recovered) == signature[:32] and not is_small_order(recovered)


def challenge(commitment: bytes, public_key: bytes, message: bytes) -> int:
    """k of §5.1.7, over the bytes as they are, and reduced: under a key with torsion that matters."""
    return digest(commitment, public_key, message) % L


def digest(commitment: bytes, public_key: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(commitment + public_key + message).digest(), "little")


# The group, §5.1.4.


def add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def negate(p: Point) -> Point:
    return P - p[0], p[1], p[2], P - p[3]


def combine(*terms: tuple[int, Point]) -> Point:
    """The sum of scalar times point, with the doublings shared. No scalar is reduced by L."""
    total = NEUTRAL
    for bit in reversed(range(max(scalar.bit_length() for scalar, _ in terms))):
        total = add(total, total)
        for scalar, point in terms:
            if scalar >> bit & 1:
                total = add(total, point)
    return total


def is_neutral(p: Point) -> bool:
    return p[0] % P == 0 and (p[1] - p[2]) % P == 0


def is_small_order(p: Point) -> bool:
    """Whether the order divides the cofactor, 8."""
    return is_neutral(combine((8, p)))


def is_prime_order(p: Point) -> bool:
    """Whether the order is L itself."""
    return is_neutral(combine((L, p))) and not is_neutral(p)


# The encoding, §5.1.2 and §5.1.3.


def encode(p: Point) -> bytes:
    z = pow(p[2], -1, P)
    x, y = p[0] * z % P, p[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(encoded: bytes, *, strict: bool = True) -> Point | None:
    """Return the point, or None: not 32 bytes, no point, or (unless lenient) not its only encoding."""
    if len(encoded) != 32:
        return None
    word = int.from_bytes(encoded, "little")
    sign, written = word >> 255, word % 2**255
    y = written % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * SQRT_MINUS_ONE % P
    if v * x * x % P != u:
        return None
    if strict and (written >= P or (x == 0 and sign)):
        return None
    x = -x % P if x & 1 != sign else x
    return x, y, 1, x * y % P


def encodings(p: Point) -> list[bytes]:
    """Every 32 bytes that a lenient decoder reads as ``p``, the canonical ones first."""
    word = int.from_bytes(encode(p), "little")
    sign, y = word >> 255, word % 2**255
    signs = [0, 1] if is_neutral(add(p, p)) else [sign]  # x = 0 is the same negated
    ys = [y, y + P] if y + P < 2**255 else [y]
    return [(y | sign << 255).to_bytes(32, "little") for y in ys for sign in signs]


def _point(y: int) -> Point:
    point = decode(y.to_bytes(32, "little"))
    assert point is not None
    return point


def _torsion() -> list[Point]:
    """The eight points whose order divides the cofactor: the multiples of one of order 8."""
    for y in count(2):
        found = decode(y.to_bytes(32, "little"))
        if found is not None:
            generator = combine((L, found))
            if not is_neutral(combine((4, generator))):
                return [combine((i, generator)) for i in range(8)]
    raise AssertionError


BASE = _point(4 * pow(5, -1, P) % P)
TORSION = _torsion()
"""``TORSION[i]`` is i times a point of order 8."""


# What an attacker makes.


def point(scalar: int, torsion: int = 0) -> Point:
    """scalar times the base point, with a point of small order added: mixed order unless ``torsion`` is 0."""
    return add(combine((scalar, BASE)), TORSION[torsion % 8])


def sign(message: bytes, *, a: int, key: bytes, r: int, commitment: bytes) -> bytes:
    """Sign with chosen scalars, as if ``key`` were a·B and ``commitment`` r·B, whatever they are.

    Torsion and second encodings go into the bytes; S follows from the bytes as they are.
    """
    return commitment + scalar_bytes((r + challenge(commitment, key, message) * a) % L)


def plus(signature: bytes, difference: int) -> bytes:
    """The signature with ``difference`` (L, for one) added to its S."""
    return signature[:32] + scalar_bytes(int.from_bytes(signature[32:], "little") + difference)


def scalar_bytes(scalar: int) -> bytes:
    return scalar.to_bytes(32, "little")
