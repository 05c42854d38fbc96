"""Randomness comes from the operating system or from a named seed, or there is an error and nothing else."""

import os
from itertools import accumulate, pairwise
from typing import NoReturn

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from ron_kms import Entropy as EntropyError
from ron_kms import KmsError
from ron_kms.entropy import system, unsafe_seeded


@pytest.mark.parametrize("size", [0, 1, 12, 32, 1000])
def test_the_system_gives_as_many_bytes_as_asked(size: int) -> None:
    assert len(system(size)) == size


def test_the_system_does_not_repeat_itself() -> None:
    assert len({system(16) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("failure", [OSError(5, "Input/output error"), NotImplementedError("no source")])
def test_no_randomness_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def fails(_: int) -> NoReturn:
        raise failure

    # The operating system has no port to put a fake behind.
    monkeypatch.setattr(os, "urandom", fails)
    with pytest.raises(EntropyError) as refusal:
        system(32)
    assert isinstance(refusal.value, KmsError)
    assert str(refusal.value) == "the operating system gave no randomness"
    assert refusal.value.__cause__ is failure


@settings(deadline=None)
@given(st.binary(max_size=64), st.lists(st.integers(0, 200), max_size=20))
def test_a_seed_gives_one_stream_in_whatever_pieces(seed: bytes, sizes: list[int]) -> None:
    take, whole = unsafe_seeded(seed), unsafe_seeded(seed)(sum(sizes))
    assert [take(size) for size in sizes] == [
        whole[start:end] for start, end in pairwise(accumulate(sizes, initial=0))
    ]


@settings(deadline=None)
@given(st.binary(max_size=64), st.binary(max_size=64))
def test_another_seed_gives_another_stream(seed: bytes, other: bytes) -> None:
    assert (unsafe_seeded(seed)(32) == unsafe_seeded(other)(32)) == (seed == other)


def test_two_sources_of_one_seed_do_not_share_their_place() -> None:
    first, second = unsafe_seeded(b"seed"), unsafe_seeded(b"seed")
    first(100)
    assert second(8) == unsafe_seeded(b"seed")(8)


def test_the_stream_of_a_seed_is_pinned() -> None:
    # Known-answer vectors of the service rest on these bytes.
    context = "passport known-answer entropy v1"
    assert unsafe_seeded(b"seed")(40) == blake3(b"seed", derive_key_context=context).digest(40)
    assert unsafe_seeded(b"seed")(16).hex() == "aff7ced9f163a5aafac80f635c848483"
