"""Both carriers are read strictly, cheap faults first, in one spelling; no kind of token is the other."""

import json
from collections.abc import Callable
from itertools import combinations
from typing import Any

import minted
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minted import PRESENTED_TO, RULES, Mint, b64, b64url, from_b64url, json_values, members_of

from svc_passport import carriers
from svc_passport.capability import ADMIN, ISSUE
from svc_passport.carriers import CAPABILITY, PASSPORT, Carrier, Compact, Envelope, Unverified
from svc_passport.errors import Denied, Reason, Refused
from svc_passport.issuer import issue, mint_capability

MINT = Mint()
ENVELOPE = MINT.passport()
COMPACT = MINT.compact_passport()
KID = MINT.kid


def read(
    carrier: Carrier, *, typ: str = PASSPORT, require_aud: bool = True, max_msg_bytes: int = 4096
) -> Unverified:
    return carriers.read(carrier, typ, require_aud=require_aud, max_msg_bytes=max_msg_bytes)


def fault(carrier: Carrier, **how: Any) -> Reason | None:
    try:
        read(carrier, **how)
    except Refused as refused:
        return refused.reason
    return None


def but(**members: Any) -> Envelope:
    """The envelope with members as a stranger may write them."""
    return minted.but(ENVELOPE, **members)


# Which of the two it is.


NO_CARRIERS: list[Any] = [
    *(None, True, 1, 1.5, "", "token", [], [{}]),
    *({"token": "a", "alg": "Ed25519"}, {"token": "a", "token ": "b"}, {"Token": "a"}),
    *({"alg": "Ed25519", "typ": "x"}, {"items": []}, {"msg": "", "sig": ""}),
]


@pytest.mark.parametrize("value", NO_CARRIERS, ids=json.dumps)
def test_what_is_neither_carrier_is_malformed(value: object) -> None:
    with pytest.raises(Refused) as refused:
        carriers.carrier_of(value)
    assert refused.value.reason is Reason.MALFORMED


def test_an_object_is_the_carrier_that_its_members_name() -> None:
    members = members_of(ENVELOPE)
    assert carriers.carrier_of(members) == ENVELOPE
    assert carriers.carrier_of(dict(reversed(members.items()))) == ENVELOPE
    assert carriers.carrier_of({"token": COMPACT.token}) == COMPACT


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("alg", Reason.BAD_ALG),
        ("kid", Reason.BAD_KID),
        ("aud", Reason.BAD_AUD),
        ("msg_b64", Reason.MALFORMED),
        ("sig_b64", Reason.MALFORMED),
    ],
)
def test_a_missing_member_is_the_fault_of_its_step(missing: str, reason: Reason) -> None:
    members = members_of(ENVELOPE)
    del members[missing]
    assert fault(carriers.carrier_of(members)) is reason


def test_an_empty_object_is_an_envelope_without_an_algorithm() -> None:
    assert fault(carriers.carrier_of({})) is Reason.BAD_ALG


# Envelopes.

NO_TEXT: list[Any] = [None, True, 1, 1.5, [], {}, ["Ed25519"]]


@pytest.mark.parametrize("alg", [*NO_TEXT, "", "ed25519", "EdDSA", "Ed25519 ", "ED25519", "none", "Ｅd25519"])
def test_an_envelopes_algorithm_is_ed25519_exactly(alg: Any) -> None:
    assert fault(but(alg=alg)) is Reason.BAD_ALG


LONGEST_KID = f"ed25519/{'a' * (128 - len('ed25519//v1'))}/v1"


