"""A scope that a service grants or requires reads as what it is."""

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ron_auth import Scope

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/*-"


@pytest.mark.parametrize("text", ["a", "overlay:route", "a/b.c_d-e:*", "A" * 128, ALPHABET], ids=len)
def test_a_scope_is_its_text(text: str) -> None:
    scope = Scope(text)
    assert scope == text
    assert hash(scope) == hash(text)
    assert str(scope) == text
    assert isinstance(scope, str)


@settings(deadline=None)
@given(st.text(ALPHABET, min_size=1, max_size=128))
def test_every_text_of_the_alphabet_is_a_scope(text: str) -> None:
    assert Scope(text) == text


@settings(deadline=None)
@given(st.text(max_size=130))
def test_no_other_text_is(text: str) -> None:
    if 1 <= len(text) <= 128 and set(text) <= set(ALPHABET):
        assert Scope(text) == text
    else:
        with pytest.raises(ValueError, match="a scope is 1 to 128 of"):
            Scope(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 129, id="129 characters"),
        pytest.param("overlay:route\n", id="a line feed behind"),
        pytest.param(" overlay:route", id="a space before"),
        pytest.param("overlay route", id="a space inside"),
        pytest.param("overlay,route", id="a comma"),
        pytest.param("оverlay:route", id="a Cyrillic letter"),
        pytest.param("overlay\uff1aroute", id="a full-width colon"),
        pytest.param("٣", id="an Arabic digit"),
        pytest.param("a\0", id="a zero"),
        pytest.param("é", id="an accent"),
        pytest.param("\ud800", id="half a character"),
    ],
)
def test_a_look_alike_is_no_scope(text: str) -> None:
    with pytest.raises(ValueError, match="a scope is 1 to 128 of") as refusal:
        Scope(text)
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize("text", [None, 1, b"a", ["a"]], ids=repr)
def test_only_text_is_a_scope(text: Any) -> None:
    with pytest.raises(TypeError):
        Scope(text)


@pytest.mark.parametrize(
    "carry",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        *(
            pytest.param(lambda s, p=p: pickle.loads(pickle.dumps(s, p)), id=f"pickle {p}")  # noqa: S301
            for p in range(2, pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_a_scope_stays_one(carry: Any) -> None:
    carried = carry(Scope("overlay:route"))
    assert type(carried) is Scope
    assert carried == "overlay:route"


def test_a_scope_of_a_scope_is_that_scope() -> None:
    assert Scope(Scope("a")) == Scope("a")


def test_a_scope_takes_no_attribute() -> None:
    scope: Any = Scope("a")
    with pytest.raises(AttributeError):
        scope.note = "x"
