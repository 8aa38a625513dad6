"""Which models may answer a placement: a model of what goes with what, a model of the person, or both with a share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from models.algorithms.session_model import SessionModel
from models.algorithms.sparse_rows import largest
from models.candidates.context_models import SESSION_BLEND
from models.candidates.person_lists import PersonLists
from models.candidates.request_sources import REQUEST_SOURCES
from models.data.interactions import Interactions
from models.data.sequences import Numbers, Sequences


@dataclass(frozen=True)
class Recipe:
    """Which models answer together; at least one of the two is named.

    ``context`` is a name of ``CONTEXTS``: it answers from the given items. ``personal`` is a name of ``PERSONAL_LISTS``,
    ``RANKED`` or a list from tables: it answers from the person's history. Where both are named, each is divided by the
    weight of its best item, and the personal list is multiplied by ``personal_share``. A ``ranker`` is named by its placement
    instead of the two: it orders what several of them list (``models.candidates.request_sources``).
    """

    name: str
    context: str | None = None
    personal: str | None = None
    personal_share: float = 1.0
    ranker: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The recipe as manifests hold it; release format 2 calls the personal list ``own``."""
        named = {"name": self.name, "context": self.context, "own": self.personal, "own_share": self.personal_share}
        return named if self.ranker is None else named | {"ranker": self.ranker}

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> Recipe:
        """The recipe of a manifest. Raises ValueError where a field is missing or unknown."""
        if set(payload) - {"ranker"} != {"name", "context", "own", "own_share"}:
            raise ValueError(f"a recipe has name, context, own, own_share and perhaps ranker, not {sorted(payload)}")
        ranker = payload.get("ranker")
        if ranker is not None and ranker not in REQUEST_SOURCES:
            raise ValueError(f"ranker is one of {', '.join(REQUEST_SOURCES)}, not {ranker!r}")
        return cls(payload["name"], payload["context"], payload["own"], payload["own_share"], ranker)

    @property
    def contexts(self) -> tuple[str, ...]:
        """Names of ``CONTEXTS`` that it needs."""
        if self.ranker is not None:
            return REQUEST_SOURCES[self.ranker].contexts
        return () if self.context is None else (self.context,)

    @property
    def lists(self) -> tuple[str, ...]:
        """Lists of persons that it needs."""
        if self.ranker is not None:
            return REQUEST_SOURCES[self.ranker].lists
        return () if self.personal is None else (self.personal,)


RANKED = "ranked"  # the ranker over the other lists, where the shop has one
RANKER = "ranker"  # the ranker at the request
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "home": (
        *(Recipe(name, personal=name) for name in ("item_knn", "als", "personal_frequency", "tifu_knn", "buy_again")),
        *(Recipe(name, personal=name) for name in ("windowed_popularity", "trending", RANKED)),
        Recipe(RANKER, ranker="home"),
    ),
    "item": (
        *(Recipe(name, context=name) for name in ("item_knn", "rules", "together", "session_knn", "swalk", "session_mix")),
        Recipe(SESSION_BLEND, context=SESSION_BLEND),
        Recipe("together_and_taste", "together", "item_knn", 0.5),
        Recipe("session_knn_and_taste", "session_knn", "item_knn", 0.5),
        Recipe("swalk_and_taste", "swalk", "item_knn", 0.5),
        Recipe(RANKER, ranker="item"),
    ),
    "cart": (
        Recipe("bought_together", "bought_together"),
        Recipe("item_knn", "item_knn_cart"),
        Recipe("bought_together_and_often", "bought_together", "personal_frequency"),
        Recipe("bought_together_and_taste", "bought_together", "item_knn"),
        Recipe(RANKER, ranker="cart"),
    ),
    "after_payment": (
        *(Recipe(name, personal=name) for name in ("item_knn", "personal_frequency", "tifu_knn", "buy_again", RANKED)),
        *(Recipe(name, name) for name in ("bought_together", "bought_next")),
        # What goes with one order says less of the next one than the person does: with a smaller share the lists get worse.
        Recipe("bought_next_and_taste", "bought_next", "item_knn", 4.0),
        Recipe("bought_together_and_taste", "bought_together", "item_knn", 8.0),
        Recipe("bought_together_and_ranked", "bought_together", RANKED, 8.0),
        Recipe(RANKER, ranker="after_payment"),
    ),
}


