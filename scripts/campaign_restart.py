"""The restart campaign in its long form; see ``tests/support/restart_campaign.py``.

python scripts/campaign_restart.py [KILLS]        adds a row to docs/campaigns/restart.md
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs/campaigns/restart.md"
KILLS = 50

HEAD = """\
# Killed amid rotations

`make campaign-restart` rotates a service's keys in a stream, kills the whole of it (`kill -9`) at random
moments, starts it again, with one worker and two in turn, and looks each time: one active version, every
acknowledged rotation with the keys that it named, every old token verifying, every idempotency key's answer
unchanged byte for byte. *In flight* counts the rotations that the kill left without an answer: wholly there,
or wholly absent.
"""
COLUMNS = ("kills", "rotations acknowledged", "in flight: there / absent", "tokens", "answers asked again",
           "seconds", "verdict")  # fmt: skip


def main(argv: list[str]) -> int:
    """Run the campaign, print what it did, and add it to the record."""
    sys.path.insert(0, str(ROOT / "tests/support"))
    from restart_campaign import Broken, Outcome, campaign  # noqa: PLC0415 - found since the line above
    from service import record  # noqa: PLC0415

    kills, last = int(argv[0]) if argv else KILLS, Outcome()

    def progress(outcome: Outcome) -> None:
        nonlocal last
        last = outcome
        if sys.stderr.isatty():
            print(f"\r{outcome.kills}/{kills} kills, {outcome.rotations} rotations", end="", file=sys.stderr)

    with tempfile.TemporaryDirectory(prefix="campaign-restart-") as folder:
        try:
            last = campaign(Path(folder), kills=kills, progress=progress)
            verdict = "nothing lost"
        except Broken as broken:
            verdict = f"BROKEN: {broken}"
    row = (last.kills, last.rotations, f"{last.kept} / {last.absent}", last.tokens, last.replays,
           round(last.seconds), verdict)  # fmt: skip
    print(*(f"{name}: {value}" for name, value in zip(COLUMNS, row, strict=True)), sep="\n")
    record(RECORD, HEAD, COLUMNS, row)
    return verdict != "nothing lost"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
