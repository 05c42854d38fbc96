"""The key set (RFC 7517, RFC 8037) as the exact bytes that are served, and their ETag."""

import base64
import json
from dataclasses import dataclass

from blake3 import blake3

from ron_kms.ring import Ring


@dataclass(frozen=True, slots=True)
class KeySet:
    """A key set as it goes over the wire."""

    body: bytes  # canonical JSON: members sorted, no spaces, oldest version first
    etag: str  # the strong entity tag of ``body``, quotes included (RFC 9110 §8.8.3)


def key_set(ring: Ring) -> KeySet:
    """Return the key set of a ring: previous versions in grace, the one that signs, the next one."""
    keys = [
        {
            "alg": "EdDSA",
            "crv": "Ed25519",
            "key_ops": ["verify"],
            "kid": str(version.kid),
            "kty": "OKP",
            "use": "sig",
            "x": base64.urlsafe_b64encode(version.public_key).rstrip(b"=").decode(),
        }
        for version in ring.published
    ]
    body = json.dumps({"keys": keys}, separators=(",", ":")).encode()
    return KeySet(body, f'"{blake3(body).hexdigest()}"')
