"""Metrics: what is counted, and the engine and keyring that are measured from outside.

All label sets are closed, so every series has its place in one flat array of doubles. The array of each
worker lies in memory that all workers share: counting is one addition, whoever answers ``/metrics`` adds up
all the arrays, and prometheus-client writes them out.
"""

import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ron_kms import (
    Busy,
    Engine,
    Generations,
    Item,
    Keyring,
    KeySet,
    KeyStore,
    Kid,
    KmsError,
    NoSuchKey,
    Policy,
    Secret,
    Signed,
    Signer,
    Snapshot,
    StoreBusy,
    StoreRefused,
    TooSoon,
    VerifyingKey,
)
from svc_passport import SERVICE
from svc_passport.errors import Reason

LATENCY_S: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
BATCH_LEN: Final = (1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)

OPS: Final = ("issue", "verify", "verify_batch", "keys", "rotate", "revoke", "attest")
RESULTS: Final = ("ok", "fail", "not_modified")
ALGS: Final = ("Ed25519", "n/a")
KMS_OPS: Final = ("sign", "verify", "rotate", "revoke")
KMS_FAILURES: Final = ("verify_failed", "no_such_key", "too_soon", "busy", "store", "internal")
OTHER: Final = "other"
ROUTES: Final = (
    "/v1/passport/issue",
    "/v1/passport/verify",
    "/v1/passport/verify_batch",
    "/v1/keys",
    "/healthz",
    "/readyz",
    "/version",
    "/admin/rotate",
    "/admin/revoke",
    "/admin/attest",
    "/metrics",
    "/openapi.json",
    OTHER,
)
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", OTHER)
CODES: Final = ("200", "304", "400", "401", "403", "404", "405", "409", "413", "415", "500", "503")


class Family:
    """One metric: its name, its help, and where each of its series lies.

    Args:
        labels: Every label with all the values it can have.
        buckets: Upper bounds, if it is a histogram; each series then has a place for each bucket, one for
            everything above, and one for the sum.
    """

    def __init__(
        self, kind: str, name: str, text: str, labels: dict[str, Sequence[str]], buckets: Sequence[float] = ()
    ) -> None:
        self.kind, self.name, self.text = kind, name, text
        self.labels = tuple(labels)
        self.buckets = buckets
        self.width = len(buckets) + 2 if buckets else 1
        self.series = {values: i * self.width for i, values in enumerate(product(*labels.values()))}
        self.start = 0  # where the first series lies; ``_laid_out`` says

    def place(self, *values: str) -> int:
        """Return where the series with these label values lies."""
        return self.start + self.series[values]


def _laid_out(*families: Family) -> tuple[tuple[Family, ...], int]:
    end = 0
    for family in families:
        family.start = end
        end += len(family.series) * family.width
    return families, end


OPS_TOTAL = Family(
    "counter", "passport_ops", "Operations by result.", {"op": OPS, "result": RESULTS, "alg": ALGS}
)
FAILURES = Family(
    "counter",
    "passport_failures",
    "Refusals by reason.",
    {"reason": sorted({reason.label for reason in Reason})},
)
OP_LATENCY = Family(
    "histogram",
    "passport_op_latency_seconds",
    "From the request's head to its answer.",
    {"op": OPS},
    LATENCY_S,
)
BATCH = Family("histogram", "passport_batch_len", "Tokens checked together.", {}, BATCH_LEN)
REQUESTS = Family(
    "counter", "passport_requests", "Requests.", {"route": ROUTES, "method": METHODS, "code": CODES}
)
ROTATIONS = Family("counter", "passport_rotations", "Rotations done.", {})
INFLIGHT = Family("gauge", "passport_inflight", "Requests under way.", {"op": OPS})
VK_HITS = Family("counter", "passport_vk_cache_hits", "Verifying keys known without asking the store.", {})
VK_MISSES = Family("counter", "passport_vk_cache_misses", "Key ids for which the store was read again.", {})
JWKS_HITS = Family("counter", "passport_jwks_cache_hits", "Key sets answered as they were.", {})
JWKS_MISSES = Family("counter", "passport_jwks_cache_misses", "Key sets built anew.", {})
KMS_OPS_TOTAL = Family(
    "counter",
    "kms_ops",
    "Operations of the keyring; verify counts signatures.",
    {"op": KMS_OPS, "alg": ALGS[:1]},
)
KMS_FAILURES_TOTAL = Family(
    "counter", "kms_failures", "Operations that failed.", {"op": KMS_OPS, "kind": KMS_FAILURES}
)
KMS_LATENCY = Family(
    "histogram", "kms_op_latency_seconds", "One call of the keyring.", {"op": KMS_OPS}, LATENCY_S
)
KMS_BATCH = Family("histogram", "kms_batch_len", "Signatures in one call of the engine.", {}, BATCH_LEN)
KMS_DISAGREEMENTS = Family(
    "counter",
    "kms_engine_disagreements",
    "Signatures that the engine accepted and libsodium refused. Any is a fault: the engine was switched off.",
    {},
)

