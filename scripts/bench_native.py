"""The native engine beside other people's, from Rust and from Python, in one interleaved run on one core.

python scripts/bench_native.py [--rounds 31] [--core 1] [--quick]

For each workload (so many live keys, so many bytes a message) there are two processes in Rust, ``bench/`` of
the leaf built with the engine and with its rivals, and one in Python, this file. They take turns: in a round
every cell of every process verifies the next 512 of 8,192 distinct valid signatures, its keys being warm.
Prints one table on stdout.

A figure is the median, in µs of the thread's CPU for one signature, so that others' work on the core is not
measured; the base is dalek 2's ``verify_strict``. Where two threads share the work, it is µs on the clock,
with a second core, and the base is one thread.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CRATE = ROOT / "packages/ron-kms-native/bench"
PROGRAM = "release/ron-kms-native-bench"
OURS = CRATE / "target"
THEIRS = CRATE / "target/rivals"

SIGNATURES: Final = 8_192
SAMPLE: Final = 512
WARMING: Final = 256
WORKLOADS: Final = [(keys, size) for size in (64, 300) for keys in (1, 10, 100)]
QUICK: Final = [(1, 64), (10, 300)]
BASE: Final = "ed25519-dalek 2 verify_strict, alone"
CLOCK_BASE: Final = "clock: one caller, batches of 256"


# In Python: the cells of one workload


class Refused(Exception):
    """A valid signature was taken for an invalid one."""


class Cell(NamedTuple):
    """Something that verifies the signatures of a range, or raises."""

    name: str
    batch: int
    verify: Callable[[range], object]
    on_the_clock: bool = False


def cells(keys: int, size: int) -> list[Cell]:
    """Return what is measured from Python."""
    import ron_kms_native as native  # noqa: PLC0415 - only the process that measures it needs it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from nacl.bindings import crypto_sign_open  # noqa: PLC0415
    from nacl.signing import SigningKey  # noqa: PLC0415

    secrets = [SigningKey(number.to_bytes(32, "big")) for number in range(1, keys + 1)]
    signers = [hash((number, size)) % keys for number in range(SIGNATURES)]
    messages = [os.urandom(size) for _ in signers]
    wholes = [bytes(secrets[at].sign(message)) for at, message in zip(signers, messages, strict=True)]
    public = [bytes(secret.verify_key) for secret in secrets]
    theirs = [Ed25519PublicKey.from_public_bytes(key) for key in public]
    ours = [native.load(key) for key in public]
    items = [
        (ours[at], message, whole[:64]) for at, message, whole in zip(signers, messages, wholes, strict=True)
    ]
    path = native.path()

    def many(numbers: range, threads: int = 1) -> None:
        verdicts = native.verify_many(items[numbers.start : numbers.stop], threads=threads)
        if 0 in verdicts:
            raise Refused

    def one(numbers: range) -> None:
        key, message, signature = items[numbers.start]
        if not native.verify_one(key, message, signature):
            raise Refused

    def pynacl(numbers: range) -> None:
        crypto_sign_open(wholes[numbers.start], public[signers[numbers.start]])

    def cryptography(numbers: range) -> None:
        _, message, signature = items[numbers.start]
        theirs[signers[numbers.start]].verify(signature, message)

    pool = ThreadPoolExecutor(2)

    def caller(numbers: range) -> None:
        for at in range(numbers.start, numbers.stop, 256):
            many(range(at, at + 256))

    def callers(count: int) -> None:
        share = SIGNATURES // count
        list(pool.map(caller, [range(at, at + share) for at in range(0, SIGNATURES, share)]))

    settle(ours, native.verify_many)
    return [
        Cell("Python: PyNaCl, alone", 1, pynacl),
        Cell("Python: cryptography, alone", 1, cryptography),
        Cell(f"Python: ours, {path}, verify_one", 1, one),
        Cell(f"Python: ours, {path}, batch of 1", 1, many),
        *(Cell(f"Python: ours, {path}, batch of {batch}", batch, many) for batch in (8, 64, 256)),
        Cell(CLOCK_BASE, SIGNATURES, lambda _: callers(1), on_the_clock=True),
        Cell("clock: two callers, batches of 256", SIGNATURES, lambda _: callers(2), on_the_clock=True),
        Cell("clock: one call on two threads", SIGNATURES, lambda every: many(every, 2), on_the_clock=True),
    ]


def settle(keys: Sequence[Any], verify_many: Callable[[Any], object]) -> None:
    """Use the keys much, and wait until no more tables are made for them."""

    def table_bytes() -> int:
        return sum(key.table_bytes for key in keys)

    for _ in range(40):
        verify_many([item for key in keys for item in [(key, b"", b"")] * 512])
    before = 0
    while before != table_bytes():
        before = table_bytes()
        time.sleep(0.5)


def measured_us(cell: Cell, start: int) -> float:
    """Return what one of the signatures from ``start`` costs."""
    if cell.on_the_clock:
        began = time.perf_counter()
        cell.verify(range(SIGNATURES))
        return (time.perf_counter() - began) / SIGNATURES * 1e6
    began = 0.0
    for at in range(start - max(WARMING, cell.batch), start + SAMPLE, cell.batch):
        if at == start:
            began = time.thread_time()
        cell.verify(range(at, at + cell.batch))
    return (time.thread_time() - began) / SAMPLE * 1e6


def serve(keys: int, size: int, core: int) -> None:
    """Measure every cell for each line on stdin; answer as the program in Rust does."""
    every_core = os.sched_getaffinity(0)
    found = cells(keys, size)
    for turn, _ in enumerate(sys.stdin):
        for cell in found:
            os.sched_setaffinity(0, every_core if cell.on_the_clock else {core})
            print(f"{cell.name}\t{measured_us(cell, SAMPLE * (1 + turn % 15)):.3f}")
        print(flush=True)


# All of them, in turn


Samples = dict[str, list[float]]
"""Of each cell of a workload, in µs."""


class Player(NamedTuple):
    """A process with the cells of one workload."""

    argv: Sequence[str]
    asked: IO[str]
    told: IO[str]
    samples: Samples

    def play(self) -> None:
        """Have it measure every cell once.

        Raises:
            RuntimeError: it ended.
        """
        self.asked.write("\n")
        self.asked.flush()
        for line in iter(self.told.readline, "\n"):
            if not line:
                raise RuntimeError(f"{' '.join(self.argv)} ended")
            name, _, us = line.rpartition("\t")
            self.samples.setdefault(name, []).append(float(us))


@contextmanager
def player(argv: Sequence[str], core: int | None, samples: Samples) -> Iterator[Player]:
    """Start a process, on one core if it is given; when its stdin closes, it ends."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    with subprocess.Popen(
        [*pinned, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is not None and process.stdout is not None:
            yield Player(argv, process.stdin, process.stdout, samples)


def build() -> None:
    """Build the engine with its own flags, and its rivals as they come, but that dalek 3 may use AVX-512."""
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir"]
    plain = os.environ | {"RUSTFLAGS": '--cfg curve25519_dalek_backend="avx512"'}
    subprocess.run([*command, str(OURS)], cwd=CRATE, check=True)
    subprocess.run([*command, str(THEIRS), "--features", "rivals"], cwd=CRATE, env=plain, check=True)


def run(workloads: Sequence[tuple[int, int]], rounds: int, core: int) -> dict[tuple[int, int], Samples]:
    """Return the samples of each workload after so many rounds."""
    found: dict[tuple[int, int], Samples] = {}
    with ExitStack() as players:
        turns = []
        for keys, size in workloads:
            samples = found.setdefault((keys, size), {})
            for built in (THEIRS, OURS):
                rust = [str(built / PROGRAM), str(keys), str(size)]
                turns.append(players.enter_context(player(rust, core, samples)))
            python = [sys.executable, __file__, "--serve", str(keys), str(size), "--core", str(core)]
            turns.append(players.enter_context(player(python, None, samples)))
        for number in range(rounds):
            if sys.stderr.isatty():
                print(f"\rround {number + 1} of {rounds} ", end="", file=sys.stderr)
            for turn in turns:
                turn.play()
    return found


def table(found: dict[tuple[int, int], Samples]) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows: medians, and how many times faster than the base of the column."""
    names = list(dict.fromkeys(name for samples in found.values() for name in samples))
    head = ["µs a signature", *(f"{keys} key{'s' * (keys > 1)}, {size} B" for keys, size in found)]

    def figure(samples: Samples, name: str) -> str:
        base = CLOCK_BASE if name.startswith("clock") else BASE
        median = statistics.median(samples[name])
        return f"{median:.2f} ({statistics.median(samples[base]) / median:.1f}×)"

    return head, [[name, *(figure(samples, name) for samples in found.values())] for name in names]


def main(argv: list[str]) -> int:
    """Build, measure, and print the table."""
    parser = argparse.ArgumentParser(description="Measure the native engine beside others.")
    parser.add_argument("--rounds", type=int, help="31; quickly, 5")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--quick", action="store_true", help="two workloads, few rounds")
    parser.add_argument("--serve", type=int, nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.serve:
        keys, size = asked.serve
        serve(keys, size, asked.core)
        return 0

    sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]
    from bench.table import show  # noqa: PLC0415
    from service import machine  # noqa: PLC0415 - found since the line above

    build()
    rounds = asked.rounds or (5 if asked.quick else 31)
    found = run(QUICK if asked.quick else WORKLOADS, rounds, asked.core)
    versions = ", ".join(f"{name} {version(name)}" for name in ("cryptography", "pynacl"))
    title = f"Medians of {rounds} rounds on core {asked.core}; in brackets, the base of the column / that"
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {machine()}, {versions}.")
    show(title, *table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
