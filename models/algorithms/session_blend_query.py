"""What several models of sessions say after one prefix, side by side, compiled: the table that the trees of a blend read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

import numba
import numpy as np
from scipy import sparse

from models.algorithms.recommender import Items, Scores
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_knn_query import largest_first, most_similar, weighed_prefix
from models.algorithms.session_vectors import SessionVectors

BACK, SEEN = (
    0,
    1,
)  # columns of a prefix's own items before the sources': clicks since they were seen last plus one, and how often
PREFIX_COLUMNS = 2
COSINES = 2  # the last columns


class OfRules(NamedTuple):
    """A source that reads rules, items × items: each place of a prefix weighs e^(−back / decay), with 0 the last one alone."""

    rules: str
    decay: float


class OfSessions(NamedTuple):
    """A source that reads past sessions, as ``SessionKNN`` does."""

    neighbours: int
    decay: float
    length_power: float


class ClickFacts(NamedTuple):
    """What the trees are told of items besides: log(1 + clicks) in all sessions and in the newest tenth."""

    popularity: Scores
    recent: Scores


class BlendQuery:
    """Gathers candidates for one prefix at a time, and the columns of each.

    Sources come in the order of ``shares``, which say how much each counts in choosing the ``most`` candidates. It keeps a row
    of numbers for each item that the sources name, which every answer leaves at zero; a lock makes it safe for threads. Work is
    bounded by the rules of the prefix's items, and for sessions as in ``LiveSessionKNN``.
    """

    def __init__(
        self,
        sources: Mapping[str, OfRules | OfSessions | None],
        shares: Mapping[str, float],
        rules: Mapping[str, sparse.csr_matrix],
        sessions: SessionKNN,
        rates: Scores,
        vectors: SessionVectors,
        facts: ClickFacts,
        most: int,
    ) -> None:
        assert sessions.sessions_ is not None
        assert sessions.index_ is not None
        assert sessions.idf_ is not None
        self._sources = list(sources.items())
        self._shares = np.array([shares.get(name, 0.0) for name in sources], dtype=np.float32)
        self._rules = {name: _arrays(matrix) for name, matrix in rules.items()}
        held, index = sessions.sessions_, sessions.index_
        self._sessions: tuple[Any, Any, Any, Any] = (*_places(index), *_places(held))
        self._idf = sessions.idf_
        lengths = np.arange(1, int(np.diff(held.indptr).max(initial=1)) + 1, dtype=np.float64)
        powers = {source.length_power for source in sources.values() if isinstance(source, OfSessions)}
        self._by_length = {power: (lengths**-power).astype(np.float32) for power in powers}
        self._rates = np.asarray(rates, dtype=np.float32)
        self._vectors = vectors.state()["vectors"], vectors.state()["place_weights"], vectors.lengths()
        self._facts = facts
        self._most = most
        items = len(facts.popularity)
        self._slot = np.full(items, -1, dtype=np.int32)
        self._reached = np.zeros(items, dtype=np.int32)
        self._table = np.zeros(
            (items, PREFIX_COLUMNS + len(sources)), dtype=np.float32
        )  # rows that nobody reaches take no memory
        self._similarity = np.zeros(held.shape[0], dtype=np.float32)
        self._lock = Lock()

    def ask(self, prefix: Items) -> tuple[Items, Scores]:
        """Candidates after a prefix (oldest item first, numbers of items) and their columns, shape (columns, candidates).

        Columns: the strength that chose them; popularity, recent popularity and the difference; of each source its weight and
        the same over its largest; clicks since the session saw the item last and how often it did; of the session its length
        (log), its share of repeats, whether its last two clicks are one item, and how popular its last item is; the cosine of
        the candidate's vector to the session's, and how far that is below the largest.
        """
        prefix = np.asarray(prefix, dtype=np.int64)
        if len(prefix) and (prefix.min() < 0 or prefix.max() >= len(self._slot)):
            raise ValueError("an item of the prefix has a number that the model does not know")
        reached = self._slot, self._reached, self._table
        with self._lock:
            count = 0
            for place, (_, source) in enumerate(self._sources, start=PREFIX_COLUMNS):
                if isinstance(source, OfRules):
                    count = _ask_rules(prefix, source.decay, *self._rules[source.rules], place, *reached, count)
                elif isinstance(source, OfSessions):
                    items, weights = weighed_prefix(prefix, self._idf, source.decay)
                    weighed = items, weights, *self._sessions, self._idf, self._by_length[source.length_power]
                    count = _ask_sessions(*weighed, self._similarity, source.neighbours, place, *reached, count)
                else:
                    count = _ask_repeats(prefix, self._rates, place, *reached, count)
            items, columns = _columns(prefix, self._shares, self._most, *self._facts, *reached, count)
        _add_cosines(prefix, *self._vectors, items, columns)
        return items, columns


def _arrays(matrix: sparse.csr_matrix) -> tuple[Any, Any, Any]:
    return (*_places(matrix), np.asarray(matrix.data).astype(np.float32, copy=False))


def _places(matrix: sparse.csr_matrix) -> tuple[Any, Any]:
    starts, columns = np.asarray(matrix.indptr), np.asarray(matrix.indices)
    return starts.astype(np.int64, copy=False), columns.astype(np.int32, copy=False)


def column_names(sources: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of ``BlendQuery.ask``."""
    of_sources = [f"{name}{suffix}" for name in sources for suffix in ("", "_of_best")]
    return (
        *("strength", "popularity", "recent", "recent_by_popularity", *of_sources, "back", "seen"),
        *("length", "repeated", "is_stuck", "popularity_of_last", "cosine", "cosine_below_best"),
    )


