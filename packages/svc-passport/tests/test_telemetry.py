"""Every series of SPEC 9 with its labels and buckets, counted right, and never a name of anybody's."""

import re
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from minted import RULES, Mint, b64, members_of
from prometheus_client.parser import text_string_to_metric_families
from running import Running, environment, running

from svc_passport.bootstrap import make_store, open_keyring
from svc_passport.config import load
from svc_passport.errors import Reason
from svc_passport.telemetry import BATCH, FAILURES, INFLIGHT, OPS_TOTAL, PLACES, Telemetry

LATENCY_S = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1]
BATCH_LEN = [1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]
OPS = {"issue", "verify", "verify_batch", "keys", "rotate", "revoke", "attest"}
LABELS = {
    *(
        "expired",
        "nbf",
        "ttl",
        "scope",
        "nonce",
        "verify",
        "unknown",
        "iss",
        "aud",
        "alg",
        "kid",
        "malformed",
    ),
    *("too_large", "revoked", "unauthorized", "internal"),
}
COUNTERS: dict[str, set[str]] = {
    "passport_ops": {"op", "result", "alg"},
    "passport_failures": {"reason"},
    "passport_requests": {"route", "method", "code"},
    "passport_rotations": set(),
    "passport_vk_cache_hits": set(),
    "passport_vk_cache_misses": set(),
    "passport_jwks_cache_hits": set(),
    "passport_jwks_cache_misses": set(),
    "kms_ops": {"op", "alg"},
    "kms_failures": {"op", "kind"},
    "kms_engine_disagreements": set(),
}
GAUGES: dict[str, set[str]] = {
    "passport_active_keys": set(),
    "passport_cache_items": {"kind"},
    "passport_inflight": {"op"},
    "passport_key_age_seconds": set(),
    "passport_ready": set(),
}
HISTOGRAMS: dict[str, tuple[set[str], list[float]]] = {
    "passport_op_latency_seconds": ({"op"}, LATENCY_S),
    "passport_batch_len": (set(), BATCH_LEN),
    "kms_op_latency_seconds": ({"op"}, LATENCY_S),
    "kms_batch_len": (set(), BATCH_LEN),
}
SUBJECT, TENANT, AUDIENCE = "marker-subject", "marker-tenant", "marker-audience"


class Metrics(dict[str, float]):
    """Series as they are scraped, by name and labels: ``passport_ops_total{alg=n/a,op=keys,result=ok}``."""

    def __init__(self, text: str) -> None:
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        super().__init__((self._plain(name), float(value)) for name, _, value in lines)

    def _plain(self, series: str) -> str:
        """Write a series without quotation marks and without the label that all have."""
        return re.sub(r',?service="[^"]*"', "", series).replace("{,", "{").replace('"', "").replace("{}", "")

    def since(self, before: "Metrics") -> dict[str, float]:
        """What has been counted, but for the scrapes themselves and what depends on the clock."""
        return {
            name: value - before.get(name, 0)
            for name, value in self.items()
            if value != before.get(name, 0) and "/metrics" not in name and "seconds" not in name
        }


