"""The verbs on the store of this machine."""

import time

import msgspec

from ron_kms import Kid
from svc_passport import strict_json
from svc_passport.answers import Answers, detail, program
from svc_passport.bootstrap import engine_of, open_keyring, rules_of
from svc_passport.config import Config
from svc_passport.errors import Denied, Reason, Refused
from svc_passport.http import body
from svc_passport.issuer import issue, mint_capability
from svc_passport.rules import Expected
from svc_passport.verifier import Ask, verify_many


class Local:
    """See ``Verbs``. The store and its seal key are all it needs.

    Raises:
        StoreRefused, StoreBusy, AlgUnavailable: As for ``bootstrap.open_keyring``.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._keyring = open_keyring(config)
        self._rules = rules_of(config)
        self._answers = Answers(self._keyring, self._rules, development=config.development)

    def issue(self, claims: bytes, *, compact: bool) -> bytes:
        """See ``Verbs``."""
        asked = strict_json.loads(claims)
        return issue(asked, self._keyring, self._rules, int(time.time()), compact=compact).body

    def verify(self, token: bytes, *, aud: str | None, scopes: tuple[str, ...]) -> tuple[bool, bytes]:
        """See ``Verbs``."""
        ask = Ask(body.one(token), Expected(aud, scopes))
        (verdict,) = verify_many([ask], self._keyring, self._rules, int(time.time()))
        return not isinstance(verdict, Denied), detail(verdict)

    def keys(self) -> bytes:
        """See ``Verbs``."""
        return self._keyring.key_set().body

    def rotate(self, *, force: bool, idempotency_key: str | None) -> bytes:
        """See ``Verbs``."""
        return self._keyring.rotate(self._answers.changed, force=force, idempotency_key=idempotency_key)

    def revoke(self, kid: str) -> bytes:
        """See ``Verbs``."""
        try:
            parsed = Kid.parse(kid)
        except ValueError:
            raise Refused(Reason.BAD_KID) from None
        return self._keyring.revoke(parsed, self._answers.changed)

    def mint(self, scopes: tuple[str, ...], ttl_s: int) -> str:
        """Return a capability for ``scopes`` that lives ``ttl_s`` seconds.

        Raises:
            Refused: ``TTL_TOO_LONG``.
        """
        return mint_capability(list(scopes), ttl_s, self._keyring, self._rules, int(time.time()))


def version_here(config: Config) -> bytes:
    """Return what this program is; no store is needed."""
    return msgspec.json.encode(program(engine_of(config)))
