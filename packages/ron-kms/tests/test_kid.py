"""A key id has one text form: every other spelling of it is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ron_kms import KID_CHARS_MAX, Kid, check_namespace

NAMESPACES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,9}(?:/[a-z0-9][a-z0-9._-]{0,9}){0,3}", fullmatch=True)
NUMBERS = st.text("0123456789\u0661\uff11 \n", max_size=3)
KIDS = st.builds(Kid, NAMESPACES, st.integers(1, 10**40)).filter(lambda kid: len(str(kid)) <= KID_CHARS_MAX)
LONGEST = "ed25519/" + "n" * 117 + "/v1"


@pytest.mark.parametrize(
    ("text", "namespace", "number"),
    [
        pytest.param("ed25519/default/v1", "default", 1, id="the first"),
        pytest.param("ed25519/default/v10", "default", 10, id="a zero that does not lead"),
        pytest.param("ed25519/a/v18446744073709551616", "a", 2**64, id="a number beyond 64 bits"),
        pytest.param("ed25519/0/v1", "0", 1, id="a namespace of one digit"),
        pytest.param("ed25519/a.b_c-d/v1", "a.b_c-d", 1, id="every sign that may follow"),
        pytest.param("ed25519/a../v1", "a..", 1, id="dots at the end"),
        pytest.param("ed25519/team/eu/west/v3", "team/eu/west", 3, id="segments"),
        pytest.param("ed25519/team/v1/v2", "team/v1", 2, id="the last number is the version"),
        pytest.param(LONGEST, "n" * 117, 1, id="128 characters"),
    ],
)
def test_the_one_form_is_read(text: str, namespace: str, number: int) -> None:
    assert Kid.parse(text) == Kid(namespace, number)
    assert str(Kid.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("default", id="namespace alone"),
        pytest.param("default/v1", id="no algorithm"),
        pytest.param("ed25519/v1", id="no namespace"),
        pytest.param("ed25519/default", id="no number"),
        pytest.param("ed25519/default/", id="empty number"),
        pytest.param("ed25519/default/v", id="v alone"),
        pytest.param("ed25519/default/1", id="no v"),
        pytest.param("ed25519/default/v0", id="v0"),
        pytest.param("ed25519/default/v01", id="leading zero"),
        pytest.param("ed25519/default/v00", id="zeros"),
        pytest.param("ed25519/default/v001", id="leading zeros"),
        pytest.param("ed25519/default/v+1", id="plus"),
        pytest.param("ed25519/default/v-1", id="minus"),
        pytest.param("ed25519/default/v1_0", id="underscore, which int() takes"),
        pytest.param("ed25519/default/v1.0", id="fraction"),
        pytest.param("ed25519/default/v1e1", id="exponent"),
        pytest.param("ed25519/default/v0x1", id="hexadecimal"),
        pytest.param("ED25519/default/v1", id="uppercase algorithm"),
        pytest.param("Ed25519/default/v1", id="the algorithm as JOSE spells it"),
        pytest.param("ed25519/Default/v1", id="uppercase namespace"),
        pytest.param("ed25519/defaulT/v1", id="uppercase inside"),
        pytest.param("ed25519/default/V1", id="uppercase v"),
        pytest.param("ed25519/default/v\N{FULLWIDTH DIGIT ONE}", id="fullwidth digit"),
        pytest.param("ed25519/default/v\N{ARABIC-INDIC DIGIT ONE}", id="arabic digit"),
        pytest.param("ed25519/default/v1\N{DEVANAGARI DIGIT ZERO}", id="devanagari digit at the end"),
        pytest.param("ed25519/default/v\N{SUPERSCRIPT ONE}", id="superscript digit"),
        pytest.param("ed25519/default/v\N{MATHEMATICAL BOLD DIGIT ONE}", id="mathematical digit"),
        pytest.param("ed2551\N{FULLWIDTH DIGIT NINE}/default/v1", id="fullwidth digit in the algorithm"),
        pytest.param("ed25519/d\N{CYRILLIC SMALL LETTER IE}fault/v1", id="cyrillic look-alike"),
        pytest.param("ed25519/de\N{LATIN SMALL LIGATURE FI}/v1", id="ligature"),
        pytest.param("ed25519/te\N{LATIN SMALL LETTER LONG S}t/v1", id="long s, which folds to s"),
        pytest.param("ed25519/\N{KELVIN SIGN}/v1", id="kelvin sign, which folds to k"),
        pytest.param("ed25519/e\N{COMBINING ACUTE ACCENT}/v1", id="combining accent"),
        pytest.param("ed25519/\N{LATIN SMALL LETTER E WITH ACUTE}/v1", id="accent"),
        pytest.param("ed25519\N{DIVISION SLASH}default\N{DIVISION SLASH}v1", id="look-alike slashes"),
        pytest.param("ed25519/de\N{ZERO WIDTH SPACE}fault/v1", id="zero-width space"),
        pytest.param("\N{ZERO WIDTH NO-BREAK SPACE}ed25519/default/v1", id="BOM"),
        pytest.param("ed25519/default/v1\n", id="newline after"),
        pytest.param("\ned25519/default/v1", id="newline before"),
        pytest.param("ed25519/default/v1\r\n", id="CRLF after"),
        pytest.param("ed25519/default/v1\0", id="NUL after"),
        pytest.param(" ed25519/default/v1", id="space before"),
        pytest.param("ed25519/default/v1 ", id="space after"),
        pytest.param("ed25519/default/v1\t", id="tab after"),
        pytest.param("ed25519/default/v 1", id="space inside"),
        pytest.param("ed25519/default/v1\N{NO-BREAK SPACE}", id="no-break space after"),
        pytest.param("ed25519/default\n/v1", id="newline inside"),
        pytest.param("ed25519//v1", id="empty namespace"),
        pytest.param("ed25519//default/v1", id="empty first segment"),
        pytest.param("ed25519/default//v1", id="empty last segment"),
        pytest.param("ed25519/a//b/v1", id="empty segment"),
        pytest.param("/ed25519/default/v1", id="slash before"),
        pytest.param("ed25519/default/v1/", id="slash after"),
        pytest.param("ed25519/default/v1/v", id="no number in the last place"),
        pytest.param("ed25519/./v1", id="dot segment"),
        pytest.param("ed25519/../v1", id="dots segment"),
        pytest.param("ed25519/a/../v1", id="dots segment inside"),
        pytest.param("ed25519/.hidden/v1", id="segment that begins with a dot"),
        pytest.param("ed25519/-a/v1", id="segment that begins with a hyphen"),
        pytest.param("ed25519/_a/v1", id="segment that begins with an underscore"),
        pytest.param("ed25519/a%2Fb/v1", id="encoded slash"),
        pytest.param("ed25519\\default\\v1", id="backslashes"),
        pytest.param("ed25519/a\\b/v1", id="backslash"),
        pytest.param("ed25519/a+b/v1", id="plus in the namespace"),
        pytest.param("ed25519/a~/v1", id="tilde in the namespace"),
        pytest.param("ed25519:default:v1", id="colons"),
        pytest.param("x25519/default/v1", id="another algorithm"),
        pytest.param("ed448/default/v1", id="another curve"),
        pytest.param("ed25519/default/v1,ed25519/default/v2", id="two"),
        pytest.param("ed25519/" + "n" * 118 + "/v1", id="129 characters, the namespace too long"),
        pytest.param("ed25519/n/v" + "1" * 118, id="129 characters, the number too long"),
    ],
)
def test_an_alias_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a key id$"):
        Kid.parse(text)


def test_the_longest_key_id_has_128_characters() -> None:
    assert len(LONGEST) == KID_CHARS_MAX == 128


@settings(deadline=None)
@given(KIDS)
def test_what_is_printed_reads_back_as_itself(kid: Kid) -> None:
    assert Kid.parse(str(kid)) == kid


@settings(deadline=None)
@given(
    st.text(max_size=40)
    | st.from_regex(r"ed25519/[a-z0-9/._-]{0,8}/v[0-9]{0,4}", fullmatch=True)
    | st.builds(
        "ed25519/{}/v{}".format, st.text(max_size=8), st.text("0123456789\u0661\uff11 \n", max_size=3)
    )
)
def test_what_is_read_prints_as_it_was(text: str) -> None:
    try:
        kid = Kid.parse(text)
    except ValueError:
        return
    assert str(kid) == text


@settings(deadline=None)
@given(KIDS, st.data())
def test_another_character_is_another_key_or_none(kid: Kid, data: st.DataObject) -> None:
    text = str(kid)
    at = data.draw(st.integers(0, len(text)))
    other = text[:at] + data.draw(st.characters()) + text[at + data.draw(st.integers(0, 1)) :]
    try:
        assert (Kid.parse(other) == kid) == (other == text)
    except ValueError:
        assert other != text


@pytest.mark.parametrize("namespace", ["default", "0", "a.b_c-d", "team/eu/west", "team/v1", "n" * 108])
def test_a_namespace_that_leaves_room_is_taken(namespace: str) -> None:
    assert check_namespace(namespace) == namespace


@pytest.mark.parametrize(
    "namespace",
    [
        pytest.param("", id="empty"),
        pytest.param("/", id="slash"),
        pytest.param("/a", id="slash before"),
        pytest.param("a/", id="slash after"),
        pytest.param("a//b", id="empty segment"),
        pytest.param(".", id="dot"),
        pytest.param("a/..", id="dots"),
        pytest.param("-a", id="hyphen first"),
        pytest.param("a/_b", id="underscore first"),
        pytest.param("Default", id="uppercase"),
        pytest.param("default\n", id="newline after"),
        pytest.param(" default", id="space before"),
        pytest.param("a b", id="space inside"),
        pytest.param("d\N{CYRILLIC SMALL LETTER IE}fault", id="look-alike"),
        pytest.param("a\N{ARABIC-INDIC DIGIT ONE}", id="unicode digit"),
        pytest.param("n" * 109, id="no room for a tenth digit"),
        pytest.param("n/" * 100_000, id="very long"),
    ],
)
def test_any_other_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(ValueError, match=r"^not a namespace$"):
        check_namespace(namespace)


@settings(deadline=None)
@given(NAMESPACES)
def test_a_version_is_named_under_every_namespace_for_a_billion_rotations(namespace: str) -> None:
    check_namespace(namespace)
    assert Kid.parse(str(Kid(namespace, 10**9))).namespace == namespace
