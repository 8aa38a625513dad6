"""Baskets of many users in columns, and the weights that follow from when an item was bought."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.data.sequences import Numbers


@dataclass(frozen=True)
class Purchases:
    """One entry for each distinct item of each basket, ordered by user, then from the oldest basket to the newest.

    ``back``: baskets of the user after this one, 0 for the last. ``at``: when, in days or any unit, or the number of the basket
    where no times are known. ``baskets``: baskets of each user. Items are numbered by falling popularity.

    ``asked_at``: when the next basket of each user is bought, NaN for a user of whom that is unknown; None where nobody may
    use it.
    """

    user: Numbers
    item: Numbers
    back: Numbers
    at: npt.NDArray[np.float64]
    baskets: Numbers
    items: int
    asked_at: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.user)

    @property
    def users(self) -> int:
        """Users, those without baskets among them."""
        return len(self.baskets)

    def before_last(self, n: int) -> Purchases:
        """Without the last ``n`` baskets of each user; the first of these is what is asked for."""
        kept = self.back >= n
        left = np.maximum(self.baskets - n, 0)
        asked_at = self.asked_at
        if asked_at is not None and n > 0:
            asked_at = np.full(self.users, np.nan)
            is_asked = self.back == n - 1
            asked_at[self.user[is_asked]] = self.at[is_asked]
        return Purchases(self.user[kept], self.item[kept], self.back[kept] - n, self.at[kept], left, self.items, asked_at)

    def where(self, kept: npt.NDArray[np.bool_]) -> Purchases:
        """The entries of the mask; users keep their number of baskets."""
        return replace(self, user=self.user[kept], item=self.item[kept], back=self.back[kept], at=self.at[kept])

    def basket(self, back: int) -> sparse.csr_matrix:
        """The items of each user's basket that has ``back`` after it, users × items, 1 or nothing."""
        here = self.back == back
        return self._matrix(np.ones(int(here.sum())), here)

    def of(self, users: Numbers) -> Purchases:
        """Some users, renumbered in that order (which must rise); a number of −1 makes a user without baskets."""
        known = users >= 0
        place = np.full(self.users, -1, dtype=np.int64)
        place[users[known]] = np.flatnonzero(known)
        kept = place[self.user] >= 0
        baskets = np.where(known, self.baskets[np.maximum(users, 0)], 0)
        order = np.argsort(place[self.user[kept]], kind="stable")
        rows = np.flatnonzero(kept)[order]
        asked_at = None if self.asked_at is None else np.where(known, self.asked_at[np.maximum(users, 0)], np.nan)
        return Purchases(place[self.user[rows]], self.item[rows], self.back[rows], self.at[rows], baskets, self.items, asked_at)

    def ends(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """When each user bought the newest and the oldest basket; 0 for one without baskets."""
        newest, oldest = np.full(self.users, -np.inf), np.full(self.users, np.inf)
        np.maximum.at(newest, self.user, self.at)
        np.minimum.at(oldest, self.user, self.at)
        nobody = ~np.isfinite(newest)
        newest[nobody] = oldest[nobody] = 0
        return newest, oldest

    def summed(self, weight: npt.NDArray[np.floating]) -> sparse.csr_matrix:
        """Users × items with the sum of the weights of each item's purchases."""
        return self._matrix(weight, np.ones(len(self), dtype=np.bool_))

    def _matrix(self, weight: npt.NDArray[np.floating], kept: npt.NDArray[np.bool_]) -> sparse.csr_matrix:
        shape = (self.users, self.items)
        matrix = sparse.csr_matrix((np.asarray(weight, dtype=np.float32), (self.user[kept], self.item[kept])), shape=shape)
        matrix.sum_duplicates()
        return matrix

    def spans(self) -> tuple[sparse.csr_matrix, ...]:
        """Of each user and item: purchases, ``back`` and ``at`` of the last one, ``back`` and ``at`` of the first one.

        Five matrices with the same entries, in the order of the rows and columns; zeros are stored.
        """
        key = self.user * self.items + self.item
        order = np.lexsort((-self.back, key))
        sorted_key = key[order]
        starts = np.flatnonzero(np.concatenate([[True], sorted_key[1:] != sorted_key[:-1]])) if len(key) else np.empty(0, int)
        ends = np.concatenate([starts[1:], [len(key)]]) - 1 if len(key) else np.empty(0, int)
        pair = sorted_key[starts]
        rows = np.concatenate([[0], np.cumsum(np.bincount(pair // self.items, minlength=self.users))])
        back, at = self.back[order], self.at[order]
        columns = (ends - starts + 1, back[ends], at[ends], back[starts], at[starts])
        shape = (self.users, self.items)
        return tuple(sparse.csr_matrix((column.astype(np.float64), pair % self.items, rows), shape=shape) for column in columns)


def check_purchases(purchases: Purchases) -> Purchases:
    """The purchases. Raises ValueError when there are none or an item's number is out of range."""
    if len(purchases) == 0 or purchases.items == 0:
        raise ValueError("there are no purchases to learn from")
    return check_range(purchases)


def check_range(purchases: Purchases) -> Purchases:
    """The purchases. Raises ValueError when an item's number is out of range."""
    if len(purchases) and (purchases.item.min() < 0 or purchases.item.max() >= purchases.items):
        raise ValueError(f"items must be numbered from 0 to {purchases.items - 1}")
    return purchases
