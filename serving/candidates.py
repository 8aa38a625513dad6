"""The candidates of one answer: what its sources brought, the strength that each source gives to each, and their sum.

A source brings its best items, at most its quota. The candidates are all of them together; a source that knows every item
(what sells, a category, a person's taste) gives its strength to what others brought, too. Whatever comes after (filters, rules,
the guard, ranking, reasons) works on these few arrays and never on all items of the shop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from models.ranking.places import index_of, place_of
from serving.blend import NONE, Indices, Vector

Everywhere = Callable[[Indices], tuple[Vector, Indices | int]]  # item numbers → strengths and causes, −1 for none


@dataclass(frozen=True)
class Quotas:
    """How many items a source brings at most."""

    popular: int = 100
    category: int = 12  # of each category
    similar: int = 200  # of the items like the last ones
    followers: int = 200  # of what goes with the given items
    taste: int = 100
    boosted: int = 50  # of the items of each rule that boosts
    reach: int = 20_000  # how far down the order of a category or a rule it looks for items that may be shown
    # Beside whatever answers, at home, as the release says (``models.release.served_judgement.BESIDE``).
    new: int = 0
    on_sale: int = 0
    beside: int = 0  # of the person's taste, where a model or a ranker answers

    def times(self, factor: int) -> Quotas:
        """Larger quotas, for a list that these did not fill."""
        return Quotas(*(factor * each for each in vars(self).values()))


QUOTAS = Quotas()


@dataclass(frozen=True)
class Source:
    """What one source brings: ``items`` with their ``strength`` between 0 and 1 and the item that caused each (or −1); or
    ``items`` alone, of a source that knows its strength ``everywhere``. ``weight`` is that of the source in the score.
    """

    name: str
    weight: float
    items: Indices
    strength: Vector | None = None
    because: Indices | None = None
    everywhere: Everywhere | None = None


_NO_ITEMS, _NO_STRENGTH = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)


@dataclass(frozen=True)
class SourceLists:
    """What several sources bring, as flat arrays: source s, of ``names[s]`` and ``weights[s]``, lists the entries from
    ``ends[s - 1]`` to ``ends[s]``. ``everywhere``: by s the sources that know a strength of any item, and list nothing here.
    """

    names: list[str]
    weights: Vector
    ends: Indices
    items: Indices
    strength: Vector
    because: Indices
    everywhere: Mapping[int, Source] = field(default_factory=dict)

    @classmethod
    def of(cls, sources: Sequence[Source]) -> SourceLists:
        """The same as flat arrays."""
        items, strengths, causes = [_NO_ITEMS], [_NO_STRENGTH], [_NO_ITEMS]
        ends: list[int] = []
        everywhere: dict[int, Source] = {}
        end = 0
        for place, source in enumerate(sources):
            if source.strength is not None and source.because is not None:
                items.append(source.items)
                strengths.append(source.strength)
                causes.append(source.because)
                end += len(source.items)
            else:
                everywhere[place] = source
            ends.append(end)
        weights = np.array([source.weight for source in sources], dtype=np.float32)
        arrays = np.concatenate(items), np.concatenate(strengths), np.concatenate(causes)
        return cls([source.name for source in sources], weights, np.array(ends, dtype=np.int64), *arrays, everywhere)

    def with_more(self, sources: Sequence[Source]) -> SourceLists:
        """These, then others that list their items."""
        more = SourceLists.of(sources)
        return SourceLists(
            [*self.names, *more.names],
            np.concatenate([self.weights, more.weights]),
            np.concatenate([self.ends, more.ends + len(self.items)]),
            np.concatenate([self.items, more.items]),
            np.concatenate([self.strength, more.strength]),
            np.concatenate([self.because, more.because]),
            self.everywhere,
        )


class WhatSells(NamedTuple):
    """The source that every answer has: its best ``items``, the strength (items,) that it gives to any item, and its weight."""

    items: Indices
    popularity: Vector
    weight: float


@dataclass
class ListCandidates:
    """Item ``numbers`` (n,), rising, and their ``score`` (n,); by source (sources, n) the weighted strength of each candidate
    and the number of the item that caused it, or −1.

    ``is_complete``: no item that may be shown is missing, so that nothing is won by larger quotas.
    """

    numbers: Indices
    score: Vector
    names: list[str]
    shares: npt.NDArray[np.float32]
    because: Indices
    is_complete: bool = True

    @classmethod
    def of(cls, lists: SourceLists, sells: WhatSells, also: Indices, *, is_complete: bool) -> ListCandidates:
        """The union of the items of the sources, of what ``sells`` and of those ``also`` wanted, with the score that the
        sources give together; what sells is the last source.
        """
        everything = np.concatenate([lists.items, sells.items, *[source.items for source in lists.everywhere.values()], also])
        everything.sort()
        entries = lists.ends, lists.items, lists.strength, lists.because
        if not lists.everywhere:
            joined = _join_and_weigh(everything, *entries, sells.popularity, lists.weights, sells.weight)
            return cls(joined[0], joined[3], [*lists.names, "popularity"], joined[1], joined[2], is_complete)
        numbers, shares, because = _join(everything, *entries, sells.popularity)
        for place, source in lists.everywhere.items():
            if source.everywhere is not None:
                shares[place], because[place] = source.everywhere(numbers)
        score = _weigh(shares, lists.weights, sells.weight)
        return cls(numbers, score, [*lists.names, "popularity"], shares, because, is_complete)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.numbers)

    def places(self, numbers: Indices) -> Indices:
        """Where items stand among the candidates; −1 for those that are none."""
        if len(self.numbers) == 0:
            return np.full(len(numbers), NONE, dtype=np.int64)
        index = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return np.where(self.numbers[index] == numbers, index, NONE)

    def place(self, number: int | None) -> int:
        """Where one item stands; −1 for one that is no candidate."""
        if number is None:
            return NONE
        index = int(self.numbers.searchsorted(number))
        return index if index < len(self.numbers) and self.numbers[index] == number else NONE

    def mask(self, numbers: Indices) -> npt.NDArray[np.bool_]:
        """Candidates (n,) that are among the items."""
        marked = np.zeros(len(self.numbers), dtype=np.bool_)
        places = self.places(numbers)
        marked[places[places != NONE]] = True
        return marked

    def strengths(self) -> dict[str, Vector]:
        """By source, what it gave to the score of each candidate (n,)."""
        by_source: dict[str, Vector] = {}
        for name, share in zip(self.names, self.shares, strict=True):
            before = by_source.get(name)
            by_source[name] = share if before is None else before + share
        return by_source

    def main_shares(self, places: Indices) -> tuple[list[int], list[int]]:
        """Of each place the number of the source that gave it most (the first of equal ones), and that of the item that caused
        it.
        """
        most, causes = _main_shares(self.shares, self.because, places).tolist()
        return most, causes


@numba.njit(cache=True, nogil=True)
def _main_shares(shares: Any, because: Any, places: Any) -> Any:
    """Of each place the number of the source that gave most, and its cause, (2, places)."""
    main = np.zeros((2, len(places)), dtype=np.int64)
    for at in range(len(places)):
        place, most = places[at], 0
        for source in range(1, len(shares)):
            if shares[source, place] > shares[most, place]:
                most = source
        main[0, at], main[1, at] = most, because[most, place]
    return main


@numba.njit(cache=True, nogil=True)
def _join(everything: Any, ends: Any, items: Any, strengths: Any, causes: Any, popularity: Any) -> Any:
    """The different numbers of a rising list, and by source what each was given and why: 0 and −1 where it was not listed. One
    source more than those with ``ends`` gives every item its popularity.
    """
    numbers = np.empty(len(everything), dtype=np.int64)
    count = 0
    for number in everything:
        if count == 0 or numbers[count - 1] != number:
            numbers[count] = number
            count += 1
    sources = len(ends) + 1
    shares, because = np.zeros((sources, count), dtype=np.float32), np.full((sources, count), -1, dtype=np.int64)
    numbers, entry = numbers[:count].copy(), 0
    slots = index_of(numbers)
    for source in range(len(ends)):
        while entry < ends[source]:
            place = place_of(slots, numbers, items[entry])
            shares[source, place], because[source, place] = strengths[entry], causes[entry]
            entry += 1
    for place in range(count):
        shares[len(ends), place] = popularity[numbers[place]]
    return numbers, shares, because


@numba.njit(cache=True, nogil=True)
def _weigh(shares: Any, weights: Any, last: float) -> Any:
    """Weigh all shares, the last source's by ``last``, and add them up in the sources' order."""
    score = np.zeros(shares.shape[1], dtype=np.float32)
    for source in range(len(shares)):
        weight = weights[source] if source < len(weights) else np.float32(last)
        for place in range(len(score)):
            shares[source, place] *= weight
            score[place] += shares[source, place]
    return score


@numba.njit(cache=True, nogil=True)
def _join_and_weigh(
    everything: Any, ends: Any, items: Any, strengths: Any, causes: Any, popularity: Any, weights: Any, last: float
) -> Any:
    """``_join``, and the scores by ``_weigh``."""
    numbers, shares, because = _join(everything, ends, items, strengths, causes, popularity)
    return numbers, shares, because, _weigh(shares, weights, last)
