"""The readers that ``jishi bench feature-read`` times hold the same rows, whoever reads them and in whatever order."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.feature_read import FEATURES, PLAIN, PRECOMPUTED, feast_store, in_memory, measure, through_sdk
from tests.integration.conftest import Server


def test_the_table_in_memory_reads_what_feast_reads(redis_server: Server, tmp_path: Path) -> None:
    item_ids = [f"item-{number}" for number in range(60)]
    values = np.random.default_rng(7).integers(0, 1_000, (60, len(FEATURES)))
    at = datetime.now(UTC)
    store = feast_store(tmp_path, redis_server.port, values, item_ids, at)
    reads = {
        "in memory": in_memory(values, item_ids, int(at.timestamp() * 1000)),
        "in process": through_sdk(store, PLAIN),
        "precomputed": through_sdk(store, PRECOMPUTED),
    }
    for asked in ([5, 59, 0, 17], [0], list(range(60))):
        for name, read in reads.items():
            assert np.array_equal(read([item_ids[number] for number in asked]), values[asked]), name
    taken = measure(reads, [item_ids[:20], item_ids[20:40]])
    assert {name: (len(each), bool((each > 0).all())) for name, each in taken.items()} == dict.fromkeys(reads, (2, True))
