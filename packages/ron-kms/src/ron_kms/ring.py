"""The versions of one key, and how they change: pure functions from ring to ring.

    next ──rotate──▶ active ──rotate──▶ retiring ──retire_at──▶ retired
      │                │                   │                      │
      └────────────────┴──────revoke───────┴──────────────────────┴──▶ revoked

There is always exactly one ``active`` and one ``next``. Numbers count up by one and are never used twice.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from ron_kms.errors import NoSuchKey, TooSoon
from ron_kms.kid import Kid


class State(StrEnum):
    """Where in its life a version is."""

    NEXT = "next"  # published, verifies, does not sign yet
    ACTIVE = "active"  # signs
    RETIRING = "retiring"  # published and verifies until retire_at
    RETIRED = "retired"  # verifies, no longer published
    REVOKED = "revoked"  # nothing verifies under it


PUBLISHED = frozenset({State.NEXT, State.ACTIVE, State.RETIRING})
SIGNS_SOMEDAY = frozenset({State.NEXT, State.ACTIVE})
"""The states that have a private key. In every other it has been destroyed."""


@dataclass(frozen=True, slots=True)
class Version:
    """One key pair's public half and what is known of it."""

    kid: Kid
    public_key: bytes  # 32 bytes, RFC 8032 §5.1.5
    state: State
    created_ms: int  # when it was made and published, Unix milliseconds
    retire_at_ms: int | None = None  # when it leaves the key set; stamped as it stops signing


@dataclass(frozen=True, slots=True)
class Ring:
    """The versions of one key, oldest first, numbered 1, 2, 3 and so on."""

    versions: tuple[Version, ...]

    @property
    def active(self) -> Version:
        """The version that signs."""
        return self._only(State.ACTIVE)

    @property
    def next(self) -> Version:
        """The version that will sign after a rotation."""
        return self._only(State.NEXT)

    @property
    def previous(self) -> tuple[Version, ...]:
        """The versions that signed before and are still published, oldest first."""
        return tuple(v for v in self.versions if v.state is State.RETIRING)

    @property
    def published(self) -> tuple[Version, ...]:
        """What the key set lists, oldest first."""
        return tuple(v for v in self.versions if v.state in PUBLISHED)

    def next_kid(self) -> Kid:
        """The id that the next version to be made will have."""
        newest = self.versions[-1].kid
        return Kid(newest.namespace, newest.number + 1)

    def _only(self, state: State) -> Version:
        # It is one of the newest: only versions revoked before they signed stand above it.
        (found,) = (v for v in self.versions if v.state is state)
        return found


def create(namespace: str, first: bytes, second: bytes, now_ms: int) -> Ring:
    """Return a ring of two: version 1 signs, version 2 is next.

    Args:
        first: Public key of version 1, 32 bytes.
        second: Public key of version 2, 32 bytes.
    """
    return Ring(
        (
            Version(Kid(namespace, 1), first, State.ACTIVE, now_ms),
            Version(Kid(namespace, 2), second, State.NEXT, now_ms),
        )
    )


def at(ring: Ring, now_ms: int) -> Ring:
    """Return the ring as it is at ``now_ms``: a retiring version past its time has retired."""
    if not any(_is_over(v, now_ms) for v in ring.versions):
        return ring
    return Ring(tuple(replace(v, state=State.RETIRED) if _is_over(v, now_ms) else v for v in ring.versions))


def check_published_for(ring: Ring, publish_ahead_ms: int, now_ms: int) -> None:
    """Return if the next key has been published for ``publish_ahead_ms``.

    Raises:
        TooSoon: It has not: verifiers may hold key sets that do not list it.
    """
    missing_ms = ring.next.created_ms + publish_ahead_ms - now_ms
    if missing_ms > 0:
        raise TooSoon(missing_ms)


def rotate(ring: Ring, new_next: bytes, *, grace_ms: int, now_ms: int) -> Ring:
    """Return the ring in which ``next`` signs, the one that signed retires, and a new next is published.

    Args:
        new_next: Public key of the new next version, 32 bytes.
        grace_ms: How long the version that signed stays published.
    """
    retiring = replace(ring.active, state=State.RETIRING, retire_at_ms=now_ms + grace_ms)
    return _replaced(ring, retiring, replace(ring.next, state=State.ACTIVE), _new(ring, new_next, now_ms))


def revoke(ring: Ring, kid: Kid, new_next: bytes, *, now_ms: int) -> Ring:
    """Return the ring in which nothing verifies under ``kid``.

    Revoking the active version puts ``next`` in its place, revoking ``next`` makes another; both need
    ``new_next``, which otherwise is not used. A version revoked before stays as it is.

    Raises:
        NoSuchKey: No version has that kid.
    """
    target = find(ring, kid)
    revoked = replace(target, state=State.REVOKED)
    match target.state:
        case State.ACTIVE:
            return _replaced(
                ring, revoked, replace(ring.next, state=State.ACTIVE), _new(ring, new_next, now_ms)
            )
        case State.NEXT:
            return _replaced(ring, revoked, _new(ring, new_next, now_ms))
        case _:
            return _replaced(ring, revoked)


def follows(later: Ring, earlier: Ring) -> bool:
    """Tell whether ``later`` can have come of ``earlier``: no version is gone, another's, or younger."""
    after = {v.kid: v for v in later.versions}
    return all(
        (now := after.get(v.kid)) is not None
        and now.public_key == v.public_key
        and _AGES.index(now.state) >= _AGES.index(v.state)
        for v in earlier.versions
    )


def find(ring: Ring, kid: Kid) -> Version:
    """Return the version with that id.

    Raises:
        NoSuchKey: There is none.
    """
    for version in ring.versions:
        if version.kid == kid:
            return version
    raise NoSuchKey("no version has that kid")


_AGES = tuple(State)
"""The states as a version passes through them, some left out."""


def _new(ring: Ring, public_key: bytes, now_ms: int) -> Version:
    return Version(ring.next_kid(), public_key, State.NEXT, now_ms)


def _is_over(version: Version, now_ms: int) -> bool:
    return version.state is State.RETIRING and (version.retire_at_ms or 0) <= now_ms


def _replaced(ring: Ring, *changed: Version) -> Ring:
    by_kid = {v.kid: v for v in ring.versions} | {v.kid: v for v in changed}
    return Ring(tuple(by_kid.values()))
