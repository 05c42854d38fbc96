"""Somebody who is told of every verdict."""

import time
from collections.abc import Callable
from typing import Literal

from ron_auth.envelope import Envelope
from ron_auth.errors import VerifyError

Verdict = Literal["accepted", "refused"]

Observer = Callable[[Verdict, str | None, str | None, float], None]
"""Called with ``(verdict, reason, origin, elapsed)``.

``reason`` is the error's ``reason``, None when accepted. ``origin`` is the sender's name once its tag has
held, None before, so that no stranger writes into anybody's metrics. ``elapsed`` is in seconds. What an
observer raises reaches the caller in place of the verdict, and nothing is accepted.
"""


def observed(observe: Observer, decide: Callable[[], Envelope]) -> Envelope:
    """Return what ``decide`` returns, or raise what it raises, and tell ``observe`` of it."""
    began = time.perf_counter()
    try:
        env = decide()
    except VerifyError as refused:
        observe("refused", refused.reason, refused.origin, time.perf_counter() - began)
        raise
    observe("accepted", None, env.origin_svc, time.perf_counter() - began)
    return env
