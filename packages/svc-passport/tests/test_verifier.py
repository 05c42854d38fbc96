"""Each ask has the verdict that it has alone, whatever stands beside it and however the keys turn."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minted import NOW_S, PRESENTED_TO, RULES, Mint, b64, b64url, but, from_b64url, members_of

from ron_kms import Keyring, KeyStore, Kid, Policy, Secret, Snapshot, create
from ron_kms.engines import choose
from ron_kms.stores import Idempotency, SealedRing, Stored, open_store
from svc_passport.carriers import CAPABILITY, Carrier, Compact, Envelope
from svc_passport.errors import FAULT, VERDICT, Denied, Reason
from svc_passport.rules import Expected
from svc_passport.verifier import Ask, Verified, verify_many

# A batch is its items, one by one.


def pool() -> tuple[Mint, dict[str, Carrier | Denied]]:
    """A mint with a revoked and two good versions, and one token of every sort."""
    mint, foreign = Mint(), Mint(seed=b"another's keys")
    revoked = mint.compact_passport()
    first_kid = mint.kid
    mint.rotate()
    earlier = mint.passport()
    mint.rotate()
    mint.revoke(first_kid)
    foreign.rotate()
    foreign.rotate()
    assert foreign.kid == mint.kid
    valid, compact = mint.passport(scopes=["read"]), mint.compact_passport(aud=["svc-a", "svc-b"])
    signature = from_b64url(compact.token.split(".")[2])
    s_too_large = signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    return mint, {
        "valid envelope": valid,
        "valid compact": compact,
        "of an earlier version": earlier,
        "revoked": revoked,
        "expired": mint.passport(exp=NOW_S - 500, iat=NOW_S - 600),
        "too early": mint.compact_passport(nbf=NOW_S + 500),
        "for another": mint.compact_passport(aud=["svc-c"]),
        "presented to another": but(valid, aud="svc-c"),
        "of another issuer": mint.passport(iss="another"),
        "with another kid inside": mint.passport(kid=first_kid),
        "too long": mint.passport(exp=NOW_S + RULES.max_ttl_s + 1),
        "no claims": mint.envelope(b"{}"),
        "not canonical": mint.envelope(mint.message() + b"\n"),
        "claims changed": mint.envelope(mint.message(), msg_b64=b64(mint.message(sub="mallory"))),
        "another's signature": but(valid, sig_b64=members_of(earlier)["sig_b64"]),
        "another's keys": foreign.passport(),
        "no signature": but(valid, sig_b64=""),
        "63 bytes of signature": but(valid, sig_b64=b64(signature[:63])),
        "S + L": Compact(compact.token.rpartition(".")[0] + "." + b64url(s_too_large)),
        "a signature of zeros": but(valid, sig_b64=b64(bytes(64))),
        "the neutral element": but(valid, sig_b64=b64(b"\1" + bytes(63))),
        "unknown kid": mint.envelope(mint.message(), kid="ed25519/default/v99"),
        "bad alg": but(valid, alg="none"),
        "bad kid": but(valid, kid=""),
        "no aud": but(valid, aud=None),
        "no base64": but(valid, msg_b64="!"),
        "too large": mint.compact_passport(x="x" * 5000),
        "no token": Compact("!"),
        "a capability": Compact(mint.capability("passport:admin")),
        "unreadable": FAULT[Reason.MALFORMED],
    }


ORDER = 2**252 + 27742317777372353535851937790883648493
MINT, POOL = pool()
EXPECTATIONS = [
    Expected(),
    Expected(PRESENTED_TO),
    Expected("svc-b"),
    Expected(None, ("read",)),
    Expected(PRESENTED_TO, ("read", "write")),
]


def verdicts(asks: Sequence[Ask]) -> list[Any]:
    return list(verify_many(asks, MINT.keyring, RULES, NOW_S))


ALONE = {
    (name, expected): verdicts([Ask(carrier, expected)])[0]
    for name, carrier in POOL.items()
    for expected in EXPECTATIONS
}
chosen = st.lists(st.tuples(st.sampled_from(list(POOL)), st.sampled_from(EXPECTATIONS)), max_size=24)


@given(chosen)
def test_each_has_the_verdict_that_it_has_alone(batch: list[tuple[str, Expected]]) -> None:
    asks = [Ask(POOL[name], expected) for name, expected in batch]
    assert verdicts(asks) == [ALONE[key] for key in batch]


@given(chosen, st.randoms())
def test_order_changes_nothing(batch: list[tuple[str, Expected]], random: Any) -> None:
    order = random.sample(range(len(batch)), len(batch))
    asks = [Ask(POOL[name], expected) for name, expected in batch]
    in_order = verdicts(asks)
    assert verdicts([asks[i] for i in order]) == [in_order[i] for i in order]


@given(chosen, st.integers(2, 3))
def test_repetition_changes_nothing(batch: list[tuple[str, Expected]], times: int) -> None:
    asks = [Ask(POOL[name], expected) for name, expected in batch]
    assert verdicts(asks * times) == verdicts(asks) * times


@given(chosen, st.sampled_from(list(POOL)), st.integers(0, 24))
def test_one_more_changes_no_other(batch: list[tuple[str, Expected]], poison: str, at: int) -> None:
    asks = [Ask(POOL[name], expected) for name, expected in batch]
    mixed = verdicts([*asks[:at], Ask(POOL[poison], Expected()), *asks[at:]])
    del mixed[min(at, len(asks))]
    assert mixed == verdicts(asks)


def test_the_pool_has_every_sort() -> None:
    passing = {name for (name, _), verdict in ALONE.items() if isinstance(verdict, Verified)}
    assert passing == {"valid envelope", "valid compact", "of an earlier version", "for another"}
    reasons = {verdict.reason for verdict in ALONE.values() if isinstance(verdict, Denied)}
    assert reasons >= {
        *(Reason.VERIFY_FAILED, Reason.EXPIRED, Reason.NBF, Reason.BAD_ISS, Reason.BAD_KID, Reason.BAD_AUD),
        *(Reason.SCOPE_DENIED, Reason.REVOKED, Reason.TTL_TOO_LONG, Reason.MALFORMED, Reason.UNKNOWN_KID),
        *(Reason.BAD_ALG, Reason.MSG_TOO_LARGE),
    }


def test_an_empty_batch_has_no_verdicts() -> None:
    assert verdicts([]) == []


# Faults before the signature, meaning after it.


@pytest.mark.parametrize(
    ("name", "denied"),
    [
        ("bad alg", FAULT[Reason.BAD_ALG]),
        ("bad kid", FAULT[Reason.BAD_KID]),
        ("no aud", FAULT[Reason.BAD_AUD]),
        ("no base64", FAULT[Reason.MALFORMED]),
        ("too large", FAULT[Reason.MSG_TOO_LARGE]),
        ("unknown kid", FAULT[Reason.UNKNOWN_KID]),
        ("unreadable", FAULT[Reason.MALFORMED]),
        ("a capability", FAULT[Reason.MALFORMED]),
        ("revoked", VERDICT[Reason.REVOKED]),
        ("claims changed", VERDICT[Reason.VERIFY_FAILED]),
        ("another's signature", VERDICT[Reason.VERIFY_FAILED]),
        ("another's keys", VERDICT[Reason.VERIFY_FAILED]),
        ("no signature", VERDICT[Reason.VERIFY_FAILED]),
        ("63 bytes of signature", VERDICT[Reason.VERIFY_FAILED]),
        ("S + L", VERDICT[Reason.VERIFY_FAILED]),
        ("a signature of zeros", VERDICT[Reason.VERIFY_FAILED]),
        ("the neutral element", VERDICT[Reason.VERIFY_FAILED]),
        ("no claims", VERDICT[Reason.MALFORMED]),
        ("not canonical", VERDICT[Reason.MALFORMED]),
        ("of another issuer", VERDICT[Reason.BAD_ISS]),
        ("with another kid inside", VERDICT[Reason.BAD_KID]),
        ("too early", VERDICT[Reason.NBF]),
        ("expired", VERDICT[Reason.EXPIRED]),
        ("too long", VERDICT[Reason.TTL_TOO_LONG]),
        ("presented to another", VERDICT[Reason.BAD_AUD]),
    ],
)
def test_a_fault_is_not_judged_and_a_verdict_is(name: str, denied: Denied) -> None:
    assert ALONE[name, Expected()] == denied


@pytest.mark.parametrize(
    "claims", [{"exp": 0}, {"iss": "another"}, {"aud": "no array"}, {"kid": "ed25519/default/v2"}]
)
def test_claims_mean_nothing_before_the_signature(claims: dict[str, Any]) -> None:
    forged = MINT.envelope(MINT.message(**claims), sig_b64=b64(bytes(64)))
    assert MINT.reason(forged) is Reason.VERIFY_FAILED


@pytest.mark.parametrize("kid", ["ed25519/default/v99", "ed25519/default/v1"])
def test_the_key_comes_before_the_signature(kid: str) -> None:
    reason = Reason.REVOKED if kid.endswith("/v1") else Reason.UNKNOWN_KID
    assert MINT.reason(MINT.envelope(b"{}", kid=kid, sig_b64=b64(bytes(64)))) is reason
    assert MINT.reason(MINT.envelope(b"{}", kid=kid, msg_b64="!")) is Reason.MALFORMED


def test_what_passes_carries_what_was_signed() -> None:
    message = MINT.message(sub="alice", other=[1, 2.5])
    verdict = MINT.verdict(MINT.envelope(message))
    assert isinstance(verdict, Verified)
    assert (verdict.kid, verdict.message, verdict.claims.sub) == (MINT.kid, message, "alice")


@pytest.mark.parametrize(
    ("aud", "reason"), [(None, None), ("svc-a", None), ("svc-b", Reason.BAD_AUD), ("", Reason.BAD_AUD)]
)
def test_without_require_aud_an_audience_that_is_there_is_checked(aud: str, reason: Reason | None) -> None:
    envelope = msgspec.structs.replace(MINT.passport(), aud=aud)
    assert MINT.reason(envelope, rules=replace(RULES, require_aud=False)) is reason


def test_an_asks_own_expectation_counts() -> None:
    token = MINT.compact_passport(aud=["svc-a"], scopes=["read"])
    asks = [Ask(token, Expected("svc-a", ("read",))), Ask(token, Expected("svc-b")), Ask(token, Expected())]
    asks += [Ask(token, Expected(), CAPABILITY), Ask(token, Expected(None, ("write",)))]
    passed = [isinstance(verdict, Verified) for verdict in verdicts(asks)]
    assert passed == [True, False, True, False, False]


# While the keys turn.


def both(mint: Mint) -> list[Carrier]:
    return [mint.passport(), mint.compact_passport()]


def test_tokens_of_every_version_verify_after_every_rotation() -> None:
    mint = Mint()
    tokens: list[Carrier] = []
    for number in range(1, 8):
        assert mint.kid == f"ed25519/default/v{number}"
        tokens += both(mint)
        assert [mint.reason(token) for token in tokens] == [None] * len(tokens)
        mint.rotate()
        assert [mint.reason(token) for token in tokens] == [None] * len(tokens)


class Watched:
    """A store that calls when a change arrives, before and after it is kept. See ``KeyStore``."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self.watch: Callable[[], object] = lambda: None

    def load(self) -> Stored:
        return self._store.load()

    def recall(self, key: str) -> bytes | None:
        return self._store.recall(key)

    def replace(
        self, expected_generation: int, ring: SealedRing, idempotency: Idempotency | None = None
    ) -> None:
        self.watch()
        self._store.replace(expected_generation, ring, idempotency)
        self.watch()