FAMILIES, PLACES = _laid_out(
    OPS_TOTAL, FAILURES, OP_LATENCY, BATCH, REQUESTS, ROTATIONS, INFLIGHT, VK_HITS, VK_MISSES, JWKS_HITS,
    JWKS_MISSES, KMS_OPS_TOTAL, KMS_FAILURES_TOTAL, KMS_LATENCY, KMS_BATCH, KMS_DISAGREEMENTS,
)  # fmt: skip


class Telemetry:
    """The counts of all workers.

    Args:
        shared: One array of ``PLACES`` doubles for each worker.
        mine: Which of them this worker adds to.
    """

    def __init__(self, shared: Sequence[MutableSequence[float]] | None = None, mine: int = 0) -> None:
        self._shared = [array("d", bytes(8 * PLACES))] if shared is None else shared
        self.counts = self._shared[mine]
        for op in OPS:  # what a worker that died here before me had under way
            self.counts[INFLIGHT.place(op)] = 0

    def observe(self, family: Family, place: int, value: float) -> None:
        """Add a value to the histogram series at ``place``."""
        counts = self.counts
        counts[place + bisect_left(family.buckets, value)] += 1
        counts[place + family.width - 1] += value

    def exposition(self, gauges: Iterable["Gauge"]) -> bytes:
        """Return all series in Prometheus' text form.

        Args:
            gauges: What is not counted but looked at.
        """
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Exposed([sum(of_all) for of_all in zip(*self._shared, strict=True)], gauges))
        return generate_latest(registry)


class Gauge(NamedTuple):
    """A metric whose value is looked at when somebody asks."""

    name: str
    text: str
    value: float | dict[str, float]  # or by the value of ``label``
    label: str = ""


class _Exposed(Collector):
    def __init__(self, sums: list[float], gauges: Iterable[Gauge]) -> None:
        self._sums, self._gauges = sums, gauges

    def collect(self) -> Iterator[Metric]:
        for family in FAMILIES:
            yield _metric(family, self._sums)
        for gauge in self._gauges:
            labels = ["service", gauge.label] if gauge.label else ["service"]
            metric = GaugeMetricFamily(gauge.name, gauge.text, labels=labels)
            for value, number in (
                gauge.value.items() if isinstance(gauge.value, dict) else [("", gauge.value)]
            ):
                metric.add_metric([SERVICE, value] if gauge.label else [SERVICE], number)
            yield metric


def _metric(family: Family, sums: list[float]) -> Metric:
    labels = ["service", *family.labels]
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.text, labels=labels)
        for values, offset in family.series.items():
            histogram.add_metric([SERVICE, *values], *_buckets(family, sums, family.start + offset))
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.text, labels=labels)
    for values, offset in family.series.items():
        count = sums[family.start + offset]
        if count or family is not REQUESTS:  # a thousand requests that nobody made tell nothing
            metric.add_metric([SERVICE, *values], count)
    return metric


def _buckets(family: Family, sums: list[float], start: int) -> tuple[list[tuple[str, float]], float]:
    total, cumulative = 0.0, []
    for bound, count in zip([*map(str, family.buckets), "+Inf"], sums[start:], strict=False):
        total += count
        cumulative.append((bound, total))
    return cumulative, sums[start + family.width - 1]


