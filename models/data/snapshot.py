"""What a shop knew at one instant: acts, goods, segments of persons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.data.interactions import Interactions
from models.data.sequences import Numbers
from models.data.split import Instants

Values = npt.NDArray[np.float64]
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Goods:
    """Facts of items by number. Prices are in minor units, NaN where unknown.

    ``category``, ``brand``: numbers of them, −1 for none; ``listed_at``: when the item was first known, NaT for unknown;
    ``price``: at the instant; ``reference_price``: what it usually costs (``usual_prices``).
    """

    category: Numbers
    listed_at: Instants
    price: Values
    reference_price: Values
    brand: Numbers

    def __len__(self) -> int:
        return len(self.category)

    def __post_init__(self) -> None:
        """Refuse columns of different length."""
        lengths = {len(column) for column in vars(self).values()}
        if len(lengths) != 1:
            raise ValueError(f"goods need columns of one length, got {sorted(lengths)}")


def nothing_known(items: int) -> Goods:
    """Goods of which nothing is known but their number."""
    unknown = np.full(items, np.nan)
    never = np.full(items, np.datetime64("NaT"), dtype="datetime64[us]")
    none = np.full(items, -1, dtype=np.int64)
    return Goods(none, never, unknown, unknown, none)


@dataclass(frozen=True)
class Snapshot:
    """Acts that had happened and were known before ``as_of`` (UTC), of all persons of ``acts.person_ids``.

    ``segment`` is the number of each person's segment (city, membership, …), −1 for none.
    """

    acts: Interactions
    goods: Goods
    as_of: np.datetime64
    segment: Numbers

    def __post_init__(self) -> None:
        """Refuse what could leak or does not fit together."""
        if len(self.acts.item_ids) == 0 or len(self.acts.person_ids) == 0:
            raise ValueError("a moment is empty: it has no persons or no items")
        if len(self.goods) != len(self.acts.item_ids):
            raise ValueError(f"goods have {len(self.goods)} items, the acts {len(self.acts.item_ids)}")
        if len(self.segment) != len(self.acts.person_ids):
            raise ValueError(f"segments are of {len(self.segment)} persons, the acts of {len(self.acts.person_ids)}")
        if (self.acts.occurred_at >= self.as_of).any() or (self.acts.known_at >= self.as_of).any():
            raise ValueError(f"an act happened or became known at or after {self.as_of}: that is the future")

    @property
    def persons(self) -> int:
        """Persons, those without acts among them."""
        return len(self.acts.person_ids)

    @property
    def items(self) -> int:
        """Items."""
        return len(self.acts.item_ids)

    def age_days(self) -> Values:
        """Days from each act to the instant, above zero."""
        return np.asarray((self.as_of - self.acts.occurred_at) / DAY, dtype=np.float64)

    def of(self, persons: Numbers) -> Snapshot:
        """The same moment for some persons only, in rising order."""
        place = np.full(self.persons, -1, dtype=np.int64)
        place[persons] = np.arange(len(persons))
        kept = self.acts.where(place[self.acts.person] >= 0)
        acts = Interactions(
            kept.person_ids[persons],
            kept.item_ids,
            place[kept.person],
            kept.item,
            kept.kind,
            kept.occurred_at,
            kept.known_at,
        )
        return Snapshot(acts, self.goods, self.as_of, self.segment[persons])


def snapshot_at(acts: Interactions, goods: Goods, as_of: np.datetime64, segment: Numbers | None = None) -> Snapshot:
    """The moment of an instant: later acts and acts known later are left out. Without ``segment`` nobody has one."""
    known = acts.where((acts.occurred_at < as_of) & (acts.known_at < as_of))
    return Snapshot(known, goods, as_of, np.full(len(acts.person_ids), -1, dtype=np.int64) if segment is None else segment)


def usual_prices(item: Numbers, at: Instants, price: Values, items: int, as_of: np.datetime64, days: float = 28) -> Values:
    """The price at which each item was offered for most of the last ``days`` days: the median, weighted by time.

    ``item``, ``at``, ``price``: changes in any order, of those at one instant the last counts; a price holds until the next
    change of its item, NaN being none. NaN for an item without a price before ``as_of``.
    """
    prices = np.full(items, np.nan)
    past = at < as_of
    order = np.lexsort((at[past], item[past]))
    item, at, price = item[past][order], at[past][order], price[past][order]
    last = np.append(item[1:] != item[:-1], True) if len(item) else np.empty(0, dtype=np.bool_)
    until = np.where(last, as_of, np.append(at[1:], [as_of]) if len(at) else at)
    opened = as_of - np.timedelta64(int(days * 86_400), "s")
    held = np.maximum((until - np.maximum(at, opened)) / np.timedelta64(1, "s"), 0.0)
    held[np.isnan(price)] = 0
    ranked = np.lexsort((price, item))
    item, price, held = item[ranked], price[ranked], held[ranked]
    total = np.bincount(item, weights=held, minlength=items)
    before = np.cumsum(held) - held
    first = np.searchsorted(item, np.arange(items))
    start = before[np.minimum(first, max(0, len(before) - 1))] if len(before) else np.zeros(items)
    reached = before + held - start[item] >= total[item] / 2 - 1e-9
    rows = np.flatnonzero(reached & (held > 0))
    distinct, where = np.unique(item[rows], return_index=True)
    prices[distinct] = price[rows[where]]
    return prices
