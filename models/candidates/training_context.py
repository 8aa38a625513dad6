"""The training data of all placements' models: one part of a shop's acts, as matrices, visits, orders and baskets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.nearest_items import NearestItems, index_bytes
from models.algorithms.recommender import Scores
from models.data.baskets import Purchases
from models.data.interactions import Interactions, by_sales
from models.data.sequences import Numbers
from models.data.snapshot import Snapshot, nothing_known, snapshot_at
from models.data.visits import PersonSequences, orders, purchases, visits


@dataclass(frozen=True)
class TrainingContext:
    """Acts that had happened and were known before ``as_of``, and the matrix models that were fitted on them.

    ``person_factors`` are those of ``als`` for every person.
    """

    acts: Interactions
    as_of: np.datetime64
    item_knn: ItemKNN
    als: ALS
    person_factors: Scores

    @classmethod
    def of(cls, acts: Interactions, as_of: np.datetime64, item_knn: ItemKNN, als: ALS) -> TrainingContext:
        """The training set of fitted matrix models, with every person folded into the factors of ``als``."""
        return cls(acts, as_of, item_knn, als, als.fold_in(acts.matrix()))

    @property
    def persons(self) -> int:
        """Persons, those without acts among them."""
        return len(self.acts.person_ids)

    @property
    def items(self) -> int:
        """Items, those without acts among them."""
        return len(self.acts.item_ids)

    @cached_property
    def taste_index(self) -> bytes:
        """The search index of the factors of items, as a file."""
        return index_bytes(np.asarray(self.als.state()["item_factors"], dtype=np.float32))

    @cached_property
    def nearest(self) -> NearestItems:
        """The same, to be asked."""
        return NearestItems.of(self.taste_index)

    @cached_property
    def fill(self) -> Numbers:
        """Items by falling sales: the order of items that a model does not score."""
        return by_sales(self.acts.sales())

    @cached_property
    def histories(self) -> sparse.csr_matrix:
        """Persons × items, strength of preference."""
        return self.acts.matrix()

    @cached_property
    def visits(self) -> PersonSequences:
        """Visits, oldest first."""
        return visits(self.acts)

    @cached_property
    def orders(self) -> PersonSequences:
        """Orders, oldest first."""
        return orders(self.acts)

    @cached_property
    def baskets(self) -> Purchases:
        """Orders as baskets of persons."""
        return purchases(self.orders, self.persons, self.as_of)

    @cached_property
    def bought(self) -> sparse.csr_matrix:
        """Persons × items: orders of the person that held the item."""
        return self.baskets.summed(np.ones(len(self.baskets)))

    @cached_property
    def moment(self) -> Snapshot:
        """The acts as timed models read them, without catalogue facts."""
        return snapshot_at(self.acts, nothing_known(self.items), self.as_of)