class House:
    """A development service on a store that the test opens too."""

    def __init__(self, service: Running, env: dict[str, str], client: httpx.Client) -> None:
        self._service = service
        self.client = client
        self.admin = service.admin_url
        self.mint = Mint(keyring=open_keyring(load(env)), now_s=int(time.time()))

    def text(self) -> str:
        answer = self.client.get(f"{self.admin}/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return answer.text

    def scrape(self) -> Metrics:
        return Metrics(self.text())

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.client.post(path, json=body, headers=headers)

    def verify(self, carrier: Any, query: str = "") -> httpx.Response:
        return self.post(f"/v1/passport/verify{query}", members_of(carrier))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("store")
    env = environment(
        keys__store=f"sqlite:{folder}/new/keys.db", keys__publish_ahead_s=0, limits__max_batch=8
    )
    make_store(load(env))
    with running("--dev", env=env) as service, service.client(verify=False) as client:
        yield House(service, env, client)


# What there is.


def test_every_series_is_there_with_its_labels(house: House) -> None:
    found = {family.name: family for family in text_string_to_metric_families(house.text())}
    assert found.keys() == COUNTERS.keys() | GAUGES.keys() | HISTOGRAMS.keys()
    for kind, families in (("counter", COUNTERS), ("gauge", GAUGES)):
        for name, labels in families.items():
            assert found[name].type == kind
            assert found[name].documentation
            assert found[name].samples or name == "passport_requests"
            for sample in found[name].samples:
                assert sample.name == (f"{name}_total" if kind == "counter" else name)
                assert sample.labels.keys() == labels | {"service"}


def test_every_histogram_has_its_buckets(house: House) -> None:
    found = {family.name: family for family in text_string_to_metric_families(house.text())}
    for name, (labels, buckets) in HISTOGRAMS.items():
        assert found[name].type == "histogram"
        series: dict[str, list[float]] = {}
        for sample in found[name].samples:
            if sample.name.endswith("_bucket"):
                assert sample.labels.keys() == labels | {"service", "le"}
                series.setdefault(sample.labels.get("op", ""), []).append(float(sample.labels["le"]))
            else:
                assert sample.name in (f"{name}_count", f"{name}_sum")
        assert all(bounds == [*buckets, float("inf")] for bounds in series.values())
        assert series.keys() == (
            {""} if not labels else OPS if name.startswith("passport") else series.keys()
        )


def test_the_service_is_on_every_series(house: House) -> None:
    for family in text_string_to_metric_families(house.text()):
        for sample in family.samples:
            assert sample.labels["service"] == "svc-passport"


def test_label_values_come_from_closed_sets(house: House) -> None:
    values: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(house.text()):
        for sample in family.samples:
            for label, value in sample.labels.items():
                values.setdefault(f"{family.name} {label}", set()).add(value)
    assert values["passport_ops op"] == values["passport_inflight op"] == OPS
    assert values["passport_ops result"] == {"ok", "fail", "not_modified"}
    assert values["passport_ops alg"] == {"Ed25519", "n/a"}
    assert values["passport_failures reason"] >= LABELS - {"nonce"}
    assert values["passport_failures reason"] <= LABELS
    assert values["kms_ops op"] >= {"sign", "verify", "rotate", "revoke"}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_label_of_the_contract(reason: Reason) -> None:
    assert reason.label in LABELS
    assert (reason.label,) in FAILURES.series


# What is counted.


def counted(house: House, act: Callable[[], object]) -> dict[str, float]:
    before = house.scrape()
    act()
    return house.scrape().since(before)


def services_own(told: dict[str, float]) -> dict[str, float]:
    """What the service says, without what its keyring and engine did for it."""
    prefixes = ("passport_ops", "passport_requests", "passport_failures")
    return {name: value for name, value in told.items() if name.startswith(prefixes)}


def op(name: str, result: str, alg: str = "Ed25519") -> str:
    return f"passport_ops_total{{alg={alg},op={name},result={result}}}"


def request(route: str, code: int, method: str = "POST") -> str:
    return f"passport_requests_total{{code={code},method={method},route={route}}}"


def failure(reason: str) -> str:
    return f"passport_failures_total{{reason={reason}}}"


def buckets(name: str, length: int) -> dict[str, float]:
    """One batch of that length, in every bucket that holds it."""
    bounds = {str(bound): bound for bound in BATCH_LEN} | {"+Inf": float("inf")}
    inside = {f"{name}_bucket{{le={text}}}": 1.0 for text, bound in bounds.items() if length <= bound}
    return inside | {f"{name}_count": 1, f"{name}_sum": length}


ISSUE, VERIFY, BATCHES = "/v1/passport/issue", "/v1/passport/verify", "/v1/passport/verify_batch"
ASKED = {"sub": SUBJECT, "aud": AUDIENCE, "ctx": {"tenant": TENANT}}


def test_issuing_is_counted(house: House) -> None:
    told = counted(house, lambda: [house.post(ISSUE, ASKED) for _ in range(3)])
    assert told == {op("issue", "ok"): 3, request(ISSUE, 200): 3, "kms_ops_total{alg=Ed25519,op=sign}": 3}


@pytest.mark.parametrize(
    ("asked", "label", "code"),
    [
        ({"iss": "x"}, "malformed", 400),
        ({"Sub": "x"}, "malformed", 400),
        ({"ttl_s": 86401}, "ttl", 400),
        ({"scopes": ["passport:issue"]}, "scope", 403),
        ({"x": "x" * 5000}, "too_large", 413),
    ],
    ids=["reserved claim", "malformed", "ttl too long", "reserved scope", "too large"],
)
def test_refusing_to_issue_is_counted(house: House, asked: dict[str, Any], label: str, code: int) -> None:
    told = counted(house, lambda: house.post(ISSUE, asked))
    assert services_own(told) == {op("issue", "fail"): 1, request(ISSUE, code): 1, failure(label): 1}


def test_a_good_verification_is_counted(house: House) -> None:
    token = house.mint.compact_passport(sub=SUBJECT)
    assert counted(house, lambda: house.verify(token)) == {
        op("verify", "ok"): 1,
        request(VERIFY, 200): 1,
        "kms_ops_total{alg=Ed25519,op=verify}": 1,
        "passport_vk_cache_hits_total": 1,
        **buckets("passport_batch_len", 1),
        **buckets("kms_batch_len", 1),
    }


VERDICTS: list[tuple[str, str, Callable[[Mint], Any], str]] = [
    ("expired", "expired", lambda m: m.passport(exp=0, iat=0), ""),
    ("too early", "nbf", lambda m: m.passport(nbf=m.now_s + 999), ""),
    ("too long", "ttl", lambda m: m.passport(exp=m.now_s + 86401), ""),
    ("a scope missing", "scope", lambda m: m.passport(), "?scope=read"),
    ("of another issuer", "iss", lambda m: m.passport(iss="x"), ""),
    ("another kid inside", "kid", lambda m: m.passport(kid="ed25519/default/v9"), ""),
    ("for another", "aud", lambda m: m.passport(), "?aud=svc-z"),
    ("no claims", "malformed", lambda m: m.envelope(b"{}"), ""),
    ("forged", "verify", lambda m: m.envelope(m.message(), sig_b64=b64(bytes(64))), ""),
]
FAULTS: list[tuple[str, str, Callable[[Mint], Any], int]] = [
    ("bad alg", "alg", lambda m: m.envelope(b"", alg="none"), 400),
    ("bad kid", "kid", lambda m: m.envelope(b"", kid="x"), 400),
    ("no aud", "aud", lambda m: m.envelope(b"", aud=""), 400),
    ("no base64", "malformed", lambda m: m.envelope(b"", msg_b64="!"), 400),
    ("unknown kid", "unknown", lambda m: m.envelope(b"", kid="ed25519/default/v99"), 400),
    ("too large", "too_large", lambda m: m.envelope(b"x" * 5000), 413),
]


@pytest.mark.parametrize(
    ("label", "make", "query"),
    [pytest.param(label, make, query, id=name) for name, label, make, query in VERDICTS],
)
def test_a_verdict_that_denies_is_counted(
    house: House, label: str, make: Callable[[Mint], Any], query: str
) -> None:
    carrier = make(house.mint)
    told = counted(house, lambda: house.verify(carrier, query))
    assert told.pop("kms_failures_total{kind=verify_failed,op=verify}", 0) == (label == "verify")
    assert told == {
        op("verify", "fail"): 1,
        request(VERIFY, 200): 1,
        failure(label): 1,
        "kms_ops_total{alg=Ed25519,op=verify}": 1,
        "passport_vk_cache_hits_total": 1,
        **buckets("passport_batch_len", 1),
        **buckets("kms_batch_len", 1),
    }


@pytest.mark.parametrize(
    ("label", "make", "code"),
    [pytest.param(label, make, code, id=name) for name, label, make, code in FAULTS],
)
@pytest.mark.parametrize("detail", [False, True])
def test_a_fault_is_counted(
    house: House, label: str, make: Callable[[Mint], Any], code: int, detail: bool
) -> None:
    carrier = make(house.mint)
    told = counted(house, lambda: house.verify(carrier, "?detail=1" if detail else ""))
    assert services_own(told) == {
        op("verify", "fail"): 1,
        request(VERIFY, 200 if detail else code): 1,
        failure(label): 1,
    }


def test_a_batch_counts_its_items_refusals(house: House) -> None:
    carriers = [make(house.mint) for _, _, make, query in VERDICTS if not query] + [house.mint.passport()]
    told = counted(house, lambda: house.post(BATCHES, [members_of(carrier) for carrier in carriers]))
    assert len(carriers) == 8
    assert told == {
        op("verify_batch", "ok"): 1,
        request(BATCHES, 200): 1,
        **{failure(label): 1 for _, label, _, query in VERDICTS if not query},
        "kms_ops_total{alg=Ed25519,op=verify}": 8,
        "kms_failures_total{kind=verify_failed,op=verify}": 1,
        "passport_vk_cache_hits_total": 8,
        **buckets("passport_batch_len", 8),
        **buckets("kms_batch_len", 8),
    }


def test_a_batch_that_is_too_large_counts_once(house: House) -> None:
    told = counted(house, lambda: house.post(BATCHES, [{}] * 9))
    assert told == {op("verify_batch", "fail"): 1, request(BATCHES, 413): 1, failure("too_large"): 1}


def test_reading_keys_is_counted(house: House) -> None:
    etag = house.client.get("/v1/keys").headers["etag"]
    told = counted(house, lambda: house.client.get("/v1/keys"))
    assert told == {
        op("keys", "ok", "n/a"): 1,
        request("/v1/keys", 200, "GET"): 1,
        "passport_jwks_cache_hits_total": 1,
    }
    told = counted(house, lambda: house.client.get("/v1/keys", headers={"if-none-match": etag}))
    assert told == {
        op("keys", "not_modified", "n/a"): 1,
        request("/v1/keys", 304, "GET"): 1,
        "passport_jwks_cache_hits_total": 1,
    }


def test_a_rotation_is_counted_once_however_often_it_is_asked_for(house: House) -> None:
    def rotate() -> object:
        return [
            house.client.post("/admin/rotate", headers={"idempotency-key": "metrics-1"}) for _ in range(3)
        ]

    told = counted(house, rotate)
    assert told["passport_rotations_total"] == 1
    assert told["passport_active_keys"] == 1
    assert told[op("rotate", "ok")] == 3
    assert told["kms_ops_total{alg=Ed25519,op=rotate}"] == 3
    told = counted(house, lambda: house.client.get("/v1/keys"))
    assert told["passport_jwks_cache_misses_total"] == 1


def test_revoking_is_counted(house: House) -> None:
    told = counted(house, lambda: house.post("/admin/revoke", {"kid": "ed25519/default/v99"}))
    assert told == {
        op("revoke", "fail"): 1,
        request("/admin/revoke", 400): 1,
        failure("unknown"): 1,
        "kms_ops_total{alg=Ed25519,op=revoke}": 1,
        "kms_failures_total{kind=no_such_key,op=revoke}": 1,
    }
    kid = house.client.post("/admin/rotate").json()["previous_kid"]
    token = house.mint.envelope(b"{}", kid=kid)
    told = counted(house, lambda: house.post("/admin/revoke", {"kid": kid}))
    assert (told[op("revoke", "ok")], told["passport_active_keys"]) == (1, -1)
    told = counted(house, lambda: house.verify(token))
    assert told[failure("revoked")] == 1
    house.mint.keyring.refresh()


def test_attesting_is_counted(house: House) -> None:
    told = counted(house, lambda: house.client.get("/admin/attest"))
    assert told == {op("attest", "ok", "n/a"): 1, request("/admin/attest", 200, "GET"): 1}


def test_a_stranger_is_counted(house: House) -> None:
    told = counted(house, lambda: house.client.get("/admin/attest", headers={"authorization": "Bearer x"}))
    assert told == {
        op("attest", "fail", "n/a"): 1,
        request("/admin/attest", 401, "GET"): 1,
        failure("unauthorized"): 1,
    }


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", f"/{SUBJECT}", request("other", 404, "GET")),
        ("GET", "/v1/keys/", request("other", 404, "GET")),
        ("PROPFIND", "/healthz", request("/healthz", 405, "other")),
        ("PROPFIND", f"/{SUBJECT}", request("other", 404, "other")),
        ("HEAD", "/healthz", request("/healthz", 200, "HEAD")),
        ("DELETE", "/v1/keys", request("/v1/keys", 405, "DELETE")),
        ("GET", f"/healthz?{SUBJECT}=1", request("/healthz", 400, "GET")),
    ],
)
def test_what_nobody_knows_is_other(house: House, method: str, path: str, expected: str) -> None:
    told = counted(house, lambda: house.client.request(method, path))
    assert told[expected] == 1
    assert [name for name in told if name.startswith("passport_requests")] == [expected]