def test_a_token_verifies_in_the_middle_of_a_rotation() -> None:
    store, seal_key = Watched(open_store("memory:")), Secret(bytes(32))
    create(store, seal_key, "default")
    keyring = Keyring(store, choose("auto"), seal_key, Policy(grace_ms=86_580_000, publish_ahead_ms=0))
    mint = Mint(keyring=keyring)
    tokens, seen = both(mint), []

    def look(_: Snapshot | None = None) -> bytes:
        seen.append([mint.reason(token) for token in [*tokens, *both(mint)]])
        return b""

    store.watch = look
    for _ in range(3):
        keyring.rotate(look)
        look()
        tokens += both(mint)
    assert len(seen) == 12
    assert all(reason is None for reasons in seen for reason in reasons)


def test_tokens_verify_while_another_thread_rotates() -> None:
    mint = Mint()
    ended = threading.Event()

    def rotate() -> None:
        for _ in range(60):
            mint.rotate()
        ended.set()

    tokens = both(mint)
    rotator = threading.Thread(target=rotate)
    rotator.start()
    try:
        while not ended.is_set():
            signed = mint.keyring.sign(lambda kid: mint.message(kid=kid))
            envelope = Envelope(
                alg="Ed25519",
                aud=PRESENTED_TO,
                kid=signed.kid,
                message=signed.message,
                signature=signed.signature,
            )
            asks = [Ask(token, Expected()) for token in [*tokens[:16], envelope]]
            found = verify_many(asks, mint.keyring, RULES, NOW_S)
            assert [verdict for verdict in found if isinstance(verdict, Denied)] == []
            tokens.append(envelope)
    finally:
        rotator.join()
    assert mint.kid == "ed25519/default/v61"


