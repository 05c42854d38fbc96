"""Key ids, base64 and compact headers: each has one text form, and every other is refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from drafts import CARRIERS, Carrier, Draft, assert_faulty, assert_verdict, b64url, compact_header
from forge import BATCH, REVOKE, VERIFY, Forge, assert_refused, forging

from svc_passport.errors import Reason


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("carriers")) as forge:
        yield forge


# Key ids

ALIASES = [
    pytest.param("ed25519/default/v0", id="version zero"),
    pytest.param("ed25519/default/v02", id="a leading zero"),
    pytest.param("ed25519/default/v", id="no number"),
    pytest.param("ed25519/default/2", id="no v"),
    pytest.param("ed25519/default/v-2", id="a minus"),
    pytest.param("ed25519/default/v+2", id="a plus"),
    pytest.param("ed25519/default/v2.0", id="a fraction"),
    pytest.param("ed25519/default/v2e0", id="an exponent"),
    pytest.param("ed25519/default/v0x2", id="hexadecimal"),
    pytest.param("ed25519/default/v2_0", id="an underscore"),
    pytest.param("ed25519/default/V2", id="uppercase V"),
    pytest.param("Ed25519/default/v2", id="uppercase algorithm"),
    pytest.param("ed25519/Default/v2", id="uppercase namespace"),
    pytest.param("ed25519/default/v2/", id="a slash behind"),
    pytest.param("/ed25519/default/v2", id="a slash in front"),
    pytest.param("ed25519//default/v2", id="an empty segment in front"),
    pytest.param("ed25519/default//v2", id="an empty segment behind"),
    pytest.param("ed25519//v2", id="an empty namespace"),
    pytest.param("ed25519/v2", id="no namespace"),
    pytest.param("default/v2", id="no algorithm"),
    pytest.param("ed25519/default", id="no version"),
    pytest.param("ed448/default/v2", id="another algorithm"),
    pytest.param("ed25519/./default/v2", id="a dot segment"),
    pytest.param("ed25519/default/../default/v2", id="two dots"),
    pytest.param("ed25519/-default/v2", id="a segment that begins with a hyphen"),
    pytest.param("ed25519/_default/v2", id="a segment that begins with an underscore"),
    pytest.param("ed25519\\default\\v2", id="backslashes"),
    pytest.param("ed25519:default:v2", id="colons"),
    pytest.param("ed25519%2Fdefault%2Fv2", id="percent-encoded"),
    pytest.param(" ed25519/default/v2", id="a space in front"),
    pytest.param("ed25519/default/v2 ", id="a space behind"),
    pytest.param("ed25519/default/v2\n", id="a newline behind"),
    pytest.param("ed25519/default/v2\r\n", id="CRLF behind"),
    pytest.param("ed25519/default/v2\x00", id="a NUL behind"),
    pytest.param("ed25519/default/v2\u200b", id="a zero-width space behind"),
    pytest.param("\ufeffed25519/default/v2", id="a BOM in front"),
    pytest.param("ed25519/default/v２", id="a full-width digit"),
    pytest.param("ed25519/default/v٢", id="an Arabic digit"),
    pytest.param("ed25519/default/v²", id="a superscript"),
    pytest.param("ed25519/dеfault/v2", id="a Cyrillic e"),
    pytest.param("ed25519/ｄefault/v2", id="a full-width letter"),
    pytest.param("ed25519/de\u0301fault/v2", id="a combining accent"),
    pytest.param("ed25519∕default∕v2", id="division slashes"),
    pytest.param("ed25519/" + "n" * 118 + "/v2", id="129 characters"),
    pytest.param("ed25519/default/v" + "9" * 112, id="129 characters of number"),
    pytest.param("", id="empty"),
]
NOT_TEXT = [
    pytest.param(..., id="missing"),
    pytest.param(None, id="null"),
    pytest.param(2, id="a number"),
    pytest.param(True, id="a boolean"),
    pytest.param(["ed25519/default/v2"], id="a list"),
    pytest.param({"kid": "ed25519/default/v2"}, id="an object"),
]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("kid", [*ALIASES, *NOT_TEXT])
def test_a_kid_has_one_text_form(forge: Forge, carrier: Carrier, kid: object) -> None:
    draft = Draft(forge, carrier)
    assert draft.kid == "ed25519/default/v2"
    draft.kid = kid
    assert_faulty(draft, Reason.BAD_KID)


@pytest.mark.parametrize("kid", [*ALIASES, *NOT_TEXT])
def test_a_kid_to_revoke_has_one_text_form(forge: Forge, kid: object) -> None:
    body = json.dumps({} if kid is ... else {"kid": kid}).encode()
    assert_refused(forge.post(REVOKE, body), Reason.BAD_KID)


@pytest.mark.parametrize(
    "kid",
    [
        pytest.param("ed25519/default/v4", id="not made yet"),
        pytest.param("ed25519/default/v20", id="a longer number"),
        pytest.param("ed25519/other/v2", id="another namespace"),
        pytest.param("ed25519/default/v2/v2", id="a namespace that ends in a version"),
        pytest.param("ed25519/0/v2", id="one digit for a namespace"),
        pytest.param("ed25519/a.b_c-d/v2", id="every character of a namespace"),
        pytest.param("ed25519/" + "n" * 117 + "/v2", id="128 characters"),
        pytest.param("ed25519/default/v" + "9" * 111, id="128 characters of number"),
    ],
)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_kid_in_that_form_is_unknown_and_may_be_asked_again(
    forge: Forge, carrier: Carrier, kid: str
) -> None:
    draft = Draft(forge, carrier)
    draft.kid = kid
    assert_faulty(draft, Reason.UNKNOWN_KID)
    assert_refused(forge.post(REVOKE, json.dumps({"kid": kid}).encode()), Reason.UNKNOWN_KID)


# Base64


def _with_idle_bits(text: str) -> str:
    """Return padded base64 that decodes to the same bytes: the last digit has idle bits set."""
    at = len(text.rstrip("=")) - 1
    assert at < len(text) - 1, "there are no idle bits without padding"
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:at] + digits[digits.index(text[at]) + 1] + text[at + 1 :]


BAD_BASE64 = [
    pytest.param(lambda t: t.rstrip("="), id="no padding"),
    pytest.param(lambda t: t + "=", id="one = too many"),
    pytest.param(lambda t: t + "==", id="two = too many"),
    pytest.param(lambda t: t + "====", id="four = too many"),
    pytest.param(lambda t: "=" + t, id="= in front"),
    pytest.param(lambda t: t[:4] + "=" + t[4:], id="= in the middle"),
    pytest.param(_with_idle_bits, id="idle bits set"),
    pytest.param(lambda t: t + "\n", id="a newline behind"),
    pytest.param(lambda t: t[:4] + "\r\n" + t[4:], id="a line break"),
    pytest.param(lambda t: " " + t, id="a space in front"),
    pytest.param(lambda t: t + " ", id="a space behind"),
    pytest.param(lambda t: t[:8] + "\t" + t[8:], id="a tab"),
    pytest.param(lambda t: t[:8] + "\x00" + t[8:], id="a NUL"),
    pytest.param(lambda t: t[:8] + "!" + t[8:], id="a character outside the alphabet"),
    pytest.param(lambda t: t[:8] + "é" + t[8:], id="a character beyond ASCII"),
    pytest.param(lambda t: "\ufeff" + t, id="a BOM"),
    pytest.param(lambda t: chr(ord(t[0]) + 0xFEE0) + t[1:], id="a full-width character"),
    pytest.param(lambda t: t.replace("+", "-").replace("/", "_"), id="the URL alphabet"),
    pytest.param(lambda t: t[:-1] + "%3D", id="percent-encoded"),
    pytest.param(lambda _: "=", id="only ="),
    pytest.param(lambda _: "====", id="only ===="),
    pytest.param(lambda _: "A", id="one character"),
    pytest.param(lambda _: "A===", id="six bits"),
    pytest.param(lambda _: "AAAAA", id="five characters"),
    pytest.param(lambda _: " ", id="a space"),
    pytest.param(lambda _: ..., id="missing"),
    pytest.param(lambda _: None, id="null"),
    pytest.param(lambda _: 1, id="a number"),
    pytest.param(lambda _: True, id="a boolean"),
    pytest.param(lambda t: [t], id="a list"),
    pytest.param(lambda t: {t: t}, id="an object"),
]


def _padded(draft: Draft) -> None:
    """Give the message, as base64, two = and both characters in which the alphabets differ."""
    draft.claims["pad"] = "~~~~~~???????"
    while len(draft.message(draft.claims)) % 3 != 1:
        draft.claims["pad"] += "x"


@pytest.mark.parametrize("spoil", BAD_BASE64)
def test_a_message_in_other_than_canonical_base64_is_malformed(forge: Forge, spoil: Any) -> None:
    draft = Draft(forge)
    _padded(draft)
    text = draft.carried()["msg_b64"]
    assert text.endswith("==")
    assert set("+/") & set(text)
    draft.msg_text = spoil
    assert_faulty(draft, Reason.MALFORMED)


@pytest.mark.parametrize("spoil", BAD_BASE64)
def test_a_signature_in_other_than_canonical_base64_is_malformed(forge: Forge, spoil: Any) -> None:
    draft = Draft(forge)
    while not set("+/") & set(str(draft.carried()["sig_b64"])):
        draft.claims["pad"] = draft.claims.get("pad", "") + "x"
    draft.sig_text = spoil
    assert_faulty(draft, Reason.MALFORMED)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda t: t + "=", id="one = too many"),
        pytest.param(lambda t: t + "==", id="padding"),
        pytest.param(lambda t: _with_idle_bits(t + "==")[:-2], id="idle bits set"),
        pytest.param(lambda t: t.replace("-", "+").replace("_", "/"), id="the standard alphabet"),
        pytest.param(lambda t: t + "\n", id="a newline behind"),
        pytest.param(lambda t: " " + t, id="a space in front"),
        pytest.param(lambda t: t[:8] + "\t" + t[8:], id="a tab"),
        pytest.param(lambda t: t[:8] + "!" + t[8:], id="a character outside the alphabet"),
        pytest.param(lambda t: t[:8] + "é" + t[8:], id="a character beyond ASCII"),
        pytest.param(lambda t: t + "." + t, id="one segment more"),
        pytest.param(lambda t: t + ".", id="a dot behind"),
        pytest.param(lambda _: "", id="empty"),
        pytest.param(lambda _: "A", id="six bits"),
        pytest.param(lambda _: "AAAAA", id="five characters"),
        pytest.param(lambda _: "=", id="only ="),
    ],
)
@pytest.mark.parametrize("segment", ["msg_text", "sig_text"])
def test_a_segment_in_other_than_canonical_base64url_is_malformed(
    forge: Forge, segment: str, spoil: Any
) -> None:
    draft = Draft(forge, "compact")
    _padded(draft)
    while not set("-_") & set(str(draft.carried()["token"]).rpartition(".")[2]):
        draft.claims["pad"] += "xxx"
    setattr(draft, segment, spoil)
    assert_faulty(draft, Reason.MALFORMED)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="none"),
        pytest.param("AAAA", id="3 bytes"),
        pytest.param("A" * 84, id="63 bytes"),
        pytest.param("A" * 86 + "==", id="64 bytes of zero"),
        pytest.param("A" * 87 + "=", id="65 bytes"),
        pytest.param("A" * 1024, id="768 bytes"),
    ],
)
def test_a_signature_of_any_length_is_a_verdict(forge: Forge, text: str) -> None:
    draft = Draft(forge)
    draft.sig_text = lambda _: text
    assert_verdict(draft, Reason.VERIFY_FAILED)


def test_an_empty_message_is_a_verdict(forge: Forge) -> None:
    draft = Draft(forge)
    draft.msg_text = lambda _: ""
    assert_verdict(draft, Reason.VERIFY_FAILED)
    draft = Draft(forge)
    draft.message = lambda _: b""
    assert_verdict(draft, Reason.MALFORMED)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_message_of_max_msg_bytes_is_read_and_no_longer_one(forge: Forge, carrier: Carrier) -> None:
    draft = Draft(forge, carrier, pad="")
    draft.claims["pad"] = "x" * (4096 - len(draft.message(draft.claims)))
    assert len(draft.message(draft.claims)) == 4096
    assert_verdict(draft, None)
    draft.claims["pad"] += "x"
    assert_faulty(draft, Reason.MSG_TOO_LARGE)


# Compact tokens


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(None, id="null"),
        pytest.param(1, id="a number"),
        pytest.param(True, id="a boolean"),
        pytest.param([], id="a list"),
        pytest.param({}, id="an object"),
        "",
        ".",
        "..",
        "...",
        "a",
        "a.b",
        "a.b.",
        ".b.c",
        "a..c",
        pytest.param("é.é.é", id="beyond ASCII"),
        pytest.param(f"{compact_header()}.e30.AAAA.AAAA.AAAA", id="five segments, as JWE"),
        pytest.param(f" {compact_header()}.e30.AAAA", id="a space in front"),
        pytest.param(f"{compact_header()}=.e30.AAAA", id="a padded header"),
        pytest.param(f"Bearer {compact_header()}.e30.AAAA", id="a scheme in front"),
    ],
)
def test_what_is_no_compact_token_is_malformed(forge: Forge, token: object) -> None:
    body = json.dumps({"token": token}).encode()
    assert_refused(forge.post(VERIFY, body), Reason.MALFORMED)
    assert forge.post(BATCH, b"[%b]" % body).json == [False]


KID = Forge.revoked_kid
GOOD_HEADER = json.dumps({"alg": "EdDSA", "kid": KID, "typ": "passport+jwt"}, separators=(",", ":"))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param(GOOD_HEADER, Reason.REVOKED, id="as it should be"),
        pytest.param(GOOD_HEADER.replace(",", " ,\n"), Reason.REVOKED, id="spaces"),
        pytest.param(GOOD_HEADER.replace("EdDSA", "Ed25519"), Reason.REVOKED, id="RFC 9864's alg"),
        pytest.param(GOOD_HEADER.replace("EdDSA", "eddsa"), Reason.BAD_ALG, id="alg in another case"),
        pytest.param(GOOD_HEADER.replace("EdDSA", "none"), Reason.BAD_ALG, id="none"),
        pytest.param(GOOD_HEADER.replace("EdDSA", "HS256"), Reason.BAD_ALG, id="HS256"),
        pytest.param(GOOD_HEADER.replace('"EdDSA"', "null"), Reason.BAD_ALG, id="alg null"),
        pytest.param(GOOD_HEADER.replace('"EdDSA"', '["EdDSA"]'), Reason.BAD_ALG, id="alg a list"),
        pytest.param(GOOD_HEADER.replace('"alg":"EdDSA",', ""), Reason.BAD_ALG, id="no alg"),
        pytest.param(GOOD_HEADER.replace(f'"kid":"{KID}",', ""), Reason.BAD_KID, id="no kid"),
        pytest.param(GOOD_HEADER.replace(',"typ":"passport+jwt"', ""), Reason.MALFORMED, id="no typ"),
        pytest.param(GOOD_HEADER.replace("passport+jwt", "JWT"), Reason.MALFORMED, id="JWT"),
        pytest.param(GOOD_HEADER.replace("passport+", "at+"), Reason.MALFORMED, id="at+jwt"),
        pytest.param(GOOD_HEADER.replace("passport+", "passport-cap+"), Reason.MALFORMED, id="a capability"),
        pytest.param(GOOD_HEADER.replace("passport+", "Passport+"), Reason.MALFORMED, id="typ in uppercase"),
        pytest.param(GOOD_HEADER.replace("pass", "application/pass"), Reason.MALFORMED, id="a full type"),
        pytest.param(GOOD_HEADER.replace('"passport+jwt"', "null"), Reason.MALFORMED, id="typ null"),
        pytest.param(GOOD_HEADER.replace('"passport+jwt"', "{}"), Reason.MALFORMED, id="typ an object"),
        pytest.param(GOOD_HEADER.replace("}", ',"cty":"x"}'), Reason.MALFORMED, id="one member more"),
        pytest.param(GOOD_HEADER.replace("}", ',"crit":["b64"],"b64":false}'), Reason.MALFORMED, id="crit"),
        pytest.param(GOOD_HEADER.replace("}", ',"jwk":{}}'), Reason.MALFORMED, id="a key of its own"),
        pytest.param(GOOD_HEADER.replace("}", ',"alg":"EdDSA"}'), Reason.MALFORMED, id="alg twice"),
        pytest.param("\ufeff" + GOOD_HEADER, Reason.MALFORMED, id="a BOM"),
        pytest.param(GOOD_HEADER.replace("jwt", "\\ud800"), Reason.MALFORMED, id="a lone surrogate"),
        pytest.param(GOOD_HEADER + "x", Reason.MALFORMED, id="something behind"),
        pytest.param(GOOD_HEADER + " " * 512, Reason.MALFORMED, id="very long"),
        pytest.param(f"[{GOOD_HEADER}]", Reason.MALFORMED, id="in a list"),
        pytest.param('"EdDSA"', Reason.MALFORMED, id="a string"),
        pytest.param("null", Reason.MALFORMED, id="null"),
        pytest.param("{}", Reason.BAD_ALG, id="nothing in it"),
        pytest.param("[" * 300, Reason.MALFORMED, id="300 brackets"),
    ],
)
def test_a_header_is_exactly_alg_kid_and_typ(forge: Forge, header: str, reason: Reason) -> None:
    assert forge.detail({"token": f"{b64url(header.encode())}.e30.AAAA"}) == {"ok": False, "reason": reason}


def test_a_header_of_a_kid_of_128_characters_is_read(forge: Forge) -> None:
    header = compact_header(kid="ed25519/" + "n" * 117 + "/v2")
    assert forge.detail({"token": f"{header}.e30.AAAA"}) == {"ok": False, "reason": Reason.UNKNOWN_KID}


def test_a_header_that_is_not_utf_8_is_malformed(forge: Forge) -> None:
    header = b64url(GOOD_HEADER.encode().replace(b"jwt", b"\xff"))
    assert_refused(forge.post(VERIFY, b'{"token":"%b.e30.AAAA"}' % header.encode()), Reason.MALFORMED)


def test_a_capability_is_no_passport(forge: Forge) -> None:
    token = forge.capability("passport:issue")[1].removeprefix("Bearer ")
    assert_refused(forge.post(VERIFY, json.dumps({"token": token}).encode()), Reason.MALFORMED)
