"""Models of item pages, carts and what follows a payment: each scores items from the given items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.algorithms.item_rules import ItemRules
from models.algorithms.sequential_rules import SequentialRules
from models.algorithms.session_blend import SessionBlend
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_mix import SessionMix
from models.algorithms.session_model import SessionModel
from models.algorithms.swalk import SWalk
from models.algorithms.together import Together

ITEM_DECAY = 2.0  # entries; how fast the items before the page's lose weight
CART_DECAY = 1e6  # all lines of a cart count alike
SESSION_MIX = "session_mix"
SESSION_BLEND = "session_blend"  # the one that needs trees, which not every shop can teach


@dataclass(frozen=True)
class ContextModel:
    """How a model is built unfitted, and the reason that serving shows for its items (``models.training.fit`` fits it).

    ``is_of_persons``: it follows from the release's own item-kNN.
    """

    make: Callable[[], SessionModel]
    reason: str
    is_of_persons: bool = False


CONTEXTS: dict[str, ContextModel] = {
    "rules": ContextModel(lambda: SequentialRules(decay=ITEM_DECAY), "viewed_next"),
    "together": ContextModel(lambda: Together(decay=10.0), "viewed_together"),
    "session_knn": ContextModel(lambda: SessionKNN(neighbours=200, decay=5.0), "viewed_next"),
    "swalk": ContextModel(lambda: SWalk(decay=5.0), "viewed_next"),
    SESSION_MIX: ContextModel(SessionMix, "viewed_next"),
    SESSION_BLEND: ContextModel(SessionBlend, "viewed_next"),
    "item_knn": ContextModel(lambda: ItemRules(decay=ITEM_DECAY), "similar", is_of_persons=True),
    "item_knn_cart": ContextModel(lambda: ItemRules(decay=CART_DECAY), "similar", is_of_persons=True),
    "bought_together": ContextModel(lambda: ItemRules(decay=CART_DECAY), "bought_together"),
    "bought_next": ContextModel(lambda: ItemRules(decay=CART_DECAY, keeps_itself=True), "bought_next"),
}
