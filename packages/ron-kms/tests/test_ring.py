"""What can happen to the versions of a key, and what no order of events can do to them."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ron_kms import Kid, NoSuchKey, State, TooSoon
from ron_kms import ring as rings
from ron_kms.ring import Ring, Version

NOW = 1_800_000_000_000
GRACE = 5_000

NEXT, ACTIVE, RETIRING, RETIRED, REVOKED = State


def key(number: int) -> bytes:
    """Return the public key of a version; a ring does not look into it."""
    return number.to_bytes(32, "big")


def ring_of(*states: State) -> Ring:
    """Return a ring with versions 1, 2, 3 and so on in these states."""
    return Ring(
        tuple(
            Version(
                Kid("default", n),
                key(n),
                state,
                NOW - 1_000 + n,
                NOW + GRACE if state in (RETIRING, RETIRED) else None,
            )
            for n, state in enumerate(states, start=1)
        )
    )


def states(ring: Ring) -> list[State]:
    return [v.state for v in ring.versions]


def rotated(ring: Ring) -> Ring:
    return rings.rotate(ring, key(len(ring.versions) + 1), grace_ms=GRACE, now_ms=NOW)


def test_a_new_ring_signs_with_1_and_has_published_2() -> None:
    ring = rings.create("team/eu", key(1), key(2), NOW)
    assert ring.versions == (
        Version(Kid("team/eu", 1), key(1), ACTIVE, NOW),
        Version(Kid("team/eu", 2), key(2), NEXT, NOW),
    )
    assert (ring.active, ring.next) == ring.versions
    assert ring.previous == ()


def test_a_rotation_moves_every_version_one_on() -> None:
    before = ring_of(RETIRED, REVOKED, RETIRING, ACTIVE, NEXT)
    after = rotated(before)
    assert states(after) == [RETIRED, REVOKED, RETIRING, RETIRING, ACTIVE, NEXT]
    assert after.versions[3].retire_at_ms == NOW + GRACE
    assert after.next == Version(Kid("default", 6), key(6), NEXT, NOW)
    # What was stamped stays, and nobody's key or birthday changes.
    assert after.versions[:3] == before.versions[:3]
    assert [(v.kid, v.public_key, v.created_ms) for v in after.versions[:5]] == [
        (v.kid, v.public_key, v.created_ms) for v in before.versions
    ]


@pytest.mark.parametrize(
    ("number", "after"),
    [
        pytest.param(1, [REVOKED, REVOKED, RETIRING, ACTIVE, NEXT], id="retired"),
        pytest.param(2, [RETIRED, REVOKED, RETIRING, ACTIVE, NEXT], id="revoked"),
        pytest.param(3, [RETIRED, REVOKED, REVOKED, ACTIVE, NEXT], id="retiring"),
        pytest.param(4, [RETIRED, REVOKED, RETIRING, REVOKED, ACTIVE, NEXT], id="active: the next signs"),
        pytest.param(5, [RETIRED, REVOKED, RETIRING, ACTIVE, REVOKED, NEXT], id="next: another is made"),
    ],
)
def test_revoking(number: int, after: list[State]) -> None:
    before = ring_of(RETIRED, REVOKED, RETIRING, ACTIVE, NEXT)
    ring = rings.revoke(before, Kid("default", number), key(6), now_ms=NOW)
    assert states(ring) == after
    assert [v.kid.number for v in ring.versions] == list(range(1, len(after) + 1))


@pytest.mark.parametrize("kid", [Kid("default", 3), Kid("default", 0), Kid("other", 1)])
def test_a_kid_that_nobody_has_is_not_revoked(kid: Kid) -> None:
    with pytest.raises(NoSuchKey):
        rings.revoke(ring_of(ACTIVE, NEXT), kid, key(3), now_ms=NOW)


def test_a_transition_leaves_the_ring_that_it_was_given() -> None:
    before, same = ring_of(RETIRING, ACTIVE, NEXT), ring_of(RETIRING, ACTIVE, NEXT)
    rotated(before)
    rings.revoke(before, before.active.kid, key(4), now_ms=NOW)
    rings.at(before, NOW + GRACE)
    assert before == same
    with pytest.raises(FrozenInstanceError):
        before.versions = ()  # type: ignore[misc]  # that is the test


@pytest.mark.parametrize(
    ("now_ms", "state"),
    [
        pytest.param(NOW + GRACE - 1, RETIRING, id="last millisecond in the key set"),
        pytest.param(NOW + GRACE, RETIRED, id="retire_at"),
        pytest.param(NOW + GRACE + 1, RETIRED, id="after"),
    ],
)
def test_a_version_retires_at_retire_at(now_ms: int, state: State) -> None:
    ring = rings.at(ring_of(RETIRING, ACTIVE, NEXT), now_ms)
    assert states(ring) == [state, ACTIVE, NEXT]
    assert len(ring.published) == (3 if state is RETIRING else 2)
    assert len(ring.previous) == len(ring.published) - 2


def test_without_grace_a_version_retires_as_it_stops_signing() -> None:
    ring = rings.rotate(ring_of(ACTIVE, NEXT), key(3), grace_ms=0, now_ms=NOW)
    assert states(rings.at(ring, NOW)) == [RETIRED, ACTIVE, NEXT]


def test_time_alone_changes_nothing_but_what_is_retiring() -> None:
    ring = ring_of(RETIRED, REVOKED, ACTIVE, NEXT)
    assert rings.at(ring, NOW + 10**12) is ring


@pytest.mark.parametrize(
    ("now_ms", "retry_after_ms"),
    [
        pytest.param(NOW - 7, 60_007, id="the clock went back"),
        pytest.param(NOW, 60_000, id="just published"),
        pytest.param(NOW + 1, 59_999, id="a millisecond later"),
        pytest.param(NOW + 59_999, 1, id="one millisecond too soon"),
        pytest.param(NOW + 60_000, None, id="first moment"),
        pytest.param(NOW + 60_001, None, id="after it"),
    ],
)
def test_the_next_key_signs_after_publish_ahead(now_ms: int, retry_after_ms: int | None) -> None:
    ring = rings.create("default", key(1), key(2), NOW)
    if retry_after_ms is None:
        rings.check_published_for(ring, 60_000, now_ms)
    else:
        with pytest.raises(TooSoon) as refusal:
            rings.check_published_for(ring, 60_000, now_ms)
        assert refusal.value.retry_after_ms == retry_after_ms
        assert refusal.value.retryable


def test_publish_ahead_counts_from_the_newest_next() -> None:
    later = rings.revoke(ring_of(ACTIVE, NEXT), Kid("default", 2), key(3), now_ms=NOW + 500)
    with pytest.raises(TooSoon) as refusal:
        rings.check_published_for(later, 1_000, NOW + 1_000)
    assert refusal.value.retry_after_ms == 500


def test_publish_ahead_of_nothing_lets_rotate_at_once() -> None:
    rings.check_published_for(rings.create("default", key(1), key(2), NOW), 0, NOW)


class AnyLife(RuleBasedStateMachine):
    """A ring through any order of rotations, revocations and hours."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.keys: dict[Kid, bytes] = {}  # which key each kid has ever named
        self.over: dict[Kid, State] = {}  # versions that were seen retired or revoked
        self.listed: set[Kid] = set()  # kids that were ever published
        self.ring = Ring(())

    @initialize()
    def create(self) -> None:
        self.ring = rings.create("default", key(1), key(2), self.now)

    @rule(grace_ms=st.integers(0, 20))
    def rotate(self, grace_ms: int) -> None:
        before = self.ring
        assert before.next.kid in self.listed
        self.ring = rings.rotate(before, self.fresh(), grace_ms=grace_ms, now_ms=self.now)
        assert self.ring.active.kid == before.next.kid
        assert self.ring.active.public_key == before.next.public_key
        assert rings.find(self.ring, before.active.kid).retire_at_ms == self.now + grace_ms
        self.as_it_is_now()

    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        target = data.draw(st.sampled_from(self.ring.versions))
        before = self.ring
        self.ring = rings.revoke(before, target.kid, self.fresh(), now_ms=self.now)
        made = len(self.ring.versions) - len(before.versions)
        assert made == (1 if target.state in (ACTIVE, NEXT) else 0)
        assert rings.find(self.ring, target.kid).state is REVOKED
        assert (self.ring == before) == (target.state is REVOKED)
        if target.state is ACTIVE:
            assert self.ring.active.kid == before.next.kid
        self.as_it_is_now()

    @rule(ms=st.integers(1, 30))
    def wait(self, ms: int) -> None:
        before = self.ring
        self.now += ms
        self.as_it_is_now()
        for was, is_now in zip(before.versions, self.ring.versions, strict=True):
            over = was.state is RETIRING and was.retire_at_ms is not None and was.retire_at_ms <= self.now
            assert is_now.state is (RETIRED if over else was.state)

    @invariant()
    def one_signs_and_one_is_next(self) -> None:
        assert states(self.ring).count(ACTIVE) == 1
        assert states(self.ring).count(NEXT) == 1
        assert self.ring.active.state is ACTIVE
        assert self.ring.next.state is NEXT
        assert self.ring.active.kid.number < self.ring.next.kid.number == len(self.ring.versions)

    @invariant()
    def numbers_count_up_by_one(self) -> None:
        assert [v.kid for v in self.ring.versions] == [
            Kid("default", n) for n in range(1, len(self.ring.versions) + 1)
        ]
        assert self.ring.next_kid() == Kid("default", len(self.ring.versions) + 1)

    @invariant()
    def a_kid_names_one_key_for_ever(self) -> None:
        for version in self.ring.versions:
            assert self.keys.setdefault(version.kid, version.public_key) == version.public_key
        assert len(set(self.keys.values())) == len(self.keys) == len(self.ring.versions)

    @invariant()
    def revoked_stays_revoked_and_retired_never_comes_back(self) -> None:
        for version in self.ring.versions:
            was = self.over.get(version.kid)
            assert was is None or version.state in (was, REVOKED)
            if version.state in (RETIRED, REVOKED):
                self.over[version.kid] = version.state

    @invariant()
    def published_is_previous_active_and_next_in_order(self) -> None:
        assert self.ring.published == (*self.ring.previous, self.ring.active, self.ring.next)
        assert all(v.state is RETIRING for v in self.ring.previous)
        assert list(self.ring.published) == sorted(self.ring.published, key=lambda v: v.kid)
        self.listed.update(v.kid for v in self.ring.published)

    def fresh(self) -> bytes:
        return key(len(self.ring.versions) + 1)

    def as_it_is_now(self) -> None:
        self.ring = rings.at(self.ring, self.now)
        assert rings.at(self.ring, self.now) is self.ring


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
