"""A signature made for one carrier never passes as the other's, in our verifier or anybody's.

An envelope's signature covers its message M. Presented as a compact token, M is the signing input: a header,
a dot, a payload. M is JSON, so a strict reader finds no base64url in it. But readers have been lax: PyJWT up
to 2.12 dropped every character outside the base64 alphabet (and so does Authlib), as Python's decoder does.
To them a claim's name can spell a JOSE header, and its holder has written a token of any kind, for anyone.

It fails here because names begin with a lowercase letter and there is always an ``aud``, so M begins with
``{"a``: what base64 makes of that is no JSON.
"""

import base64
import json
import string
import warnings
from collections.abc import Callable
from itertools import product
from typing import Any

import jwt
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jws
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet
from minted import PRESENTED_TO, RULES, Mint, b64url, from_b64url, texts

from svc_passport import claims
from svc_passport.carriers import CAPABILITY, PASSPORT, Compact, compact_signed
from svc_passport.claims import Stamp
from svc_passport.errors import Denied, Reason, Refused
from svc_passport.issuer import issue

with warnings.catch_warnings():
    import authlib.deprecate

    warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
    from authlib.jose import JsonWebKey, JsonWebToken

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")

MINT = Mint()
KEY_SET = json.loads(MINT.keyring.key_set().body)
Reader = Callable[[str], Any]


def ours(token: str) -> Any:
    verdict = MINT.verdict(Compact(token))
    assert not isinstance(verdict, Denied)
    return json.loads(verdict.message)


def our_door(token: str) -> Any:
    return MINT.caller(token)


def pyjwt(token: str) -> Any:
    key = jwt.PyJWKSet.from_dict(KEY_SET)[jwt.get_unverified_header(token)["kid"]]
    unchecked = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    return jwt.decode(token, key, algorithms=["EdDSA"], audience=PRESENTED_TO, options=unchecked)  # type: ignore[arg-type]


def joserfc(token: str) -> Any:
    return joserfc_jwt.decode(token, KeySet.import_key_set(KEY_SET), algorithms=["EdDSA"]).claims


def joserfc_json(token: str) -> Any:
    """The same bytes in JWS's JSON form (RFC 7515 §7.2.2): the split is the sender's."""
    signing_input, _, signature = token.rpartition(".")
    protected, _, payload = signing_input.partition(".")
    value: Any = {"protected": protected, "payload": payload, "signature": signature}
    return json.loads(
        jws.deserialize_json(value, KeySet.import_key_set(KEY_SET), algorithms=["EdDSA"]).payload
    )


def authlib_jose(token: str) -> Any:
    return JsonWebToken(["EdDSA"]).decode(token, JsonWebKey.import_key_set(KEY_SET))


def lax(token: str) -> Any:
    """What PyJWT did up to 2.12: whatever is outside the base64 alphabet is dropped."""
    signing_input, _, signature = token.encode().rpartition(b".")
    first, _, second = signing_input.partition(b".")
    header = json.loads(lax_base64(first))
    assert isinstance(header, dict)
    assert header["alg"] == "EdDSA"
    MINT.keyring.verify(header["kid"], signing_input, lax_base64(signature))
    payload = json.loads(lax_base64(second))
    assert isinstance(payload, dict)
    return payload