@pytest.mark.parametrize(
    "kid",
    [
        *NO_TEXT,
        "",
        pytest.param(KID.upper(), id="capitals"),
        pytest.param("Ed25519/default/v1", id="a capital"),
        pytest.param(f" {KID}", id="a space before it"),
        pytest.param(f"{KID} ", id="a space after it"),
        pytest.param(f"{KID}\n", id="a newline after it"),
        pytest.param(f"{KID}\0", id="NUL after it"),
        pytest.param(f"/{KID}", id="a slash before it"),
        pytest.param(f"{KID}/", id="a slash after it"),
        pytest.param("ed25519//default/v1", id="two slashes"),
        pytest.param("ed25519/v1", id="no namespace"),
        pytest.param("ed25519//v1", id="an empty namespace"),
        pytest.param("ed25519/default/v0", id="version 0"),
        pytest.param("ed25519/default/v01", id="a leading zero"),
        pytest.param("ed25519/default/v-1", id="a minus"),
        pytest.param("ed25519/default/v+1", id="a plus"),
        pytest.param("ed25519/default/v1.0", id="a fraction"),
        pytest.param("ed25519/default/v", id="no number"),
        pytest.param("ed25519/default/V1", id="a capital V"),
        pytest.param("ed25519/default/v１", id="a wide digit"),
        pytest.param("ed25519/default/v١", id="an Arabic digit"),
        pytest.param("ed25519/Default/v1", id="a capital in the namespace"),
        pytest.param("ed25519/dеfault/v1", id="a Cyrillic look-alike"),
        pytest.param("ed25519/./v1", id="a dot"),
        pytest.param("ed25519/../v1", id="two dots"),
        pytest.param("ed25519/-a/v1", id="a hyphen first"),
        pytest.param("ed25519/a b/v1", id="a space inside"),
        pytest.param("ed25519/a%2fb/v1", id="a slash in percent"),
        pytest.param("ed25519\\default\\v1", id="backslashes"),
        pytest.param("x25519/default/v1", id="another algorithm"),
        pytest.param(f"ed25519/a{LONGEST_KID.removeprefix('ed25519/')}", id="129 characters"),
        pytest.param("ed25519/default/v" + "9" * 5000, id="5,000 digits"),
    ],
)
def test_a_kid_has_one_spelling(kid: Any) -> None:
    assert fault(but(kid=kid)) is Reason.BAD_KID
    assert fault(MINT.compact(b"{}", kid=kid)) in (Reason.BAD_KID, Reason.MALFORMED)


@pytest.mark.parametrize("kid", [LONGEST_KID, "ed25519/a/b.c/d_e-f/v10", "ed25519/0/v999999999999"])
def test_every_kid_of_that_form_is_read(kid: str) -> None:
    assert read(but(kid=kid)).kid == kid
    assert read(MINT.compact(b"{}", kid=kid)).kid == kid


@pytest.mark.parametrize(
    ("aud", "required", "free"),
    [
        (None, Reason.BAD_AUD, None),
        ("", Reason.BAD_AUD, None),  # free to be there, but it is nobody's audience: the rules refuse it
        (1, Reason.BAD_AUD, Reason.BAD_AUD),
        (True, Reason.BAD_AUD, Reason.BAD_AUD),
        (["svc-a"], Reason.BAD_AUD, Reason.BAD_AUD),
        ({}, Reason.BAD_AUD, Reason.BAD_AUD),
        ("svc-a", None, None),
    ],
)
def test_an_envelope_names_its_audience_where_it_must(
    aud: Any, required: Reason | None, free: Reason | None
) -> None:
    assert fault(but(aud=aud)) is required
    assert fault(but(aud=aud), require_aud=False) is free


def test_a_compact_token_names_none() -> None:
    assert read(COMPACT).aud is None


