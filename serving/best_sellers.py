"""Orders of a shop's items by what sells: of the whole shop, of a category, of a brand; and the way down them.

Candidates that every filter or rule might turn away are taken from such an order until there are enough: a list is full where
the catalogue allows it, and nobody looks at the rest of the shop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from serving.blend import Indices, Vector
from serving.standing import BEHIND, FRESH, OUT, Bars, Standings, head, heads

Judge = Callable[[Indices], Standings]  # item numbers → FRESH, BEHIND or OUT


def by_sales(popularity: Vector) -> Indices:
    """All item numbers, best seller first, equal ones by number."""
    return np.argsort(-popularity, kind="stable").astype(np.int32)


@dataclass
class Postings:
    """The items of each value of a column, best seller first; those that took the value later at the end, in any order."""

    starts: Indices
    items: Indices
    later: dict[int, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, codes: npt.NDArray[np.int32], order: Indices) -> Postings:
        """From the value of each item, and an order of all items."""
        sorted_codes = codes[order]
        items = order[np.argsort(sorted_codes, kind="stable")]
        counts = np.bincount(codes, minlength=1) if len(codes) else np.zeros(1, dtype=np.int64)
        return cls(np.concatenate([[0], np.cumsum(counts)]), items)

    def put(self, code: int, number: int) -> None:
        """An item that has taken a value."""
        self.later.setdefault(code, []).append(number)

    def with_value(self, code: int) -> Indices:
        """Items that have or had the value."""
        items = self.items[self.starts[code] : self.starts[code + 1]] if code < len(self.starts) - 1 else self.items[:0]
        later = self.later.get(code)
        return items if later is None else np.concatenate([items, np.array(later, dtype=items.dtype)])

    def heads(self, codes: list[int], bars: Bars, most: int, reach: int) -> Indices:
        """Of each value the items that ``walk`` would find, and what took it later."""
        known = [code for code in codes if code < len(self.starts) - 1]
        spans = np.stack([self.starts[known], self.starts[np.array(known, dtype=np.int64) + 1]], axis=1)
        items, _ = heads(*bars, self.items, spans, most, reach)
        later = [number for code in codes for number in self.later.get(code, ())[-most:]] if self.later else []
        return np.concatenate([items, np.array(later, dtype=np.int64)]) if later else np.asarray(items)


def walk_plain(order: Indices, bars: Bars, most: int, reach: int | None = None) -> tuple[Indices, bool]:
    """As ``walk``, where nothing but ``bars`` keeps items out."""
    return head(*bars, order, most, len(order) if reach is None else reach)  # type: ignore[no-any-return]


def walk(order: Indices, judge: Judge, most: int, reach: int | None = None) -> tuple[Indices, bool]:
    """Down an order: the first ``most`` items that may be shown, as many that stand behind, and as many of those passed by that
    may not be shown at all.

    Stops when enough may be shown, or after ``reach`` items. The second value says whether all that may be shown was found.
    """
    end = len(order) if reach is None else min(len(order), reach)
    room, taken = {FRESH: most, BEHIND: most, OUT: most}, []
    start, size, is_whole = 0, most + most // 2, True
    while start < end and room[FRESH] > 0:
        some = order[start : min(end, start + size)].astype(np.int64)
        standing = judge(some)
        is_taken = np.ones(len(some), dtype=np.bool_)
        for kind in (FRESH, BEHIND, OUT):
            places = np.flatnonzero(standing == kind)
            if len(places) > room[kind]:
                is_taken[places[room[kind] :]] = False
                is_whole &= kind == OUT
            room[kind] -= min(room[kind], len(places))
        taken.append(some[is_taken])
        start, size = start + len(some), 2 * size
    is_whole &= start >= len(order)
    return (np.concatenate(taken) if taken else np.empty(0, dtype=np.int64)), is_whole
