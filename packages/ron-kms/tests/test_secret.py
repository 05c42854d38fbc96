"""A secret is shown by no door but ``reveal``."""

import copy
import json
import pickle
import traceback
from logging import makeLogRecord
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ron_kms import Secret

VALUE = b"correct horse battery staple, 32"


def shown(text: str) -> bool:
    """Tell whether a part of the value can be read in ``text``, in one of the forms that Python prints."""
    return any(
        form in text for form in ("correct", VALUE.hex(), VALUE.hex()[:8], "99, 111, 114", "bytearray(b")
    )


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param(ascii, id="ascii"),
        pytest.param(format, id="format"),
        pytest.param(lambda s: f"{s}", id="f-string"),
        pytest.param(lambda s: f"{s!r}", id="f-string repr"),
        pytest.param(lambda s: f"{s=}", id="f-string ="),
        pytest.param("{}".format, id="str.format"),
        pytest.param(lambda s: "%s %r" % (s, s), id="%-format"),  # noqa: UP031 - that is the test
        pytest.param(lambda s: str([s]) + str((s,)) + str({"key": s}), id="inside a container"),
        pytest.param(lambda s: str(ValueError(s)) + repr(ValueError(s)), id="an error's argument"),
        pytest.param(lambda s: makeLogRecord({"msg": "%s", "args": (s,)}).getMessage(), id="a log record"),
    ],
)
def test_a_secret_does_not_print(show: Any) -> None:
    text = show(Secret(VALUE))
    assert not shown(text)


def test_a_secret_does_not_print_in_a_traceback_with_locals() -> None:
    secret = Secret(VALUE)
    try:
        raise LookupError(secret)
    except LookupError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        text = "".join(report.format()) + "".join(traceback.format_exception(error))
    assert "secret = <Secret>" in text
    assert not shown(text.replace(repr(VALUE), ""))


@pytest.mark.parametrize(
    "write",
    [
        *(
            pytest.param(lambda s, p=p: pickle.dumps(s, p), id=f"pickle {p}")
            for p in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda s: copy.deepcopy({"key": [s]}), id="deepcopy of a container"),
        pytest.param(json.dumps, id="json"),
        pytest.param(bytes, id="bytes"),
        pytest.param(bytearray, id="bytearray"),
        pytest.param(memoryview, id="memoryview"),
        pytest.param(list, id="list"),
        pytest.param(vars, id="vars"),
        pytest.param(lambda s: s[0], id="index"),
        pytest.param(b"".join, id="join"),
        pytest.param(lambda s: b"%b" % s, id="bytes format"),
        pytest.param("".join, id="str join"),
        pytest.param(lambda s: format(s, "x"), id="format with a specification"),
    ],
)
def test_a_secret_is_not_written_out(write: Any) -> None:
    with pytest.raises(TypeError) as refusal:
        write(Secret(VALUE))
    assert not shown(str(refusal.value))


def test_a_secret_has_no_hash() -> None:
    with pytest.raises(TypeError):
        hash(Secret(VALUE))
    with pytest.raises(TypeError):
        {Secret(VALUE)}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(VALUE, id="the same bytes"),
        pytest.param(bytearray(VALUE), id="the same bytearray"),
        pytest.param(VALUE.decode(), id="the same text"),
        pytest.param(VALUE.hex(), id="hex"),
        pytest.param(None, id="nothing"),
        pytest.param(True, id="true"),
        pytest.param(Secret(VALUE[:-1]), id="a shorter secret"),
        pytest.param(Secret(VALUE + b"\0"), id="a longer secret"),
        pytest.param(Secret(b"C" + VALUE[1:]), id="the first byte differs"),
        pytest.param(Secret(VALUE[:-1] + b"3"), id="the last byte differs"),
        pytest.param(Secret(b""), id="the empty secret"),
    ],
)
def test_a_secret_equals_nothing_else(other: Any) -> None:
    assert (Secret(VALUE) == other) is False
    assert (other == Secret(VALUE)) is False
    assert (Secret(VALUE) != other) is True


def test_a_secret_equals_a_secret_of_the_same_bytes() -> None:
    assert (Secret(VALUE) == Secret(VALUE)) is True
    assert (Secret(b"") == Secret(b"")) is True


def test_a_secret_does_not_sort() -> None:
    secrets: list[Any] = [Secret(b"b"), Secret(b"a")]
    with pytest.raises(TypeError):
        sorted(secrets)


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_reveal_gives_what_was_put_in(value: bytes) -> None:
    secret = Secret(value)
    assert secret.reveal() == value
    assert type(secret.reveal()) is bytes


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_a_wiped_secret_holds_zeros(value: bytes) -> None:
    secret = Secret(value)
    held = secret._held
    secret.wipe()
    assert secret.reveal() == bytes(len(value))
    assert secret._held is held  # overwritten where it lay, not replaced
    assert secret == Secret(bytes(len(value)))


def test_a_secret_keeps_its_own_bytes() -> None:
    given_bytes: Any = bytearray(VALUE)
    secret = Secret(given_bytes)
    given_bytes[:] = bytes(len(given_bytes))
    assert secret.reveal() == VALUE
    revealed = secret.reveal()
    secret.wipe()
    assert revealed == VALUE


def test_a_secret_takes_no_other_attribute() -> None:
    secret: Any = Secret(VALUE)
    with pytest.raises(AttributeError):
        secret.note = "x"


@pytest.mark.parametrize("value", [pytest.param("text", id="text"), pytest.param(None, id="nothing")])
def test_a_secret_is_made_of_bytes(value: Any) -> None:
    with pytest.raises(TypeError):
        Secret(value)


def test_a_length_is_no_secret() -> None:
    # bytearray(32) would be a key of 32 zeros.
    length: Any = 32
    with pytest.raises(TypeError):
        Secret(length)
