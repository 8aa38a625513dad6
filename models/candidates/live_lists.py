"""What the sources of one request list, in one go: each list from its largest weight on, its first places by their origin."""

from __future__ import annotations

from collections.abc import Sequence
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


NOTHING_LISTED = RawList(
    np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int8), np.empty(0, dtype=np.int64)
)


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


def join_lists(lists: Sequence[RawList]) -> tuple[Numbers, RawList]:
    """All entries one list after the other, and where each list starts."""
    starts = np.zeros(len(lists) + 1, dtype=np.int64)
    np.cumsum([len(each.items) for each in lists], out=starts[1:])
    if not lists:
        return starts, NOTHING_LISTED
    items, weights, origins, because = (np.concatenate(parts) for parts in zip(*lists, strict=True))
    whole, plain = np.int64, np.float32
    return starts, RawList(
        items.astype(whole, copy=False), weights.astype(plain, copy=False), origins, because.astype(whole, copy=False)
    )


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
