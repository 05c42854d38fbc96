"""``POST /v1/passport/verify``: what is read, what is refused, and in which order."""

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from forge import (
    BATCH,
    FAULTS,
    HERE,
    ISSUER,
    PAIRS,
    REVOKE,
    VERIFY,
    Carrier,
    Draft,
    Fault,
    Forge,
    assert_refused,
    b64url,
    compact_header,
    faults_of,
    forging,
)

from svc_passport.errors import Reason

CARRIERS: tuple[Carrier, ...] = ("envelope", "compact")
FUTURE = "ed25519/default/v999"


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("verify")) as forge:
        yield forge


def assert_faulty(draft: Draft, reason: Reason) -> None:
    """A fault of the token: a problem for a lone one, told with ``detail=1``, ``false`` in a batch."""
    assert_refused(draft.present(), reason)
    told = draft.present("detail=1")
    assert (told.status, told.body) == (200, b'{"ok":false,"reason":"%b"}' % reason.encode())
    batch = draft.forge.post(BATCH, json.dumps([draft.carried()]).encode())
    assert (batch.status, batch.body) == (200, b"[false]")


def assert_verdict(draft: Draft, reason: Reason | None, *query: str) -> None:
    """A verdict: true or false, and with ``detail=1`` why."""
    plain, told = draft.present(*query), draft.present("detail=1", *query)
    assert (plain.status, plain.body) == (200, b"false" if reason else b"true")
    assert told.status == 200
    if reason:
        assert told.body == b'{"ok":false,"reason":"%b"}' % reason.encode()
    else:
        assert told.json == {"ok": True, "claims": draft.claims}


# The order


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_token_without_a_fault_verifies(forge: Forge, carrier: Carrier) -> None:
    assert_verdict(Draft(forge, carrier), None)


@pytest.mark.parametrize(
    ("carrier", "fault"),
    [pytest.param(c, f, id=f"{c}: {f}") for c in CARRIERS for f in faults_of(c)],
)
def test_each_fault_alone_has_its_reason(forge: Forge, carrier: Carrier, fault: Fault) -> None:
    draft = Draft(forge, carrier)
    fault.spoil(draft)
    if fault.by == "verdict":
        assert_verdict(draft, fault.reason)
    elif fault.by == "token":
        assert_faulty(draft, fault.reason)
    else:
        assert_refused(draft.present(), fault.reason)
        assert_refused(draft.present("detail=1"), fault.reason)


@pytest.mark.parametrize("first", FAULTS[:-1], ids=str)
def test_of_two_faults_the_earlier_is_told(forge: Forge, first: Fault) -> None:
    for one, other in PAIRS:
        if one is not first:
            continue
        for carrier in CARRIERS:
            if not {one, other} <= set(faults_of(carrier)):
                continue
            draft = Draft(forge, carrier)
            one.spoil(draft)
            other.spoil(draft)
            answer = draft.present("detail=1")
            if one.by == "request":
                assert_refused(answer, one.reason)
            else:
                assert answer.json == {"ok": False, "reason": one.reason}, (carrier, other.name)


def test_a_revoked_kid_is_a_verdict_whatever_the_signature_says(forge: Forge) -> None:
    draft = Draft(forge)
    draft.kid, draft.sig_text = Forge.revoked_kid, lambda _: ""
    assert_verdict(draft, Reason.REVOKED)


# Members of an envelope


@pytest.mark.parametrize(
    "alg",
    [
        pytest.param(..., id="missing"),
        pytest.param(None, id="null"),
        pytest.param(1, id="a number"),
        pytest.param(True, id="a boolean"),
        pytest.param(["Ed25519"], id="a list"),
        pytest.param({"Ed25519": 1}, id="an object"),
        "",
        "none",
        "ed25519",
        "ED25519",
        "EdDSA",
        "Ed448",
        "HS256",
        pytest.param("Ed25519 ", id="a space behind"),
        pytest.param("Ed25519\x00", id="a NUL behind"),
        pytest.param("Еd25519", id="a Cyrillic E"),
        pytest.param("Ｅｄ２５５１９", id="full width"),
    ],
)
def test_an_envelope_with_another_alg_is_bad_alg(forge: Forge, alg: object) -> None:
    draft = Draft(forge)
    draft.alg = alg
    assert_faulty(draft, Reason.BAD_ALG)


