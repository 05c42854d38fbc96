"""The named form: what Rust's ``rmp_serde::to_vec_named`` makes of an envelope, and the MAC over it.

A MessagePack map with the fields in their order, keys as text: ten under the MAC, eleven as it travels.

    8a  a5 plane            "Node" | "App"
        aa origin_svc       str
        af origin_instance  bin of 16
        a9 tenant_id        str | nil
        a6 scopes           array of str
        a5 nonce            array of 16 integers, as Rust writes [u8; 16]
        a3 iat, a3 exp      integers in their shortest form
        a6 header           any value
        a7 payload          any value
        (a3 tag             array of 32 integers)
"""

from typing import Annotated, Any
from uuid import UUID

import msgspec

from ron_auth import values
from ron_auth.envelope import Envelope, Plane, Scopes, Seconds, check_signed
from ron_auth.errors import Malformed
from ron_auth.limits import NONCE_BYTES, TAG_BYTES, WIRE_BYTES_MAX

_Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]


class _Unsigned(msgspec.Struct, frozen=True, gc=False):
    """What goes under the MAC."""

    plane: Plane
    origin_svc: str
    origin_instance: UUID
    tenant_id: str | None
    scopes: tuple[str, ...]
    nonce: tuple[int, ...]
    iat: int
    exp: int
    header: Any
    payload: Any


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What travels."""

    plane: Plane
    origin_svc: str
    origin_instance: UUID
    tenant_id: str | None
    scopes: Scopes
    nonce: Annotated[tuple[_Byte, ...], msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
    iat: Seconds
    exp: Seconds
    header: msgspec.Raw
    payload: msgspec.Raw
    tag: Annotated[tuple[_Byte, ...], msgspec.Meta(min_length=TAG_BYTES, max_length=TAG_BYTES)]


_decode = msgspec.msgpack.Decoder(_Signed).decode


def mac_input(env: Envelope) -> bytes:
    """Return the bytes under the MAC: ``rmp_serde::to_vec_named`` of the ten fields before the tag.

    Raises:
        Malformed: a field that MessagePack does not carry.
    """
    kinds = type(env.plane), type(env.origin_svc), type(env.origin_instance), type(env.tag)
    if kinds != (Plane, str, UUID, bytes):
        raise Malformed("plane, origin_svc, origin_instance or tag is not a Plane, str, UUID or bytes")
    try:
        return values.encode(
            _Unsigned(
                env.plane,
                env.origin_svc,
                env.origin_instance,
                env.tenant_id,
                env.scopes,
                tuple(env.nonce),
                env.iat,
                env.exp,
                env.header,
                env.payload,
            )
        )
    except values.UNWRITABLE as error:
        raise Malformed("a field that MessagePack does not carry") from error


def pack(env: Envelope) -> bytes:
    """Return a signed envelope as ``rmp_serde::to_vec_named`` writes it, tag included.

    Raises:
        Malformed: it is not signed, cannot be carried, or is more than ``WIRE_BYTES_MAX``.
    """
    check_signed(env)
    for value in (env.header, env.payload):
        values.write(value)  # what ``unpack`` would refuse is not written
    data = b"\x8b" + mac_input(env)[1:] + b"\xa3tag" + values.encode(tuple(env.tag))
    if len(data) > WIRE_BYTES_MAX:
        raise Malformed("more than 64 KiB")
    return data


def unpack(data: bytes) -> Envelope:
    """Return the envelope that ``pack``, or Rust, wrote. Nothing in it is proven: see ``verify_envelope``.

    Raises:
        Malformed: too long, not these eleven fields in this order, not canonical, or a value that
            ``values.read`` refuses.
    """
    if len(data) > WIRE_BYTES_MAX:
        raise Malformed("more than 64 KiB")
    try:
        signed = _decode(data)
    except values.UNREADABLE as error:
        raise Malformed("not the fields of an envelope") from error
    if values.encode(signed) != data:
        raise Malformed("not canonical")
    return Envelope(
        signed.plane,
        signed.origin_svc,
        signed.origin_instance,
        signed.tenant_id,
        signed.scopes,
        bytes(signed.nonce),
        signed.iat,
        signed.exp,
        values.read(bytes(signed.header)),
        values.read(bytes(signed.payload)),
        bytes(signed.tag),
    )
