"""What every form of an envelope, and every way of knowing the keys, decides alike."""

import time
from typing import Any

import pytest
from envelopes import (
    EPOCH,
    FORMS,
    LOOK_ALIKES,
    NOW_S,
    SENDER,
    Form,
    derivers,
    envelope,
    signed,
    spoiled,
)

import ron_auth
from ron_auth import (
    BadTag,
    Envelope,
    Expired,
    MissingScope,
    Replayed,
    Scope,
    VerifyError,
    WrongOrigin,
)

pytestmark = pytest.mark.parametrize("form", FORMS)

STRANGER = "svc-mallory"


def decide(form: Form, carried: Any, error: type[VerifyError] | None, **expected: Any) -> Any:
    """Check that the verdict is exactly this however the keys are known; return the envelope or the error."""
    decided: Any = None
    for kd in derivers():
        if error is None:
            decided = form.believe(carried, kd, **expected)
            continue
        with pytest.raises(VerifyError) as refusal:
            form.believe(carried, kd, **expected)
        decided = refusal.value
        assert type(decided) is error
    return decided


def test_what_was_signed_is_returned(form: Form) -> None:
    env = decide(form, form.make(), None)
    sent = envelope()
    for name in sent.__struct_fields__[:-1]:
        assert getattr(env, name) == getattr(sent, name), name
    assert len(env.tag) == 32


@pytest.mark.parametrize(
    ("mended", "error"),
    [
        pytest.param(0, BadTag, id="nothing is right"),
        pytest.param(1, Expired, id="but the tag"),
        pytest.param(2, WrongOrigin, id="and the window"),
        pytest.param(3, MissingScope, id="and the sender"),
        pytest.param(4, None, id="and the scopes"),
    ],
)
def test_the_tag_comes_first_then_the_window_the_sender_and_the_scopes(
    form: Form, mended: int, error: type[VerifyError] | None
) -> None:
    carried = form.make(
        iat=NOW_S - 10,
        exp=NOW_S if mended >= 2 else NOW_S - 1,
        origin_svc=SENDER if mended >= 3 else STRANGER,
        scopes=("write",) if mended >= 4 else (),
    )
    if not mended:
        carried = spoiled(carried)
    decide(form, carried, error, scopes=("write",))


@pytest.mark.parametrize(
    ("now_s", "skew_s", "error"),
    [
        pytest.param(NOW_S - 1, 0, Expired, id="a second too early"),
        pytest.param(NOW_S, 0, None, id="the first second"),
        pytest.param(NOW_S + 60, 0, None, id="the last second"),
        pytest.param(NOW_S + 61, 0, Expired, id="a second too late"),
        pytest.param(NOW_S - 31, 30, Expired, id="a second too early, with skew"),
        pytest.param(NOW_S - 30, 30, None, id="the first second, with skew"),
        pytest.param(NOW_S + 90, 30, None, id="the last second, with skew"),
        pytest.param(NOW_S + 91, 30, Expired, id="a second too late, with skew"),
    ],
)
def test_the_window_is_closed_at_both_ends(
    form: Form, now_s: int, skew_s: int, error: type[VerifyError] | None
) -> None:
    carried = form.make(iat=NOW_S, exp=NOW_S + 60)
    decide(form, carried, error, now_s=now_s, max_clock_skew_s=skew_s)


@pytest.mark.parametrize(
    ("exp", "error"),
    [
        pytest.param(NOW_S, None, id="one second long"),
        pytest.param(NOW_S - 1, Expired, id="ends before it begins"),
    ],
)
def test_no_skew_makes_room_in_a_window_that_ends_before_it_begins(
    form: Form, exp: int, error: type[VerifyError] | None
) -> None:
    decide(form, form.make(iat=NOW_S, exp=exp), error, max_clock_skew_s=30)


@pytest.mark.parametrize(
    ("lifetime_s", "max_lifetime_s", "error"),
    [
        pytest.param(60, 60, None, id="just as long"),
        pytest.param(61, 60, Expired, id="a second longer"),
        pytest.param(0, 0, None, id="of no length where none is allowed"),
        pytest.param(1, 0, Expired, id="of one second where none is allowed"),
        pytest.param(2**62, None, None, id="unbounded"),
    ],
)
def test_a_life_is_bounded(
    form: Form,
    lifetime_s: int,
    max_lifetime_s: int | None,
    error: type[VerifyError] | None,
) -> None:
    carried = form.make(exp=NOW_S + lifetime_s)
    decide(form, carried, error, max_lifetime_s=max_lifetime_s)


def test_skew_does_not_lengthen_a_life(form: Form) -> None:
    decide(form, form.make(exp=NOW_S + 61), Expired, max_lifetime_s=60, max_clock_skew_s=30)


