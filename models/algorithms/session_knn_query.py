"""Session kNN for one prefix at a time, compiled: what serving asks between two clicks."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from models.algorithms.recommender import Items, NotFitted, Scores
from models.algorithms.session_knn import SessionKNN


class LiveSessionKNN:
    """Answers one prefix as ``SessionKNN.score`` does, from the same arrays.

    It keeps one number a session and one an item to add up in, which every answer leaves at zero, so an instance is for one
    thread. Work is bounded by the items of the prefix × ``per_item`` sessions, and the neighbours' items.
    """

    def __init__(self, model: SessionKNN) -> None:
        if model.sessions_ is None or model.index_ is None or model.idf_ is None:
            raise NotFitted("fit the session kNN first")
        self.neighbours = model.neighbours
        self.decay = model.decay
        sessions, index = model.sessions_, model.index_
        self._sessions = (sessions.indptr.astype(np.int64, copy=False), sessions.indices.astype(np.int32, copy=False))
        held = (index.indices.astype(np.int32, copy=False), index.data.astype(np.float32, copy=False))
        self._index = (index.indptr.astype(np.int64, copy=False), *held)
        self._idf = model.idf_
        self._similarity = np.zeros(sessions.shape[0], dtype=np.float32)
        self._score = np.zeros(sessions.shape[1], dtype=np.float32)

    def ask(self, prefix: npt.NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """The best ``k`` items after a prefix (oldest item first) and their weights, equal ones by number.

        Fewer when fewer have a weight. Raises ValueError for an item out of range or no place in the list.
        """
        if k < 1:
            raise ValueError(f"a list has one item or more, not {k}")
        asked = np.asarray(prefix, dtype=np.int64)
        accumulators = (self._similarity, self._score)
        items, score = _answer(asked, *self._index, *self._sessions, self._idf, *accumulators, self.decay, self.neighbours, k)
        return items, score


@numba.njit(cache=True, nogil=True)
def _answer(
    prefix: Any,
    index_starts: Any,
    index_sessions: Any,
    index_values: Any,
    starts: Any,
    held: Any,
    idf: Any,
    similarity: Any,
    score: Any,
    decay: float,
    most: int,
    k: int,
) -> Any:
    """Both accumulators are zero before and after."""
    items, weights = weighed_prefix(prefix, idf, decay)
    room = 0
    for item in items:
        room += index_starts[item + 1] - index_starts[item]
    touched = np.empty(room, dtype=np.int32)
    count = 0
    for place in range(len(items)):
        for entry in range(index_starts[items[place]], index_starts[items[place] + 1]):
            session = index_sessions[entry]
            if similarity[session] == 0:
                touched[count] = session
                count += 1
            similarity[session] += weights[place] * index_values[entry]
    near = most_similar(touched[:count], similarity, most)
    room = 0
    for session in near:
        room += starts[session + 1] - starts[session]
    reached = np.empty(room, dtype=np.int32)
    number = 0
    for session in near:
        for entry in range(starts[session], starts[session + 1]):
            item = held[entry]
            if score[item] == 0:
                reached[number] = item
                number += 1
            score[item] += similarity[session]
    for place in range(number):
        score[reached[place]] *= idf[reached[place]]
    best, values = sorted_head(reached[:number], score, k)
    for place in range(number):
        score[reached[place]] = 0
    for place in range(count):
        similarity[touched[place]] = 0
    return best, values


@numba.njit(cache=True, nogil=True)
def weighed_prefix(prefix: Any, idf: Any, decay: float) -> Any:
    """Distinct items of a prefix, weighed by the place of their last occurrence and their idf."""
    items = np.empty(len(prefix), dtype=np.int64)
    weights = np.empty(len(prefix), dtype=np.float32)
    count = 0
    for back in range(len(prefix)):
        item = prefix[len(prefix) - 1 - back]
        if item < 0 or item >= len(idf):
            raise ValueError("an item of the prefix has a number that the model does not know")
        is_known = False
        for place in range(count):
            is_known |= items[place] == item
        if not is_known:
            items[count], weights[count] = item, np.float32(np.exp(-back / decay)) * idf[item]
            count += 1
    return items[:count], weights[:count]


@numba.njit(cache=True, nogil=True)
def most_similar(touched: Any, similarity: Any, most: int) -> Any:
    """The ``most`` most similar sessions; of equal ones the latest."""
    if len(touched) <= most:
        return touched
    values = np.empty(len(touched), dtype=similarity.dtype)
    for place in range(len(touched)):
        values[place] = similarity[touched[place]]
    bar = largest_first(values, most)
    near, ties = np.empty(most, dtype=touched.dtype), np.empty(len(touched), dtype=touched.dtype)
    above, equal = 0, 0
    for session in touched:
        if similarity[session] > bar:
            near[above] = session
            above += 1
        elif similarity[session] == bar:
            ties[equal] = session
            equal += 1
    largest_first(ties[:equal], most - above)
    for place in range(above, most):
        near[place] = ties[place - above]
    return near


@numba.njit(cache=True, nogil=True)
def largest_first(values: Any, most: int) -> Any:
    """The ``most``-th largest value, after the ``most`` largest were moved to the front (Hoare, Algorithm 65: Find, 1961).

    ``np.partition`` would do, but takes numba seconds to compile, and so do slices that are assigned to.
    """
    low, high, wanted = 0, len(values) - 1, most - 1
    while low < high:
        pivot, left, right = values[(low + high) // 2], low, high
        while left <= right:
            while values[left] > pivot:
                left += 1
            while values[right] < pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left, right = left + 1, right - 1
        if wanted <= right:
            high = right
        elif wanted >= left:
            low = left
        else:
            break
    return values[wanted]


@numba.njit(cache=True, nogil=True)
def sorted_head(items: Any, score: Any, k: int) -> Any:
    """The ``k`` items of the highest score, best first, equal ones by number: kept sorted while they are looked through."""
    best = np.empty(min(k, len(items)), dtype=np.int64)
    values = np.empty(len(best), dtype=np.float32)
    count = 0
    for item in items:
        value = score[item]
        if count == len(best) and (value < values[-1] or (value == values[-1] and item > best[-1])):
            continue
        place = min(count, len(best) - 1)
        while place > 0 and (values[place - 1] < value or (values[place - 1] == value and best[place - 1] > item)):
            best[place], values[place] = best[place - 1], values[place - 1]
            place -= 1
        best[place], values[place] = item, value
        count = min(count + 1, len(best))
    return best, values