@pytest.mark.parametrize(
    "aud",
    [
        pytest.param(..., id="missing"),
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param(1, id="a number"),
        pytest.param(False, id="a boolean"),
        pytest.param([HERE], id="a list"),
        pytest.param({}, id="an object"),
    ],
)
def test_an_envelope_without_an_audience_is_bad_aud(forge: Forge, aud: object) -> None:
    draft = Draft(forge)
    draft.aud = aud
    assert_faulty(draft, Reason.BAD_AUD)


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("lenient"), security__require_aud="false") as forge:
        yield forge


@pytest.mark.parametrize("aud", [pytest.param(..., id="missing"), pytest.param(None, id="null")])
def test_an_audience_that_is_not_required_may_be_left_out(lenient: Forge, aud: object) -> None:
    draft = Draft(lenient)
    draft.aud = aud
    assert_verdict(draft, None)
    assert_verdict(draft, Reason.BAD_AUD, "aud=svc-b")


def test_an_audience_that_is_not_required_still_restricts(lenient: Forge) -> None:
    draft = Draft(lenient)
    for draft.aud in ("svc-b", ""):
        assert_verdict(draft, Reason.BAD_AUD)
    for draft.aud in (1, [HERE]):
        assert_faulty(draft, Reason.BAD_AUD)


def test_an_envelope_is_issued_without_an_audience_that_is_not_required(lenient: Forge) -> None:
    assert lenient.issue().keys() == {"alg", "kid", "msg_b64", "sig_b64"}


def test_two_null_audiences_are_a_member_that_stands_twice(lenient: Forge) -> None:
    body = json.dumps(Draft(lenient).carried()).replace(f'"aud": "{HERE}"', '"aud":null,"aud":null').encode()
    assert body.count(b"null") == 2
    assert_refused(lenient.post(VERIFY, body), Reason.MALFORMED)
    assert_refused(lenient.post(VERIFY + "?detail=1", body), Reason.MALFORMED)


SOME: dict[str, Any] = {"alg": "Ed25519", "aud": HERE, "kid": FUTURE, "msg_b64": "", "sig_b64": ""}


@pytest.mark.parametrize(
    "carrier",
    [
        pytest.param(None, id="null"),
        pytest.param(True, id="a boolean"),
        pytest.param(0, id="a number"),
        pytest.param("", id="a string"),
        pytest.param("a.b.c", id="a bare token"),
        pytest.param([], id="a list"),
        pytest.param([SOME], id="an envelope in a list"),
        pytest.param({"items": []}, id="a batch"),
        pytest.param(SOME | {"typ": "passport"}, id="an unknown member"),
        pytest.param(SOME | {"Alg": "Ed25519"}, id="a member in another case"),
        pytest.param(SOME | {"": 1}, id="a member without a name"),
        pytest.param(SOME | {"token": "a.b.c"}, id="both carriers in one"),
        pytest.param({"token": "a.b.c", "kid": FUTURE}, id="a compact token with a kid beside it"),
        pytest.param({"Token": "a.b.c"}, id="a token in another case"),
    ],
)
def test_what_is_no_carrier_is_malformed(forge: Forge, carrier: object) -> None:
    body = json.dumps(carrier).encode()
    assert_refused(forge.post(VERIFY, body), Reason.MALFORMED)
    assert forge.post(VERIFY + "?detail=1", body).json == {"ok": False, "reason": "malformed"}
    assert forge.post(BATCH, b"[%b]" % body).json == [False]


def test_an_empty_object_is_an_envelope_without_an_alg(forge: Forge) -> None:
    assert_refused(forge.post(VERIFY, b"{}"), Reason.BAD_ALG)


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
GOOD_HEADER = '{"alg":"EdDSA","kid":"%s","typ":"passport+jwt"}' % KID


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


# Claims


def _lax(text: str) -> Any:
    return lambda claims: text.encode() % json.dumps(claims, separators=(",", ":"), sort_keys=True).encode()


