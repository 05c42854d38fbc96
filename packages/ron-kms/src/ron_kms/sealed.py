"""Soft seal: the one form in which a secret rests.

    offset 0       4         5            13        25                     len-16      len
           | RKMS  | version | ts_ms, u64 | nonce   | ciphertext           | tag, 16 B |
           |<- header: authenticated, not hidden -->|<- ChaCha20-Poly1305 (RFC 8439) ->|

The additional authenticated data is the header, then the caller's. All integers are big-endian.
"""

import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from ron_kms.entropy import Entropy, system
from ron_kms.errors import SealAuth, SealFormat
from ron_kms.secret import Secret

SEAL_KEY_BYTES = 32
BLOB_BYTES_MIN = 41
"""A header and a tag around nothing."""

_MAGIC = b"RKMS"
_VERSION = 1
_HEADER = struct.Struct(">4sBQ12s")
_NONCE_BYTES = 12


def seal(key: Secret, plaintext: bytes, aad: bytes, *, now_ms: int, entropy: Entropy = system) -> bytes:
    """Return ``plaintext`` sealed under a 32-byte key, bound to ``aad``.

    Args:
        now_ms: Milliseconds since the Unix epoch; rests readable in the blob.

    Raises:
        Entropy: There was no randomness for the nonce.
    """
    header = _HEADER.pack(_MAGIC, _VERSION, now_ms, nonce := entropy(_NONCE_BYTES))
    return header + ChaCha20Poly1305(key.reveal()).encrypt(nonce, plaintext, header + aad)


def unseal(key: Secret, blob: bytes, aad: bytes) -> bytes:
    """Return what ``seal`` was given.

    Raises:
        SealFormat: Under 41 bytes, or no blob of version 1.
        SealAuth: Another key, another ``aad``, or a changed blob.
    """
    if len(blob) < BLOB_BYTES_MIN:
        raise SealFormat("too short for a sealed blob")
    magic, version, _, nonce = _HEADER.unpack_from(blob)
    if magic != _MAGIC or version != _VERSION:
        raise SealFormat("not a sealed blob of version 1")
    header, ciphertext = blob[: _HEADER.size], blob[_HEADER.size :]
    try:
        return ChaCha20Poly1305(key.reveal()).decrypt(nonce, ciphertext, header + aad)
    except InvalidTag:
        raise SealAuth("wrong key, or a blob that was moved or changed") from None
