"""What one service says to another, before and after it is signed."""

import enum
import re
import secrets
from typing import Annotated, Any, Self, final
from uuid import UUID

import msgspec

from ron_auth.errors import Malformed
from ron_auth.limits import EPOCH_S, NONCE_BYTES, SCOPES_MAX, TAG_BYTES


@final
class Plane(enum.Enum):
    """Who speaks: a node of the overlay, or an application on it."""

    Node = "Node"
    App = "App"


@final
class Scope(str):
    """The name of a right, such as ``overlay:route``: 1 to 128 of ``A-Z a-z 0-9 . _ : / * -``.

    ASCII only, so that no look-alike letter makes two scopes that read the same. An envelope may carry any
    string as a scope; what a verifier *requires*, and what a service grants, is best spelled as a ``Scope``.

    Raises:
        ValueError: the text is not of this form.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text; see the class."""
        if not _SCOPE.fullmatch(text):
            raise ValueError("a scope is 1 to 128 of A-Z a-z 0-9 . _ : / * -")
        return super().__new__(cls, text)


_SCOPE = re.compile(r"[A-Za-z0-9._:/*-]{1,128}")


Nonce = Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
Scopes = Annotated[tuple[str, ...], msgspec.Meta(max_length=SCOPES_MAX)]
Seconds = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Envelope(msgspec.Struct, frozen=True):
    """A message between services. Field order is the order under the MAC.

    ``header`` and ``payload`` are anything MessagePack carries: None, bool, int of 64 bits, float, str,
    bytes, lists and dicts of them, and msgspec structs, whose fields go in declaration order as a Rust
    struct's do. Fields are not checked when an envelope is made, but when it is signed.
    """

    plane: Plane
    origin_svc: str
    origin_instance: UUID  # one per process start
    tenant_id: str | None
    scopes: Scopes
    nonce: Nonce  # 16 random bytes, see ``generate_nonce``
    iat: Seconds  # since the Unix epoch, UTC; 64 bits, signed
    exp: Seconds  # same clock; the last second in which it holds
    header: Any
    payload: Any
    tag: bytes = b""  # 32 bytes once signed

    def __repr__(self) -> str:
        """Leave out header, payload and tag: they belong in no log."""
        return (
            f"<Envelope {self.plane.value} {self.origin_svc!r} {self.origin_instance}"
            f" iat={self.iat} exp={self.exp} scopes={self.scopes!r}>"
        )


def generate_nonce() -> bytes:
    """Return 16 random bytes of the operating system's generator, for one envelope."""
    return secrets.token_bytes(NONCE_BYTES)


def epoch_of(unix_s: int) -> int:
    """Return the key epoch of a moment: whole days since 1970-01-01 UTC."""
    return unix_s // EPOCH_S


def check_fields(env: Envelope) -> None:
    """Return only if every field but header, payload and tag has its type and range.

    Raises:
        Malformed: one has not; ``detail`` names it.
    """
    if type(env.plane) is not Plane:
        raise Malformed("plane is not a Plane")
    if type(env.origin_svc) is not str:
        raise Malformed("origin_svc is not a str")
    if not isinstance(env.origin_instance, UUID):
        raise Malformed("origin_instance is not a UUID")
    if not (env.tenant_id is None or isinstance(env.tenant_id, str)):
        raise Malformed("tenant_id is not a str or None")
    if not (type(env.scopes) is tuple and all(isinstance(scope, str) for scope in env.scopes)):
        raise Malformed("scopes is not a tuple of str")
    if len(env.scopes) > SCOPES_MAX:
        raise Malformed("more than 256 scopes")
    if not (type(env.nonce) is bytes and len(env.nonce) == NONCE_BYTES):
        raise Malformed("nonce is not 16 bytes")
    for moment in (env.iat, env.exp):
        if not (type(moment) is int and -(2**63) <= moment < 2**63):
            raise Malformed("iat or exp is not a 64-bit int")


def check_signed(env: Envelope) -> None:
    """Return only if ``check_fields`` does and the tag is 32 bytes, of whatever key.

    Raises:
        Malformed: see ``check_fields``.
    """
    check_fields(env)
    if type(env.tag) is not bytes or len(env.tag) != TAG_BYTES:
        raise Malformed("a tag that is not 32 bytes")