@pytest.mark.parametrize(
    "respell",
    [
        pytest.param(lambda _: None, id="null"),
        pytest.param(lambda _: 1, id="a number"),
        pytest.param(lambda _: True, id="a boolean"),
        pytest.param(lambda text: [text], id="an array"),
        pytest.param(lambda text: {text: text}, id="an object"),
        pytest.param(lambda text: text.rstrip("="), id="no padding"),
        pytest.param(lambda text: text + "=", id="a padding character too many"),
        pytest.param(lambda text: text + "====", id="a padding quad too many"),
        pytest.param(lambda text: text.replace("=", "=A", 1), id="something after the padding"),
        pytest.param(lambda text: "=" + text[1:], id="padding first"),
        pytest.param(lambda text: text + "\n", id="a newline after it"),
        pytest.param(lambda text: " " + text, id="a space before it"),
        pytest.param(lambda text: text[:76] + "\r\n" + text[76:], id="a line broken"),
        pytest.param(lambda text: text[:4] + "!" + text[4:], id="a character that is none"),
        pytest.param(lambda text: text[:4] + "\0" + text[4:], id="NUL inside"),
        pytest.param(lambda text: text[:-1], id="cut"),
        pytest.param(lambda text: text + "A", id="one character more"),
        pytest.param(lambda text: text.replace("+", "-").replace("/", "_"), id="the other alphabet"),
        pytest.param(lambda text: "Ａ" + text[1:], id="a wide character"),
        pytest.param(lambda text: "é" + text, id="a character beyond ASCII"),
        pytest.param(lambda text: "\ud800" + text, id="half a surrogate pair"),
    ],
)
def test_base64_has_one_spelling(respell: Callable[[str], Any]) -> None:
    text = b64(bytes([0xFB, 0xEF, 0xBE, 0xFF]) * 16)  # 64 bytes, with both + and /, and padding
    assert {"+", "/", "="} <= set(text)
    assert fault(but(msg_b64=text, sig_b64=text)) is None
    assert fault(but(msg_b64=respell(text))) is Reason.MALFORMED
    assert fault(but(sig_b64=respell(text))) is Reason.MALFORMED


@pytest.mark.parametrize(("text", "aliases"), [("QQ==", "RSTUVWXYZabcdef"), ("QUI=", "JKL")])
def test_idle_bits_are_idle(text: str, aliases: str) -> None:
    last = text.rstrip("=")[-1]
    at = text.index(last, 1)
    assert fault(but(msg_b64=text)) is None
    for alias in aliases:
        assert fault(but(msg_b64=text[:at] + alias + text[at + 1 :])) is Reason.MALFORMED


@pytest.mark.parametrize("length", [4095, 4096, 4097])
def test_a_message_ends_at_its_limit(length: int) -> None:
    reason = None if length <= 4096 else Reason.MSG_TOO_LARGE
    assert fault(but(msg_b64=b64(b"x" * length))) is reason
    assert fault(MINT.compact(b"x" * length)) is reason


ENVELOPE_FAULTS: list[tuple[str, dict[str, Any], Reason]] = [
    ("alg", {"alg": "none"}, Reason.BAD_ALG),
    ("kid", {"kid": "none"}, Reason.BAD_KID),
    ("aud", {"aud": ""}, Reason.BAD_AUD),
    ("sig_b64", {"sig_b64": "!"}, Reason.MALFORMED),
    ("size", {"msg_b64": b64(b"x" * 5000)}, Reason.MSG_TOO_LARGE),
]


@pytest.mark.parametrize(
    ("first", "second"),
    [pytest.param(a, b, id=f"{a[0]} and {b[0]}") for a, b in combinations(ENVELOPE_FAULTS, 2)],
)
def test_of_two_faults_of_an_envelope_the_earlier_is_the_reason(
    first: tuple[str, dict[str, Any], Reason], second: tuple[str, dict[str, Any], Reason]
) -> None:
    assert fault(but(**(first[1] | second[1]))) is first[2]
    assert fault(but(**second[1])) is second[2]


# Compact tokens.

HEADER = {"alg": "EdDSA", "kid": KID, "typ": PASSPORT}


def with_header(spelling: bytes) -> Compact:
    """A token whose header is spelled so, rightly signed."""
    return MINT.compact_of(f"{b64url(spelling)}.{b64url(MINT.message())}")


def test_a_header_is_what_we_write() -> None:
    issued = issue({"aud": PRESENTED_TO}, MINT.keyring, RULES, MINT.now_s, compact=True)
    capability = mint_capability([ISSUE], 60, MINT.keyring, RULES, MINT.now_s)
    for token, typ in ((msgspec.json.decode(issued.body)["token"], PASSPORT), (capability, CAPABILITY)):
        header = from_b64url(token.split(".")[0])
        assert header == b'{"alg":"EdDSA","kid":"%b","typ":"%b"}' % (KID.encode(), typ.encode())


