"""The leaf's face: types, lifetimes, and nothing that escapes. The rule is tested with every engine's."""

import copy
import pickle
import threading
import time
import weakref
from collections.abc import Callable

import pytest
from nacl.signing import SigningKey

native = pytest.importorskip("ron_kms_native", reason="the leaf is made where cargo is")

SECRET = SigningKey(bytes(range(32)))
PUBLIC = bytes(SECRET.verify_key)
KEY = native.load(PUBLIC)


def signed(message: bytes) -> bytes:
    return bytes(SECRET.sign(message).signature)


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
