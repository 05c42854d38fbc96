"""Compact tokens and the key set, as they come from the service, work in other people's libraries."""

import json
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet
from minted import PRESENTED_TO, RULES, Mint, b64url, from_b64url
from running import Running, running

from svc_passport.issuer import issue

with warnings.catch_warnings():
    import authlib.deprecate

    warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
    from authlib.jose import JsonWebKey, JsonWebToken

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")

Reader = Callable[[str, bytes, str], dict[str, Any]]
"""(token, key set, audience) → claims, or whatever the library raises."""


def pyjwt(token: str, key_set: bytes, aud: str) -> dict[str, Any]:
    key = jwt.PyJWKSet.from_json(key_set.decode())[jwt.get_unverified_header(token)["kid"]]
    required: Any = {"require": ["exp", "iat", "iss", "aud", "jti"]}
    return jwt.decode(
        token, key, algorithms=["EdDSA"], audience=aud, issuer=RULES.issuer, leeway=120, options=required
    )


def joserfc(token: str, key_set: bytes, aud: str) -> dict[str, Any]:
    decoded = joserfc_jwt.decode(token, KeySet.import_key_set(json.loads(key_set)), algorithms=["EdDSA"])
    rules = joserfc_jwt.JWTClaimsRegistry(
        leeway=120,
        exp={"essential": True},
        aud={"essential": True, "value": aud},
        iss={"essential": True, "value": RULES.issuer},
    )
    rules.validate(decoded.claims)
    return dict(decoded.claims)


def authlib_jose(token: str, key_set: bytes, aud: str) -> dict[str, Any]:
    rules = {"aud": {"essential": True, "value": aud}, "iss": {"essential": True, "value": RULES.issuer}}
    keys = JsonWebKey.import_key_set(json.loads(key_set))
    claims = JsonWebToken(["EdDSA"]).decode(token, keys, claims_options=rules)
    claims.validate(leeway=120)
    return dict(claims)


READERS: list[Reader] = [pyjwt, joserfc, authlib_jose]
every_reader = pytest.mark.parametrize("reader", READERS)


def accepts(reader: Reader, token: str, key_set: bytes, aud: str = PRESENTED_TO) -> bool:
    try:
        reader(token, key_set, aud)
    except Exception:  # noqa: BLE001 - whatever a library refuses with
        return False
    return True


@pytest.fixture
def mint() -> Mint:
    """A mint whose clock says what the libraries' clock says."""
    return Mint(now_s=int(time.time()))


def issued(mint: Mint, **claims: Any) -> str:
    asked = {"aud": PRESENTED_TO, **claims}
    body = issue(asked, mint.keyring, RULES, mint.now_s, compact=True).body
    return str(json.loads(body)["token"])


def keys(mint: Mint) -> bytes:
    return mint.keyring.key_set().body


@every_reader
@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "alice", "scopes": ["read"], "ctx": {"tenant": "t1"}},
        {"aud": ["svc-b", PRESENTED_TO]},
        {"sub": "zoë 😀", "x": [1.5, 1e21, None, True, {"": "\u2028\x7f\\"}]},
        {"sub": "alice", "nbf": 0, "nonce": "n"},
    ],
    ids=["common", "two audiences", "any text and number", "nbf"],
)
def test_a_token_is_accepted_as_it_comes(mint: Mint, reader: Reader, claims: dict[str, Any]) -> None:
    read = reader(issued(mint, **claims), keys(mint), PRESENTED_TO)
    aud = claims.get("aud", [PRESENTED_TO])
    assert {name: read[name] for name in [*claims, "aud"]} == claims | {"aud": aud}
    assert read["exp"] - read["iat"] == RULES.default_ttl_s


@every_reader
def test_for_another_audience_it_is_refused(mint: Mint, reader: Reader) -> None:
    assert not accepts(reader, issued(mint), keys(mint), "svc-b")


