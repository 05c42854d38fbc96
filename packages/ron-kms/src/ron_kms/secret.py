"""Bytes that do not print, pickle, or compare loosely."""

import hmac
from typing import NoReturn, final


@final
class Secret:
    """Key material in memory.

    It shows nothing in ``repr``, ``str``, ``format`` or an f-string, cannot be pickled or copied, has no
    hash, and compares in constant time with another ``Secret`` only. ``reveal`` is the one door, and
    ``wipe`` overwrites what is held here; copies that a library made on the way are beyond Python's reach.
    """

    __slots__ = ("_held",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: bytes) -> None:
        self._held = bytearray(memoryview(value))  # a bytearray of a number would be so many zeros

    def reveal(self) -> bytes:
        """Return the bytes, for the one call that needs them."""
        return bytes(self._held)

    def wipe(self) -> None:
        """Overwrite the bytes with zeros; afterwards ``reveal`` gives nothing but those."""
        self._held[:] = bytes(len(self._held))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._held, other._held)

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return "<Secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never written out")
