"""Fuzz what reads envelopes: it says VerifyError or a canonical envelope, and no input costs it much.

python scripts/fuzz_envelopes.py [--seconds 600] [--record FILE]
                                              adds a row to docs/campaigns/envelope-fuzz.md

Atheris drives a process in which ``ron_auth`` is instrumented. The first byte of its input chooses how the
others become envelopes: as they are, under a tag that holds, or as a recipe for fields and values near every
limit. That process explores. What it found slow, large or wrong is judged by this one, where nothing is
instrumented, beside the worst envelopes that we could think of ourselves.
"""

import argparse
import gc
import hmac
import importlib
import itertools
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

import ron_auth
from ron_auth import Sealed, VerifyError, from_bytes, pack, to_bytes, unpack, verify_envelope
from ron_auth.limits import DEPTH_MAX, VALUES_MAX, WIRE_BYTES_MAX
from ron_auth.named import mac_input

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))

from envelopes import EPOCH, FIELDS, KEY, ME, NAMED, NOW_S, SENDER, OneKey, tagged
from service import record

RECORD = Path(__file__).resolve().parent.parent / "docs/campaigns/envelope-fuzz.md"
SECONDS = 600

MS_MAX = 5.0
KIB_MAX = 1024.0

HEAD = f"""\
# Noise for those who read envelopes

`make fuzz` gives `from_bytes`, `open` (with an audience and without), `unpack` and `verify_envelope` what
atheris makes of valid and of worst envelopes: raw bytes, changed bytes under a tag that holds, and recipes of
fields and values near every limit. Nothing but `VerifyError` escapes, what is accepted is canonical, and no
input takes more than {MS_MAX:.0f} ms of one thread (the median of three runs, not instrumented; thrice, if
need be, for machines are noisy) or {KIB_MAX:.0f} KiB (the peak of what is allocated meanwhile). A finding's
input is there in hex, or as hex of what `zlib` makes of it.
"""
COLUMNS = ("executions", "seconds", "slowest", "largest", "with", "verdict")


# Readers


class Reader(NamedTuple):
    """One way to take an envelope that somebody sent."""

    name: str
    read: Callable[[bytes], Any]
    """Return what was accepted, or raise a VerifyError."""

    again: Callable[[bytes, Any], bytes]
    """Write what was accepted once more, with a tag that holds where one is checked."""


def _open(audience: str | None) -> Reader:
    def read(data: bytes) -> ron_auth.Envelope:
        return ron_auth.open(
            OneKey(), data, senders=(SENDER,), scopes=(), audience=audience, epoch=EPOCH, now_s=NOW_S
        )

    def again(data: bytes, env: ron_auth.Envelope) -> bytes:
        return tagged(to_bytes(Sealed(from_bytes(data).epoch, audience, env))[: -len(env.tag)])

    return Reader(f"open for {audience or 'anybody'}", read, again)


def _verify(data: bytes) -> ron_auth.Envelope:
    return verify_envelope(OneKey(), SENDER, EPOCH, (), unpack(data), now_s=NOW_S)


READERS: Final = [
    Reader("from_bytes", from_bytes, lambda _, sealed: to_bytes(sealed)),
    _open(None),
    _open(ME),
    Reader("unpack", unpack, lambda _, env: pack(env)),
    Reader("unpack and verify", _verify, lambda _, env: named_tagged(mac_input(env))),
]


class Wrong(Exception):
    """What must never happen has happened."""


def cost_ms(reader: Reader, data: bytes) -> float:
    """Return how long this thread computes until ``reader`` has refused or accepted ``data`` as it may.

    Raises:
        Wrong: it does neither.
    """
    accepted, began = None, time.thread_time()
    try:
        accepted = reader.read(data)
    except VerifyError:
        pass
    except BaseException as error:
        raise Wrong(f"{reader.name} raises {type(error).__name__}") from error
    spent_s = time.thread_time() - began
    if accepted is not None and reader.again(data, accepted) != data:
        raise Wrong(f"{reader.name} accepts what is not canonical")
    return spent_s * 1000


