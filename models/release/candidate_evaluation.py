"""Judge a candidate: the ladder on the time split, and the models of each placement on its own question."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from jishi.files import write_json
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from models.algorithms.item_knn import ItemKNN
from models.algorithms.ladder import make_models
from models.algorithms.recommender import State
from models.candidates import repurchase
from models.candidates.recipes import named
from models.candidates.repurchase import bought_again
from models.candidates.stored_models import FACTS, load, ranker_file
from models.data.last_acts import LastActs
from models.data.shop_zone import zone_of
from models.data.stored_features import StoredFeatures, ms_of
from models.evaluation.placement_evaluation import evaluate_placements
from models.evaluation.time_split import evaluate, make_test_set
from models.ranking.known_facts import KnownFacts
from models.ranking.past_requests import PastRequests, neighbours_of, stored_in
from models.ranking.request_ranker import RequestRanker
from models.release.artefact import load_state, read_manifest, save
from models.release.candidate import JUDGED, candidate_folder, judged_by

MOST_TESTED = 5_000  # persons, evenly spaced; more would narrow intervals that are narrow already


def evaluate_candidate(paths: Paths, lake: LakeVersion, shop_id: str) -> dict[str, Any]:
    """Judge the window models and write ``evaluation.json``; returns the report.

    Raises StepMissing when the shop's acts are no longer those that the candidate was made from.
    """
    folder = candidate_folder(paths, shop_id)
    manifest = read_manifest(folder / "window")
    fresh = make_models(manifest["models"])
    models = {name: model.from_state(load_state(folder / "window", manifest, name)) for name, model in fresh.items()}
    interactions, window = judged_by(lake, shop_id, folder, manifest)
    tests = make_test_set(interactions, window).sampled(MOST_TESTED)
    report = evaluate(models, tests, window, len(interactions.item_ids))
    item_knn, recipes = models["item_knn"], named(manifest["placements"])
    assert isinstance(item_knn, ItemKNN)
    every = chain.from_iterable(recipes.values())
    fitted = load(every, lambda name: load_state(folder / "window", manifest, name), item_knn, len(interactions.person_ids))
    rankers = {name for each in recipes.values() for recipe in each if (name := recipe.ranker) is not None}
    if rankers:
        stored = stored_in(StoredFeatures(lake, shop_id, ms_of(window.cut)), interactions)
        neighbours = neighbours_of(item_knn.similarities())
        persons, items = len(interactions.person_ids), len(interactions.item_ids)
        facts = KnownFacts.from_state(load_state(folder / "window", manifest, FACTS), persons, items)
        last, zone = LastActs(interactions), zone_of(paths, shop_id)
        past = PastRequests(fitted.contexts, fitted.lists, neighbours, facts, last, zone, stored)
        trees = {
            name: RequestRanker.from_state(name, load_state(folder / "window", manifest, ranker_file(name))) for name in rankers
        }
        fitted = replace(fitted, ranked=lambda name, *asked: past.score(trees[name], *asked))
    sales = np.asarray(models["popularity"].state()["sales"], dtype=np.float32)
    is_bought_again = bought_again(load_state(folder / "window", manifest, repurchase.FILE)["chance"].astype(np.float32))
    placements, values = evaluate_placements(fitted, recipes, interactions, window, sales, is_bought_again)
    report = {"shop_id": shop_id, "candidate": folder.name, **report, "placements": placements}
    judged: dict[str, State] = {placement: dict(each) for placement, each in values.items()}
    save(folder / JUDGED, judged, {}, {"shop_id": shop_id, "candidate": folder.name})
    write_json(folder / "evaluation.json", report)
    return report