@numba.njit(cache=True, nogil=True)
def _ask_rules(
    prefix: Any,
    decay: float,
    starts: Any,
    columns: Any,
    values: Any,
    place: int,
    slot: Any,
    reached: Any,
    table: Any,
    count: int,
) -> int:
    """Add up the rules of the prefix's items in the column ``place``; returns how many items are reached by now."""
    for back in range(len(prefix)):
        if decay == 0 and back > 0:
            break
        item = prefix[len(prefix) - 1 - back]
        weight = np.float32(np.exp(-back / decay)) if back else np.float32(1)
        for entry in range(starts[item], starts[item + 1]):
            other = columns[entry]
            if slot[other] < 0:
                slot[other] = count
                reached[count] = other
                count += 1
            table[slot[other], place] += weight * values[entry]
    return count


@numba.njit(cache=True, nogil=True)
def _ask_sessions(
    items: Any,
    weights: Any,
    index_starts: Any,
    index_sessions: Any,
    starts: Any,
    held: Any,
    idf: Any,
    by_length: Any,
    similarity: Any,
    most: int,
    place: int,
    slot: Any,
    reached: Any,
    table: Any,
    count: int,
) -> int:
    """Add up the items of the most similar sessions; ``similarity`` is zero before and after."""
    room = 0
    for item in items:
        room += index_starts[item + 1] - index_starts[item]
    touched = np.empty(room, dtype=np.int32)
    neighbours = 0
    for at in range(len(items)):
        for entry in range(index_starts[items[at]], index_starts[items[at] + 1]):
            session = index_sessions[entry]
            if similarity[session] == 0:
                touched[neighbours] = session
                neighbours += 1
            similarity[session] += weights[at] * by_length[starts[session + 1] - starts[session] - 1]
    for session in most_similar(touched[:neighbours], similarity, most):
        for entry in range(starts[session], starts[session + 1]):
            other = held[entry]
            if slot[other] < 0:
                slot[other] = count
                reached[count] = other
                count += 1
            table[slot[other], place] += similarity[session]
    for at in range(count):
        table[at, place] *= idf[reached[at]]
    for at in range(neighbours):
        similarity[touched[at]] = 0
    return count


@numba.njit(cache=True, nogil=True)
def _ask_repeats(prefix: Any, rates: Any, place: int, slot: Any, reached: Any, table: Any, count: int) -> int:
    """The rate of each item of the prefix, and its own columns."""
    for back in range(len(prefix)):
        item = prefix[len(prefix) - 1 - back]
        if slot[item] < 0:
            slot[item] = count
            reached[count] = item
            count += 1
        row = table[slot[item]]
        if row[SEEN] == 0:
            row[BACK] = back + 1
        row[SEEN] += 1
    for item in prefix:
        row = table[slot[item]]
        near, seen = min(int(row[BACK]), rates.shape[0]) - 1, min(int(row[SEEN]), rates.shape[1]) - 1
        row[place] = rates[near, seen]
    return count