def test_the_clock_is_the_systems_unless_told(form: Form) -> None:
    here_s = int(time.time())
    epoch = ron_auth.epoch_of(here_s)
    passes = form.make(epoch=epoch, iat=here_s - 1000, exp=here_s + 1000)
    assert decide(form, passes, None, epoch=epoch, now_s=None).iat == here_s - 1000
    late = form.make(epoch=epoch, iat=here_s - 1000, exp=here_s - 1)
    decide(form, late, Expired, epoch=epoch, now_s=None)


def test_a_negative_skew_is_a_mistake_of_the_caller(form: Form) -> None:
    with pytest.raises(ValueError, match="negative"):
        form.believe(form.make(), max_clock_skew_s=-1)


@pytest.mark.parametrize(
    ("held", "required", "missing"),
    [
        pytest.param((), (), None, id="none"),
        pytest.param(("a", "b"), (), None, id="nothing required"),
        pytest.param(("a", "b"), ("a", "b"), None, id="just these"),
        pytest.param(("a", "b", "c"), {"b"}, None, id="more than required"),
        pytest.param(("b", "a"), ["a", "b"], None, id="in another order"),
        pytest.param(("a", "a"), ("a",), None, id="twice"),
        pytest.param(("a",), [Scope("a")], None, id="required as a Scope"),
        pytest.param((Scope("a"),), ["a"], None, id="held as a Scope"),
        pytest.param((), ("a",), "a", id="none where one is required"),
        pytest.param(("a",), ("a", "b"), "b", id="one of two"),
        pytest.param(("ab",), ("a",), "a", id="a prefix"),
        pytest.param(("a,b",), ("a",), "a", id="a list in one"),
        pytest.param(("*",), ("a",), "a", id="a star is no wildcard"),
        pytest.param(("a:*",), ("a:b",), "a:b", id="a prefix with a star"),
        pytest.param(("A",), ("a",), "a", id="another case"),
        pytest.param(("",), ("a",), "a", id="the empty scope"),
        pytest.param(("a",), ("",), "", id="the empty scope required"),
    ],
)
def test_every_scope_required_must_be_there_and_more_are_fine(
    form: Form, held: tuple[str, ...], required: Any, missing: str | None
) -> None:
    carried = form.make(scopes=held)
    if missing is None:
        assert decide(form, carried, None, scopes=required).scopes == held
    else:
        refused = decide(form, carried, MissingScope, scopes=required)
        assert refused.scope == missing
        assert str(refused) == f"missing scope {missing}"


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_what_looks_like_a_sender_or_a_scope_is_another(form: Form, text: str) -> None:
    carried = form.make(origin_svc=text, scopes=(text,))
    assert decide(form, carried, WrongOrigin, senders=("svc-a",)).origin == text
    assert decide(form, carried, MissingScope, senders=(text,), scopes=("svc-a",)).scope == "svc-a"
    assert decide(form, carried, None, senders=("svc-a", text), scopes=(text,)).origin_svc == text


@pytest.mark.parametrize("senders", [(), ("other",), {"other"}, ["svc-over", "svc-overlay2"]], ids=repr)
def test_only_an_expected_sender_is_believed(form: Form, senders: Any) -> None:
    decide(form, form.make(), WrongOrigin, senders=senders)


@pytest.mark.parametrize("senders", [(SENDER,), ["x", SENDER], {SENDER: 1}, frozenset({SENDER})], ids=repr)
def test_senders_come_in_any_collection(form: Form, senders: Any) -> None:
    assert decide(form, form.make(), None, senders=senders).origin_svc == SENDER


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param({"senders": SENDER}, id="senders"),
        pytest.param({"scopes": "overlay:read"}, id="scopes"),
        pytest.param({"scopes": Scope("overlay:read")}, id="a Scope as scopes"),
        pytest.param({"scopes": ""}, id="an empty string as scopes"),
        pytest.param({"senders": SENDER.encode()}, id="bytes as senders"),
        pytest.param({"scopes": bytearray()}, id="a bytearray as scopes"),
        pytest.param({"senders": None}, id="no senders"),
        pytest.param({"scopes": iter(["overlay:read"])}, id="an iterator as scopes"),
        pytest.param({"senders": (name for name in [SENDER])}, id="a generator as senders"),
        pytest.param({"now_s": float(NOW_S)}, id="a clock of fractions"),
        pytest.param({"now_s": True}, id="a clock that is true"),
        pytest.param({"max_clock_skew_s": 1.0}, id="a skew of fractions"),
        pytest.param({"max_clock_skew_s": None}, id="no skew"),
        pytest.param({"max_lifetime_s": 60.0}, id="a lifetime of fractions"),
    ],
)
def test_what_is_expected_has_its_types_or_the_caller_made_a_mistake(
    form: Form, expected: dict[str, Any]
) -> None:
    told = Told()
    for carried in (form.make(), spoiled(form.make())):
        with pytest.raises(TypeError):
            form.believe(carried, epoch=EPOCH, observe=told, **expected)
    assert told.heard == []


