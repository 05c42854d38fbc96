"""Everything a reader needs of one generation, immutable and whole."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple, TypedDict

from ron_kms import ring as rings
from ron_kms.engines import Engine, Signer, VerifyingKey
from ron_kms.errors import Expired, NoSuchKey
from ron_kms.jwks import KeySet, key_set
from ron_kms.ring import Ring, State
from ron_kms.sealed_ring import Resting
from ron_kms.stores import Stored


class AttestedVersion(TypedDict):
    """One version, as ``attest`` tells it."""

    kid: str
    alg: str
    vk_b64: str  # the public key, standard base64
    state: str
    created_ms: int


class Attested(TypedDict):
    """What the keyring says of itself. ``previous_kids`` signed before and are still published."""

    current_kid: str
    next_kid: str
    previous_kids: list[str]
    versions: list[AttestedVersion]


class Head(NamedTuple):
    """The version that signs, with its private key in memory."""

    kid: str
    signer: Signer


LOADED_AHEAD: Final = 8
"""Newest versions whose keys are loaded with a snapshot: the next, the active and what signed before."""


class VerifyingKeys(dict[str, VerifyingKey]):
    """Handles by kid. They may hold large tables, so those of old versions are made when they are asked for.

    Args:
        public_keys: by kid, of every version that verifies.
        loaded: handles that are there already.
    """

    def __init__(
        self, engine: Engine, public_keys: Mapping[str, bytes], loaded: Mapping[str, VerifyingKey]
    ) -> None:
        super().__init__((kid, key) for kid, key in list(loaded.items()) if kid in public_keys)
        self._engine, self._public_keys = engine, public_keys

    def __missing__(self, kid: str) -> VerifyingKey:
        key = self[kid] = self._engine.load(self._public_keys[kid])
        return key


@dataclass(frozen=True)
class Snapshot:
    """One generation of a ring, as readers use it."""

    generation: int
    ring: Ring
    stored: Stored  # as it rests
    rested: Ring  # what that says; ``ring`` may be of a later moment
    head: Head
    verifying: VerifyingKeys  # by kid: every version that was not revoked
    revoked: frozenset[str]  # the kids of those that were

    @classmethod
    def of(
        cls, stored: Stored, ring: Ring, head: Head, engine: Engine, before: "Snapshot | None"
    ) -> "Snapshot":
        """Return the snapshot of what is stored; keys loaded in ``before`` are not loaded again."""
        public_keys = {str(v.kid): v.public_key for v in ring.versions if v.state is not State.REVOKED}
        verifying = VerifyingKeys(engine, public_keys, before.verifying if before else {})
        for kid in list(public_keys)[-LOADED_AHEAD:]:
            verifying[kid]  # now, and not in a request
        revoked = frozenset(str(v.kid) for v in ring.versions if v.state is State.REVOKED)
        return cls(stored.generation, ring, stored, ring, head, verifying, revoked)

    @cached_property
    def resting(self) -> Resting:
        """What each row at rest says."""
        return dict(zip(self.stored.ring.versions, self.rested.versions, strict=True))

    def verifying_key(self, kid: str) -> VerifyingKey:
        """Return the handle for a kid.

        Raises:
            NoSuchKey: No version has it.
            Expired: The version was revoked.
        """
        try:
            return self.verifying[kid]
        except KeyError:
            if kid in self.revoked:
                raise Expired("the version was revoked") from None
            raise NoSuchKey("no such version") from None

    @cached_property
    def key_set(self) -> KeySet:
        """The key set, without what time alone has retired since ``at``."""
        return key_set(self.ring)

    @cached_property
    def changes_at_ms(self) -> float:
        """When the ring changes by time alone: the next version retires (Unix milliseconds, or infinity)."""
        return min((v.retire_at_ms or 0 for v in self.ring.previous), default=float("inf"))

    def at(self, now_ms: int) -> "Snapshot":
        """Return the snapshot as it is at ``now_ms``: itself until a retiring version is over."""
        if now_ms < self.changes_at_ms:
            return self
        return replace(self, ring=rings.at(self.ring, now_ms))

    def attest(self) -> Attested:
        """Return what this generation is, without a secret in it."""
        return {
            "current_kid": str(self.ring.active.kid),
            "next_kid": str(self.ring.next.kid),
            "previous_kids": [str(v.kid) for v in self.ring.previous],
            "versions": [
                {
                    "kid": str(v.kid),
                    "alg": "Ed25519",
                    "vk_b64": b64encode(v.public_key).decode(),
                    "state": v.state.value,
                    "created_ms": v.created_ms,
                }
                for v in self.ring.versions
            ],
        }