def test_every_operation_is_timed(house: House) -> None:
    before = house.scrape()
    house.post(ISSUE, ASKED)
    house.post(ISSUE, {"iss": "x"})
    after = house.scrape()
    count = "passport_op_latency_seconds_count{op=issue}"
    total = "passport_op_latency_seconds_sum{op=issue}"
    assert after[count] - before[count] == 2
    assert 0 < after[total] - before[total] < 2


def test_gauges_say_what_is(house: House) -> None:
    found = house.scrape()
    assert found["passport_ready"] == 1
    assert [found[f"passport_inflight{{op={name}}}"] for name in OPS] == [0] * len(OPS)
    assert found["passport_active_keys"] == len(house.client.get("/v1/keys").json()["keys"])
    assert 0 <= found["passport_key_age_seconds"] < 3600
    assert found["passport_cache_items{kind=vk}"] >= 2


def test_nobodys_name_is_in_it(house: House) -> None:
    house.post(ISSUE, ASKED)
    house.verify(house.mint.passport(sub=SUBJECT, ctx={"tenant": TENANT}), f"?aud={AUDIENCE}&scope={SUBJECT}")
    house.client.get(f"/{SUBJECT}?{TENANT}={AUDIENCE}", headers={"user-agent": SUBJECT})
    house.client.post("/admin/rotate?force=1", headers={"idempotency-key": SUBJECT})
    text = house.text()
    for name in (SUBJECT, TENANT, AUDIENCE, "ed25519/", house.mint.kid, RULES.issuer + "/", "127.0.0.1"):
        assert name not in text