def test_rfc_9864s_name_is_read() -> None:
    token = MINT.compact(MINT.message(), alg="Ed25519")
    assert MINT.reason(token) is None


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(b'{"typ":"%b","kid":"%b","alg":"EdDSA"}', id="another order"),
        pytest.param(b' { "typ" : "%b" ,\n"kid":"%b","alg":"EdDSA"}', id="spaces"),
        pytest.param(b'{"t\\u0079p":"%b","kid":"%b","alg":"\\u0045dDSA"}', id="escapes"),
    ],
)
def test_a_header_may_be_written_by_another_library(spelling: bytes) -> None:
    assert MINT.reason(with_header(spelling % (PASSPORT.encode(), KID.encode()))) is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"alg": ...}, Reason.BAD_ALG),
        ({"alg": None}, Reason.BAD_ALG),
        ({"alg": "none"}, Reason.BAD_ALG),
        ({"alg": ""}, Reason.BAD_ALG),
        ({"alg": "HS256"}, Reason.BAD_ALG),
        ({"alg": "ES256"}, Reason.BAD_ALG),
        ({"alg": "eddsa"}, Reason.BAD_ALG),
        ({"alg": "EDDSA"}, Reason.BAD_ALG),
        ({"alg": "ed25519"}, Reason.BAD_ALG),
        ({"alg": ["EdDSA"]}, Reason.BAD_ALG),
        ({"alg": {}}, Reason.BAD_ALG),
        ({"alg": 1}, Reason.BAD_ALG),
        ({"alg": True}, Reason.BAD_ALG),
        ({"kid": ...}, Reason.BAD_KID),
        ({"kid": None}, Reason.BAD_KID),
        ({"kid": [KID]}, Reason.BAD_KID),
        ({"typ": ...}, Reason.MALFORMED),
        ({"typ": None}, Reason.MALFORMED),
        ({"typ": [PASSPORT]}, Reason.MALFORMED),
        ({"typ": ""}, Reason.MALFORMED),
        ({"typ": "JWT"}, Reason.MALFORMED),
        ({"typ": "passport"}, Reason.MALFORMED),
        ({"typ": "Passport+JWT"}, Reason.MALFORMED),
        ({"typ": f"application/{PASSPORT}"}, Reason.MALFORMED),
        ({"typ": f"{PASSPORT} "}, Reason.MALFORMED),
        ({"typ": CAPABILITY}, Reason.MALFORMED),
        ({"cty": "JWT"}, Reason.MALFORMED),
        ({"crit": []}, Reason.MALFORMED),
        ({"crit": ["b64"], "b64": False}, Reason.MALFORMED),
        ({"jku": "https://attacker.example/keys"}, Reason.MALFORMED),
        ({"jwk": {}}, Reason.MALFORMED),
        ({"x5c": []}, Reason.MALFORMED),
        ({"zip": "DEF"}, Reason.MALFORMED),
        ({"": ""}, Reason.MALFORMED),
    ],
    ids=str,
)
def test_a_header_has_exactly_alg_kid_and_typ(changed: dict[str, Any], reason: Reason) -> None:
    assert fault(MINT.compact(MINT.message(), **changed)) is reason


