"""The items that fit a person's factors: index against exact products in batches, ``jishi bench retrieve --items 1000000``.

Made factors of 64 numbers: items of 500 kinds with norms of many sizes, persons of up to three kinds. Recall@20 is of what the
exact products find; both are timed in processor time of one thread, the index one person at a time as serving asks it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from threadpoolctl import threadpool_limits

from models.algorithms.nearest_items import NearestItems, index_bytes
from models.candidates.taste import Taste

FACTORS, KINDS, LISTED, BROUGHT, BATCH = 64, 500, 20, 100, 64


@dataclass(frozen=True)
class Retrieval:
    """Recall@20 of the index, microseconds of one person by each way, seconds and bytes of the index."""

    recall: float
    index_us: float
    exact_us: float
    built_s: float
    index_bytes: int


def made_factors(items: int, persons: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Factors of items and of persons, float32."""
    rng = np.random.default_rng(seed)
    kinds = rng.standard_normal((KINDS, FACTORS), dtype=np.float32)
    near = 0.7 * kinds[rng.integers(0, KINDS, items)] + 0.6 * rng.standard_normal((items, FACTORS), dtype=np.float32)
    norms = (rng.gamma(2, 0.5, (items, 1)) + 0.2).astype(np.float32)
    shares = rng.dirichlet(np.ones(3), persons).astype(np.float32)
    liked = np.einsum("pk,pkf->pf", shares, kinds[rng.integers(0, KINDS, (persons, 3))])
    return near * norms, (liked + 0.3 * rng.standard_normal((persons, FACTORS))).astype(np.float32)


def measure(items: int, persons: int, threads: int) -> Retrieval:
    """Build the index, ask for each person, and compare."""
    item_factors, person_factors = made_factors(items, persons)
    began = time.perf_counter()
    content = index_bytes(item_factors, threads)
    built_s = time.perf_counter() - began
    with threadpool_limits(1), tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "index"
        file.write_bytes(content)
        nearest = NearestItems.view(file)
        exact, began = [], time.process_time()
        for first in range(0, persons, BATCH):
            scores = person_factors[first : first + BATCH] @ item_factors.T
            exact.append(np.argpartition(-scores, LISTED - 1, axis=1)[:, :LISTED])
        exact_s = time.process_time() - began
        for row in person_factors[:20]:
            nearest.best(row, BROUGHT)
        began = time.process_time()
        brought = []
        for row in person_factors:
            taste = Taste(item_factors, row, nearest)
            near = taste.best(BROUGHT)
            brought.append(near[np.argsort(-taste.of(near))[:LISTED]])
        index_s = time.process_time() - began
    hits = [len(np.intersect1d(mine, theirs)) for mine, theirs in zip(brought, np.concatenate(exact), strict=True)]
    return Retrieval(sum(hits) / (LISTED * persons), 1e6 * index_s / persons, 1e6 * exact_s / persons, built_s, len(content))


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="jishi bench retrieve", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--persons", type=int, default=512, help="who are asked for")
    parser.add_argument("--threads", type=int, default=2, help="that build the index")
    chosen = parser.parse_args()
    result = measure(chosen.items, chosen.persons, chosen.threads)
    Console(width=120).print(
        f"{chosen.items} items: recall@{LISTED} {result.recall:.3f}; {result.index_us:.0f} µs a person "
        f"({1e6 / result.index_us:.0f}/s a core), exact in batches {result.exact_us:.0f} µs: "
        f"{result.exact_us / result.index_us:.1f} times; index: {result.index_bytes / 2**20:.0f} MiB, {result.built_s:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
