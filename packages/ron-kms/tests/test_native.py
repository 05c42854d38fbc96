"""The leaf's face: types, lifetimes, and nothing that escapes. The rule is tested with every engine's."""

import copy
import pickle
import threading
import time
import weakref
from collections import UserList, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, overload

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ron_kms.engines.sodium import SodiumEngine

native = pytest.importorskip("ron_kms_native", reason="the leaf is made where cargo is")

SECRET = SigningKey(bytes(range(32)))
PUBLIC = bytes(SECRET.verify_key)
KEY = native.load(PUBLIC)


def signed(message: bytes) -> bytes:
    return bytes(SECRET.sign(message).signature)


class Made(NamedTuple):
    """What the leaf is asked, and the bytes of its key, for libsodium."""

    public: bytes
    item: tuple[Any, bytes, bytes]


def sodium(made: Sequence[Made]) -> bytes:
    """What libsodium says to each."""
    engine = SodiumEngine()
    return bytes(engine.verify_many([(engine.load(one.public), *one.item[1:]) for one in made]))


def test_verdicts_come_in_order() -> None:
    message, signature = b"hello", signed(b"hello")
    items = [
        (KEY, message, signature),
        (KEY, message + b"x", signature),
        (KEY, message, signature[:-1]),
        (KEY, message, b""),
        (native.load(b""), message, signature),
        (KEY, message, signature),
    ]
    assert native.verify_many(items) == native.verify_many(tuple(items)) == b"\1\0\0\0\0\1"
    assert [native.verify_one(*item) for item in items] == [True, False, False, False, False, True]
    assert native.verify_many([]) == b""


@pytest.mark.parametrize("width", range(4, 13))
@pytest.mark.parametrize("path", native.paths())
def test_every_path_and_width_can_be_asked_by_name(path: str, width: int) -> None:
    key, signature = native.load(PUBLIC, width=width), signed(b"w")
    items = [(key, b"w", signature)] * 9 + [(key, b"", signature)]
    assert native.verify_many(items, path=path) == b"\1" * 9 + b"\0"
    assert native.verify_one(key, b"w", signature, path=path)


@pytest.mark.parametrize(
    "items",
    [
        None, 1, "abc", [1], [None], [()], [(KEY, b"")], [(KEY, b"", b"", b"")], [(b"", b"", b"")],
        [(KEY, "", b"")], [(KEY, b"", bytearray(64))], [(KEY, b"", memoryview(b""))], [[KEY, b"", b""]],
        {1}, iter([]), [(native.Key, b"", b"")],
    ],
)  # fmt: skip
def test_other_types_are_refused(items: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        native.verify_many(items)


@pytest.mark.parametrize("key", [None, 1, "a", bytearray(32), memoryview(bytes(32))])
def test_a_key_is_loaded_from_bytes_only(key: object) -> None:
    with pytest.raises(TypeError):
        native.load(key)


def test_there_are_no_other_widths_and_paths() -> None:
    for width in (0, 3, 13, 255):
        with pytest.raises(ValueError, match="4 to 12"):
            native.load(PUBLIC, width=width)
    with pytest.raises(ValueError, match="path"):
        native.verify_many([], path="none")
    assert native.path() == native.paths()[0]


def test_a_key_is_neither_made_copied_pickled_nor_changed() -> None:
    attempts: list[Callable[[], object]] = [native.Key, lambda: copy.copy(KEY), lambda: pickle.dumps(KEY)]
    for attempt in attempts:
        with pytest.raises(TypeError):
            attempt()
    with pytest.raises(AttributeError):
        KEY.other = 1


def test_a_list_may_change_while_it_is_verified() -> None:
    items = [(KEY, b"%d" % i, signed(b"%d" % i)) for i in range(3_000)]
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            items.append(items.pop(0))

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(20):
            verdicts = native.verify_many(items)
            assert set(verdicts) == {1}
    finally:
        stop.set()
        thread.join()


def test_a_key_that_is_used_much_gets_its_wide_table_beside() -> None:
    key, signature = native.load(PUBLIC), signed(b"p")
    before = key.table_bytes
    for _ in range(10):
        assert native.verify_many([(key, b"p", signature)] * 1_000) == b"\1" * 1_000
    deadline_s = time.monotonic() + 10
    while key.table_bytes == before and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert key.table_bytes - before == 3_017_600
    assert native.verify_many([(key, b"p", signature), (key, b"", signature)]) == b"\1\0"


def test_a_key_goes_when_nobody_holds_it() -> None:
    key = native.load(PUBLIC)
    held = weakref.ref(key)
    del key
    assert held() is None


# Properties: whatever is asked, there are libsodium's verdicts, or a TypeError or ValueError.


class Octets(bytes):
    """Bytes that say otherwise of themselves."""

    def __len__(self) -> int:
        return 7


class Triple(tuple[Any, ...]):
    """A tuple that says otherwise of itself."""

    __slots__ = ()

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Any]:
        return iter([None])


