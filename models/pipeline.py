"""The four steps from interactions to a release; they meet in the candidate's folder and may each run again.

``var/models/<shop>/candidates/<candidate>/``: ``window/`` (models of the training window), ``full/`` (the same models on all
data), ``evaluation.json``, ``gate.json``. ``candidates/LATEST`` names the newest; ``CURRENT`` the published release.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from jishi.lake import Lake, write_atomically, write_json
from jishi.lake_query import open_lake
from jishi.paths import Paths
from jishi.preference import WEIGHTS
from models.als import ALS
from models.artefact import CorruptArtefact, load_ids, load_state, read_manifest, save
from models.evaluation import evaluate, make_test_set
from models.gate import decide
from models.interactions import Interactions, instant, read_interactions
from models.item_knn import ItemKNN
from models.placements.judge import judge_all
from models.placements.lesson import Lesson
from models.placements.newcomers import find, read_facts
from models.placements.recipes import RECIPES, asked_placements, fit
from models.placements.stored import load, states_of
from models.placements.verdict import decide as decide_placement
from models.recommender import Recommender, State
from models.release import RELEASE_FORMAT, Release, write_release
from models.split import last_active_days
from models.tuning import GRID, Parameters, choose, make_model

TABLE = "silver/interactions"
KEPT_RELEASES = 5


class StepMissing(LookupError):
    """A step was asked for before the one that it needs."""


def make_models(parameters: Parameters) -> dict[str, Recommender]:
    """Fresh models by name, baseline first."""
    return {name: make_model(name, parameters[name]) for name in GRID}


def candidate_folder(paths: Paths, shop_id: str) -> Path:
    """Folder of the newest candidate. Raises StepMissing when there is none."""
    pointer = paths.models / shop_id / "candidates" / "LATEST"
    if not pointer.exists():
        raise StepMissing(f"shop {shop_id!r} has no candidate; run: python -m models train --shop {shop_id}")
    return pointer.parent / pointer.read_text().strip()


def train(paths: Paths, shop_id: str) -> str:
    """Choose parameters, fit all models on the training window and on all data; returns the candidate's id.

    The id follows from the content of the interactions and the parameters, so that a rerun writes the same folder.
    """
    interactions = read_interactions(Lake(paths.lake), shop_id)
    window = last_active_days(interactions.occurred_at[interactions.kind == "pay"])
    known = interactions.where(window.is_training(interactions.occurred_at, interactions.received_at))
    candidate = _candidate_id(interactions)
    folder = paths.models / shop_id / "candidates" / candidate
    shutil.rmtree(folder, ignore_errors=True)
    parameters, tuning = choose(interactions, window)
    recipes = {placement: RECIPES[placement] for placement in asked_placements(interactions)}
    facts = {
        "shop_id": shop_id,
        "candidate": candidate,
        "interactions": len(interactions),
        "models": {name: _parameters(model) for name, model in make_models(parameters).items()},
        "tuning": tuning,
        "weights": WEIGHTS,
        "placements": {placement: [recipe.name for recipe in recipes[placement]] for placement in recipes},
    }
    every = [recipe for each in recipes.values() for recipe in each]
    for name, part, as_of in (("window", known, window.cut), ("full", interactions, _after(interactions))):
        histories = part.matrix()
        fitted = {key: model.fit(histories, part.sales()) for key, model in make_models(parameters).items()}
        states: dict[str, State] = {key: model.state() for key, model in fitted.items()}
        item_knn, als = fitted["item_knn"], fitted["als"]
        assert isinstance(item_knn, ItemKNN)
        assert isinstance(als, ALS)
        states["als"] = states["als"] | {"person_factors": als.fold_in(histories)}
        states |= states_of(fit(Lesson(part, as_of, item_knn, als), every))
        if name == "full":
            new = find(read_facts(Lake(paths.lake), shop_id, part.item_ids.tolist()), part, als, as_of)
            states |= {} if new is None else new.states()
        ids = {"items": part.item_ids.tolist(), "persons": part.person_ids.tolist()}
        span = {"from": instant(part.occurred_at.min()).isoformat(), "to": instant(part.occurred_at.max()).isoformat()}
        save(folder / name, states, ids, facts | {"trained_on": span})
    write_atomically(folder.parent / "LATEST", candidate + "\n")
    return candidate


def _after(interactions: Interactions) -> np.datetime64:
    """The first instant at which all of it is past."""
    newest = max(interactions.occurred_at.max(), interactions.received_at.max())
    return np.datetime64(newest) + np.timedelta64(1, "us")


def _candidate_id(interactions: Interactions) -> str:
    digest = hashlib.sha256()
    for column in (interactions.person, interactions.item, interactions.occurred_at, interactions.received_at):
        digest.update(np.ascontiguousarray(column).tobytes())
    for text in (interactions.person_ids, interactions.item_ids, interactions.kind):
        digest.update("\n".join(text.tolist()).encode())
    grid = {name: [_parameters(make_model(name, chosen)) for chosen in choices] for name, choices in GRID.items()}
    recipes = {placement: [asdict(recipe) for recipe in each] for placement, each in RECIPES.items()}
    digest.update(json.dumps([grid, WEIGHTS, recipes, RELEASE_FORMAT], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _parameters(model: Recommender) -> dict[str, Any]:
    return {name: value for name, value in sorted(vars(model).items()) if not name.endswith("_")}


def evaluate_candidate(paths: Paths, shop_id: str) -> dict[str, Any]:
    """Judge the window models and write ``evaluation.json``; returns the report."""
    folder = candidate_folder(paths, shop_id)
    manifest = read_manifest(folder / "window")
    fresh = make_models(manifest["models"])
    models = {name: model.from_state(load_state(folder / "window", manifest, name)) for name, model in fresh.items()}
    interactions = read_interactions(Lake(paths.lake), shop_id)
    if _candidate_id(interactions) != folder.name:
        raise StepMissing(f"the interactions of {shop_id!r} changed since the candidate was trained; run train again")
    window = last_active_days(interactions.occurred_at[interactions.kind == "pay"])
    report = evaluate(models, make_test_set(interactions, window), window, len(interactions.item_ids))
    item_knn = models["item_knn"]
    assert isinstance(item_knn, ItemKNN)
    asked = [recipe for placement in manifest["placements"] for recipe in RECIPES[placement]]
    fitted = load(asked, lambda name: load_state(folder / "window", manifest, name), item_knn, len(interactions.person_ids))
    placements = judge_all(fitted, manifest["placements"], interactions, window)
    report = {"shop_id": shop_id, "candidate": folder.name, **report, "placements": placements}
    write_json(folder / "evaluation.json", report)
    return report


def gate(paths: Paths, shop_id: str) -> dict[str, Any]:
    """Decide on the candidate and write ``gate.json``; a refusal is an outcome, not an error."""
    folder = candidate_folder(paths, shop_id)
    if not (folder / "evaluation.json").exists():
        raise StepMissing(f"the candidate of {shop_id!r} was not evaluated; run: python -m models evaluate --shop {shop_id}")
    report = json.loads((folder / "evaluation.json").read_text())
    manifest = read_manifest(folder / "full")
    states = {name: load_state(folder / "full", manifest, name) for name in GRID}
    verdict = decide(report, states, load_ids(folder / "full", manifest, "items"), _catalogue(Lake(paths.lake), shop_id))
    judged: dict[str, Any] = report["placements"]
    chosen = {
        name: decide_placement(name, judged[name], lambda file: load_state(folder / "full", manifest, file)) for name in judged
    }
    verdict = {"shop_id": shop_id, "candidate": folder.name, **verdict, "placements": chosen}
    write_json(folder / "gate.json", verdict)
    return verdict


def _catalogue(lake: Lake, shop_id: str) -> set[str]:
    with open_lake(lake) as connection:
        rows = connection.execute("select item_id from silver_items where shop_id = ?", [shop_id]).fetchall()
    return {item_id for (item_id,) in rows}


def publish(paths: Paths, shop_id: str) -> str | None:
    """Publish the candidate's full models when the gate passed them; returns the release, or None after a refusal.

    The release is loaded and verified as serving would before the pointer moves.
    """
    folder = candidate_folder(paths, shop_id)
    if not (folder / "gate.json").exists():
        raise StepMissing(f"the gate has not seen the candidate of {shop_id!r}; run: python -m models gate --shop {shop_id}")
    verdict = json.loads((folder / "gate.json").read_text())
    if not verdict["is_released"]:
        return None
    releases = paths.models / shop_id / "releases"
    final = releases / folder.name
    if not _is_sound(paths, shop_id, folder.name):
        shutil.rmtree(final, ignore_errors=True)
        aside = releases / f".{folder.name}"
        shutil.rmtree(aside, ignore_errors=True)
        write_release(folder / "full", aside, verdict["placements"])
        aside.rename(final)
    Release.load(paths.models, shop_id, folder.name)
    write_atomically(paths.models / shop_id / "CURRENT", folder.name + "\n")
    _drop_old(releases, keep=folder.name)
    return folder.name


def _is_sound(paths: Paths, shop_id: str, version: str) -> bool:
    """Whether the release is there and verifies; a damaged one is written again."""
    try:
        Release.load(paths.models, shop_id, version)
    except CorruptArtefact:
        return False
    return True


def _drop_old(releases: Path, keep: str) -> None:
    others = sorted((p for p in releases.iterdir() if p.name != keep), key=lambda p: p.stat().st_mtime)
    for old in others[: max(0, len(others) - KEPT_RELEASES + 1)]:
        shutil.rmtree(old)