@pytest.mark.parametrize(
    "spelling",
    [
        b"",
        b"null",
        b"[]",
        b'"EdDSA"',
        b"1",
        b"{",
        json.dumps(HEADER).encode() + b"x",
        json.dumps(HEADER).encode()[:-1] + b',"alg":"EdDSA"}',
        json.dumps(HEADER).encode()[:-1] + b',"\\u0061lg":"none"}',
        b"\xef\xbb\xbf" + json.dumps(HEADER).encode(),
        json.dumps(HEADER).encode("utf-16"),
        json.dumps(HEADER | {"typ": "\ud800"}).encode(),
        b"\xff",
        b"[" * 300,
        b" " * 400 + json.dumps(HEADER).encode(),
    ],
)
def test_a_header_is_one_strict_object(spelling: bytes) -> None:
    assert fault(with_header(spelling)) is Reason.MALFORMED


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"alg": "none", "kid": "none", "typ": "JWT"}, Reason.BAD_ALG),
        ({"kid": "none", "typ": "JWT"}, Reason.BAD_KID),
        ({"alg": "none", "crit": []}, Reason.MALFORMED),
    ],
)
def test_of_two_faults_of_a_header_the_earlier_is_the_reason(headers: dict[str, Any], reason: Reason) -> None:
    assert fault(MINT.compact(b"x" * 5000, **headers)) is reason


def test_the_header_comes_before_the_rest() -> None:
    first, payload, last = COMPACT.token.split(".")
    bad_alg = b64url(json.dumps(HEADER | {"alg": "none"}).encode())
    assert fault(Compact(f"{bad_alg}.!.!")) is Reason.BAD_ALG
    assert fault(Compact(f"{first}.{b64url(b'x' * 5000)}.!")) is Reason.MALFORMED
    assert fault(Compact(f"{first}.{b64url(b'x' * 5000)}.{last}")) is Reason.MSG_TOO_LARGE
    assert fault(Compact(f"{first}.!.{last}")) is Reason.MALFORMED
    assert fault(Compact(f"{first}.{payload}.{last}")) is None


@pytest.mark.parametrize(
    "token", [*NO_TEXT, "", ".", "..", "...", "a", "a.b", "a.b.c.d", "é.é.é", "\ud800.a.b"]
)
def test_what_is_no_token_is_malformed(token: Any) -> None:
    assert fault(Compact(token)) is Reason.MALFORMED