@pytest.mark.parametrize(
    ("changes", "expected", "error"),
    [
        pytest.param({}, {"now_s": NOW_S - 1}, Expired, id="too early"),
        pytest.param({"exp": NOW_S - 1}, {}, Expired, id="no window"),
        pytest.param({}, {"senders": ()}, WrongOrigin, id="another sender"),
        pytest.param({}, {"scopes": ("write",)}, MissingScope, id="a scope too few"),
    ],
)
def test_a_refusal_after_the_tag_names_the_sender_and_one_before_names_nobody(
    form: Form, changes: dict[str, Any], expected: dict[str, Any], error: type[VerifyError]
) -> None:
    carried = form.make(**changes)
    assert decide(form, carried, error, **expected).origin == SENDER
    assert decide(form, spoiled(carried), BadTag, **expected).origin is None


class Told:
    """An observer that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def __call__(self, verdict: str, reason: str | None, origin: str | None, elapsed: float) -> None:
        assert type(elapsed) is float
        assert 0 <= elapsed < 60
        self.heard.append((verdict, reason, origin))


@pytest.mark.parametrize(
    ("expected", "error", "heard"),
    [
        pytest.param({}, None, ("accepted", None, SENDER), id="accepted"),
        pytest.param({"now_s": NOW_S - 1}, Expired, ("refused", "expired", SENDER), id="expired"),
        pytest.param({"senders": ()}, WrongOrigin, ("refused", "wrong_origin", SENDER), id="wrong origin"),
        pytest.param({"scopes": ["x"]}, MissingScope, ("refused", "missing_scope", SENDER), id="scope"),
        pytest.param({"epoch": 1}, BadTag, ("refused", "bad_tag", None), id="bad tag"),
    ],
)
def test_an_observer_is_told_once(
    form: Form,
    expected: dict[str, Any],
    error: type[VerifyError] | None,
    heard: tuple[object, ...],
) -> None:
    told = Told()
    decide(form, form.make(), error, observe=told, **expected)
    assert told.heard == [heard] * len(derivers())


@pytest.mark.parametrize("spoil", [False, True], ids=["accepted", "refused"])
def test_what_an_observer_raises_comes_through_in_place_of_the_verdict(form: Form, spoil: bool) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no metrics")

    carried = form.make()
    with pytest.raises(RuntimeError, match="no metrics"):
        form.believe(spoiled(carried) if spoil else carried, observe=fail)


class Guard:
    """A replay guard that notes whom it is asked about, and may refuse."""

    def __init__(self, error: VerifyError | None = None) -> None:
        self.asked: list[tuple[Envelope, int, int]] = []
        self._error = error

    def admit(self, env: Envelope, now_s: int, max_clock_skew_s: int) -> None:
        self.asked.append((env, now_s, max_clock_skew_s))
        if self._error:
            raise self._error


def test_the_guard_is_asked_once_when_all_else_has_held(form: Form) -> None:
    guard = Guard()
    env = decide(form, form.make(), None, guard=guard, max_clock_skew_s=5)
    assert guard.asked == [(env, NOW_S, 5)] * len(derivers())


@pytest.mark.parametrize(
    ("expected", "error"),
    [
        pytest.param({"max_lifetime_s": 1}, Expired, id="expired"),
        pytest.param({"senders": ()}, WrongOrigin, id="wrong origin"),
        pytest.param({"scopes": ["x"]}, MissingScope, id="missing scope"),
        pytest.param({"epoch": 1}, BadTag, id="bad tag"),
    ],
)
def test_the_guard_is_not_asked_about_what_is_refused(
    form: Form, expected: dict[str, Any], error: type[VerifyError]
) -> None:
    guard = Guard()
    decide(form, form.make(), error, guard=guard, **expected)
    assert guard.asked == []


def test_what_the_guard_refuses_is_refused_with_the_senders_name(form: Form) -> None:
    told = Told()
    refused = decide(form, form.make(), Replayed, guard=Guard(Replayed()), observe=told)
    assert refused.origin == SENDER
    assert told.heard == [("refused", "replayed", SENDER)] * len(derivers())


TAG = signed().tag.hex()[:8]


def test_a_refusal_shows_nothing_of_the_envelope(form: Form) -> None:
    carried = form.make(header="heading-7f3a", payload="content-9c1e")
    for it, error, expected in (
        (spoiled(carried), BadTag, {}),
        (carried, Expired, {"max_lifetime_s": 1}),
        (carried, WrongOrigin, {"senders": ()}),
        (carried, MissingScope, {"scopes": ["x"]}),
    ):
        refused = decide(form, it, error, **expected)
        shown = f"{refused} {refused!r} {refused.__dict__}"
        assert "7f3a" not in shown
        assert "9c1e" not in shown
        assert TAG not in shown