@numba.njit(cache=True, nogil=True)
def _columns(
    prefix: Any, shares: Any, most: int, popularity: Any, recent: Any, slot: Any, reached: Any, table: Any, count: int
) -> Any:
    """Choose candidates (of equal strength those with the lowest number), write their columns but the cosines, and leave all as
    it was.
    """
    sources = len(shares)
    largest = np.zeros(sources, dtype=np.float32)
    for at in range(count):
        for source in range(sources):
            largest[source] = max(largest[source], table[at, PREFIX_COLUMNS + source])
    scale = np.ones(sources, dtype=np.float32)
    for source in range(sources):
        if largest[source] > 0:
            scale[source] = largest[source]
    strength, order = np.zeros(count, dtype=np.float32), np.empty(count, dtype=np.float32)
    for at in range(count):
        for source in range(sources):
            strength[at] += shares[source] / scale[source] * table[at, PREFIX_COLUMNS + source]
        order[at] = strength[at]
    kept = np.empty(min(count, most), dtype=np.int64)
    number = 0
    bar = largest_first(order, most) if count > most else np.float32(-1)
    ties = np.empty(count, dtype=np.int32)
    equal = 0
    for at in range(count):
        if strength[at] > bar:
            kept[number] = at
            number += 1
        elif strength[at] == bar:
            ties[equal] = -reached[at]
            equal += 1
    if number < len(kept):
        largest_first(ties[:equal], len(kept) - number)
        for at in range(len(kept) - number):
            kept[number + at] = slot[-ties[at]]
    items = np.empty(len(kept), dtype=np.int64)
    columns = np.empty((10 + COSINES + 2 * sources, len(kept)), dtype=np.float32)
    distinct = 0
    for at in range(count):
        distinct += table[at, SEEN] > 0
    length = len(prefix)
    is_stuck = length >= 2 and prefix[length - 1] == prefix[length - 2]
    last = popularity[prefix[length - 1]] if length else np.float32(0)
    for column in range(len(kept)):
        at = kept[column]
        item = reached[at]
        items[column] = item
        columns[0, column] = strength[at]
        columns[1, column], columns[2, column] = popularity[item], recent[item]
        columns[3, column] = recent[item] - popularity[item]
        for source in range(sources):
            value = table[at, PREFIX_COLUMNS + source]
            columns[4 + 2 * source, column] = value
            columns[5 + 2 * source, column] = value / scale[source]
        after = 4 + 2 * sources
        columns[after, column], columns[after + 1, column] = table[at, BACK], table[at, SEEN]
        columns[after + 2, column] = np.float32(np.log1p(length))
        columns[after + 3, column] = np.float32(1 - distinct / max(length, 1))
        columns[after + 4, column] = np.float32(1) if is_stuck else np.float32(0)
        columns[after + 5, column] = last
    for at in range(count):
        slot[reached[at]] = -1
        for column in range(table.shape[1]):
            table[at, column] = 0
    return items, columns


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_cosines(prefix: Any, vectors: Any, place_weights: Any, lengths: Any, items: Any, columns: Any) -> None:
    """Fill the last two columns: the session is the sum of its items' vectors, each with the weight of its place."""
    factors = vectors.shape[1]
    session = np.zeros(factors, dtype=np.float32)
    for back in range(min(len(prefix), len(place_weights))):
        item = prefix[len(prefix) - 1 - back]
        for factor in range(factors):
            session[factor] += place_weights[back] * vectors[item, factor]
    square = np.float32(0)
    for factor in range(factors):
        square += session[factor] * session[factor]
    length = max(np.sqrt(square), np.float32(1e-8))
    cosines, below = columns[len(columns) - 2], columns[len(columns) - 1]
    best = np.float32(-1)
    for at in range(len(items)):
        product = np.float32(0)
        for factor in range(factors):
            product += session[factor] * vectors[items[at], factor]
        cosines[at] = product / (length * lengths[items[at]])
        best = max(best, cosines[at])
    for at in range(len(items)):
        below[at] = best - cosines[at]
