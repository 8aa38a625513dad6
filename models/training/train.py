"""A candidate from a shop's interactions: parameters chosen, everything fitted on the training window and on all acts.

A candidate may be made from tables instead (``models.training.from_tables``); the steps after that are the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from jishi.files import write_atomically
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from jishi.preference import WEIGHTS
from models.algorithms.ladder import make_model, make_models, parameters_of
from models.algorithms.nearest_items import LEAST_ITEMS
from models.algorithms.recommender import State
from models.candidates import repurchase, usual_prices
from models.candidates.recipes import RECIPES, asked
from models.candidates.repurchase import BoughtItems
from models.candidates.stored_models import FACTS, ranker_file
from models.candidates.training_context import TrainingContext
from models.data.evaluation_acts import digest_with_contexts
from models.data.interactions import Interactions, acts_digest, instant, read_interactions, with_persons_then
from models.data.shop_zone import zone_of
from models.data.split import last_active_days
from models.data.stored_features import StoredFeatures, ms_of
from models.data.visits import visits
from models.evaluation.time_split import make_test_set
from models.ranking.list_ranker import taught_window
from models.release import taste_index
from models.release.artefact import save
from models.release.candidate import TRAINED_ON
from models.release.checks import refuse_too_few
from models.release.serving_index import RELEASE_FORMAT
from models.training.fit import after, fit_part
from models.training.newcomers import Facts, find, read_facts
from models.training.parameter_choice import GRID, choose_parameters
from models.training.provenance import code_digest
from models.training.rankers import learn_both
from models.training.request_rankers import categories_of, facts_of
from models.training.session_trees import session_trees
from models.training.usual_prices import usual_prices_of

THREADS = 2  # parts of a candidate, or models of one part
MOST_ACTS_AT_ONCE = 5_000_000  # of a shop whose two parts are fitted at once; a larger one's would take twice its memory


def train(paths: Paths, lake: LakeVersion, shop_id: str) -> str:
    """Choose parameters, fit all models on the training window and on all data; returns the candidate's id.

    The id follows from the acts, what rankers read beside them (stored features, categories, the shop's zone), usual prices,
    the facts of new items, code, libraries and parameters: on the same lake a rerun writes the same folder, and whatever could
    change a model makes another one. Raises NoInteractions, TooShort, NobodyToTest and TooFewPersons before anything is fitted
    for a shop that has too little for a release.
    """
    interactions = read_interactions(lake, shop_id)
    window = last_active_days(interactions.occurred_at[interactions.kind == "pay"])
    judged = with_persons_then(lake, shop_id, interactions, window.cut)
    refuse_too_few(make_test_set(judged, window).persons)
    item_facts = read_facts(lake, shop_id, interactions.item_ids.tolist())
    acts = acts_digest(interactions)
    known = judged.where(window.is_training(judged.occurred_at, judged.known_at))
    zone = zone_of(paths, shop_id)
    features = StoredFeatures(lake, shop_id, ms_of(taught_window(window.cut).cut))
    parts = [("window", known, window.cut), ("full", interactions, after(interactions))]
    categories = {"window": categories_of(lake, shop_id, window.cut), "full": categories_of(lake, shop_id)}
    prices = {name: usual_prices_of(lake, shop_id, part.item_ids, as_of) for name, part, as_of in parts}
    ranked_by: list[Any] = [
        features.digest(ms_of(window.cut)),
        [sorted(each.items()) for each in categories.values()],
        zone.key,
    ]
    ranked_by += [None if each is None else each.digest() for each in prices.values()]
    candidate = _candidate_id(acts, item_facts, ranked_by)
    folder = paths.models / shop_id / "candidates" / candidate
    shutil.rmtree(folder, ignore_errors=True)
    parameters, tuning = choose_parameters(judged, window)
    ranker, learnt = learn_both(known, window.cut, parameters, categories["window"], zone, features)
    blend = session_trees(visits(known).items) if (known.kind == "view").any() else None
    recipes = asked(interactions, has_ranker=ranker is not None, rankers=learnt.rankers, has_blend=blend is not None)
    facts = {
        "shop_id": shop_id,
        "candidate": candidate,
        "interactions": len(interactions),
        TRAINED_ON: _digest_in(lake, shop_id),
        "models": {name: parameters_of(model) for name, model in make_models(parameters).items()},
        "tuning": tuning,
        "weights": WEIGHTS,
        "placements": {placement: [recipe.name for recipe in recipes[placement]] for placement in recipes},
        "ranker": None if ranker is None else {"importances": ranker.importances},
        "rankers": {placement: {"importances": each} for placement, each in learnt.importances.items()},
    }

    at_once = THREADS if len(interactions) <= MOST_ACTS_AT_ONCE else 1

    def save_part(name: str, part: Interactions, as_of: np.datetime64) -> None:
        every = chain.from_iterable(recipes.values())
        states, training_context = fit_part(part, as_of, parameters, every, ranker, blend=blend, at_once=THREADS // at_once)
        if learnt.rankers:
            states[FACTS] = facts_of(training_context, categories[name]).state()
            states |= {ranker_file(placement): each.state() for placement, each in learnt.rankers.items()}
        if (usual := prices[name]) is not None:
            states[usual_prices.FILE] = usual.state()
        if name == "full":
            states |= _newcomers(item_facts, training_context)
            states[repurchase.PURCHASES] = BoughtItems.of(training_context.bought).state()
        ids = {"items": part.item_ids.tolist(), "persons": part.person_ids.tolist()}
        span = {"from": instant(part.occurred_at.min()).isoformat(), "to": instant(part.occurred_at.max()).isoformat()}
        index = {taste_index.FILE: training_context.taste_index} if training_context.items >= LEAST_ITEMS else {}
        save(folder / name, states, ids, facts | {"trained_on": span}, index)

    # One BLAS thread for each: models limit it, too, and would otherwise undo each other's limits.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(save_part, *part) for part in parts]:
            done.result()
    write_atomically(folder.parent / "LATEST", candidate + "\n")
    return candidate


def _digest_in(lake: LakeVersion, shop_id: str) -> str:
    with open_lake(lake) as connection:
        return digest_with_contexts(connection, shop_id)


def _newcomers(facts: Facts | None, training_context: TrainingContext) -> dict[str, State]:
    """Arrays of the shop's new items; none where it has none."""
    newcomers = None if facts is None else find(facts, training_context.acts, training_context.als, training_context.as_of)
    return {} if newcomers is None else newcomers.states()


def _candidate_id(acts: str, facts: Facts | None, ranked_by: Sequence[Any]) -> str:
    """16 hex digits; equal ids are equal bytes. ``ranked_by``: what rankers read beside the acts."""
    grid = {name: [parameters_of(make_model(name, chosen)) for chosen in choices] for name, choices in GRID.items()}
    recipes = {placement: [recipe.as_json() for recipe in each] for placement, each in RECIPES.items()}
    made_by = [code_digest(), acts, None if facts is None else facts.digest(), ranked_by]
    text = json.dumps([made_by, grid, WEIGHTS, recipes, RELEASE_FORMAT], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