@every_reader
def test_an_expired_one_is_refused(mint: Mint, reader: Reader) -> None:
    mint.now_s -= 200
    assert accepts(reader, issued(mint, ttl_s=190), keys(mint))  # the readers have a leeway of 120
    assert not accepts(reader, issued(mint, ttl_s=60), keys(mint))


@every_reader
def test_one_for_later_is_refused(mint: Mint, reader: Reader) -> None:
    token = issued(mint, nbf=mint.now_s + 300)
    assert not accepts(reader, token, keys(mint))


@every_reader
def test_a_changed_one_is_refused(mint: Mint, reader: Reader) -> None:
    header, payload, signature = issued(mint, sub="alice").split(".")
    changed = b64url(from_b64url(payload).replace(b"alice", b"admin"))
    assert not accepts(reader, f"{header}.{changed}.{signature}", keys(mint))
    for position in (0, 40, 84):
        other = "A" if signature[position] != "A" else "B"
        bent = signature[:position] + other + signature[position + 1 :]
        assert not accepts(reader, f"{header}.{payload}.{bent}", keys(mint))


@every_reader
@pytest.mark.parametrize("alg", ["none", "HS256", "Ed25519"])
def test_another_algorithm_is_refused(mint: Mint, reader: Reader, alg: str) -> None:
    assert not accepts(reader, mint.compact(mint.message(), alg=alg).token, keys(mint))


@every_reader
def test_anothers_keys_are_refused(mint: Mint, reader: Reader) -> None:
    foreign = Mint(seed=b"another's keys", now_s=mint.now_s)
    assert foreign.kid == mint.kid
    assert not accepts(reader, issued(foreign), keys(mint))


@every_reader
def test_a_key_set_from_before_a_rotation_has_the_next_key(mint: Mint, reader: Reader) -> None:
    before, old = keys(mint), issued(mint)
    mint.rotate()
    assert accepts(reader, issued(mint), before)
    assert accepts(reader, old, keys(mint))
    mint.rotate()
    assert not accepts(reader, issued(mint), before)
    assert accepts(reader, issued(mint), keys(mint))


@every_reader
def test_after_a_revocation_the_key_is_gone(mint: Mint, reader: Reader) -> None:
    token, kid = issued(mint), mint.kid
    mint.revoke(kid)
    assert not accepts(reader, token, keys(mint))
    assert accepts(reader, issued(mint), keys(mint))


def test_the_key_set_is_rfc_8037s(mint: Mint) -> None:
    mint.rotate()
    listed = json.loads(keys(mint))["keys"]
    assert [key["kid"][-2:] for key in listed] == ["v1", "v2", "v3"]
    for key in listed:
        fixed = {"alg": "EdDSA", "crv": "Ed25519", "key_ops": ["verify"], "kty": "OKP", "use": "sig"}
        assert {name: key[name] for name in fixed} == fixed
        assert len(from_b64url(key["x"])) == 32
        assert key.keys() == fixed.keys() | {"kid", "x"}


# From a running service.


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running("--dev") as service:
        yield service


def test_pyjwts_client_finds_the_key_by_itself(service: Running) -> None:
    with service.client() as client:
        token = issued_by(client)
    key = jwt.PyJWKClient(f"{service.url}/v1/keys").get_signing_key_from_jwt(token)
    read = jwt.decode(token, key, algorithms=["EdDSA"], audience=PRESENTED_TO, issuer=RULES.issuer)
    assert read["sub"] == "alice"
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, key, algorithms=["EdDSA"], audience="svc-b")


@every_reader
def test_the_services_own_answers_are_accepted(service: Running, reader: Reader) -> None:
    with service.client() as client:
        token, key_set = issued_by(client), client.get("/v1/keys").content
    assert reader(token, key_set, PRESENTED_TO)["sub"] == "alice"
    assert not accepts(reader, token, key_set, "svc-b")


def issued_by(client: httpx.Client) -> str:
    asked = {"sub": "alice", "aud": PRESENTED_TO}
    return str(client.post("/v1/passport/issue?format=compact", json=asked).json()["token"])
