"""What the sources of one request list, in one go: each list from its largest weight on, its first places by their origin.

Two compiled passes: ``gather_lists`` reads the entries of all sources, ``order_lists`` puts them in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from models.algorithms.recommender import Scores
from models.algorithms.session_knn_query import largest_first
from models.data.sequences import Mask, Numbers

_ITEM_BITS = 2**32 - 1


class RawList(NamedTuple):
    """Entries of one source in any order, each with a number of its origin (0 to 62); items below 0 are none."""

    items: Numbers
    weights: Scores
    origins: npt.NDArray[Any]
    because: Numbers


ListTable = tuple[npt.NDArray[np.int32], Scores, npt.NDArray[np.int8], npt.NDArray[np.int32]]
_NO_ENTRIES = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)


class LiveLists(NamedTuple):
    """Lists of one request: list k has the entries ``starts[k]`` to ``starts[k + 1]``, from the largest weight on.

    ``origins``: of each list a number with a bit for every origin among its raw entries.
    """

    starts: Numbers
    items: Numbers
    weights: Scores
    origins: Numbers


class LiveSources(NamedTuple):
    """The first places of the lists by list and origin: source s has the entries ``starts[s]`` to ``starts[s + 1]``.

    ``strength``: the weight over the list's largest. ``origin_of``: number of the list and of the origin, (sources, 2).
    """

    origin_of: Numbers
    starts: Numbers
    items: Numbers
    strength: Scores
    because: Numbers


def list_table(
    items: npt.NDArray[Any], weights: npt.NDArray[Any], origins: npt.NDArray[Any], because: npt.NDArray[Any]
) -> ListTable:
    """The lists of persons, one row each, as ``gather_lists`` takes them: all tables of one type."""
    arrays = items.astype(np.int32, copy=False), weights.astype(np.float32, copy=False)
    more = origins.astype(np.int8, copy=False), because.astype(np.int32, copy=False)
    read_only = [np.ascontiguousarray(array).view() for array in (*arrays, *more)]
    for array in read_only:
        array.flags.writeable = False
    return tuple(read_only)  # type: ignore[return-value]


def gather_lists(
    sums: Sequence[tuple[Numbers, Scores, Numbers]], before: int, tables: tuple[ListTable, ...], persons: Sequence[int]
) -> tuple[Numbers, RawList]:
    """All entries one list after the other, and where each list starts: ``before`` of the sums, whose entries have the origin
    0, the tables, then the other sums. Of each table the row of the first of the ``persons`` who has any entries; a table of
    one row is everybody's.
    """
    if not tables:
        raise ValueError("a request that is ranked reads at least one table of lists")
    ends = np.array(list(accumulate([len(items) for items, _, _ in sums])), dtype=np.int64)
    items, weights, because = (
        sums[0] if len(sums) == 1 else [np.concatenate(parts) for parts in zip(_NO_ENTRIES, *sums, strict=True)]
    )
    starts, *gathered = _gather(ends, items, weights, because, before, tables, np.array(persons, dtype=np.int64))
    return starts, RawList(*gathered)


@numba.njit(cache=True, nogil=True)
def _gather(ends: Any, items: Any, weights: Any, because: Any, before: int, tables: Any, persons: Any) -> Any:
    rows = np.full(len(tables), -1, dtype=np.int64)
    size = len(items)
    for number, (listed, _, _, _) in enumerate(tables):
        for person in persons:
            row = person if len(listed) > 1 else 0
            if rows[number] < 0 and (listed[row] >= 0).any():
                rows[number] = row
                size += listed.shape[1]
    starts = np.zeros(len(ends) + len(tables) + 1, dtype=np.int64)
    all_items, all_weights = np.empty(size, np.int64), np.empty(size, np.float32)
    origins, causes = np.zeros(size, np.int8), np.empty(size, np.int64)
    count, entry, here = 0, 0, 0
    for source in range(len(ends)):
        if source == before:
            count, here = _add_tables(tables, rows, starts, here, all_items, all_weights, origins, causes, count)
        while entry < ends[source]:
            all_items[count], all_weights[count], causes[count] = items[entry], weights[entry], because[entry]
            count, entry = count + 1, entry + 1
        here += 1
        starts[here] = count
    if before >= len(ends):
        count, here = _add_tables(tables, rows, starts, here, all_items, all_weights, origins, causes, count)
    return starts, all_items, all_weights, origins, causes


@numba.njit(cache=True, nogil=True)
def _add_tables(
    tables: Any, rows: Any, starts: Any, here: int, items: Any, weights: Any, origins: Any, causes: Any, count: int
) -> Any:
    """Add the row of each table; returns how many entries and lists there are now."""
    for number, (listed, listed_weights, listed_origins, listed_causes) in enumerate(tables):
        row = rows[number]
        if row >= 0:
            for place in range(listed.shape[1]):
                items[count], weights[count] = listed[row, place], listed_weights[row, place]
                origins[count], causes[count] = listed_origins[row, place], listed_causes[row, place]
                count += 1
        here += 1
        starts[here] = count
    return count, here


def order_lists(starts: Numbers, entries: RawList, out: Mask, most: int, places: int) -> tuple[LiveLists, LiveSources]:
    """Of each list the ``most`` largest entries above zero that are not ``out``, equal ones by number; and their first
    ``places``.
    """
    ordered = _order(starts, *entries, out, most, places)
    return LiveLists(*ordered[:4]), LiveSources(*ordered[4:])


@numba.njit(cache=True, nogil=True)
def _order(starts: Any, items: Any, weights: Any, origins: Any, because: Any, out: Any, most: int, places: int) -> Any:
    lists, size = len(starts) - 1, len(items)
    listed_starts, listed, listed_weights = np.zeros(lists + 1, np.int64), np.empty(size, np.int64), np.empty(size, np.float32)
    first_places = lists * places
    origin_of, source_starts = np.empty((first_places, 2), np.int64), np.zeros(first_places + 1, np.int64)
    brought, strength = np.empty(first_places, np.int64), np.empty(first_places, np.float32)
    causes, named = np.empty(first_places, np.int64), np.zeros(lists, np.int64)
    count, sources, filled = 0, 0, 0
    for number in range(lists):
        begin, end = starts[number], starts[number + 1]
        order = _best(items, weights, out, begin, end, most)
        top = np.float32(0)
        for entry in order:
            listed[count], listed_weights[count] = items[entry], weights[entry]
            if weights[entry] > top and weights[entry] != np.inf:
                top = weights[entry]
            count += 1
        listed_starts[number + 1] = count
        head = order[:places]
        for entry in range(begin, end):
            origin = np.int64(origins[entry])
            if items[entry] < 0 or (named[number] >> origin) & 1:
                continue
            named[number] |= np.int64(1) << origin
            before_filled = filled
            for place in head:
                if origins[place] == origin:
                    brought[filled], causes[filled] = items[place], because[place]
                    is_plain = weights[place] != np.inf and top > 0
                    strength[filled] = weights[place] / top if is_plain else np.float32(0)
                    filled += 1
            if filled > before_filled:
                origin_of[sources, 0], origin_of[sources, 1] = number, origin
                sources += 1
                source_starts[sources] = filled
    return (
        listed_starts,
        listed[:count],
        listed_weights[:count],
        named,
        origin_of[:sources],
        source_starts[: sources + 1],
        brought[:filled],
        strength[:filled],
        causes[:filled],
    )


@numba.njit(cache=True, nogil=True)
def _best(items: Any, weights: Any, out: Any, begin: int, end: int, most: int) -> Any:
    """Numbers of the entries to list, in their order. Weights above zero rise with their bits."""
    bits = weights.view(np.int32)
    entries, keys = np.empty(end - begin, np.int64), np.empty(end - begin, np.int64)
    count, is_sorted = 0, True
    for entry in range(begin, end):
        if items[entry] >= 0 and not out[entry] and weights[entry] > 0:
            keys[count] = -((np.int64(bits[entry]) << 32) | (_ITEM_BITS - items[entry]))
            entries[count] = entry
            is_sorted &= count == 0 or keys[count - 1] <= keys[count]
            count += 1
    entries, keys = entries[:count], keys[:count]
    if is_sorted:
        return entries[:most]
    if count > most:
        bar = -largest_first(-keys, most)
        few, few_keys, held = np.empty(most, np.int64), np.empty(most, np.int64), 0
        for place in range(count):
            if keys[place] <= bar and held < most:
                few[held], few_keys[held] = entries[place], keys[place]
                held += 1
        entries, keys = few[:held], few_keys[:held]
    return entries[np.argsort(keys)]
