"""What is sent: claims to issue, and real passports of our service to verify."""

from __future__ import annotations

import json
from itertools import cycle, islice
from typing import TYPE_CHECKING

from bench.servers import asking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.servers import Server

ISSUE = "/v1/passport/issue"
VERIFY = "/v1/passport/verify"
VERIFY_BATCH = "/v1/passport/verify_batch"

PASSPORTS = 1024
"""Distinct bodies: more than any cache of single verdicts should want to hold, and no load in memory."""


def claims(count: int = PASSPORTS) -> list[bytes]:
    """Return bodies for issue; the passports made of them are about 560 bytes."""
    return [
        json.dumps(
            {
                "aud": "svc-mail",
                "ctx": {"tenant": f"tenant-{number % 50:04}"},
                "nonce": f"nonce-{number:010}",
                "scopes": ["mail:read", "mail:send", "mail:attach", "contacts:read"],
                "sub": f"user-{number:06}",
            }
        ).encode()
        for number in range(count)
    ]


def issued_by(server: Server, count: int = PASSPORTS) -> list[bytes]:
    """Return so many envelopes that ``server`` issued, as bodies for verify."""
    return asking(server, [("POST", ISSUE, body) for body in claims(count)])


def batches(passports: Sequence[bytes], items: int) -> list[bytes]:
    """Return bodies for verify_batch, each of ``items`` passports, no two alike."""
    count = max(8, len(passports) // items)
    step = len(passports) // count
    return [
        b"[" + b",".join(islice(cycle(passports), number * step, number * step + items)) + b"]"
        for number in range(count)
    ]


def all_true(items: int) -> bytes:
    """Return the answer due to a batch of good passports."""
    return b"[" + b",".join([b"true"] * items) + b"]"