class Named(NamedTuple):
    key: Any
    message: bytes
    signature: bytes


class Lazy(Sequence[Any]):
    """A sequence of Python's own making."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)


SECRETS = [SECRET, SigningKey(b"2" * 32)]
PUBLICS = [*(bytes(secret.verify_key) for secret in SECRETS), bytes(32), b"", PUBLIC + b"\0", b"\xff" * 32]
KEYS = {public: native.load(public) for public in PUBLICS}
CONTAINERS: list[Callable[[list[Any]], Any]] = [list, tuple, deque, UserList, Lazy]


@st.composite
def asked(draw: st.DrawFn) -> Made:
    """An item of the right types: valid, spoilt, or anything, in what passes for tuples and bytes."""
    secret = draw(st.sampled_from(SECRETS))
    message = draw(st.binary(max_size=300))
    signature = draw(st.just(bytes(secret.sign(message).signature)) | st.binary(max_size=80))
    public = draw(st.just(bytes(secret.verify_key)) | st.sampled_from(PUBLICS))
    if signature and draw(st.booleans()):
        at, by = draw(st.integers(0, len(signature) - 1)), draw(st.integers(0, 255))
        signature = signature[:at] + bytes([signature[at] ^ by]) + signature[at + 1 :]
    octets = draw(st.sampled_from([bytes, Octets]))
    parts = (KEYS[public], octets(message), octets(signature))
    item = draw(st.sampled_from([parts, Triple(parts), Named(*parts)]))
    return Made(public, item)


def plain(made: Sequence[Made]) -> list[Made]:
    """The same, in bytes and tuples that tell the truth."""

    def octets(part: bytes) -> bytes:
        return bytes(memoryview(part))

    return [Made(one.public, (one.item[0], octets(one.item[1]), octets(one.item[2]))) for one in made]


@given(st.lists(asked(), max_size=40), st.sampled_from(CONTAINERS), st.none() | st.integers(0, 1_000))
@settings(deadline=None)
def test_whatever_is_asked_gets_libsodium_s_verdicts(
    made: list[Made], container: Callable[[list[Any]], Any], threads: int | None
) -> None:
    expected, items = sodium(plain(made)), [one.item for one in made]
    for path in native.paths():
        assert native.verify_many(container(items), path=path, threads=threads) == expected
        alone = [native.verify_one(*tuple.__iter__(item), path=path) for item in items]
        assert bytes(alone) == expected


@given(
    st.binary(max_size=70) | st.binary(min_size=32, max_size=32),
    st.binary(max_size=99),
    st.binary(max_size=70),
)
@settings(deadline=None)
def test_any_bytes_load_and_verify_as_libsodium_does(public: bytes, message: bytes, signature: bytes) -> None:
    key = native.load(public)
    assert native.verify_one(key, message, signature) == bool(
        sodium([Made(public, (key, message, signature))])[0]
    )


def view(octets: bytes) -> memoryview:
    return memoryview(octets)


ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=80),
    st.binary(max_size=80).map(bytearray),
    st.binary(max_size=80).map(view),
    st.sampled_from([*KEYS.values(), native.Key, object(), Octets(b"abc"), range(3), len, ...]),
)
THINGS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(Triple),
        st.lists(inner, max_size=4).map(Lazy),
        st.lists(inner, max_size=4).map(iter),
        st.lists(inner, max_size=4).map(lambda items: (item for item in items)),
        st.dictionaries(st.integers(), inner, max_size=3),
        st.tuples(st.sampled_from(list(KEYS.values())), inner, inner),
        st.tuples(st.sampled_from(list(KEYS.values())), st.binary(max_size=9), inner),
    ),
    max_leaves=12,
)


@given(THINGS, THINGS, THINGS, THINGS)
@settings(deadline=None, max_examples=200)
def test_nothing_else_escapes(one: object, two: object, three: object, four: object) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: native.load(one),
        lambda: native.load(PUBLIC, width=two),
        lambda: native.verify_many(one),
        lambda: native.verify_many([(KEY, b"", b""), one]),
        lambda: native.verify_many([(one, two, three)], path=four),
        lambda: native.verify_many([], threads=four),
        lambda: native.verify_one(one, two, three),
        lambda: native.verify_one(KEY, one, two, path=three),
    ]
    for attempt in attempts:
        try:
            answer = attempt()
        except (TypeError, ValueError):
            continue
        except OverflowError:
            assert any(isinstance(number, int) for number in (two, four))  # a width or threads, far off
            continue
        if isinstance(answer, bytes):
            assert not any(answer)  # what was let through by chance holds no signature
        else:
            assert answer is False or isinstance(answer, native.Key)


def test_what_a_sequence_raises_is_raised() -> None:
    class Broken(Lazy):
        def __getitem__(self, index: int | slice) -> Any:
            raise LookupError("gone") if index else ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        native.verify_many(Broken([1, 2]))


def test_huge_and_empty() -> None:
    message = bytes(range(256)) * 2**16  # 16 MiB
    signature = signed(message)
    many = [(KEY, b"", signed(b"")), (KEY, b"", bytes(64)), (KEY, b"", b"")] * 10_000
    for path in native.paths():
        assert (
            native.verify_many([(KEY, message, signature), (KEY, message[1:], signature)], path=path)
            == b"\1\0"
        )
        assert native.verify_many(many, path=path) == b"\1\0\0" * 10_000
        assert native.verify_many((), path=path) == native.verify_many(UserList(), path=path) == b""
        assert not native.verify_one(KEY, b"", message, path=path)
    assert not native.verify_one(native.load(message), b"", signed(b""))


def test_threads_do_not_disturb_one_another() -> None:
    """Eight of them load, verify, and change the lists that others verify at the time."""
    publics = PUBLICS * 3
    items = [
        (KEYS[public], b"%d" % n, SECRETS[n % 2].sign(b"%d" % n).signature)
        for n, public in enumerate(publics)
    ]
    expected = sodium([Made(public, item) for public, item in zip(publics, items, strict=True)])
    shared: list[Any] = list(zip(items, expected, strict=True)) * 20
    pool = [item for item, _ in shared]
    verdict_of = {id(item): verdict for item, verdict in shared}

    def work(number: int) -> None:
        for turn in range(40):
            match (number + turn) % 4:
                case 0:
                    assert native.verify_many(items, threads=turn % 3) == expected
                case 1:
                    fresh = native.load(publics[turn % len(publics)], width=4 + turn % 3)
                    _, message, signature = items[turn % len(items)]
                    verdict = native.verify_many([(fresh, message, signature)] * 20)
                    assert verdict == bytes([expected[turn % len(items)]]) * 20
                case 2:
                    assert len(native.verify_many(pool)) <= len(shared) + 8
                case _:
                    pool[turn : turn + 3], taken = [], pool[turn : turn + 3]
                    pool.extend(taken)

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(work, range(8)))
    assert native.verify_many(pool) == bytes(verdict_of[id(item)] for item in pool)
