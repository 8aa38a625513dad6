"""May items be shown, only behind all others, or not at all: asked of some numbers, or down an order; compiled."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from serving.blend import Indices, Mask

FRESH, BEHIND, OUT = 2, 1, 0  # may be shown; only behind all others; not at all
Standings = npt.NDArray[np.int8]


class Bars(NamedTuple):
    """What keeps items from a list: masks (items,) of what may be sold, is out, comes last; sorted numbers of more that are out
    or come last.
    """

    sellable: Mask
    out: Mask
    last: Mask
    hidden: Indices
    seen: Indices


_FEW = 32  # so many are quicker compared with all than looked up


@numba.njit(cache=True, nogil=True, inline="always")
def _is_among(some: Any, number: int) -> bool:
    """Whether a number is among ``some``, which rise."""
    if len(some) <= _FEW:
        is_found = False
        for each in some:
            is_found |= each == number
        return is_found
    low, high = 0, len(some)
    while low < high:
        middle = (low + high) // 2
        if some[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low < len(some) and some[low] == number


# Compiled code takes the arrays one by one: a named tuple would be looked up by its pickled class at every call.
@numba.njit(cache=True, nogil=True, inline="always")
def _standing(sellable: Any, out: Any, last: Any, hidden: Any, seen: Any, number: Any) -> int:
    standing = OUT
    if sellable[number] and not out[number] and not _is_among(hidden, number):
        standing = BEHIND if last[number] or _is_among(seen, number) else FRESH
    return standing


@numba.njit(cache=True, nogil=True)
def standings(sellable: Any, out: Any, last: Any, hidden: Any, seen: Any, numbers: Any) -> Any:
    """The standing of each of the items, by the arrays of ``Bars``."""
    result = np.empty(len(numbers), dtype=np.int8)
    for place in range(len(numbers)):
        result[place] = _standing(sellable, out, last, hidden, seen, numbers[place])
    return result


@numba.njit(cache=True, nogil=True)
def heads(sellable: Any, out: Any, last: Any, hidden: Any, seen: Any, order: Any, spans: Any, most: int, reach: int) -> Any:
    """By the arrays of ``Bars``, down each span (first, end) of an order: the first ``most`` of each standing, until so many
    may be shown or ``reach`` items were looked at. The second value says whether all that may be shown was found.
    """
    size = 0
    for span in range(len(spans)):
        size += min(3 * most, spans[span, 1] - spans[span, 0])
    taken = np.empty(size, dtype=np.int64)
    count, is_whole = 0, True
    for span in range(len(spans)):
        first, end = spans[span, 0], spans[span, 1]
        room = np.full(3, most)
        place, stop = first, min(end, first + reach)
        while place < stop and room[2] > 0:
            number = np.int64(order[place])
            kind = _standing(sellable, out, last, hidden, seen, number)
            if room[kind] > 0:
                taken[count] = number
                room[kind] -= 1
                count += 1
            elif kind > 0:
                is_whole = False
            place += 1
        if place < end:
            is_whole = False
    return taken[:count], is_whole


@numba.njit(cache=True, nogil=True)
def head(sellable: Any, out: Any, last: Any, hidden: Any, seen: Any, order: Any, most: int, reach: int) -> Any:
    """``heads`` of one span, the whole order."""
    return heads(sellable, out, last, hidden, seen, order, np.array([[0, len(order)]]), most, reach)


@numba.njit(cache=True, nogil=True)
def masks(sellable: Any, out: Any, last: Any, hidden: Any, seen: Any, numbers: Any) -> Any:
    """Of each item whether it may be sold, is kept out, and comes behind all others, by the arrays of ``Bars``: (3, items)."""
    rows = np.empty((3, len(numbers)), np.bool_)
    for place in range(len(numbers)):
        number = numbers[place]
        rows[0, place], rows[1, place], rows[2, place] = sellable[number], out[number], last[number]
    _add(hidden, numbers, rows[1])
    _add(seen, numbers, rows[2])
    return rows


@numba.njit(cache=True, nogil=True)
def kept_out(out: Any, hidden: Any, numbers: Any) -> Any:
    """Which of the items are out or hidden, by the arrays of ``Bars``."""
    mask = np.empty(len(numbers), np.bool_)
    for place in range(len(numbers)):
        mask[place] = out[numbers[place]]
    _add(hidden, numbers, mask)
    return mask


@numba.njit(cache=True, nogil=True)
def _add(some: Any, numbers: Any, mask: Any) -> None:
    """Mark the numbers that are among ``some``, which rise."""
    if len(some) <= _FEW:
        for number in some:
            for place in range(len(numbers)):
                mask[place] |= numbers[place] == number
    else:
        for place in range(len(numbers)):
            mask[place] |= _is_among(some, numbers[place])