def _replaced(old: bytes, new: bytes) -> Any:
    def message(claims: object) -> bytes:
        canonical = json.dumps(claims, separators=(",", ":"), sort_keys=True).encode()
        assert old in canonical
        return canonical.replace(old, new)

    return message


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(lambda c: json.dumps(c, sort_keys=True).encode(), id="spaces"),
        pytest.param(
            lambda c: json.dumps(dict(sorted(c.items(), reverse=True)), separators=(",", ":")).encode(),
            id="not sorted",
        ),
        pytest.param(_lax(" %b"), id="a space in front"),
        pytest.param(_lax("%b\n"), id="a newline behind"),
        pytest.param(_lax("\ufeff%b"), id="a BOM"),
        pytest.param(_lax("[%b]"), id="in a list"),
        pytest.param(_lax("%b{}"), id="two objects"),
        pytest.param(lambda _: b"null", id="null"),
        pytest.param(lambda _: b'"text"', id="a string"),
        pytest.param(lambda _: b"{}", id="no claims"),
        pytest.param(lambda _: b"\xff", id="not UTF-8"),
        pytest.param(lambda _: b"[" * 4096, id="4096 brackets"),
        pytest.param(lambda _: b'{"a":' * 800, id="800 objects"),
        pytest.param(_replaced(b'"svc-a"', b'"svc\\u002da"'), id="an escape that is not needed"),
        pytest.param(_replaced(b'"svc-a"', b'"svc-a","x\\u001F"'), id="an escape in uppercase"),
        pytest.param(_replaced(b'"svc-a"', b'"svc-a","x\\ud800"'), id="a lone surrogate"),
        pytest.param(_replaced(b'"svc-a"', b'"svc-a","x\xed\xa0\x80"'), id="a raw lone surrogate"),
        pytest.param(_replaced(b'{"aud"', b'{"aud":["svc-a"],"aud"'), id="aud twice"),
        pytest.param(_replaced(b'{"aud"', b'{"a":1.0,"aud"'), id="1.0"),
        pytest.param(_replaced(b'{"aud"', b'{"a":1e2,"aud"'), id="1e2"),
        pytest.param(_replaced(b'{"aud"', b'{"a":-0,"aud"'), id="-0"),
        pytest.param(_replaced(b'{"aud"', b'{"a":9007199254740992,"aud"'), id="2^53"),
        pytest.param(_replaced(b'{"aud"', b'{"a":1e400,"aud"'), id="an overflow"),
        pytest.param(_replaced(b'{"aud"', b'{"a":NaN,"aud"'), id="NaN"),
        pytest.param(
            _replaced(b'{"aud"', b'{"a":%b%b,"aud"' % (b"[" * 16, b"]" * 16)), id="17 levels of nesting"
        ),
    ],
)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_signed_message_that_is_not_canonical_is_no_passport(
    forge: Forge, carrier: Carrier, message: Any
) -> None:
    draft = Draft(forge, carrier)
    draft.message = message
    assert_verdict(draft, Reason.MALFORMED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name}: {json.dumps(value)}")
        for name, values in {
            "aud": [None, HERE, [], [""], [1], [HERE, None], [HERE, HERE], {}],
            "iat": [None, "1", 1.5, True, [], 1e300],
            "exp": [None, "1", 1.5, True, []],
            "nbf": [None, "1", 1.5, False, {}],
            "iss": [None, 1, [ISSUER]],
            "kid": [None, 1, ["ed25519/default/v2"]],
            "jti": [None, 1, "", "A" * 21, "A" * 23, "A" * 21 + "B", "A" * 21 + "=", "+" + "A" * 21],
            "sub": [None, 1, ["alice"], {}],
            "scopes": [None, "read", [1], ["read", None], {"read": 1}],
            "nonce": [None, 1, []],
            "ctx": [None, "t1", ["t1"], 1],
            "": [1],
            "X": [1],
            "1a": [1],
            "_a": [1],
            " a": [1],
            "é": [1],
            "ａ": [1],
            "а": [1],
        }.items()
        for value in values
    ],
)
def test_a_signed_claim_of_another_type_or_name_is_malformed(forge: Forge, name: str, value: Any) -> None:
    draft = Draft(forge)
    draft.claims[name] = value
    assert_verdict(draft, Reason.MALFORMED)


@pytest.mark.parametrize("name", ["aud", "exp", "iat", "iss", "jti", "kid"])
def test_a_registered_claim_is_never_missing(forge: Forge, name: str) -> None:
    draft = Draft(forge)
    del draft.claims[name]
    assert_verdict(draft, Reason.MALFORMED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("iat", 0, id="iat: 0"),
        pytest.param("iat", -(2**53) + 1, id="iat: the smallest"),
    ],
)
def test_a_lifetime_is_counted_from_iat(forge: Forge, name: str, value: int) -> None:
    draft = Draft(forge)
    draft.claims[name] = value
    assert_verdict(draft, Reason.TTL_TOO_LONG)


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"a": [[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}, id="16 levels of nesting"),
        pytest.param({"a": 2**53 - 1, "b": 1 - 2**53}, id="the largest integers"),
        pytest.param({"a": 0.1, "b": 1e21, "c": 5e-324}, id="fractions"),
        pytest.param({"a": "\u0000\u001f\u007f\u2028\U0001f600", "z\U0001f600": 1, "z\uffff": 1}, id="text"),
        pytest.param({"a": None, "b": True, "c": [], "d": {}}, id="other values"),
        pytest.param({"ctx": {"": {"X": 1}, "tenant": "t1"}}, id="any name below the top"),
        pytest.param({"nbf": 0, "sub": "", "nonce": "", "scopes": [], "ctx": {}}, id="empty optional ones"),
        pytest.param({"aud": [HERE, "svc-b"]}, id="two audiences"),
    ],
)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_claims_up_to_every_limit_verify(forge: Forge, carrier: Carrier, claims: dict[str, Any]) -> None:
    assert_verdict(Draft(forge, carrier, **claims), None)


