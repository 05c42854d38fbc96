"""The native engine beside dalek and libsodium, for long; see ``examples/campaign.rs`` of the leaf.

python scripts/campaign_native.py [--cases 10000000] [--adversarial 1000000] [--seed N] [--record FILE]
                                              adds a section to docs/campaigns/native.md
"""

import argparse
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEAF = ROOT / "packages/ron-kms-native"
RECORD = ROOT / "docs/campaigns/native.md"

HEAD = """\
# The native engine beside dalek and libsodium

`make campaign-native` makes signatures: good ones, spoilt ones, and such as slip through laxer verifiers,
with torsion added to A and R, S + L, encodings that are not canonical, small orders, pairs whose faults
cancel. Two judges decide each by the strict rule: 64 bytes with S < L; a public key that is the canonical
encoding of a point not of small order; R not of small order; encode(S·B − k·A) equal to R byte for byte.

- ed25519-dalek 2's `verify_strict` is that rule, but for the encoding of the key: a line of ours looks at it.
- libsodium's `crypto_sign_verify_detached` is that rule as it stands: it refuses S ≥ L, keys that are not
  canonical or of small order, and R of small order, and compares bytes. Only the lengths are ours to look at,
  just as in `ron_kms.engines.sodium`. No check on R's encoding is needed: comparing bytes is one.

Then each path of the engine is asked for all of them, in batches of mixed keys; one of each batch also alone.
Every key has a table of a random width. No judge contradicts the other, and no answer contradicts them. The
columns are sorts of keys: honest ones; a·B with a point of order 2, 4 or 8 added; and such as the rule
refuses, which have no table (of *any 32 bytes*, half are points and accepted).
"""


def main(argv: list[str]) -> int:
    """Run the campaign, print what it did, and add it to the record."""
    parser = argparse.ArgumentParser(description="Compare the native engine with dalek and libsodium.")
    parser.add_argument("--cases", type=int, default=10_000_000)
    parser.add_argument("--adversarial", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=20_261_122)
    parser.add_argument("--record", type=Path, default=RECORD)
    asked = parser.parse_args(argv)

    sys.path.insert(0, str(ROOT / "tests/support"))
    from service import append, machine  # noqa: PLC0415 - found since the line above

    counts = [f"--{name}={getattr(asked, name)}" for name in ("cases", "adversarial", "seed")]
    began = datetime.now(UTC)
    command = ["cargo", "run", "--release", "--locked", "--quiet", "--example", "campaign", "--", *counts]
    ran = subprocess.run(command, cwd=LEAF, stdout=subprocess.PIPE, text=True, check=False)
    print(ran.stdout)
    text = f"\n## {began:%Y-%m-%d %H:%M} UTC\n\n{machine()}. `campaign_native.py {' '.join(counts)}`\n"
    text += f"\n{ran.stdout}"
    if ran.returncode not in (0, 1):
        text += "\n**It did not come to its end.**\n"
    append(asked.record, HEAD, text)
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
