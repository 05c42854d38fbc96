"""The key set, byte for byte, and as other people's libraries read it."""

import base64
import json

import jwt
import pytest
from blake3 import blake3
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import KeySet as JoserfcKeySet
from nacl.signing import SigningKey

from ron_kms import Kid, State
from ron_kms.jwks import key_set
from ron_kms.ring import Ring, Version

NEXT, ACTIVE, RETIRING, RETIRED, REVOKED = State


def signer(number: int) -> SigningKey:
    return SigningKey(bytes([number]) * 32)


def ring_of(*states: State, namespace: str = "default") -> Ring:
    """Return a ring with versions 1, 2, 3 and so on in these states; ``signer`` has their private keys."""
    return Ring(
        tuple(
            Version(Kid(namespace, n), bytes(signer(n).verify_key), state, created_ms=n)
            for n, state in enumerate(states, start=1)
        )
    )


def listed(ring: Ring) -> list[str]:
    return [key["kid"].rpartition("/v")[2] for key in json.loads(key_set(ring).body)["keys"]]


def test_the_key_set_is_these_bytes() -> None:
    # The public keys of the seeds 01…01 and 02…02; OpenSSL makes the same.
    assert key_set(ring_of(ACTIVE, NEXT)).body == (
        b'{"keys":['
        b'{"alg":"EdDSA","crv":"Ed25519","key_ops":["verify"],"kid":"ed25519/default/v1","kty":"OKP",'
        b'"use":"sig","x":"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"},'
        b'{"alg":"EdDSA","crv":"Ed25519","key_ops":["verify"],"kid":"ed25519/default/v2","kty":"OKP",'
        b'"use":"sig","x":"gTl3Dqh9F19Wo1Rmw0x-zMuNipG07jeiXfYPW4_Js5Q"}'
        b"]}"
    )


def test_members_are_sorted_and_nothing_else_is_there() -> None:
    body = key_set(ring_of(RETIRING, ACTIVE, NEXT, namespace="team/eu")).body
    parsed = json.loads(body)
    assert json.dumps(parsed, sort_keys=True, separators=(",", ":")).encode() == body
    for key in parsed["keys"]:
        assert set(key) == {"alg", "crv", "key_ops", "kid", "kty", "use", "x"}


def test_the_etag_is_blake3_of_the_body_in_quotes() -> None:
    shown = key_set(ring_of(ACTIVE, NEXT))
    assert shown.etag == '"' + blake3(shown.body).hexdigest() + '"'
    assert len(shown.etag) == 66


def test_the_etag_changes_with_the_keys_and_with_nothing_else() -> None:
    assert key_set(ring_of(ACTIVE, NEXT)) == key_set(ring_of(ACTIVE, NEXT))
    assert key_set(ring_of(ACTIVE, NEXT)).etag != key_set(ring_of(RETIRING, ACTIVE, NEXT)).etag
    # A rotation without a change of the published keys is none for those who cache them.
    assert key_set(ring_of(RETIRING, ACTIVE, NEXT)) == key_set(ring_of(ACTIVE, NEXT, NEXT))


@pytest.mark.parametrize(
    ("states", "kids"),
    [
        pytest.param([ACTIVE, NEXT], ["1", "2"], id="a new ring"),
        pytest.param([RETIRING, ACTIVE, NEXT], ["1", "2", "3"], id="rotated"),
        pytest.param([RETIRED, RETIRING, ACTIVE, NEXT], ["2", "3", "4"], id="retired is not listed"),
        pytest.param([REVOKED, RETIRING, ACTIVE, NEXT], ["2", "3", "4"], id="revoked is not listed"),
        pytest.param([RETIRING, REVOKED, ACTIVE, REVOKED, NEXT], ["1", "3", "5"], id="gaps stay in order"),
        pytest.param([RETIRED, REVOKED, ACTIVE, NEXT], ["3", "4"], id="only two left"),
        pytest.param([RETIRING] * 10 + [ACTIVE, NEXT], [str(n) for n in range(1, 13)], id="10 after 9"),
    ],
)
def test_what_is_published_is_listed_oldest_first(states: list[State], kids: list[str]) -> None:
    assert listed(ring_of(*states)) == kids


def test_x_is_the_public_key_in_unpadded_base64url() -> None:
    ring = ring_of(RETIRING, ACTIVE, NEXT)
    for key, version in zip(json.loads(key_set(ring).body)["keys"], ring.versions, strict=True):
        assert "=" not in key["x"]
        assert len(key["x"]) == 43
        assert base64.urlsafe_b64decode(key["x"] + "=") == version.public_key


def token(number: int) -> str:
    """Return a compact JWS by version ``number``, made by hand."""
    header = {"alg": "EdDSA", "kid": f"ed25519/default/v{number}"}
    signed = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in (header, {"sub": "alice"})
    )
    signature = signer(number).sign(signed.encode()).signature
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_pyjwt_verifies_with_it(number: int) -> None:
    keys = jwt.PyJWKSet.from_json(key_set(ring_of(RETIRING, ACTIVE, NEXT)).body.decode())
    assert len(keys.keys) == 3
    key = keys[f"ed25519/default/v{number}"]
    assert jwt.decode(token(number), key, algorithms=["EdDSA"]) == {"sub": "alice"}
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token(number % 3 + 1), key, algorithms=["EdDSA"])


@pytest.mark.parametrize("number", [1, 2, 3])
def test_joserfc_verifies_with_it(number: int) -> None:
    keys = JoserfcKeySet.import_key_set(json.loads(key_set(ring_of(RETIRING, ACTIVE, NEXT)).body))
    assert len(keys.keys) == 3
    # It accepts the name and says that RFC 9864 has a newer one.
    with pytest.warns(SecurityWarning, match="RFC 9864"):
        opened = jws.deserialize_compact(token(number), keys, algorithms=["EdDSA"])
    assert json.loads(opened.payload) == {"sub": "alice"}
