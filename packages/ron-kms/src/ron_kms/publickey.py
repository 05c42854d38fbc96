"""Strict import of a verifying key: the door through which somebody else's key comes into a keyring.

The rule is stricter here than in an engine. A key of mixed order can verify, so an engine has to judge
it; but no honest signer has one, so none is ever taken in.
"""

from nacl.bindings import crypto_core_ed25519_is_valid_point

from ron_kms.errors import BadPublicKey


def import_public_key(raw: bytes) -> bytes:
    """Return ``raw`` if it is the only encoding of a point of prime order (RFC 8032 §5.1.3).

    Args:
        raw: 32 bytes, y little-endian with the sign of x in the highest bit.

    Raises:
        BadPublicKey: It is not ``bytes``, not 32 of them, not canonical, no point of the curve, or a point
            of small or mixed order.
    """
    try:
        sound = crypto_core_ed25519_is_valid_point(raw)
    except TypeError as error:
        raise BadPublicKey("a public key is 32 bytes") from error
    if not sound:
        raise BadPublicKey("a public key is the canonical encoding of a point of prime order")
    return raw
