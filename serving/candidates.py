"""The candidates of one answer: what its sources brought, the strength that each source gives to each, and their sum.

A source brings its best items, at most its quota. The candidates are all of them together; a source that knows every item
(what sells, a category, a person's taste) gives its strength to what others brought, too. Whatever comes after (filters, rules,
the guard, ranking, reasons) works on these few arrays and never on all items of the shop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from serving.blend import NONE, Indices, Vector

Everywhere = Callable[[Indices], tuple[Vector, Indices | None]]  # item numbers → strengths and causes


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

    def times(self, factor: int) -> Quotas:
        """Larger quotas, for a list that these did not fill."""
        return Quotas(*(factor * each for each in vars(self).values()))


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


@dataclass(frozen=True)
class Share:
    """What one source gave: weighted strength of each candidate and, where an item was the cause, the number of that item."""

    source: str
    strength: Vector
    because: Indices | None = None


@dataclass
class ListCandidates:
    """Item ``numbers`` (n,), rising, their ``score`` (n,), and the share of each source (n,).

    ``is_complete``: no item that may be shown is missing, so that nothing is won by larger quotas.
    """

    numbers: Indices
    score: Vector
    shares: list[Share] = field(default_factory=list)
    is_complete: bool = True

    @classmethod
    def of(cls, sources: Sequence[Source], also: Indices, *, is_complete: bool) -> ListCandidates:
        """The union of the sources' items and those ``also`` wanted, with the score that the sources give together."""
        numbers = np.concatenate([*(source.items for source in sources), also])
        numbers.sort()
        is_first = np.ones(len(numbers), dtype=np.bool_)
        np.not_equal(numbers[1:], numbers[:-1], out=is_first[1:])
        numbers = numbers[is_first]
        score, shares = np.zeros(len(numbers), dtype=np.float32), []
        for source in sources:
            strength, because = _spread(source, numbers)
            weighted = (strength * np.float32(source.weight)).astype(np.float32, copy=False)
            score += weighted
            shares.append(Share(source.name, weighted, because))
        return cls(numbers, score, shares, is_complete)

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
        index = int(np.searchsorted(self.numbers, number))
        return index if index < len(self.numbers) and self.numbers[index] == number else NONE

    def mask(self, numbers: Indices) -> npt.NDArray[np.bool_]:
        """Candidates (n,) that are among the items."""
        marked = np.zeros(len(self.numbers), dtype=np.bool_)
        places = self.places(numbers)
        marked[places[places != NONE]] = True
        return marked

    def strengths(self) -> dict[str, Vector]:
        """By source, what it gave to the score of each candidate (n,): the columns of a ranker."""
        by_source: dict[str, Vector] = {}
        for share in self.shares:
            before = by_source.get(share.source)
            by_source[share.source] = share.strength if before is None else before + share.strength
        return by_source

    def main_shares(self, places: Sequence[int]) -> list[tuple[str, int]]:
        """Of each place the source that gave it most (the first of equal ones) and the number of the item that caused it."""
        if not places:
            return []
        most = np.stack([share.strength[places] for share in self.shares]).argmax(axis=0).tolist()
        because = [self.shares[one].because for one in most]
        causes = [NONE if each is None else int(each[place]) for each, place in zip(because, places, strict=True)]
        return [(self.shares[one].source, cause) for one, cause in zip(most, causes, strict=True)]


def _spread(source: Source, numbers: Indices) -> tuple[Vector, Indices | None]:
    if source.everywhere is not None:
        return source.everywhere(numbers)
    strength, places = np.zeros(len(numbers), dtype=np.float32), np.searchsorted(numbers, source.items)
    strength[places] = source.strength
    if source.because is None:
        return strength, None
    because = np.full(len(numbers), NONE, dtype=np.int64)
    because[places] = source.because
    return strength, because
