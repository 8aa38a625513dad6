"""Session kNN for one prefix at a time, compiled: what serving asks between two clicks."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from models.recommender import Items, NotFitted, Scores
from models.sessions.neighbours import SessionKNN


class LiveSessionKNN:
    """Answers one prefix as ``SessionKNN.weigh`` does, from the same arrays.

    It keeps one number a session and one an item to add up in, which every answer leaves at zero, so an instance is for one
    thread. Work is bounded by the items of the prefix × ``per_item`` sessions, and the neighbours' items.
    """

    def __init__(self, model: SessionKNN) -> None:
        if model.sessions_ is None or model.index_ is None or model.idf_ is None:
            raise NotFitted("fit the session kNN first")
        self.neighbours = model.neighbours
        self.decay = model.decay
        sessions, index = model.sessions_, model.index_
        self._sessions = (sessions.indptr.astype(np.int64), sessions.indices.astype(np.int32))
        self._index = (index.indptr.astype(np.int64), index.indices.astype(np.int32), index.data.astype(np.float32))
        self._idf = model.idf_
        self._similarity = np.zeros(sessions.shape[0], dtype=np.float32)
        self._score = np.zeros(sessions.shape[1], dtype=np.float32)

    def ask(self, prefix: npt.NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """The best ``k`` items after a prefix (oldest item first) and their weights, equal ones by number.

        Fewer when fewer have a weight. Raises ValueError for an item out of range.
        """
        asked = np.asarray(prefix, dtype=np.int64)
        if len(asked) and (asked.min() < 0 or asked.max() >= len(self._score)):
            raise ValueError(f"items must be numbered from 0 to {len(self._score) - 1}")
        items, weights = _query(asked, self._idf, self.decay)
        accumulators = (self._similarity, self._score)
        found, score = _answer(items, weights, *self._index, *self._sessions, self._idf, *accumulators, self.neighbours)
        if len(found) > 4 * k:  # sorting a few is cheaper than sorting all; ties with the last one stay in
            kept = score >= np.partition(score, len(score) - k)[len(score) - k]
            found, score = found[kept], score[kept]
        order = np.lexsort((found, -score))[:k]
        return found[order].astype(np.int64), score[order]


@numba.njit(cache=True, nogil=True)
def _query(prefix: Any, idf: Any, decay: float) -> Any:
    """Distinct items of a prefix, weighed by the place of their last occurrence and their idf."""
    items = np.empty(len(prefix), dtype=np.int64)
    weights = np.empty(len(prefix), dtype=np.float32)
    count = 0
    for back in range(len(prefix)):
        item = prefix[len(prefix) - 1 - back]
        is_known = False
        for place in range(count):
            is_known |= items[place] == item
        if not is_known:
            items[count], weights[count] = item, np.float32(np.exp(-back / decay)) * idf[item]
            count += 1
    return items[:count], weights[:count]


@numba.njit(cache=True, nogil=True)
def _answer(
    items: Any,
    weights: Any,
    index_starts: Any,
    index_sessions: Any,
    index_values: Any,
    starts: Any,
    held: Any,
    idf: Any,
    similarity: Any,
    score: Any,
    most: int,
) -> Any:
    """Items of the nearest sessions with their weights; both accumulators are zero before and after."""
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
    near = _strongest(touched[:count], similarity, most)
    room = 0
    for session in near:
        room += starts[session + 1] - starts[session]
    found = np.empty(room, dtype=np.int32)
    number = 0
    for session in near:
        for entry in range(starts[session], starts[session + 1]):
            item = held[entry]
            if score[item] == 0:
                found[number] = item
                number += 1
            score[item] += similarity[session]
    values = np.empty(number, dtype=np.float32)
    for place in range(number):
        values[place] = score[found[place]] * idf[found[place]]
        score[found[place]] = 0
    for place in range(count):
        similarity[touched[place]] = 0
    return found[:number], values


@numba.njit(cache=True, nogil=True)
def _strongest(touched: Any, similarity: Any, most: int) -> Any:
    """The ``most`` most similar sessions; of equal ones the latest."""
    if len(touched) <= most:
        return touched
    values = similarity[touched]
    bar = np.partition(values, len(values) - most)[len(values) - most]
    above = touched[values > bar]
    ties = np.sort(touched[values == bar])
    return np.concatenate((above, ties[len(ties) - (most - len(above)) :]))
