"""The answers that HTTP and the command line share, as JSON."""

import platform

import msgspec

from ron_kms import Attested, Engine, Keyring, Snapshot
from svc_passport import SERVICE, __version__
from svc_passport.errors import Denied
from svc_passport.rules import Rules
from svc_passport.verifier import Verdict


def detail(verdict: Verdict) -> bytes:
    """Return a verdict with its claims or its reason."""
    if isinstance(verdict, Denied):
        return b'{"ok":false,"reason":"%b"}' % verdict.reason.encode()
    return b'{"ok":true,"claims":%b}' % verdict.message


class Answers:
    """What the service says of itself and its keys."""

    def __init__(self, keyring: Keyring, rules: Rules, *, development: bool) -> None:
        self._keyring = keyring
        self._issuer = rules.issuer
        self._profile = "development" if development else "default"

    def version(self) -> bytes:
        """Return what this program is."""
        return msgspec.json.encode(program(self._keyring.engine))

    def attest(self) -> bytes:
        """Return what the service is and which keys it has had."""
        return msgspec.json.encode(self._attested(self._keyring.attest()))

    def changed(self, snapshot: Snapshot) -> bytes:
        """Return the answer to a rotation or revocation that led to ``snapshot``."""
        attested = snapshot.attest()
        return msgspec.json.encode(
            {
                "current_kid": attested["current_kid"],
                "previous_kid": attested["previous_kids"][-1] if attested["previous_kids"] else None,
                "next_kid": attested["next_kid"],
                "attest": self._attested(attested),
            }
        )

    def _attested(self, attested: Attested) -> dict[str, object]:
        build = program(self._keyring.engine, profile=self._profile)
        return {"build": build, "issuer": self._issuer, **attested}


def program(engine: Engine, **more: str) -> dict[str, str]:
    """Return what this program is."""
    python = platform.python_version()
    return {"service": SERVICE, "version": __version__, **more, "engine": engine.name, "python": python}
