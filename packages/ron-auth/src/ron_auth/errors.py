"""Why an envelope is not believed, split by what the caller does next.

    VerifyError
    ├── Malformed      these bytes or fields are no envelope, or not in the one form it may have
    ├── BadTag         the tag does not match; all that a stranger ever learns
    ├── Expired        authentic, but not now                                            retryable
    ├── WrongOrigin    authentic, but from somebody who is not expected here
    ├── MissingScope   authentic, but not allowed this
    ├── Replayed       authentic, and seen before
    ├── Forgotten      authentic, but older than the replay guard's memory               retryable
    ├── GuardFull      authentic, but the replay guard cannot remember one more          retryable
    ├── GuardDown      authentic, but the replay guard cannot be asked                   retryable
    └── Crypto         no verdict: the key deriver failed, or gave no 32 bytes           retryable

Retryable means: the same sender, with the same rights, may succeed with a newly signed envelope or a little
later. No error carries a key, a tag or a payload.
"""

from typing import ClassVar, final


class VerifyError(Exception):
    """An envelope was not accepted."""

    reason: ClassVar[str]
    """A name out of a closed set, for metrics and logs."""

    retryable: ClassVar[bool] = False
    """Whether a newly signed envelope of the same sender, or a later attempt, may pass."""

    text: ClassVar[str]

    origin: str | None = None
    """The sender's name, once its tag has held; None before, when it is only a claim."""

    def __str__(self) -> str:
        return self.text


@final
class Malformed(VerifyError):
    """These bytes or fields are not an envelope; ``detail`` says which part, never its content."""

    reason = "malformed"
    text = "malformed envelope"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.text}: {self.detail}"


@final
class BadTag(VerifyError):
    """The tag does not match: wrong key, wrong epoch, unknown sender, other audience, or changed bytes."""

    reason = "bad_tag"
    text = "bad tag"


@final
class Expired(VerifyError):
    """The clock is outside ``iat`` to ``exp``, these are in the wrong order, or lie too far apart."""

    reason = "expired"
    text = "expired or not yet valid"
    retryable = True


@final
class WrongOrigin(VerifyError):
    """The sender is not one that is expected here."""

    reason = "wrong_origin"
    text = "wrong origin service"


@final
class MissingScope(VerifyError):
    """The envelope lacks ``scope``, which the verifier requires."""

    reason = "missing_scope"
    text = "missing scope"

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self.scope = scope

    def __str__(self) -> str:
        return f"{self.text} {self.scope}"


@final
class Replayed(VerifyError):
    """An envelope of this origin, instance and nonce was accepted before."""

    reason = "replayed"
    text = "replayed"


@final
class Forgotten(VerifyError):
    """It may have been accepted before the replay guard's memory begins."""

    reason = "forgotten"
    text = "older than the replay guard's memory"
    retryable = True


@final
class GuardFull(VerifyError):
    """The replay guard, or the sender's share of it, is full: it never forgets a nonce to make room."""

    reason = "guard_full"
    text = "replay guard full"
    retryable = True


@final
class GuardDown(VerifyError):
    """The replay guard's store does not answer, or is set up to forget."""

    reason = "guard_down"
    text = "replay guard out of reach"
    retryable = True


@final
class Crypto(VerifyError):
    """The key deriver failed, or gave something other than 32 bytes. It says nothing about the envelope."""

    reason = "crypto"
    text = "crypto error"
    retryable = True
