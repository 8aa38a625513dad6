"""Which models may answer a placement: a model of what goes with what, a model of the person, or both with a share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from models.candidates import largest
from models.interactions import Interactions
from models.placements.context import CONTEXTS
from models.placements.lesson import Lesson
from models.placements.lists import Lists
from models.placements.own import OWN
from models.placements.questions import Cases
from models.sessions.model import SessionModel


@dataclass(frozen=True)
class Recipe:
    """``context`` is a name of ``CONTEXTS``, ``own`` one of ``OWN``; at least one of them.

    Of both, each is divided by the weight of its best item, and the person's list counts ``own_share`` as much.
    """

    name: str
    context: str | None = None
    own: str | None = None
    own_share: float = 1.0


RECIPES: dict[str, tuple[Recipe, ...]] = {
    "home": tuple(
        Recipe(name, own=name)
        for name in ("item_knn", "als", "personal_frequency", "tifu_knn", "buy_again", "windowed_popularity", "trending")
    ),
    "item": (
        *(Recipe(name, context=name) for name in ("item_knn", "rules", "together", "session_knn")),
        Recipe("together_and_taste", "together", "item_knn", 0.5),
        Recipe("session_knn_and_taste", "session_knn", "item_knn", 0.5),
    ),
    "cart": (
        Recipe("bought_together", "bought_together"),
        Recipe("item_knn", "item_knn_cart"),
        Recipe("bought_together_and_often", "bought_together", "personal_frequency"),
        Recipe("bought_together_and_taste", "bought_together", "item_knn"),
    ),
    "after_payment": tuple(Recipe(name, own=name) for name in ("item_knn", "personal_frequency", "tifu_knn", "buy_again")),
}


@dataclass(frozen=True)
class Fitted:
    """Every model that some recipe needs, by name."""

    contexts: dict[str, SessionModel]
    lists: dict[str, Lists]

    def weigh(self, recipe: Recipe, cases: Cases) -> sparse.csr_matrix:
        """Weights of items for each case, without masked ones."""
        items = cases.truth.shape[1]
        total = sparse.csr_matrix((len(cases), items), dtype=np.float32)
        if recipe.context is not None:
            total = total + _share(self.contexts[recipe.context].weigh(cases.given), cases.masked)
        if recipe.own is not None:
            own = _share(self.lists[recipe.own].weigh(cases.person, items), cases.masked)
            total = total + np.float32(recipe.own_share) * own
        return sparse.csr_matrix(total)


def asked_placements(acts: Interactions) -> tuple[str, ...]:
    """Placements whose question the shop's acts can answer: a till knows no views, so nobody knows what follows one."""
    return tuple(placement for placement in RECIPES if placement != "item" or bool((acts.kind == "view").any()))


def fit(lesson: Lesson, recipes: list[Recipe]) -> Fitted:
    """Fit what the recipes need, each once."""
    contexts = dict.fromkeys(recipe.context for recipe in recipes if recipe.context is not None)
    own = dict.fromkeys(recipe.own for recipe in recipes if recipe.own is not None)
    return Fitted(
        {name: CONTEXTS[name].fit(CONTEXTS[name].make(), lesson) for name in contexts},
        {name: OWN[name](lesson) for name in own},
    )


def _share(weights: sparse.csr_matrix, masked: sparse.csr_matrix) -> sparse.csr_matrix:
    """Each row without masked items, over its largest weight."""
    kept = sparse.csr_matrix(weights - weights.multiply(masked), dtype=np.float32)
    kept.eliminate_zeros()
    return sparse.csr_matrix(sparse.diags(1 / largest(kept)) @ kept, dtype=np.float32)