def lax_base64(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


READERS: list[Reader] = [ours, our_door, pyjwt, joserfc, joserfc_json, authlib_jose, lax]
LAX: list[Reader] = [authlib_jose, lax]


def accepts(reader: Reader, token: str) -> bool:
    try:
        reader(token)
    except Exception:  # noqa: BLE001 - whatever a library refuses with
        return False
    return True


def as_compact(message: bytes) -> str:
    """The signature of an envelope over ``message``, presented as a compact token."""
    return MINT.compact_of(message.decode()).token


# The attack.


def spelled(typ: str, **payload: Any) -> str:
    """A claim's name that spells a JOSE header, a dot and a payload.

    Leading spaces make it sort before ``aud``; the payload's padding makes a lax decoder stop there.
    """
    header = "  " + json.dumps({"alg": "EdDSA", "kid": MINT.kid, "typ": typ})
    header += " " * (-len(header) % 3)
    body = json.dumps(MINT.claims(**payload))
    body += " " * (1 + -len(body) % 3)
    return f"{base64.b64encode(header.encode()).decode()}.{base64.b64encode(body.encode()).decode()}"


STOLEN = {"sub": "the operator", "scopes": ["passport:admin"]}


@pytest.mark.parametrize("typ", [PASSPORT, CAPABILITY])
@pytest.mark.parametrize("reader", LAX)
def test_on_a_design_with_free_names_the_attack_works(reader: Reader, typ: str) -> None:
    message = MINT.message(**{spelled(typ, **STOLEN): 1})
    assert not message.startswith(b'{"a')
    forged = reader(as_compact(message))
    assert {name: forged[name] for name in STOLEN} == STOLEN


@pytest.mark.parametrize("typ", [PASSPORT, CAPABILITY])
def test_on_ours_no_such_message_is_issued(typ: str) -> None:
    with pytest.raises(Refused) as refused:
        issue({spelled(typ, **STOLEN): 1}, MINT.keyring, RULES, MINT.now_s)
    assert refused.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("reader", [ours, our_door, pyjwt, joserfc, joserfc_json])
@pytest.mark.parametrize("typ", [PASSPORT, CAPABILITY])
def test_a_strict_reader_refuses_it_even_then(reader: Reader, typ: str) -> None:
    assert not accepts(reader, as_compact(MINT.message(**{spelled(typ, **STOLEN): 1})))


def test_every_reader_reads_what_is_a_compact_token() -> None:
    token = MINT.compact_passport().token
    assert [reader.__name__ for reader in READERS if not accepts(reader, token)] == ["our_door"]
    assert accepts(our_door, MINT.capability("passport:admin"))


# Whatever our rules let an envelope say.

spellings = st.builds(
    lambda before, typ, after: f"{before}{spelled(typ, **STOLEN)}{after}",
    st.sampled_from(
        ["a", "z", "x", "a.", "a,", "z ", "aA", "a=", "a==", "aAA=", "a-", "audA", "x\0", "a\x7f", "aé"]
    ),
    st.sampled_from([PASSPORT, CAPABILITY]),
    st.sampled_from(["", "."]),
)
names = st.text(st.sampled_from("aeyJIC7 .-_=\0é"), max_size=8).map("a".__add__) | spellings
ours_to_sign = st.fixed_dictionaries(
    {"aud": st.lists(names | spellings, min_size=1, max_size=2, unique=True)},
    optional={
        "sub": spellings,
        "nonce": spellings,
        "ctx": st.dictionaries(spellings, texts, max_size=1),
    },
)


@given(ours_to_sign, st.dictionaries(names, texts | spellings, max_size=2))
@example({"aud": [spelled(PASSPORT)]}, {})
@example({"aud": ["x"]}, {"a": spelled(CAPABILITY, **STOLEN)})
@example({"aud": ["x"]}, {"a" + spelled(CAPABILITY, **STOLEN): 1})
def test_no_envelope_passes_as_a_compact_token(asked: Stamp, more: Stamp) -> None:
    message = claims.canonical(MINT.claims(**(more | asked)))
    assert MINT.reason(MINT.envelope(message, aud=asked["aud"][0])) is None
    token = as_compact(message)
    assert [reader.__name__ for reader in READERS if accepts(reader, token)] == []


ALPHABET = string.ascii_letters + string.digits + "+/-_"


def test_what_a_message_begins_with_is_no_json_in_any_base64() -> None:
    # An a is the first character of the alphabet, and any two others follow it, whichever are skipped.
    first_bytes = {lax_base64(f'{{"a{b}{c}A'.encode())[0] for b, c in product(ALPHABET, repeat=2)}
    assert {chr(byte) for byte in first_bytes} == set("hijk")
    for start in map(chr, first_bytes):
        with pytest.raises(json.JSONDecodeError):
            json.loads(start + '{"alg":"EdDSA"}')


# The other way round.


@pytest.mark.parametrize("typ", [PASSPORT, CAPABILITY])
def test_no_compact_token_passes_as_an_envelope(typ: str) -> None:
    token = MINT.compact(MINT.message(), typ).token
    signing_input, _, signature = token.rpartition(".")
    raw = from_b64url(signature)
    MINT.keyring.verify(MINT.kid, signing_input.encode(), raw)
    envelope = MINT.envelope(signing_input.encode())
    assert envelope.signature == raw
    assert MINT.reason(envelope) is Reason.MALFORMED
    with pytest.raises(json.JSONDecodeError):
        json.loads(signing_input)


@given(st.binary(max_size=60) | st.just(MINT.message()), st.sampled_from([PASSPORT, CAPABILITY]))
def test_no_signing_input_is_claims(payload: bytes, typ: str) -> None:
    signed = compact_signed(MINT.kid, typ, payload)
    assert signed.startswith(b"ey")
    with pytest.raises(Refused):
        claims.parse(signed)


def test_neither_signature_fits_the_others_bytes() -> None:
    message = MINT.message()
    envelope, compact = MINT.envelope(message), MINT.compact(message)
    head, _, signature = compact.token.rpartition(".")
    lent = msgspec.structs.replace(envelope, signature=from_b64url(signature))
    assert envelope.signature
    borrowed = Compact(f"{head}.{b64url(envelope.signature)}")
    assert MINT.reason(lent) is Reason.VERIFY_FAILED
    assert MINT.reason(borrowed) is Reason.VERIFY_FAILED
