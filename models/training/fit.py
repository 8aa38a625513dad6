"""Fit everything that a candidate holds on one part of a shop's acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from scipy import sparse

from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.item_rules import ItemRules
from models.algorithms.ladder import Parameters, make_model
from models.algorithms.recommender import State
from models.algorithms.session_blend import SessionBlend
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_mix import SessionMix
from models.algorithms.session_model import SessionModel
from models.algorithms.succession import Succession
from models.algorithms.swalk import SWalk
from models.algorithms.symmetric_trees import SymmetricTrees
from models.candidates.context_models import CONTEXTS, SESSION_BLEND, SESSION_MIX
from models.candidates.list_builders import PERSONAL_LISTS
from models.candidates.recipes import RANKED, Fitted, Recipe
from models.candidates.repurchase import FILE as REPURCHASE
from models.candidates.stored_models import states_of
from models.candidates.training_context import TrainingContext
from models.data.interactions import Interactions
from models.ranking.list_ranker import SOURCES, ListRanker
from models.training.repurchase import repurchase_chances


def matrix_models(acts: Interactions, parameters: Parameters) -> tuple[ItemKNN, ALS]:
    """Item-kNN and ALS, fitted."""
    histories, sales = acts.matrix(), acts.sales()
    item_knn, als = (make_model(name, parameters[name]).fit(histories, sales) for name in ("item_knn", "als"))
    assert isinstance(item_knn, ItemKNN)
    assert isinstance(als, ALS)
    return item_knn, als


def fit_part(
    acts: Interactions,
    as_of: np.datetime64,
    parameters: Parameters,
    recipes: Iterable[Recipe],
    ranker: ListRanker | None,
    *,
    blend: SymmetricTrees | None = None,
    at_once: int = 1,
) -> tuple[dict[str, State], TrainingContext]:
    """Arrays of the ladder's models and of all that the recipes need, and what they learnt from."""
    item_knn, als = matrix_models(acts, parameters)
    popularity = make_model("popularity", parameters["popularity"]).fit(acts.matrix(), acts.sales())
    training_context = TrainingContext.of(acts, as_of, item_knn, als)
    states = {"popularity": popularity.state(), "item_knn": item_knn.state()}
    states["als"] = als.state() | {"person_factors": training_context.person_factors}
    states[REPURCHASE] = repurchase_chances(training_context)
    return states | states_of(fit(training_context, recipes, ranker, blend=blend, at_once=at_once)), training_context


def after(acts: Interactions) -> np.datetime64:
    """The first instant at which all of it is past."""
    newest = max(acts.occurred_at.max(), acts.known_at.max())
    return np.datetime64(newest) + np.timedelta64(1, "us")


def fit(
    training_context: TrainingContext,
    recipes: Iterable[Recipe],
    ranker: ListRanker | None,
    *,
    blend: SymmetricTrees | None = None,
    at_once: int = 1,
) -> Fitted:
    """Fit what the recipes need, so many ``at_once``; ``ranker`` is fitted already and orders the lists of the others, and so
    are the trees of a session ``blend``.
    """
    recipes = list(recipes)
    contexts = dict.fromkeys(name for recipe in recipes for name in recipe.contexts)
    personal_names = dict.fromkeys(name for recipe in recipes for name in recipe.lists if name != RANKED)
    with ThreadPoolExecutor(at_once) as pool:
        fits = {name: pool.submit(_fit_context, name, training_context, blend) for name in contexts if name != SESSION_MIX}
        builds = {name: pool.submit(PERSONAL_LISTS[name], training_context) for name in personal_names}
        if SESSION_MIX in contexts:  # last, because it waits for its parts
            fits[SESSION_MIX] = pool.submit(_fit_mix, training_context, fits.get("swalk"), fits.get("session_knn"))
    fitted = {name: fits[name].result() for name in contexts}
    lists = {name: each.result() for name, each in builds.items()}
    if ranker is not None and any(recipe.personal == RANKED for recipe in recipes):
        lists = {name: PERSONAL_LISTS[name](training_context) for name in SOURCES if name not in lists} | lists
        lists = {**{name: lists[name] for name in personal_names}, RANKED: ranker.lists(training_context, lists)}
    return Fitted(fitted, lists)


def _fit_context(name: str, training_context: TrainingContext, blend: SymmetricTrees | None) -> SessionModel:
    if name == SESSION_BLEND:
        assert blend is not None, "a recipe asks for a blend of which no trees were learnt"
        return SessionBlend().use(blend).fit(training_context.visits.items)
    return _CONTEXT_FITS[name](CONTEXTS[name].make(), training_context)


def _fit_mix(
    training_context: TrainingContext, walk: Future[SessionModel] | None, knn: Future[SessionModel] | None
) -> SessionModel:
    """A mix whose walks and neighbours are those of the recipes' models of the same names, where these are fitted."""
    walks, near = (None if part is None else part.result() for part in (walk, knn))
    assert walks is None or isinstance(walks, SWalk)
    assert near is None or isinstance(near, SessionKNN)
    return SessionMix().fit(training_context.visits.items, walks, near)


def _on_visits(model: SessionModel, training_context: TrainingContext) -> SessionModel:
    return model.fit(training_context.visits.items)


def _on_orders(model: SessionModel, training_context: TrainingContext) -> SessionModel:
    return model.fit(training_context.orders.items)


def _of_persons(model: SessionModel, training_context: TrainingContext) -> SessionModel:
    assert isinstance(model, ItemRules)
    return model.use(training_context.item_knn.similarities())


def _on_next_orders(model: SessionModel, training_context: TrainingContext) -> SessionModel:
    assert isinstance(model, ItemRules)
    rules = Succession().fit(training_context.baskets).rules_ if len(training_context.baskets) else None
    return model.use(sparse.csr_matrix((training_context.items,) * 2, dtype=np.float32) if rules is None else rules)


_CONTEXT_FITS: dict[str, Callable[[SessionModel, TrainingContext], SessionModel]] = {
    "rules": _on_visits,
    "together": _on_visits,
    "session_knn": _on_visits,
    "swalk": _on_visits,
    "item_knn": _of_persons,
    "item_knn_cart": _of_persons,
    "bought_together": _on_orders,
    "bought_next": _on_next_orders,
}
