"""The steps from interactions to a release; they meet in the candidate's folder and may each run again.

A candidate may be made from tables instead (``models.from_tables``); the steps after that are the same.

``var/models/<shop>/candidates/<candidate>/``: ``window/`` (models of the training window), ``full/`` (the same models on all
data), ``evaluation.json`` and ``judged/``, ``served/`` (by ``serving.judge``), ``gate.json``. ``candidates/LATEST`` names the
newest; ``CURRENT`` the published release.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from jishi.files import write_atomically, write_json
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from jishi.preference import WEIGHTS
from models.artefact import MANIFEST, CorruptArtefact, load_ids, load_state, read_manifest, save
from models.evaluation import evaluate, make_test_set
from models.from_tables import MADE_FROM
from models.gate import decide_release
from models.in_use import Champion, find_champion, models_in_use
from models.interactions import Interactions, instant, read_interactions, with_persons_then
from models.item_knn import ItemKNN
from models.judged_acts import describe, read_judged, split
from models.persons_then import view_persons_then
from models.placements import repurchase
from models.placements.choice import choose_recipe as decide_placement
from models.placements.judge import evaluate_placements
from models.placements.newcomers import Facts, find, read_facts
from models.placements.ranked import teach
from models.placements.recipes import RECIPES, asked, named
from models.placements.repurchase import BoughtItems, bought_again
from models.placements.stored import load
from models.placements.training_set import TrainingSet
from models.provenance import code_digest
from models.recommender import State
from models.release import RELEASE_FORMAT, WINDOW, Release, write_release
from models.served_lists import FOLDER as SERVED
from models.served_lists import certify, compare, read_served
from models.split import SplitWindow, last_active_days
from models.training import after, fit_part, make_models, matrix_models, parameters_of
from models.tuning import GRID, choose_parameters, make_model

TABLE = "silver/interactions"
KEPT_RELEASES = 5
JUDGED = "judged"  # by placement and model the main metric of each person


class StepMissing(LookupError):
    """A step was asked for before the one that it needs."""


def candidate_folder(paths: Paths, shop_id: str) -> Path:
    """Folder of the newest candidate. Raises StepMissing when there is none."""
    pointer = paths.models / shop_id / "candidates" / "LATEST"
    if not pointer.exists():
        raise StepMissing(f"shop {shop_id!r} has no candidate; run: python -m models train --shop {shop_id}")
    return pointer.parent / pointer.read_text().strip()


def train(paths: Paths, lake: LakeVersion, shop_id: str) -> str:
    """Choose parameters, fit all models on the training window and on all data; returns the candidate's id.

    The id follows from the acts, the facts of new items, code, libraries and parameters, so that a rerun writes the same folder
    and whatever could change a model makes another one.
    """
    interactions = read_interactions(lake, shop_id)
    item_facts = read_facts(lake, shop_id, interactions.item_ids.tolist())
    acts = _acts_digest(interactions)
    window = last_active_days(interactions.occurred_at[interactions.kind == "pay"])
    judged = with_persons_then(lake, shop_id, interactions, window.cut)
    known = judged.where(window.is_training(judged.occurred_at, judged.received_at))
    candidate = _candidate_id(acts, item_facts)
    folder = paths.models / shop_id / "candidates" / candidate
    shutil.rmtree(folder, ignore_errors=True)
    parameters, tuning = choose_parameters(judged, window)
    ranker = teach(known, window.cut, lambda acts: matrix_models(acts, parameters))
    recipes = asked(interactions, has_ranker=ranker is not None)
    facts = {
        "shop_id": shop_id,
        "candidate": candidate,
        "interactions": len(interactions),
        "acts_digest": acts,
        "models": {name: parameters_of(model) for name, model in make_models(parameters).items()},
        "tuning": tuning,
        "weights": WEIGHTS,
        "placements": {placement: [recipe.name for recipe in recipes[placement]] for placement in recipes},
        "ranker": None if ranker is None else {"importances": ranker.importances},
    }

    def save_part(name: str, part: Interactions, as_of: np.datetime64) -> None:
        states, training_set = fit_part(part, as_of, parameters, chain.from_iterable(recipes.values()), ranker)
        if name == "full":
            states |= _newcomers(item_facts, training_set)
            states[repurchase.PURCHASES] = BoughtItems.of(training_set.bought).state()
        ids = {"items": part.item_ids.tolist(), "persons": part.person_ids.tolist()}
        span = {"from": instant(part.occurred_at.min()).isoformat(), "to": instant(part.occurred_at.max()).isoformat()}
        save(folder / name, states, ids, facts | {"trained_on": span})

    # One BLAS thread for each: models limit it, too, and would otherwise undo each other's limits.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(2) as pool:
        parts = [("window", known, window.cut), ("full", interactions, after(interactions))]
        for done in [pool.submit(save_part, *part) for part in parts]:
            done.result()
    write_atomically(folder.parent / "LATEST", candidate + "\n")
    return candidate


def _newcomers(facts: Facts | None, training_set: TrainingSet) -> dict[str, State]:
    """Arrays of the shop's new items; none where it has none."""
    newcomers = None if facts is None else find(facts, training_set.acts, training_set.als, training_set.as_of)
    return {} if newcomers is None else newcomers.states()


