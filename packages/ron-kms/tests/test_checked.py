"""A watched engine keeps its verdicts while they hold, and is not asked again once one did not."""

import gc
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from ron_kms.engines import Item, VerifyingKey
from ron_kms.engines.checked import CheckedEngine
from ron_kms.engines.sodium import SodiumEngine


class Handle:
    """What an engine makes of a key."""

    def __init__(self, public_key: bytes) -> None:
        self.public_key = public_key


class FakeEngine(SodiumEngine):
    """Holds for valid what ``rule`` says of a message, and counts what it was asked."""

    def __init__(self, name: str, rule: Callable[[bytes], bool]) -> None:
        self.name = name
        self.rule = rule
        self.asked: list[bytes] = []

    def load(self, public_key: bytes) -> VerifyingKey:
        return VerifyingKey(Handle(public_key))

    def verify_many(self, items: Sequence[Item]) -> Sequence[int]:
        for key, _, _ in items:
            assert isinstance(key, Handle)
        self.asked += [message for _, message, _ in items]
        return bytes(self.rule(message) for _, message, _ in items)


def true(message: bytes) -> bool:
    return not message.startswith(b"forged")


class Watched:
    """A fast engine with a rule of its own, and one that judges it by the true one."""

    def __init__(self, rule: Callable[[bytes], bool] = true, every: int = 1) -> None:
        self.fast, self.judge = FakeEngine("fast", rule), FakeEngine("judge", true)
        self.disagreements = 0
        self.engine = CheckedEngine(self.fast, self.judge, every, self._disagreed)
        self.key = self.engine.load(bytes(32))

    def _disagreed(self) -> None:
        self.disagreements += 1

    def verdicts(self, *messages: bytes) -> list[int]:
        return list(self.engine.verify_many([(self.key, message, bytes(64)) for message in messages]))


def test_verdicts_are_those_of_the_fast_engine_and_all_acceptances_are_checked_when_told() -> None:
    watched = Watched()
    assert watched.verdicts(b"a", b"forged", b"b") == [1, 0, 1]
    assert watched.judge.asked == [b"a", b"b"]
    assert watched.disagreements == 0
    assert watched.engine.name == "fast"


def test_one_in_so_many_acceptances_is_checked_on_average() -> None:
    watched = Watched(every=16)
    for size in (1, 3, 64, 100, 7) * 200:
        watched.verdicts(*[b"a"] * size)
    checked = len(watched.judge.asked) / (175 * 200)
    assert 1 / 18 < checked < 1 / 14


def test_refusals_are_not_checked() -> None:
    watched = Watched(rule=lambda _: False)
    assert watched.verdicts(b"a", b"b") == [0, 0]
    assert watched.judge.asked == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_on_a_disagreement_the_stricter_verdict_stands(place: int) -> None:
    messages = [b"a", b"b", b"c"]
    messages[place] = b"forged"
    watched = Watched(rule=lambda _: True)
    assert watched.verdicts(*messages) == [int(true(message)) for message in messages]
    assert watched.disagreements == 1


def test_what_the_fast_engine_refused_stays_refused_when_it_is_found_out() -> None:
    watched = Watched(rule=lambda message: message != b"b")
    assert watched.verdicts(b"a", b"b", b"forged") == [1, 0, 0]


def test_an_engine_that_was_found_out_is_not_asked_again() -> None:
    watched = Watched(rule=lambda _: True)
    watched.verdicts(b"forged")
    asked = len(watched.fast.asked)
    assert watched.verdicts(b"a", b"forged", b"b") == [1, 0, 1]
    assert len(watched.fast.asked) == asked
    assert watched.engine.name == "judge"
    assert watched.disagreements == 1


def test_every_forgery_is_refused_once_one_was_drawn() -> None:
    watched = Watched(rule=lambda _: True, every=8)
    verdicts = [watched.verdicts(b"forged")[0] for _ in range(200)]
    assert sum(verdicts) < 16  # the first draw is at the fifteenth at the latest
    assert verdicts == sorted(verdicts, reverse=True)


def test_several_threads_report_one_disagreement() -> None:
    watched = Watched(rule=lambda _: True, every=4)
    with ThreadPoolExecutor(8) as threads:
        verdicts = list(threads.map(lambda _: watched.verdicts(b"forged", b"a"), range(400)))
    assert verdicts[-1] == [0, 1]
    assert all(a == 1 for _, a in verdicts)
    assert watched.engine.name == "judge"
    assert watched.disagreements == 1


def test_threads_share_one_count() -> None:
    watched = Watched(every=3)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            verdicts = list(threads.map(lambda _: watched.verdicts(b"a", b"b"), range(1200)))
    finally:
        sys.setswitchinterval(before)
    assert verdicts == [[1, 1]] * 1200
    assert 700 < len(watched.judge.asked) < 900  # of 2,400, one in three


def test_a_key_that_is_dropped_is_dropped_by_both() -> None:
    watched = Watched()
    judged = watched.engine._judged
    watched.engine.load(bytes(32))
    gc.collect()
    assert len(judged) == 1
