"""The items whose factors have the largest products with a person's, without looking at all of them.

A graph of neighbours that is searched greedily (HNSW; Malkov and Yashunin, Efficient and robust approximate nearest neighbor
search using hierarchical navigable small world graphs, TPAMI 2020), by the library ``usearch``. It misses some items:
``jishi bench retrieve`` says how many.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import numpy as np
from usearch.index import BatchMatches, Index

from models.algorithms.recommender import Items, Scores

LEAST_ITEMS = 20_000  # of a shop with fewer the exact product is as fast
CONNECTIVITY, LOOKED_AT_ADD, LOOKED_AT = 16, 64, 128


class NearestItems:
    """A search index of item factors; several threads may ask."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._index.expansion_search = LOOKED_AT  # type: ignore[misc]
        self._lock = Lock()

    @classmethod
    def view(cls, file: Path) -> NearestItems:
        """The index in a file, whose pages all processes share. Raises ValueError where it is none."""
        try:
            index = Index.restore(str(file), view=True)
        except RuntimeError as error:
            raise ValueError(f"no index: {error}") from error
        if index is None:
            raise ValueError("no index")
        return cls(index)

    @classmethod
    def of(cls, content: bytes) -> NearestItems:
        """The index that ``index_bytes`` wrote."""
        index = Index.restore(content)
        assert index is not None
        return cls(index)

    @property
    def shape(self) -> tuple[int, int]:
        """Items and factors."""
        return len(self._index), int(self._index.ndim)

    def best(self, person_factors: Scores, most: int) -> Items:
        """Numbers of about the ``most`` items with the largest products, best first."""
        with self._lock:
            return np.asarray(self._index.search(person_factors, most).keys, dtype=np.int64)

    def best_of_each(self, factors: Scores, most: int) -> Items:
        """The same for many persons (persons, factors); −1 where fewer are found."""
        with self._lock:
            matches = self._index.search(factors, most, threads=1)
        assert isinstance(matches, BatchMatches)
        keys = np.asarray(matches.keys).astype(np.int64)
        places = np.arange(keys.shape[1]) < np.asarray(matches.counts)[:, None]
        return np.where(places, keys, -1)


def index_bytes(item_factors: Scores, threads: int = 1) -> bytes:
    """The index of item factors (items, factors) as a file. With one thread the same factors give the same bytes."""
    items, factors = item_factors.shape
    index = Index(ndim=factors, metric="ip", dtype="f16", connectivity=CONNECTIVITY, expansion_add=LOOKED_AT_ADD)
    index.add(np.arange(items, dtype=np.uint64), np.ascontiguousarray(item_factors, dtype=np.float32), threads=threads)
    content = index.save()
    assert content is not None  # without a path it is returned
    return bytes(content)
