"""Models of item pages, carts and what follows a payment: each scores items from the given items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from models.baskets.succession import Succession
from models.placements.training_set import TrainingSet
from models.sessions.model import SessionModel
from models.sessions.neighbours import SessionKNN
from models.sessions.rules import ItemRules, SequentialRules, Together

ITEM_DECAY = 2.0  # entries; how fast the items before the page's lose weight
CART_DECAY = 1e6  # all lines of a cart count alike


@dataclass(frozen=True)
class ContextModel:
    """How a model is built unfitted, how it is fitted, and the reason that serving shows for its items.

    ``is_of_persons``: it follows from the release's own item-kNN.
    """

    make: Callable[[], SessionModel]
    fit: Callable[[SessionModel, TrainingSet], SessionModel]
    reason: str
    is_of_persons: bool = False


def _on_visits(model: SessionModel, training_set: TrainingSet) -> SessionModel:
    return model.fit(training_set.visits.items)


def _on_orders(model: SessionModel, training_set: TrainingSet) -> SessionModel:
    return model.fit(training_set.orders.items)


def _of_persons(model: SessionModel, training_set: TrainingSet) -> SessionModel:
    assert isinstance(model, ItemRules)
    return model.use(training_set.item_knn.similarities())


def _on_next_orders(model: SessionModel, training_set: TrainingSet) -> SessionModel:
    assert isinstance(model, ItemRules)
    rules = Succession().fit(training_set.baskets).rules_ if len(training_set.baskets) else None
    return model.use(sparse.csr_matrix((training_set.items,) * 2, dtype=np.float32) if rules is None else rules)


CONTEXTS: dict[str, ContextModel] = {
    "rules": ContextModel(lambda: SequentialRules(decay=ITEM_DECAY), _on_visits, "viewed_next"),
    "together": ContextModel(lambda: Together(decay=10.0), _on_visits, "viewed_together"),
    "session_knn": ContextModel(lambda: SessionKNN(neighbours=200, decay=5.0), _on_visits, "viewed_next"),
    "item_knn": ContextModel(lambda: ItemRules(decay=ITEM_DECAY), _of_persons, "similar", is_of_persons=True),
    "item_knn_cart": ContextModel(lambda: ItemRules(decay=CART_DECAY), _of_persons, "similar", is_of_persons=True),
    "bought_together": ContextModel(lambda: ItemRules(decay=CART_DECAY), _on_orders, "bought_together"),
    "bought_next": ContextModel(lambda: ItemRules(decay=CART_DECAY, keeps_itself=True), _on_next_orders, "bought_next"),
}