@pytest.mark.parametrize("segment", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize(
    "respell",
    [
        pytest.param(lambda _: "", id="empty"),
        pytest.param(lambda text: text + "=" * (-len(text) % 4 or 4), id="padded"),
        pytest.param(lambda text: text + "\n", id="a newline after it"),
        pytest.param(lambda text: " " + text, id="a space before it"),
        pytest.param(lambda text: text[:5] + "!" + text[5:], id="a character that is none"),
        pytest.param(lambda text: text[:5] + "\0" + text[5:], id="NUL inside"),
        pytest.param(lambda text: text[:5] + "+" + text[6:], id="the other alphabet's +"),
        pytest.param(lambda text: text[:5] + "/" + text[6:], id="the other alphabet's /"),
        pytest.param(lambda text: text[:5] + "." + text[5:], id="a segment more"),
        pytest.param(lambda text: text + "A" * (1 + -len(text) % 4), id="one character too many for a quad"),
    ],
)
def test_base64url_has_one_spelling(segment: int, respell: Callable[[str], str]) -> None:
    segments = COMPACT.token.split(".")
    segments[segment] = respell(segments[segment])
    assert fault(Compact(".".join(segments))) is Reason.MALFORMED


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_a_signature_has_one_spelling() -> None:
    rest, last = COMPACT.token[:-1], COMPACT.token[-1]
    signature = read(COMPACT).signature
    aliases = [c for c in ALPHABET if from_b64url(f"{rest}{c}".split(".")[2]) == signature]
    assert len(aliases) == 16
    assert [c for c in aliases if fault(Compact(rest + c)) is None] == [last]


# Whatever is changed.


def test_no_character_of_a_token_may_change() -> None:
    token = COMPACT.token
    for at, was in enumerate(token):
        other = ALPHABET[(ALPHABET.find(was) + 1) % 64]
        changed = Compact(token[:at] + other + token[at + 1 :])
        assert MINT.reason(changed) is not None, at


def test_no_bit_of_an_envelope_may_change() -> None:
    message, signature = read(ENVELOPE).message, read(ENVELOPE).signature
    for at in range(8 * len(message)):
        assert MINT.reason(but(msg_b64=b64(flipped(message, at)))) is Reason.VERIFY_FAILED, at
    for at in range(8 * len(signature)):
        assert MINT.reason(but(sig_b64=b64(flipped(signature, at)))) is Reason.VERIFY_FAILED, at


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(st.binary(max_size=200), st.binary(max_size=70), st.sampled_from([None, "", "svc-a", "é"]))
def test_an_envelope_comes_back_as_it_was_written(message: bytes, signature: bytes, aud: str | None) -> None:
    written = carriers.write_envelope(KID, message, signature, aud)
    carrier = carriers.carrier_of(msgspec.json.decode(written))
    assert read(carrier, require_aud=False) == Unverified(KID, message, signature, message, aud)
    assert (b'"aud"' in written) is (aud is not None)


@given(st.binary(min_size=1, max_size=200), st.binary(min_size=1, max_size=70))
def test_a_compact_token_comes_back_as_it_was_written(message: bytes, signature: bytes) -> None:
    signed = carriers.compact_signed(KID, PASSPORT, message)
    token = carriers.write_compact(signed, signature)
    assert read(Compact(token)) == Unverified(KID, signed, signature, message, None)


tokens = st.text(st.sampled_from(ALPHABET + ".=+/ \n\0é"), max_size=60) | st.builds(
    lambda header, rest: f"{b64url(header)}.{rest}",
    json_values.map(json.dumps).map(str.encode) | st.binary(max_size=40),
    st.text(st.sampled_from(ALPHABET + ".="), max_size=20),
)
members = json_values | st.sampled_from(["Ed25519", KID, "svc-a", "QQ==", "AAAA"])
objects = st.fixed_dictionaries(
    {}, optional=dict.fromkeys([*Envelope.__struct_fields__, "token", "x"], members)
)


@given(tokens.map(lambda token: {"token": token}) | objects | json_values)
def test_whatever_is_sent_is_read_or_refused(value: Any) -> None:
    try:
        carrier = carriers.carrier_of(value)
    except Refused as refused:
        reason: Reason | None = refused.reason
    else:
        reason = MINT.reason(carrier)
    assert isinstance(reason, Reason)


# Neither kind of token is the other.


def test_a_capability_never_verifies() -> None:
    token = Compact(mint_capability([ADMIN], 60, MINT.keyring, RULES, MINT.now_s))
    assert fault(token) is Reason.MALFORMED
    assert MINT.reason(token) is Reason.MALFORMED
    assert fault(token, typ=CAPABILITY) is None


@pytest.mark.parametrize("compact", [True, False])
def test_a_passport_never_opens_a_door(compact: bool) -> None:
    changed = {"aud": [RULES.issuer], "scopes": [ADMIN]}
    passport = MINT.compact_passport(**changed) if compact else MINT.passport(**changed)
    assert MINT.reason(passport) is (None if compact else Reason.BAD_AUD)
    token = passport.token if isinstance(passport, Compact) else msgspec.json.encode(passport).decode()
    with pytest.raises(Refused) as refused:
        MINT.caller(token)
    assert refused.value.reason is Reason.UNAUTHORIZED
    assert MINT.caller(MINT.capability(ADMIN)).scopes == {ADMIN}


@pytest.mark.parametrize(("was", "becomes"), [(PASSPORT, CAPABILITY), (CAPABILITY, PASSPORT)])
def test_the_kind_is_signed(was: str, becomes: str) -> None:
    header, payload, signature = MINT.compact(MINT.message(aud=[RULES.issuer]), was).token.split(".")
    swapped = b64url(from_b64url(header).replace(was.encode(), becomes.encode()))
    verdict = MINT.verdict(Compact(f"{swapped}.{payload}.{signature}"), typ=becomes)
    assert isinstance(verdict, Denied)
    assert verdict.reason is Reason.VERIFY_FAILED


def test_an_envelope_has_no_kind_and_opens_no_door() -> None:
    envelope = members_of(MINT.passport(aud=[RULES.issuer], scopes=[ADMIN]))
    for member in envelope.values():
        with pytest.raises(Refused):
            MINT.caller(member)
