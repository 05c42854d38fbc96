"""Fuzz the native engine beside dalek and big integers: the targets in ``packages/ron-kms-native/fuzz``.

python scripts/fuzz_native.py [--seconds 300] [--target NAME]... [--record FILE]
                                              adds a row for each to docs/campaigns/native-fuzz.md

cargo-fuzz builds them with the coverage counters that stable Rust has; ``verdicts``, which runs the kernels,
once more with the address sanitizer, for which rustc is told to allow its unstable flag. What one run found
worth keeping is where the next one starts: ``fuzz/corpus``. Findings stay in ``fuzz/artifacts``.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LEAF = ROOT / "packages/ron-kms-native"
FUZZ = LEAF / "fuzz"
RECORD = ROOT / "docs/campaigns/native-fuzz.md"

HEAD = """\
# Noise for the native engine

`make fuzz-native` lets libFuzzer, led by coverage, make inputs of four kinds, and compares:

- *verdicts*: recipes for keys and batches, on every path, width and number of threads, with ed25519-dalek's
  `verify_strict`: a batch's verdicts, its parts', those of many times the batch, and each item's alone. A
  recipe starts out as a valid signature. Then the same under the address sanitizer.
- *field*: limbs up to their documented bounds, with big integers; no limb leaves its bound.
- *point*: any 32 bytes decoded, added and divided, with curve25519-dalek.
- *scalar*: what is read is below L, challenges are reduced, digits of every width add up; with big integers.

Overflow checks and debug assertions are on.
"""
COLUMNS = ("target", "executions", "seconds", "coverage", "with", "verdict")


class Target(NamedTuple):
    """A program of cargo-fuzz's, and how it is run."""

    program: str
    sanitizer: str
    length_max: int
    seeds: tuple[bytes, ...]


def _signatures() -> tuple[bytes, ...]:
    """Return recipes of ``verdicts.rs``: items of each sort, on each path and width, and batches of them."""
    one = [bytes([path, width, 1, 0, 0, 0, width]) for path in range(3) for width in range(9)]
    sorts = [
        bytes([how, key, 40, how]) + bytes(range(how, how + 64)) for how in range(16) for key in range(2)
    ]
    head = bytes([0, 4, 2, 3, 255, 3, 0, 1, 16, 0, 17, 5])
    return (
        *one,
        *(head + sort for sort in sorts),
        head + bytes(4 * 24),
        bytes([1])
        + head[1:]
        + b"".join(bytes([how, how, how * 16, how, how, how, how]) for how in range(16)),
    )


_VERDICTS: Final = _signatures()

TARGETS: Final[Mapping[str, Target]] = {
    "verdicts": Target("verdicts", "none", 1024, _VERDICTS),
    "verdicts, sanitized": Target("verdicts", "address", 1024, _VERDICTS),
    "field": Target("field", "none", 2048, tuple(bytes([n % 2, n % 12]) * 8 for n in range(24))),
    "point": Target("point", "none", 1024, tuple(bytes([n, n // 4]) * 20 for n in range(16))),
    "scalar": Target("scalar", "none", 512, tuple(bytes([n % 4, *range(n, n + 90)]) for n in range(16))),
}


def build(target: Target) -> Path:
    """Build a target, and return its program."""
    program, sanitizer = target.program, target.sanitizer
    folder = LEAF / "target" / f"fuzz-{sanitizer}"
    allowed = {} if sanitizer == "none" else {"RUSTC_BOOTSTRAP": "1"}
    subprocess.run(
        ["cargo", "fuzz", "build", "--sanitizer", sanitizer, "--target-dir", str(folder), program],
        cwd=FUZZ,
        env=os.environ | allowed,
        check=True,
    )
    return next(folder.glob(f"*/release/{program}"))


def fuzz(target: Target, seconds: int) -> tuple[int, str, str]:
    """Run a target for a while, and return how many inputs it had, its coverage, and a verdict."""
    program = build(target)
    corpus, found = FUZZ / "corpus" / target.program, FUZZ / "artifacts" / target.program
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    known = set(found.iterdir())
    limits = [f"-max_total_time={seconds}", f"-max_len={target.length_max}", "-timeout=20"]
    ran = subprocess.run(
        [program, *limits, "-print_final_stats=1", f"-artifact_prefix={found}/", corpus],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    executed = re.search(r"number_of_executed_units: (\d+)", ran.stderr)
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", ran.stderr)
    coverage = "{} edges, {} features, {} inputs kept".format(*covered[-1]) if covered else "–"
    findings = sorted(path.name for path in set(found.iterdir()) - known)
    verdict = "no finding"
    if findings or ran.returncode:
        print(ran.stderr[-5000:], file=sys.stderr)
        verdict = f"FINDING: {', '.join(findings) or f'ended with {ran.returncode}'}"
    return int(executed[1]) if executed else 0, coverage, verdict


def main(argv: list[str]) -> int:
    """Run the targets, print what they did, and add it to the record."""
    parser = argparse.ArgumentParser(description="Fuzz the native engine.")
    parser.add_argument("--seconds", type=int, default=300, help="for each target (300)")
    parser.add_argument("--target", action="append", choices=TARGETS, dest="targets")
    parser.add_argument("--record", type=Path, default=RECORD)
    asked = parser.parse_args(argv)

    sys.path.insert(0, str(ROOT / "tests/support"))
    from service import record  # noqa: PLC0415 - found since the line above

    failed = False
    for name in asked.targets or TARGETS:
        if sys.stderr.isatty():
            print(f"{name}, {asked.seconds} s …", file=sys.stderr)
        began = time.monotonic()
        executions, coverage, verdict = fuzz(TARGETS[name], asked.seconds)
        seconds = round(time.monotonic() - began)
        used = f"libFuzzer, sanitizer {TARGETS[name].sanitizer}"
        row = (name, executions, seconds, coverage, used, verdict)
        print("; ".join(f"{column}: {cell}" for column, cell in zip(COLUMNS, row, strict=True)), flush=True)
        record(asked.record, HEAD, COLUMNS, row)
        failed |= verdict != "no finding"
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