# For several workers together.


def test_the_counts_of_all_workers_are_added_up() -> None:
    shared = [array("d", bytes(8 * PLACES)) for _ in range(3)]
    workers = [Telemetry(shared, mine) for mine in range(3)]
    place = OPS_TOTAL.place("verify", "ok", "Ed25519")
    for count, worker in enumerate(workers):
        worker.counts[place] += count + 1
        worker.observe(BATCH, BATCH.place(), 8)
        worker.observe(BATCH, BATCH.place(), 9)
    for worker in workers:
        found = Metrics(worker.exposition([]).decode())
        assert found["passport_ops_total{alg=Ed25519,op=verify,result=ok}"] == 6
        assert (found["passport_batch_len_bucket{le=8.0}"], found["passport_batch_len_bucket{le=16.0}"]) == (
            3,
            6,
        )
        assert (found["passport_batch_len_count"], found["passport_batch_len_sum"]) == (6, 51)


def test_a_worker_that_takes_a_dead_ones_place_keeps_its_counts_but_not_what_was_under_way() -> None:
    shared = [array("d", bytes(8 * PLACES))]
    before = Telemetry(shared)
    before.counts[INFLIGHT.place("verify")] += 3
    before.counts[FAILURES.place("expired")] += 4
    after = Metrics(Telemetry(shared).exposition([]).decode())
    assert after["passport_inflight{op=verify}"] == 0
    assert after["passport_failures_total{reason=expired}"] == 4


def test_a_value_on_a_bound_is_inside_it() -> None:
    telemetry = Telemetry()
    for length in (1, 2, 8, 512, 513):
        telemetry.observe(BATCH, BATCH.place(), length)
    found = Metrics(telemetry.exposition([]).decode())
    bounds = ("1.0", "8.0", "16.0", "256.0", "512.0", "+Inf")
    assert [found[f"passport_batch_len_bucket{{le={bound}}}"] for bound in bounds] == [1, 3, 3, 3, 4, 5]
