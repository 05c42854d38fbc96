"""What custody refuses, split by what the catcher does next.

KmsError
├── NoSuchKey            no version has that kid
├── AlgUnavailable       the engine or algorithm asked for is not here
├── Expired              the version's life is over: it was revoked
├── Entropy              the operating system gave no randomness
├── VerifyFailed         the signature does not hold
├── CapabilityMissing    the private key for this is not in this process's hands
├── BadPublicKey         not the canonical encoding of a point of prime order
├── Busy                 not now: try again
│   ├── TooSoon          the next key has not been published for long enough (``retry_after_ms``)
│   ├── StoreBusy        the store cannot be read or written at the moment
│   └── GenerationMoved  somebody else changed the store first
├── SealError            a sealed blob does not open
│   ├── SealFormat       the bytes are not a sealed blob
│   └── SealAuth         wrong key, or a blob that was moved or changed
├── StoreRefused         what rests there will not be used, and never be made anew (``name``)
└── Internal             a fault of ours

No message carries a key, a signature, a message or a path.
"""

from typing import ClassVar


class KmsError(Exception):
    """Every error that leaves this package on purpose."""

    retryable: ClassVar[bool] = False


class NoSuchKey(KmsError):
    """No version has that kid."""


class AlgUnavailable(KmsError):
    """The engine or algorithm asked for is not here."""


class Expired(KmsError):
    """The version was revoked: nothing verifies under it any more."""


class Entropy(KmsError):
    """The operating system gave no randomness, so nothing was made."""


class VerifyFailed(KmsError):
    """The signature does not hold."""


class CapabilityMissing(KmsError):
    """The private key for this is not in this process's hands."""


class BadPublicKey(KmsError, ValueError):
    """Not the canonical encoding of an Edwards point of prime order."""


class Busy(KmsError):
    """Not now; the same call may succeed later."""

    retryable = True


class TooSoon(Busy):
    """The next key has not been published for long enough to sign.

    Attributes:
        retry_after_ms: Milliseconds until it has.
    """

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__("the next key has not been published for long enough")
        self.retry_after_ms = retry_after_ms


class StoreBusy(Busy):
    """The store cannot be read or written at the moment."""


class GenerationMoved(Busy):
    """Somebody else changed the store first: nothing was written."""


class SealError(KmsError):
    """A sealed blob does not open."""


class SealFormat(SealError):
    """The bytes are not a sealed blob of a version known here."""


class SealAuth(SealError):
    """Wrong key, or a blob that was moved or changed."""


class StoreRefused(KmsError):
    """What rests there will not be used, and is never made anew.

    Attributes:
        name: Which refusal, one of the names in ``stores`` and ``keyring``, such as ``store_missing``.
    """

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(f"{name}: {sentence}")
        self.name = name


class Internal(KmsError):
    """A fault of ours."""
