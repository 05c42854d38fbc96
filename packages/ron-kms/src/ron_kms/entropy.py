"""Where randomness comes from: the operating system, or, for known-answer vectors, a seed."""

import os
from collections.abc import Callable

from blake3 import blake3

from ron_kms import errors

Entropy = Callable[[int], bytes]
"""n → n random bytes."""


def system(size: int) -> bytes:
    """Return ``size`` random bytes of the operating system.

    Raises:
        Entropy: It gave none.
    """
    try:
        return os.urandom(size)
    except (OSError, NotImplementedError) as error:
        raise errors.Entropy("the operating system gave no randomness") from error


def unsafe_seeded(seed: bytes) -> Entropy:
    """Return a source that gives the same bytes for the same seed, for known-answer vectors only.

    The stream is BLAKE3's extendable output over ``seed``.
    """
    stream, offset = blake3(seed, derive_key_context="passport known-answer entropy v1"), 0

    def take(size: int) -> bytes:
        nonlocal offset
        offset += size
        return stream.digest(size, seek=offset - size)

    return take
