"""The wire form: bytes to structures and back. The only module that knows this layout.

    offset 0      1                                                       len-32      len
           | 0x01 | MessagePack array of 13                              | tag, 32 B |
           |<--------------------- signed, after the label ------------->|

    the array, in this order:

    mac            1 = HMAC-SHA256; nothing else is accepted
    epoch          which key: unsigned, 64 bits; days since 1970-01-01 unless the cluster agrees otherwise
    audience       str or nil; with one, the key is that of the pair (sender, audience)
    plane          "Node" or "App"
    origin_svc     str
    origin_instance  bin of 16, a UUID
    tenant_id      str or nil
    scopes         array of str
    nonce          bin of 16
    iat, exp       integers, signed, 64 bits: seconds since the Unix epoch
    header         any value
    payload        any value

    tag = HMAC-SHA256(key, "ron-auth/wire/v1" ‖ bytes 0 to len-32)

The tag covers the bytes as received: nothing is written anew before it is checked. There is one way to
write an envelope, and another way of writing the same is refused. 64 KiB at most; header and payload as
``values`` says.
"""

from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec

from ron_auth import values
from ron_auth.envelope import Envelope, Nonce, Plane, Scopes, Seconds, check_signed
from ron_auth.errors import Malformed
from ron_auth.limits import EPOCH_MAX, TAG_BYTES, WIRE_BYTES_MAX

VERSION: Final = 1
HMAC_SHA256: Final = 1
LABEL = b"ron-auth/wire/v1"


Epoch = Annotated[int, msgspec.Meta(ge=0)]


class Claim(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """The array: what a sender says. Field order is wire order. Nothing of it is to be believed yet."""

    mac: Literal[1]
    epoch: Epoch
    audience: str | None
    plane: Plane
    origin_svc: str
    origin_instance: UUID
    tenant_id: str | None
    scopes: Scopes
    nonce: Nonce
    iat: Seconds
    exp: Seconds
    header: msgspec.Raw
    payload: msgspec.Raw


class Sealed(msgspec.Struct, frozen=True):
    """A wire form as a value: who is to read it, under which key, and what it claims.

    ``from_bytes`` makes one without checking any tag. Only ``open`` tells whether it is to be believed.
    """

    epoch: int
    audience: str | None
    claimed: Envelope  # with its tag
    mac: int = HMAC_SHA256


_decode = msgspec.msgpack.Decoder(Claim).decode


def to_bytes(sealed: Sealed) -> bytes:
    """Return the one wire form of ``sealed``, the inverse of ``from_bytes``. It does not sign: see ``seal``.

    Raises:
        Malformed: it cannot be written.
    """
    if sealed.mac != HMAC_SHA256:
        raise Malformed("a MAC other than HMAC-SHA256")
    check_signed(sealed.claimed)
    return write(sealed.claimed, sealed.epoch, sealed.audience) + sealed.claimed.tag


def from_bytes(wire: bytes) -> Sealed:
    """Return what a wire form says, whole and canonical, with nothing in it proven.

    Raises:
        Malformed: it is not a wire form of version 1.
    """
    claim = parse(wire)
    return Sealed(claim.epoch, claim.audience, read(wire, claim))


def write(env: Envelope, epoch: int, audience: str | None) -> bytes:
    """Return the signed part: everything before the tag.

    Raises:
        Malformed: a field that cannot be carried, a value ``values.write`` refuses, or more than
            ``WIRE_BYTES_MAX`` with the tag.
    """
    if not (type(epoch) is int and 0 <= epoch <= EPOCH_MAX):
        raise Malformed("an epoch that is no unsigned 64-bit int")
    if not (audience is None or isinstance(audience, str)):
        raise Malformed("an audience that is not a str")
    claim = Claim(
        HMAC_SHA256,
        epoch,
        audience,
        env.plane,
        env.origin_svc,
        env.origin_instance,
        env.tenant_id,
        env.scopes,
        env.nonce,
        env.iat,
        env.exp,
        msgspec.Raw(values.write(env.header)),
        msgspec.Raw(values.write(env.payload)),
    )
    try:
        signed = bytes([VERSION]) + values.encode(claim)
    except values.UNWRITABLE as error:
        raise Malformed("a field that MessagePack does not carry") from error
    if len(signed) + TAG_BYTES > WIRE_BYTES_MAX:
        raise Malformed("more than 64 KiB")
    return signed


def parse(wire: bytes) -> Claim:
    """Return the array with header and payload unread: bounds and shape, no meaning.

    Raises:
        Malformed: too long, of another version, or not these 13 fields.
    """
    if not TAG_BYTES < len(wire) <= WIRE_BYTES_MAX:
        raise Malformed("shorter than a tag, or more than 64 KiB")
    if wire[0] != VERSION:
        raise Malformed("not version 1")
    try:
        return _decode(wire[1:-TAG_BYTES])
    except values.UNREADABLE as error:
        raise Malformed("not the fields of an envelope") from error


def read(wire: bytes, claim: Claim) -> Envelope:
    """Return the envelope of a claim, header and payload read.

    Raises:
        Malformed: not canonical, or a value that ``values.read`` refuses.
    """
    if values.encode(claim) != wire[1:-TAG_BYTES]:
        raise Malformed("not canonical")
    return Envelope(
        claim.plane,
        claim.origin_svc,
        claim.origin_instance,
        claim.tenant_id,
        claim.scopes,
        claim.nonce,
        claim.iat,
        claim.exp,
        values.read(bytes(claim.header)),
        values.read(bytes(claim.payload)),
        wire[-TAG_BYTES:],
    )