CANDIDATES = "person_candidates"  # the table of Spark
CANDIDATES_AND_HISTORY = "person_candidates_and_own"  # the same with what the person acted upon
# Those whose models are tables of Spark: neighbours within persons and within orders, and candidates of persons.
OF_TABLES: dict[str, tuple[Recipe, ...]] = {
    "home": tuple(Recipe(name, personal=name) for name in (CANDIDATES, CANDIDATES_AND_HISTORY)),
    "item": (Recipe("item_knn", "item_knn"),),
    "cart": (Recipe("bought_together", "bought_together"), Recipe("item_knn", "item_knn_cart")),
    "after_payment": (
        *(Recipe(name, personal=name) for name in (CANDIDATES, CANDIDATES_AND_HISTORY)),
        Recipe("bought_together", "bought_together"),
    ),
}
# Every recipe that a candidate may name, wherever its models were learnt.
KNOWN = {placement: tuple(dict.fromkeys((*RECIPES[placement], *OF_TABLES[placement]))) for placement in RECIPES}


# Of a placement's ranker: given items, persons, instants, masked items → weights.
Ranked = Callable[[str, Sequences, Numbers, "np.ndarray", sparse.csr_matrix], sparse.csr_matrix]


@dataclass(frozen=True)
class Fitted:
    """Every model that some recipe needs, by name."""

    contexts: dict[str, SessionModel]
    lists: dict[str, PersonLists]
    ranked: Ranked | None = None  # scores of the rankers, where they are asked for

    def score(self, recipe: Recipe, given: Sequences, person: Numbers, masked: sparse.csr_matrix) -> sparse.csr_matrix:
        """Weights of items for each row of given items and its person, shape of ``masked``; masked items have none."""
        total = sparse.csr_matrix(masked.shape, dtype=np.float32)
        if recipe.context is not None:
            total = total + _share(self.contexts[recipe.context].score(given), masked)
        if recipe.personal is not None:
            personal = _share(self.lists[recipe.personal].matrix(person, masked.shape[1]), masked)
            total = total + np.float32(recipe.personal_share) * personal
        return sparse.csr_matrix(total)


def asked(
    acts: Interactions, *, has_ranker: bool, rankers: Collection[str] = (), has_blend: bool = False
) -> dict[str, tuple[Recipe, ...]]:
    """The recipes of each placement whose question the shop's acts can answer; ``rankers`` are the placements that have one,
    and ``has_blend`` says whether its visits taught trees.

    Without views (a shop that has only orders) the item page has no recipe.
    """
    possible = {}
    for placement, recipes in RECIPES.items():
        if placement != "item" or bool((acts.kind == "view").any()):
            possible[placement] = tuple(
                recipe
                for recipe in recipes
                if (recipe.personal != RANKED or has_ranker)
                and (recipe.ranker is None or recipe.ranker in rankers)
                and (recipe.context != SESSION_BLEND or has_blend)
            )
    return possible


def named(names: Mapping[str, Sequence[str]]) -> dict[str, tuple[Recipe, ...]]:
    """The recipes that a candidate's manifest names, by placement."""
    return {placement: tuple(r for r in KNOWN[placement] if r.name in each) for placement, each in names.items()}


def _share(weights: sparse.csr_matrix, masked: sparse.csr_matrix) -> sparse.csr_matrix:
    """Each row without masked items, over its largest weight."""
    kept = sparse.csr_matrix(weights - weights.multiply(masked), dtype=np.float32)
    kept.eliminate_zeros()
    return sparse.csr_matrix(sparse.diags(1 / largest(kept)) @ kept, dtype=np.float32)
