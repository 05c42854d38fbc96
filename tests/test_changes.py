"""A store that cannot be written holds up its own few changes, and nobody else."""

import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from pathlib import Path

from running import running
from service import prepared

CHANGES = 16
AT_ONCE = 2


def test_changes_that_wait_for_the_store_keep_nobody_else_waiting(tmp_path: Path) -> None:
    env = prepared(tmp_path, keys__publish_ahead_s=0)
    store = env["PASSPORT_KEYS__STORE"].removeprefix("sqlite:")
    with (
        running("--dev", env=env) as service,
        service.client() as client,
        closing(sqlite3.connect(store, isolation_level=None)) as other,
        ThreadPoolExecutor(CHANGES) as pool,
    ):
        token = client.post("/v1/passport/issue", json={"aud": "svc-a"}).json()
        batch = [token] * 65  # more than are checked on the event loop: in a thread
        other.execute("BEGIN IMMEDIATE")
        changes = [pool.submit(client.post, "/admin/rotate", timeout=30) for _ in range(CHANGES)]
        told = as_completed(changes)
        refused = [next(told).result() for _ in range(CHANGES - AT_ONCE)]
        assert client.post("/v1/passport/verify_batch", json=batch).json() == [True] * 65
        assert client.post("/v1/passport/issue", json={}).status_code == 200
        assert not all(change.done() for change in changes)
        other.execute("ROLLBACK")
        assert Counter(answer.json()["reason"] for answer in refused) == {"overloaded": CHANGES - AT_ONCE}
        assert [answer.status_code for answer in (one.result() for one in told)] == [200] * AT_ONCE
