"""The campaign of rotation under load in its long form; see ``tests/support/rotation_campaign.py``.

python scripts/campaign_rotation.py [SECONDS]     adds two rows to docs/campaigns/rotation.md
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs/campaigns/rotation.md"
SECONDS = 60

HEAD = """\
# Rotated under load

`make campaign-rotation` rotates every 50 ms while four issue, and read the key set after each token, and four
verify batches of new, old, repeated and spoilt tokens; once with one worker, once with two. No wrong verdict,
at once or at the end, when all tokens are verified again; no refusal; every token's kid in the key set read
after it; every kid listed before its first use; no rotated-away kid signs after the rotation was answered.
"""
COLUMNS = ("workers", "rotations", "tokens", "batches", "verdicts", "seconds", "verdict")


def main(argv: list[str]) -> int:
    """Run the campaign with one worker and with two, print what it did, and add it to the record."""
    sys.path.insert(0, str(ROOT / "tests/support"))
    from rotation_campaign import Outcome, Wrong, campaign  # noqa: PLC0415 - found since the line above
    from service import record  # noqa: PLC0415

    seconds, failed = float(argv[0]) if argv else SECONDS, 0
    for workers in (1, 2):
        if sys.stderr.isatty():
            print(f"{workers} worker(s), {seconds:.0f} s …", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="campaign-rotation-") as folder:
            try:
                done, verdict = campaign(Path(folder), seconds=seconds, workers=workers), "none wrong"
            except Wrong as wrong:
                done, verdict, failed = Outcome(), f"WRONG: {wrong}", 1
        row = (
            workers,
            done.rotations,
            done.issued,
            done.batches,
            done.verdicts,
            round(done.seconds),
            verdict,
        )
        print("; ".join(f"{name}: {value}" for name, value in zip(COLUMNS, row, strict=True)))
        record(RECORD, HEAD, COLUMNS, row)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
