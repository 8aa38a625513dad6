"""What the week before the cut teaches a shop: the ranker of its lists, and those of its placements.

Sources are fitted on what was known before that week, by ``MOST_ACTS`` acts at most. The week's requests are those of at most
``MOST_PERSONS`` of these persons, whose lists alone are made: a shop of a million persons costs what one of some hundred
thousand does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np

from models.algorithms.ladder import Parameters
from models.candidates.list_builders import FOR_EVERYBODY
from models.candidates.recipes import RECIPES, Fitted, Recipe, asked
from models.candidates.repurchase import bought_again
from models.candidates.training_context import TrainingContext
from models.data.interactions import Interactions
from models.data.last_acts import LastActs
from models.data.stored_features import StoredFeatures
from models.ranking.known_facts import logs_of_items
from models.ranking.list_ranker import SOURCES, ListRanker, earlier_context, taught_window, teach
from models.ranking.past_requests import PastRequests, neighbours_of, stored_in
from models.ranking.request_columns import nothing_stored
from models.training.fit import fit, matrix_models
from models.training.repurchase import repurchase_chances
from models.training.request_rankers import Learnt, facts_of, learn_rankers
from models.training.teachers import sample_of

MOST_ACTS = 5_000_000
MOST_PERSONS = 100_000


def learn_both(
    known: Interactions,
    cut: np.datetime64,
    parameters: Parameters,
    category_of: Mapping[str, str | None],
    zone: ZoneInfo,
    features: StoredFeatures | None,
) -> tuple[ListRanker | None, Learnt]:
    """Both kinds of rankers, learnt from the week before the cut. ``known`` are the acts before it; without ``features`` the
    trees know of none.
    """
    of_sources = sample_of(known, len(known.person_ids), MOST_ACTS)
    sources = earlier_context(of_sources, cut, lambda acts: matrix_models(acts, parameters))
    acts = sample_of(of_sources, MOST_PERSONS, MOST_ACTS)
    persons = sources
    if sources is not None and acts is not of_sources:
        persons = earlier_context(acts, cut, lambda _: (sources.item_knn, sources.als))
    if sources is None or persons is None:
        return None, Learnt({}, {})
    recipes = [recipe for each in asked(known, has_ranker=False, rankers=RECIPES).values() for recipe in each if recipe.ranker]
    fitted, facts = _fitted(sources, persons, recipes), facts_of(persons, category_of)
    window = taught_window(cut)
    if acts is not known:  # a request sees the sales of the whole shop
        is_earlier = window.is_training(known.occurred_at, known.known_at)
        facts = replace(facts, item_logs=logs_of_items(known.where(is_earlier), window.cut))
    neighbours, again = neighbours_of(sources.item_knn.similarities()), repurchase_chances(sources)["chance"]
    stored = nothing_stored if features is None else stored_in(features, acts)
    past = PastRequests(fitted.contexts, fitted.lists, neighbours, facts, LastActs(acts), zone, stored)
    learnt = learn_rankers(past, acts, window, bought_again(again.astype(np.float32)), recipes)
    return teach(persons, fitted.lists, acts, cut), learnt


def _fitted(sources: TrainingContext, persons: TrainingContext, recipes: list[Recipe]) -> Fitted:
    """What goes with what, and what is the same for everybody, by all acts of ``sources``; the lists of ``persons``."""
    contexts = dict.fromkeys(name for recipe in recipes for name in recipe.contexts)
    lists = dict.fromkeys((*(name for recipe in recipes for name in recipe.lists), *SOURCES))
    personal = [name for name in lists if name not in FOR_EVERYBODY]
    of_all = [Recipe(name, context=name) for name in contexts]
    of_all += [Recipe(name, personal=name) for name in lists if name in FOR_EVERYBODY]
    fitted = fit(sources, of_all, None)
    of_each = fit(persons, [Recipe(name, personal=name) for name in personal], None)
    return Fitted(fitted.contexts, fitted.lists | of_each.lists)