def _acts_digest(interactions: Interactions) -> str:
    """SHA-256 of every act."""
    digest = hashlib.sha256()
    for column in (interactions.person, interactions.item, interactions.occurred_at, interactions.received_at):
        digest.update(np.ascontiguousarray(column).tobytes())
    for text in (interactions.person_ids, interactions.item_ids, interactions.kind):
        digest.update("\n".join(text.tolist()).encode())
    return digest.hexdigest()


def _candidate_id(acts: str, facts: Facts | None) -> str:
    """16 hex digits; equal ids are equal bytes."""
    grid = {name: [parameters_of(make_model(name, chosen)) for chosen in choices] for name, choices in GRID.items()}
    recipes = {placement: [recipe.as_json() for recipe in each] for placement, each in RECIPES.items()}
    made_by = [code_digest(), acts, None if facts is None else facts.digest()]
    text = json.dumps([made_by, grid, WEIGHTS, recipes, RELEASE_FORMAT], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def evaluate_candidate(paths: Paths, lake: LakeVersion, shop_id: str) -> dict[str, Any]:
    """Judge the window models and write ``evaluation.json``; returns the report.

    Raises StepMissing when the shop's acts are no longer those that the candidate was made from.
    """
    folder = candidate_folder(paths, shop_id)
    manifest = read_manifest(folder / "window")
    fresh = make_models(manifest["models"])
    models = {name: model.from_state(load_state(folder / "window", manifest, name)) for name, model in fresh.items()}
    interactions, window = judged_by(lake, shop_id, folder, manifest)
    report = evaluate(models, make_test_set(interactions, window), window, len(interactions.item_ids))
    item_knn, recipes = models["item_knn"], named(manifest["placements"])
    assert isinstance(item_knn, ItemKNN)
    every = chain.from_iterable(recipes.values())
    fitted = load(every, lambda name: load_state(folder / "window", manifest, name), item_knn, len(interactions.person_ids))
    sales = np.asarray(models["popularity"].state()["sales"], dtype=np.float32)
    is_bought_again = bought_again(load_state(folder / "window", manifest, repurchase.FILE)["chance"].astype(np.float32))
    placements, values = evaluate_placements(fitted, recipes, interactions, window, sales, is_bought_again)
    report = {"shop_id": shop_id, "candidate": folder.name, **report, "placements": placements}
    judged: dict[str, State] = {placement: dict(each) for placement, each in values.items()}
    save(folder / JUDGED, judged, {}, {"shop_id": shop_id, "candidate": folder.name})
    write_json(folder / "evaluation.json", report)
    return report


def judged_by(lake: LakeVersion, shop_id: str, folder: Path, manifest: dict[str, Any]) -> tuple[Interactions, SplitWindow]:
    """The acts that a candidate is judged by and their split: of one made from tables only what its judges ask for."""
    changed = StepMissing(f"the interactions of {shop_id!r} changed since the candidate was trained; run train again")
    if MADE_FROM not in manifest:
        interactions = read_interactions(lake, shop_id)
        if _acts_digest(interactions) != manifest.get("acts_digest"):  # a candidate of before has none
            raise changed
        window = last_active_days(interactions.occurred_at[interactions.kind == "pay"])
        return with_persons_then(lake, shop_id, interactions, window.cut), window
    with open_lake(lake) as connection:
        if describe(connection, shop_id).digest != manifest[MADE_FROM]["acts"]:
            raise changed
        window = split(connection, shop_id)
        view_persons_then(connection, lake, shop_id, instant(window.cut))
        ids = (load_ids(folder / "window", manifest, name) for name in ("items", "persons"))
        return read_judged(connection, shop_id, window, *ids), window


def read_evaluation(folder: Path) -> dict[str, Any]:
    """The report of ``evaluate``. Raises StepMissing."""
    if not (folder / "evaluation.json").exists():
        shop_id = folder.parents[1].name
        raise StepMissing(f"the candidate of {shop_id!r} was not evaluated; run: python -m models evaluate --shop {shop_id}")
    report: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return report


def choose_models(paths: Paths, shop_id: str, folder: Path, report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The model of each placement by its own question; the one that is in use stays where no other is surely better."""
    manifest, judged = read_manifest(folder / "full"), read_manifest(folder / JUDGED)
    in_use = models_in_use(paths.models, shop_id)
    chosen = {}
    for placement, section in report["placements"].items():
        values = None
        if placement in judged["shapes"]:
            state = load_state(folder / JUDGED, judged, placement)
            values = {name: each.astype(np.float64) for name, each in state.items()}
        chosen[placement] = decide_placement(
            placement, section, lambda file: load_state(folder / "full", manifest, file), values, in_use.get(placement)
        )
    return chosen


def gate(paths: Paths, lake: LakeVersion, shop_id: str) -> dict[str, Any]:
    """Decide on the candidate and write ``gate.json``; a refusal is an outcome, not an error."""
    folder = candidate_folder(paths, shop_id)
    report = read_evaluation(folder)
    manifest = read_manifest(folder / "full")
    chosen = choose_models(paths, shop_id, folder, report)
    champion = find_champion(paths.models, shop_id, folder.name, datetime.fromisoformat(report["window"]["cut"]))
    again = StepMissing(
        f"what the candidate of {shop_id!r} serves was not judged; run: python -m serving.judge --shop {shop_id}"
    )
    if not (folder / SERVED / MANIFEST).exists():
        raise again
    facts, served = read_served(folder)
    if facts["judged"] != judged_lists(chosen, champion):
        raise again
    certified = {placement: certify(each, served.get(placement)) for placement, each in chosen.items()}
    trained_to = datetime.fromisoformat(manifest["trained_on"]["to"])
    if champion is not None and facts["problem"] is not None:
        champion = replace(champion, problem=facts["problem"])
    comparison = compare(champion, certified, trained_to, served)
    states = {name: load_state(folder / "full", manifest, name) for name in GRID}
    answered = [name for name, each in certified.items() if each["recipe"] is not None]
    item_ids = load_ids(folder / "full", manifest, "items")
    decision = decide_release(report, states, item_ids, _catalogue(lake, shop_id), answered, comparison)
    decision = {"shop_id": shop_id, "candidate": folder.name, **decision, "placements": certified}
    write_json(folder / "gate.json", decision)
    return decision


def judged_lists(chosen: dict[str, dict[str, Any]], champion: Champion | None) -> dict[str, Any]:
    """What lists a judgement of serving is about: the model of each placement, and the release in use."""
    names = {placement: each["model"] for placement, each in chosen.items()}
    return {"models": names, "champion": None if champion is None else champion.version}


def _catalogue(lake: LakeVersion, shop_id: str) -> set[str]:
    with open_lake(lake) as connection:
        rows = connection.execute("select item_id from silver_items where shop_id = ?", [shop_id]).fetchall()
    return {item_id for (item_id,) in rows}


def publish(paths: Paths, shop_id: str) -> str | None:
    """Publish the candidate's full models when the gate passed them; returns the release, or None after a refusal.

    The release is loaded and verified as serving would before the pointer moves. Its name is the candidate's, with a digest of
    its content where a release of that name has other content (the gate may decide anew on the same candidate).
    """
    folder = candidate_folder(paths, shop_id)
    if not (folder / "gate.json").exists():
        raise StepMissing(f"the gate has not seen the candidate of {shop_id!r}; run: python -m models gate --shop {shop_id}")
    decision = json.loads((folder / "gate.json").read_text())
    if not decision["is_released"]:
        return None
    releases = paths.models / shop_id / "releases"
    aside = releases / f".{folder.name}"
    shutil.rmtree(aside, ignore_errors=True)
    write_release(folder / "full", aside, decision)
    write_release(folder / "window", aside / WINDOW, decision)
    version, content = folder.name, read_manifest(aside)
    if _is_sound(paths, shop_id, version) and read_manifest(releases / version) != content:  # full and window belong together
        version += "-" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    if _is_sound(paths, shop_id, version):
        shutil.rmtree(aside)
    else:
        shutil.rmtree(releases / version, ignore_errors=True)
        aside.rename(releases / version)
    Release.load(paths.models, shop_id, version)
    write_atomically(paths.models / shop_id / "CURRENT", version + "\n")
    _drop_old(releases, keep=version)
    return version


def _is_sound(paths: Paths, shop_id: str, version: str) -> bool:
    """Whether the release is there and verifies; a damaged one is written again."""
    try:
        Release.load(paths.models, shop_id, version)
        Release.read(paths.models / shop_id / "releases" / version / WINDOW, shop_id, version)
    except CorruptArtefact:
        return False
    return True


def _drop_old(releases: Path, keep: str) -> None:
    others = sorted((p for p in releases.iterdir() if p.name != keep), key=lambda p: p.stat().st_mtime)
    for old in others[: max(0, len(others) - KEPT_RELEASES + 1)]:
        shutil.rmtree(old)
