"""The one text form of a key id.

    ed25519/<namespace>/v<N>

At most 128 characters. The namespace is one or more ``[a-z0-9][a-z0-9._-]*`` segments joined by ``/``;
N counts from 1 and has no leading zero.
"""

import re
from typing import NamedTuple, Self

ALGORITHM = "ed25519"
KID_CHARS_MAX = 128
"""Longest key id read or written. It travels in every token."""

_NAMESPACE = r"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*"
_is_namespace = re.compile(_NAMESPACE, re.ASCII).fullmatch
_match = re.compile(rf"{ALGORITHM}/({_NAMESPACE})/v([1-9][0-9]*)", re.ASCII).fullmatch


class Kid(NamedTuple):
    """A key id, taken apart. ``str()`` gives its one text form."""

    namespace: str
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the one text form.

        Raises:
            ValueError: ``text`` is anything else.
        """
        found = _match(text) if len(text) <= KID_CHARS_MAX else None
        if found is None:
            raise ValueError("not a key id")
        return cls(found[1], int(found[2]))

    def __str__(self) -> str:
        return f"{ALGORITHM}/{self.namespace}/v{self.number}"


def check_namespace(namespace: str) -> str:
    """Return ``namespace`` if versions can be named under it for as long as anybody rotates.

    Raises:
        ValueError: It has another form, or leaves no room for the version number.
    """
    if not _is_namespace(namespace) or len(str(Kid(namespace, 10**9))) > KID_CHARS_MAX:
        raise ValueError("not a namespace")
    return namespace