class MeasuredEngine:
    """See ``Engine``. Counts what another engine does."""

    def __init__(self, engine: Engine, telemetry: Telemetry) -> None:
        self._engine = engine
        self._telemetry = telemetry
        self._ops = KMS_OPS_TOTAL.place("verify", "Ed25519")
        self._failed = KMS_FAILURES_TOTAL.place("verify", "verify_failed")
        self._latency = KMS_LATENCY.place("verify")
        self._batch = KMS_BATCH.place()
        self._hits = VK_HITS.place()

    @property
    def name(self) -> str:
        """See ``Engine``."""
        return self._engine.name

    def load(self, public_key: bytes) -> VerifyingKey:
        """See ``Engine``."""
        return self._engine.load(public_key)

    def verify_many(self, items: Sequence[Item]) -> Sequence[int]:
        """See ``Engine``."""
        start_s = time.perf_counter()
        verdicts = self._engine.verify_many(items)
        elapsed_s = time.perf_counter() - start_s
        asked, counts = len(items), self._telemetry.counts
        counts[self._ops] += asked
        counts[self._hits] += asked
        counts[self._failed] += asked - sum(verdicts)
        self._telemetry.observe(KMS_LATENCY, self._latency, elapsed_s)
        self._telemetry.observe(KMS_BATCH, self._batch, asked)
        return verdicts

    def signer(self, seed: Secret) -> Signer:
        """See ``Engine``. Who counts what is signed is the keyring."""
        return self._engine.signer(seed)


class MeasuredKeyring(Keyring):
    """A ``Keyring`` whose verbs are counted."""

    def __init__(
        self,
        store: KeyStore,
        engine: Engine,
        seal_key: Secret,
        policy: Policy,
        *,
        generations: Generations | None = None,
        telemetry: Telemetry,
    ) -> None:
        super().__init__(store, engine, seal_key, policy, generations=generations)
        self._telemetry = telemetry
        self._shown: KeySet | None = None

    def sign(self, message_for: Callable[[str], bytes]) -> Signed:
        """See ``Keyring``."""
        with self._measured("sign"):
            return super().sign(message_for)

    def rotate(
        self, answer: Callable[[Snapshot], bytes], *, idempotency_key: str | None = None, force: bool = False
    ) -> bytes:
        """See ``Keyring``."""
        rotated = False

        def noted(snapshot: Snapshot) -> bytes:
            nonlocal rotated
            rotated = True  # an answer given before is not rendered again
            return answer(snapshot)

        with self._measured("rotate"):
            told = super().rotate(noted, idempotency_key=idempotency_key, force=force)
        self._telemetry.counts[ROTATIONS.place()] += rotated
        return told

    def revoke(self, kid: Kid, answer: Callable[[Snapshot], bytes]) -> bytes:
        """See ``Keyring``."""
        with self._measured("revoke"):
            return super().revoke(kid, answer)

    def key_set(self) -> KeySet:
        """See ``Keyring``."""
        shown = super().key_set()
        self._telemetry.counts[(JWKS_HITS if shown is self._shown else JWKS_MISSES).place()] += 1
        self._shown = shown
        return shown

    def look_again(self) -> bool:
        """See ``Keyring``."""
        looked = super().look_again()
        if looked:
            self._telemetry.counts[VK_MISSES.place()] += 1
        return looked

    @contextmanager
    def _measured(self, op: str) -> Iterator[None]:
        start_s = time.perf_counter()
        try:
            yield
        except KmsError as error:
            self._telemetry.counts[KMS_FAILURES_TOTAL.place(op, _failure(error))] += 1
            raise
        finally:
            self._telemetry.counts[KMS_OPS_TOTAL.place(op, "Ed25519")] += 1
            self._telemetry.observe(KMS_LATENCY, KMS_LATENCY.place(op), time.perf_counter() - start_s)


def _failure(error: KmsError) -> str:
    match error:
        case NoSuchKey():
            return "no_such_key"
        case TooSoon():
            return "too_soon"
        case StoreRefused() | StoreBusy():
            return "store"
        case Busy():
            return "busy"
        case _:
            return "internal"