def median_ms(reader: Reader, data: bytes) -> float:
    """Return the median of three runs; if it is too much, the lowest of some: machines are noisy."""
    lowest = float("inf")
    for pause_s in (0, 0.05, 0.5):
        time.sleep(pause_s)
        lowest = min(lowest, statistics.median(cost_ms(reader, data) for _ in range(3)))
        if lowest <= MS_MAX:
            break
    return lowest


def cost_kib(reader: Reader, data: bytes) -> float:
    """Return how much is allocated at most until there is a verdict."""
    tracemalloc.start()
    try:
        with suppress(VerifyError):
            reader.read(data)
        return tracemalloc.get_traced_memory()[1] / 1024
    finally:
        tracemalloc.stop()


# From an input to envelopes

T = TypeVar("T")
pack_value = msgspec.msgpack.encode

LONELY: Final = 2.0**61
"""Times any power of this, a float hashes as before: 34 keys of a map that all fall into one place."""

ALIKE: Final = [LONELY**power for power in range(-17, 17)]

SMILE: Final = "\U0001f600"
"""Four bytes; in a text with it every other letter takes four as well."""

KEYS: Final[list[Callable[[int], Any]]] = [
    lambda number: number,
    lambda number: -number,
    lambda number: number << 49 | 1,
    float,
    lambda number: ALIKE[number % 34] * (1 + number // 34),
    lambda number: (ALIKE[number % 34], ALIKE[number // 34 % 34], number // 34**2),
    lambda number: ((ALIKE[number % 34],), (ALIKE[number // 34 % 34],)),
    lambda number: chr(0x10000 + number),
    lambda number: f"key-{number}",
    lambda number: number.to_bytes(3, "big"),
    lambda _: (),
    lambda number: [None, True, 1, 1.0, False, 0, 0.0, -0.0][number % 8],
    lambda number: struct.unpack(">d", struct.pack(">Q", 0x7FF8 << 48 | number))[0],
]
"""What makes many keys of a map, all different, or nearly so."""

_ATOMS: Final[list[Any]] = [
    *(None, True, False, "", "a", "ab", "é", SMILE, b"", b"ab", (), {}),
    *(0.0, -0.0, 1.5, float("nan"), float("inf"), -(2**63), 2**63 - 1, 2**63, 2**64 - 1),
    *(sign * 2**bits + off for bits in (5, 7, 8, 15, 16, 31, 32) for sign in (1, -1) for off in (-1, 0)),
    *(letter * count for letter in ("a", "é", SMILE) for count in (31, 32, 255, 256, 16_000)),
    *(SMILE + "a" * count for count in (4, 11, 27, 32_000, 65_000)),
    *(bytes(count) for count in (31, 32, 255, 256, 65_000)),
]
ATOMS: Final = [pack_value(atom) for atom in _ATOMS]
"""Values that hold no other."""

_ODD = """
    cc00 cd0000 ce00000000 cf0000000000000000 d000 d10000 d200000000 d30000000000000000 d3ffffffffffffffff
    ca3fc00000 c1 d900 da0000 db00000000 d90161 c40161 c5000161 c60000000161 dc0000 dd00000000 de0000
    df00000000 dd00000001c0 ddffffffff dfffffffff dcffff deffff dbffffffff c6ffffffff a161a1 a1ff a2c080
    a3eda080 d4ff00 d5ff0000 d6ff00000000 d7ff0000000000000000 d8000000000000000000000000000000000000
    c70000 c70cff0000000000000000000000ff c800000000 c9000000000000 818001 81810001 8191800001
    82a161c0a161c0
"""
ODD: Final = [bytes.fromhex(text) for text in _ODD.split()]
"""Long forms, extensions, lengths that lie, texts that are none, keys that cannot be: nothing canonical."""

COUNTS: Final[list[int]] = [
    *(0, 1, 2, 3, 7, 15, 16, 17, 60, 255, 256, 65_535, 65_536),
    *(VALUES_MAX // part for part in (15, 4, 3, 2)),
    *range(VALUES_MAX // 2 - 1, VALUES_MAX // 2 + 2),
    *range(VALUES_MAX - 2, VALUES_MAX + 2),
]
"""How often something is repeated."""


class Lot:
    """The choices that bytes make, one after the other; when there are no more, the first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        self._at += count
        return self._data[self._at - count : self._at]

    def pick(self, options: Sequence[T]) -> T:
        """Return one of at most 256."""
        return options[int.from_bytes(self.take(1), "big") % len(options)]


def headed(count: int, short: int, long: int) -> bytes:
    """Return the shortest head of an array (0x90, 0xDC) or map (0x80, 0xDE) of ``count``."""
    if count < 16:
        return bytes([short | count])
    return struct.pack(">BH", long, count) if count < 2**16 else struct.pack(">BI", long + 1, count)


def array(items: Sequence[bytes]) -> bytes:
    """Return an array of what is MessagePack already."""
    return headed(len(items), 0x90, 0xDC) + b"".join(items)


def mapping(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a map of what is MessagePack already."""
    return headed(len(entries), 0x80, 0xDE) + b"".join(itertools.chain.from_iterable(entries))


def keyed(key: Callable[[int], Any], value: bytes, count: int) -> bytes:
    """Return a map of ``count`` keys, all with the same value."""
    return mapping([(pack_value(key(number)), value) for number in range(count)])


def chain(key: bytes | None, depth: int, end: bytes) -> bytes:
    """Return maps of one key in one another, or arrays, and ``end`` within."""
    return (b"\x91" if key is None else b"\x81" + key) * depth + end


def value(lot: Lot, depth: int = 0) -> bytes:
    """Return what a recipe makes: some value, or nearly one, up to the size of an envelope."""
    if depth > DEPTH_MAX + 1:
        return b"\xc0"

    def inner() -> bytes:
        return value(lot, depth + 1)

    def count(size: int) -> int:
        most = WIRE_BYTES_MAX // max(size, 1) + 1
        return min(lot.pick(COUNTS), most)

    def repeated() -> bytes:
        item = inner()
        return array([item] * count(len(item)))

    def keyed_alike() -> bytes:
        key, item = lot.pick(KEYS), inner()
        return keyed(key, item, count(len(item) + len(pack_value(key(100)))))

    def chained() -> bytes:
        return chain(lot.pick([None, *ATOMS[:20]]), lot.pick(range(1, DEPTH_MAX + 3)), inner())

    def broken() -> bytes:
        item = bytearray(inner())
        at = int.from_bytes(lot.take(2), "big") % len(item) if item else 0
        item[at : at + lot.pick(range(3))] = lot.take(lot.pick(range(3)))
        return bytes(item)

    return lot.pick(
        [
            lambda: lot.pick(ATOMS),
            lambda: lot.pick(ATOMS),
            lambda: lot.pick(ODD),
            lambda: lot.take(1),
            lambda: lot.take(lot.pick(range(64))),
            repeated,
            repeated,
            keyed_alike,
            keyed_alike,
            chained,
            chained,
            lambda: array([inner() for _ in range(lot.pick(range(6)))]),
            lambda: mapping([(inner(), inner()) for _ in range(lot.pick(range(4)))]),
            broken,
        ]
    )()


WIRE: Final = list(FIELDS.items())
UNSIGNED: Final = [(name, raw) for name, raw in NAMED.items() if name != "tag"]
"""What is under each tag, in order: names, and values as MessagePack."""


def wire_form(fields: Sequence[tuple[str, bytes]]) -> bytes:
    """Return a wire form of these fields, under a tag that holds."""
    return tagged(b"\x01" + array([raw for _, raw in fields]))


def named_form(entries: Sequence[tuple[str, bytes]]) -> bytes:
    """Return a named form of these entries, under a tag that holds."""
    return named_tagged(mapping([(pack_value(name), raw) for name, raw in entries]))


def named_tagged(unsigned: bytes) -> bytes:
    """Return a map of ten with an eleventh: the tag that holds for it."""
    tag = hmac.digest(KEY, unsigned, "sha256")
    return b"\x8b" + unsigned[1:] + b"\xa3tag" + pack_value(list(tag))


def both_forms(**changed: bytes) -> tuple[bytes, bytes]:
    """Return the wire form and the named form of a valid envelope, but for what is changed."""
    return (
        wire_form([(name, changed.get(name, raw)) for name, raw in WIRE]),
        named_form([(name, changed.get(name, raw)) for name, raw in UNSIGNED]),
    )


def edited(fields: Sequence[tuple[str, bytes]], lot: Lot) -> list[tuple[str, bytes]]:
    """Return fields of which some are other values, twice there, gone, or elsewhere."""
    made = list(fields)
    for _ in range(lot.pick([1, 1, 2, 3])):
        at = lot.pick(range(len(made)))
        name, raw = made.pop(at)
        kept: list[list[tuple[str, bytes]]] = [[(name, value(lot))]] * 5 + [[], [(name, raw)] * 2]
        made[at:at] = lot.pick(kept)
        if lot.pick(range(8)) == 1:
            made.insert(lot.pick(range(len(made) + 1)), made.pop())
    return made


FOR_ME: Final = {"audience": pack_value(ME)}
"""What makes an envelope one for a receiver that has a name."""


def envelopes_of(data: bytes) -> list[bytes]:
    """Return the envelopes that an input stands for."""
    how, rest = data[:1], data[1:]
    match int.from_bytes(how, "big") % 8:
        case 0:
            return [rest]
        case 1:
            return [tagged(rest)]
        case 2:
            return [named_tagged(rest)]
        case 3:
            return [wire_form(edited(WIRE, Lot(rest)))]
        case 4:
            return [named_form(edited(UNSIGNED, Lot(rest)))]
        case 5:
            lot = Lot(rest)
            return list(both_forms(header=value(lot), payload=value(lot)))
        case 6:
            same = value(Lot(rest))
            return list(both_forms(header=same, payload=same))
        case _:
            return [both_forms(payload=value(Lot(rest)), **FOR_ME)[0]]


# The worst that we know of


def worst() -> Iterator[tuple[str, bytes]]:
    """Return envelopes that are slow or large to read, by name."""
    for name, changed in _worst_fields():
        wire, named = both_forms(**changed)
        yield name, wire
        yield name, named
        yield name, both_forms(**changed | FOR_ME)[0]


def _worst_fields() -> Iterator[tuple[str, dict[str, bytes]]]:
    room = WIRE_BYTES_MAX - 400

    def filled(item: bytes, values: int) -> bytes:
        return array([item] * ((VALUES_MAX - 1) // values))

    def text(size: int) -> bytes:
        return pack_value(SMILE + "a" * (size - 9))

    crowds = {
        "numbers": filled(b"\xfb", 1),
        "large numbers": filled(pack_value(2**33), 1),
        "empty arrays": filled(b"\x90", 1),
        "empty maps": filled(b"\x80", 1),
        "texts of two letters": filled(b"\xa2ab", 1),
        "smiles": filled(pack_value(SMILE), 1),
        "smiles and letters": filled(pack_value(SMILE + "abcdefgh"), 1),
        "binaries": filled(pack_value(b"ab"), 1),
        "maps of one number": filled(b"\x81\x00\x00", 3),
        "maps of one smile": filled(b"\x81" + pack_value(SMILE) * 2, 3),
        "chains of arrays": filled(chain(None, DEPTH_MAX - 1, b"\xc0"), DEPTH_MAX),
        "chains of maps": filled(chain(b"\x00", DEPTH_MAX - 1, b"\xc0"), 2 * DEPTH_MAX - 1),
        "chains of maps of smiles": filled(
            chain(pack_value(SMILE), DEPTH_MAX - 1, pack_value(SMILE)), 2 * DEPTH_MAX - 1
        ),
        "chains of maps of smiles and letters": filled(
            chain(pack_value(SMILE + "abc"), DEPTH_MAX - 1, pack_value(SMILE + "abc")), 2 * DEPTH_MAX - 1
        ),
        "chains of maps of floats": filled(
            chain(pack_value(1.5), DEPTH_MAX - 1, pack_value(1.5)), 2 * DEPTH_MAX - 1
        ),
        **{f"a map of keys {n}": keyed(key, b"\x00", (VALUES_MAX - 1) // 2) for n, key in enumerate(KEYS)},
        "a map of pairs that hash alike": keyed(KEYS[6], b"\x00", (VALUES_MAX - 1) // 6),
        "a map of pairs alike": keyed(lambda number: KEYS[5](number)[:2], b"\x00", (VALUES_MAX - 1) // 4),
    }  # fmt: skip
    for name, raw in crowds.items():
        if 2 * len(raw) <= room:
            yield f"{name}, twice", {"header": raw, "payload": raw}
            yield (
                f"{name}, twice, a long tenant",
                {
                    "header": raw,
                    "payload": raw,
                    "tenant_id": text(room - 2 * len(raw)),
                },
            )
        if len(raw) <= room:
            yield f"{name}, a long payload", {"header": raw, "payload": text(room - len(raw))}
    for name, letter in {"letters": "a", "accents": "é", "smiles": SMILE}.items():
        for where in ("payload", "tenant_id", "origin_svc", "audience"):
            long = letter * (room // len(letter.encode()))
            if where in FIELDS:
                yield f"{where} of {name}", {where: pack_value(long)}
                yield f"{where} of a smile and letters", {where: text(room)}
    for letters in ("", "a", "ab", "aé", "abc", SMILE, SMILE + "abc"):
        item = pack_value(letters)
        yield f"scopes of {len(item)} bytes", {"scopes": array([item] * (room // len(item)))}
        yield f"values of {len(item)} bytes", {"payload": array([item] * (room // len(item)))}
    yield "a binary", {"payload": pack_value(bytes(room))}
    yield "arrays in arrays", {"payload": b"\x91" * room + b"\xc0"}
    yield "maps in maps", {"payload": b"\x81\x00" * (room // 2) + b"\xc0"}
    yield "maps as keys", {"payload": b"\x81" * room + b"\xc0"}
    for name in ("scopes", "payload", "nonce"):
        for raw in (
            b"\xdd\xff\xff\xff\xff",
            b"\xdd\x00\x00\xff\xff" + bytes(60_000),
            b"\xdf\xff\xff\xff\xff",
        ):
            yield f"{name} that claim more than there is", {name: raw}


# Exploring, in a process of its own

PREPARE = """
import sys, atheris
with atheris.instrument_imports(include=["ron_auth"]):
    import ron_auth
folder, script, *options = sys.argv[1:]
sys.path.insert(0, script)
import fuzz_envelopes
fuzz_envelopes.explore(folder, options)
"""

SEED_BYTES_MAX = 24 * 1024
"""The worst envelopes that a fuzzer starts from; from larger ones it would see few."""

KEPT = 8
"""Inputs that are kept of every reader for being slow, and as many for being large."""

EVERY = 32
"""One in so many executions is measured for memory."""


def explore(folder: str, options: list[str]) -> None:
    """Feed readers until the time is over or something is wrong, and leave in ``folder`` what to judge."""
    atheris: Any = importlib.import_module("atheris")
    slow, large = (
        [_Top(Path(folder) / f"{kind}-{n}") for n in range(len(READERS))] for kind in ("slow", "large")
    )
    executions = itertools.count()

    def take(data: bytes) -> None:
        is_measured = next(executions) % EVERY == 0
        for made in envelopes_of(data):
            for reader, slowest, largest in zip(READERS, slow, large, strict=True):
                slowest.offer(cost_ms(reader, made), made)
                if is_measured:
                    largest.offer(cost_kib(reader, made), made)

    atheris.Setup([sys.argv[0], *options], take)
    atheris.Fuzz()


class _Top:
    """The inputs of the highest costs, each in a file."""

    def __init__(self, stem: Path) -> None:
        self._stem = stem
        self._costs = [0.0] * KEPT

    def offer(self, cost: float, data: bytes) -> None:
        place = self._costs.index(min(self._costs))
        if cost > self._costs[place]:
            self._costs[place] = cost
            Path(f"{self._stem}-{place}").write_bytes(data)


# Judging


@dataclass
class Outcome:
    """What was measured, and what is wrong: of each kind the worst."""

    slowest: tuple[float, str] = (0.0, "")  # ms, what
    largest: tuple[float, str] = (0.0, "")  # KiB, what
    wrong: dict[str, tuple[float, str]] = field(default_factory=dict)  # by kind

    def judge(self, name: str, data: bytes) -> None:
        """Run every reader on ``data`` and take note."""
        for reader in READERS:
            what = f"{reader.name}, {name}, {len(data)} B"
            try:
                ms = median_ms(reader, data)
            except Wrong as wrong:
                self.find(str(wrong), 0, f"{wrong}, {name}", data)
                continue
            kib = cost_kib(reader, data)
            self.slowest = max(self.slowest, (ms, what))
            self.largest = max(self.largest, (kib, what))
            if ms > MS_MAX:
                self.find(f"slow {reader.name}", ms, f"{ms:.1f} ms, {what}", data)
            if kib > KIB_MAX:
                self.find(f"large {reader.name}", kib, f"{kib:.0f} KiB, {what}", data)

    def find(self, kind: str, cost: float, what: str, data: bytes = b"") -> None:
        """Keep a finding if it is the worst of its kind."""
        if kind not in self.wrong or cost > self.wrong[kind][0]:
            self.wrong[kind] = (cost, f"FINDING: {what}: {spelled(data)}")

    @property
    def verdict(self) -> str:
        """What the record says."""
        return "; ".join(what for _, what in self.wrong.values()) or "no finding"


def spelled(data: bytes) -> str:
    """Return an input as hex, compressed where it is long."""
    return data.hex() if len(data) <= 256 else f"zlib {zlib.compress(data, 9).hex()}"


def campaign(folder: Path, seconds: int) -> tuple[Outcome, int]:
    """Explore, then judge; return with the outcome how many inputs were run."""
    corpus, found = folder / "corpus", folder / "found"
    for made in (corpus, found):
        made.mkdir()
    known = list(worst())
    for number, data in enumerate(data for _, data in known if len(data) <= SEED_BYTES_MAX):
        is_wire = data.startswith(b"\x01")
        unsigned = data[:-32] if is_wire else b"\x8a" + data[1 : data.rindex(b"\xa3tag")]
        (corpus / str(number)).write_bytes(bytes([1 if is_wire else 2]) + unsigned)
    for number, how in itertools.product(range(16), range(8)):
        (corpus / f"recipe-{how}-{number}").write_bytes(bytes([how, number]))

    limits = [
        f"-max_total_time={seconds}",
        f"-max_len={WIRE_BYTES_MAX + 500}",
        "-len_control=0",
        "-timeout=20",
    ]
    command = [sys.executable, "-c", PREPARE, str(found), str(Path(__file__).parent), *limits]
    with (folder / "log").open("wb") as log:
        ended = subprocess.run(
            [*command, f"-artifact_prefix={found}/input-", "-print_final_stats=1", str(corpus)],
            stdout=log,
            stderr=log,
            timeout=seconds + 300,
            check=False,
        )
    told = (folder / "log").read_text(errors="replace")
    outcome = Outcome()
    gc.collect()
    for name, data in known:
        outcome.judge(name, data)
    for kept in sorted(found.iterdir()):
        inputs = [kept.read_bytes()]
        for data in envelopes_of(inputs[0]) if kept.name.startswith("input-") else inputs:
            outcome.judge("found by atheris", data)
    if ended.returncode != 0 and not outcome.wrong:
        outcome.find("", 0, f"the fuzzer ended with {ended.returncode}")
        print(told[-5000:], file=sys.stderr)
    executed = re.search(r"number_of_executed_units: (\d+)", told)
    return outcome, int(executed[1]) if executed else 0


def main(argv: list[str]) -> int:
    """Run the campaign, print what it did, and add it to the record."""
    parser = argparse.ArgumentParser(description="Fuzz what reads envelopes.")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--record", type=Path, default=RECORD)
    asked = parser.parse_args(argv)
    try:
        used = f"atheris {version('atheris')}, msgspec {version('msgspec')}"
    except PackageNotFoundError as missing:
        print(f"fuzz_envelopes: error: {missing.name} is not installed", file=sys.stderr)
        print("fuzz_envelopes: hint: uv sync --group fuzz", file=sys.stderr)
        return 2
    if sys.stderr.isatty():
        print(f"{asked.seconds} s …", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="fuzz-envelopes-") as folder:
        began = time.monotonic()
        outcome, executions = campaign(Path(folder), asked.seconds)
        seconds = time.monotonic() - began
    row = (
        executions,
        round(seconds),
        "{:.1f} ms: {}".format(*outcome.slowest),
        "{:.0f} KiB: {}".format(*outcome.largest),
        used,
        outcome.verdict,
    )
    print(*(f"{name}: {cell}" for name, cell in zip(COLUMNS, row, strict=True)), sep="\n")
    record(asked.record, HEAD, COLUMNS, row)
    return bool(outcome.wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