# Text is its code points


LOOK_ALIKES = [
    pytest.param("svc-a", "ｓvc-a", id="full width"),
    pytest.param("svc-a", "svс-a", id="a Cyrillic c"),
    pytest.param("svc-a", "SVC-A", id="uppercase"),
    pytest.param("svc-a", "svc‐a", id="another hyphen"),
    pytest.param("svc-a", "svc-a ", id="a space behind"),
    pytest.param("svc-a", "svc-a\u200b", id="a zero-width space"),
    pytest.param("svc-a", "svc-a\x00", id="a NUL behind"),
    pytest.param("caf\u00e9", "cafe\u0301", id="NFC and NFD"),
    pytest.param("\u212b", "\u00c5", id="Angstrom sign and letter"),
    pytest.param("ﬁ", "fi", id="a ligature"),
    pytest.param("straße", "strasse", id="case folding"),
    pytest.param("ı", "i", id="a dotless i"),
    pytest.param("\U0001f600", "\U0001f601", id="astral"),
]


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKES)
@pytest.mark.parametrize("swap", [False, True], ids=["", "swapped"])
def test_look_alike_audiences_are_different(forge: Forge, one: str, other: str, swap: bool) -> None:
    if swap:
        one, other = other, one
    envelope = forge.issue(aud=one)
    assert envelope["aud"] == one
    assert forge.detail(envelope, f"&aud={_quoted(one)}")["claims"]["aud"] == [one]
    assert forge.detail(envelope, f"&aud={_quoted(other)}") == {"ok": False, "reason": "bad_aud"}
    assert forge.detail(envelope | {"aud": other}) == {"ok": False, "reason": "bad_aud"}
    both = forge.issue(aud=[one, other])
    assert forge.detail(both)["claims"]["aud"] == [one, other]


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKES)
def test_text_comes_back_as_it_was_sent(forge: Forge, one: str, other: str) -> None:
    for text in (one, other):
        told = forge.detail(forge.issue(sub=text, scopes=[text], ctx={text: text}, x=text))["claims"]
        assert [told["sub"], *told["scopes"], *told["ctx"], *told["ctx"].values(), told["x"]] == [text] * 5


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKES)
def test_look_alike_scopes_are_different(forge: Forge, one: str, other: str) -> None:
    envelope = forge.issue(scopes=[one])
    assert forge.detail(envelope, f"&scope={_quoted(one)}")["ok"]
    assert forge.detail(envelope, f"&scope={_quoted(other)}") == {"ok": False, "reason": "scope_denied"}


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


# Detail


def test_detail_tells_the_claims_as_they_were_signed(forge: Forge) -> None:
    envelope = forge.issue(sub="alice", x={"b": 1, "a": [True, None, 1.5]})
    answer = forge.post(VERIFY + "?detail=1", json.dumps(envelope).encode())
    assert answer.body == b'{"ok":true,"claims":%b}' % b64decode(envelope["msg_b64"])


@pytest.mark.parametrize(
    ("query", "verdict"),
    [
        ("", True),
        ("?scope=read", True),
        ("?scope=read&scope=write", True),
        ("?scope=write&scope=write", True),
        ("?scope=read&scope=admin", False),
        ("?scope=rea", False),
        ("?scope=read%20write", False),
        ("?scope=read,write", False),
        ("?aud=svc-a&scope=read", True),
        ("?aud=svc-b&scope=read", True),
        ("?aud=svc-c&scope=read", False),
    ],
)
def test_every_restriction_asked_for_is_checked(forge: Forge, query: str, verdict: bool) -> None:
    token = forge.issue_compact(aud=["svc-a", "svc-b"], scopes=["read", "write"])
    answer = forge.post(VERIFY + query, json.dumps({"token": token}).encode())
    assert (answer.status, answer.json) == (200, verdict)
