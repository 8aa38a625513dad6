"""Many sequences of items in three arrays, and sparse queries made from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sequences:
    """Row r is ``flat[starts[r] : starts[r + 1]]``, oldest item first; items are numbers below ``items``.

    >>> two = Sequences.of([[3, 1, 3], [2]], items=4)
    >>> two.back().tolist(), two.row().tolist()
    ([2, 1, 0, 0], [0, 0, 0, 1])
    >>> prefixes, following = two.split_everywhere()
    >>> [part.tolist() for part in prefixes], following.tolist()
    ([[3], [3, 1]], [1, 3])
    """

    flat: Numbers
    starts: Numbers
    items: int

    @classmethod
    def of(cls, rows: Iterable[Iterable[int]], items: int) -> Sequences:
        """From lists of numbers."""
        parts = [np.asarray(list(row), dtype=np.int64) for row in rows]
        flat = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        return cls(flat, np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64), items)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __iter__(self):  # type: ignore[no-untyped-def]
        return (self.flat[start:end] for start, end in zip(self.starts[:-1], self.starts[1:], strict=True))

    @property
    def lengths(self) -> Numbers:
        """Items of each row."""
        return np.diff(self.starts)

    def row(self) -> Numbers:
        """Row of each entry."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def back(self) -> Numbers:
        """Entries after each one in its row: 0 for the last."""
        return np.repeat(self.starts[1:], self.lengths) - 1 - np.arange(len(self.flat))

    def where(self, kept: npt.NDArray[np.bool_]) -> Sequences:
        """Only the entries of the mask; rows may become empty."""
        lengths = np.bincount(self.row()[kept], minlength=len(self))
        return Sequences(self.flat[kept], np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), self.items)

    def tail(self, most: int) -> Sequences:
        """The last ``most`` entries of each row."""
        return self.where(self.back() < most)

    def newest(self, most: int) -> Sequences:
        """The last rows that have at most ``most`` entries together."""
        fits = np.flatnonzero(self.starts[-1] - self.starts[:-1] <= most)
        return self if len(fits) == len(self) else self.take(fits)

    def take(self, rows: Numbers | slice) -> Sequences:
        """Some rows, in that order."""
        chosen = np.arange(len(self))[rows]
        lengths = self.lengths[chosen]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        entries = np.repeat(self.starts[chosen] - starts[:-1], lengths) + np.arange(starts[-1])
        return Sequences(self.flat[entries], starts, self.items)

    def split_everywhere(self, window: int = 50) -> tuple[Sequences, Numbers]:
        """Every item that has one before it, as (the up to ``window`` items before it, the item)."""
        place = np.arange(len(self.flat)) - np.repeat(self.starts[:-1], self.lengths)
        asked = np.flatnonzero(place > 0)
        lengths = np.minimum(place[asked], window)
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        entries = np.repeat(asked - lengths - starts[:-1], lengths) + np.arange(starts[-1])
        return Sequences(self.flat[entries], starts, self.items), self.flat[asked]

    def latest(self, weight: npt.NDArray[np.floating]) -> sparse.csr_matrix:
        """Rows × items with the weight of each item's last occurrence (``weight`` has one number an entry)."""
        key = self.row() * self.items + self.flat
        _, last = np.unique(key[::-1], return_index=True)
        kept = len(key) - 1 - last
        return self._matrix(kept, weight)

    def summed(self, weight: npt.NDArray[np.floating]) -> sparse.csr_matrix:
        """Rows × items with the sum of the weights of each item's occurrences; entries of weight 0 are left out."""
        return self._matrix(np.flatnonzero(weight), weight)

    def _matrix(self, entries: Numbers, weight: npt.NDArray[np.floating]) -> sparse.csr_matrix:
        values = np.asarray(weight, dtype=np.float32)[entries]
        shape = (len(self), self.items)
        matrix = sparse.csr_matrix((values, (self.row()[entries], self.flat[entries])), shape=shape)
        matrix.sum_duplicates()
        return matrix


def places_in_rows(lengths: Numbers) -> Numbers:
    """Of each entry of rows of these lengths its place in its row, from 0.

    >>> places_in_rows(np.array([2, 0, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    return np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def distinct(numbers: Numbers) -> Numbers:
    """The different ones, rising. ``np.unique`` hashes them, which takes forty times as long for a million.

    >>> distinct(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    rising: Numbers = np.sort(numbers)
    is_first: Mask = np.concatenate([[True], rising[1:] != rising[:-1]])[: len(rising)]
    return rising[is_first]


def evenly_spaced(rows: int, most: int) -> Numbers:
    """Numbers of at most ``most`` of so many rows, evenly spaced."""
    return np.linspace(0, rows - 1, min(rows, most)).astype(np.int64)