def test_under_a_retired_version_an_old_token_is_expired() -> None:
    mint = Mint()
    tokens, kid = both(mint), mint.kid
    mint.rotate()
    mint.now_s += 86_580
    mint.rotate()  # the ring that is stored now has it retired
    states = {version["kid"]: version["state"] for version in mint.keyring.attest()["versions"]}
    assert states[kid] == "retired"
    assert kid.encode() not in mint.keyring.key_set().body
    assert [mint.reason(token) for token in tokens] == [Reason.EXPIRED] * 2


def test_a_retired_version_still_tells_what_it_signed_from_what_it_did_not() -> None:
    mint = Mint()
    forged = mint.envelope(mint.message(), sig_b64=b64(bytes(64)))
    mint.rotate()
    mint.now_s += 86_580
    mint.rotate()
    assert mint.reason(forged) is Reason.VERIFY_FAILED


@pytest.mark.parametrize("number", [1, 2, 3], ids=["retiring", "active", "next"])
def test_under_a_revoked_version_nothing_verifies(number: int) -> None:
    mint = Mint()
    tokens = {1: both(mint)}
    mint.rotate()
    tokens[2] = both(mint)
    kid = Kid("default", number)
    mint.revoke(str(kid))
    if number == 3:
        tokens[3] = [msgspec.structs.replace(mint.passport(), kid=str(kid))]
    for version, of_it in tokens.items():
        expected = VERDICT[Reason.REVOKED] if version == number else None
        for token in of_it:
            verdict = mint.verdict(token)
            assert verdict == expected if expected else isinstance(verdict, Verified)
    for _ in range(3):
        mint.rotate()
    assert mint.verdict(tokens[number][0]) == VERDICT[Reason.REVOKED]
