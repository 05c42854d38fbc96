"""`python -m bench`: every question in turn, each with its table on stdout."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from pathlib import Path

from bench import coalescing, envelopes, split, startup, verify_issue_batch, workers
from bench.load import Pace
from bench.servers import LOAD_CORE, ROOT, SERVER_CORE, BenchError, note

QUESTIONS = {
    "verify_issue_batch": verify_issue_batch.run,
    "split": split.run,
    "coalescing": coalescing.run,
    "workers": workers.run,
    "startup": startup.run,
    "envelopes": envelopes.run,
}


def main() -> int:
    """Ask what was chosen."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="of load in one window (4)")
    parser.add_argument("--rounds", type=int, default=3, help="windows of each server, interleaved (3)")
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, default=list(QUESTIONS), metavar="QUESTION")
    parser.add_argument(
        "--passport", type=Path, default=ROOT / ".venv/bin/passport", help="the program to measure"
    )
    asked = parser.parse_args()

    for tool, package in {"wrk": "wrk", "taskset": "util-linux"}.items():
        if shutil.which(tool) is None:
            note(f"`{tool}` is needed: apt-get install {package}")
            return 2
    if (cores := os.cpu_count() or 1) <= max(SERVER_CORE, LOAD_CORE):
        note(f"two cores are needed, one for the server and one for the load; here is {cores}")
        return 2
    print(f"{cores} × {_processor()}, Python {platform.python_version()}, {platform.platform()}")
    print(f"Servers on core {SERVER_CORE}, wrk on core {LOAD_CORE}, unless a table says otherwise.")
    try:
        for name in asked.only:
            QUESTIONS[name](asked.passport, Pace(asked.seconds, asked.rounds))
    except BenchError as error:
        note(f"error: {error}")
        return 1
    return 0


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine()
    )


if __name__ == "__main__":
    sys.exit(main())
