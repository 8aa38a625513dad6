"""The gate as a step: the model of each placement, what is served of it, the release in use, and the decision on all of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from jishi.files import write_json
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from models.algorithms.ladder import LADDER
from models.release.artefact import MANIFEST, load_ids, load_state, read_manifest
from models.release.candidate import JUDGED, StepMissing, candidate_folder, read_evaluation
from models.release.champion import Champion, find_champion, models_in_use
from models.release.checks import Check, decide_release
from models.release.exploring_judgement import exploring_check, judge_exploring
from models.release.model_choice import choose_recipe as decide_placement
from models.release.served_judgement import FOLDER as SERVED
from models.release.served_judgement import certify, compare, read_served
from models.release.switches import Switches


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
    objection = Switches.read(paths.models, shop_id).objection(folder.name)
    comparison = Check("not_withdrawn", False, objection) if objection else compare(champion, certified, trained_to, served)
    exploring = judge_exploring(lake, shop_id, folder / "full", paths.models / shop_id / "releases", champion)
    states = {name: load_state(folder / "full", manifest, name) for name in LADDER}
    answered = [name for name, each in certified.items() if each["recipe"] is not None]
    item_ids = load_ids(folder / "full", manifest, "items")
    compared = [comparison, exploring_check(exploring)]
    decision = decide_release(report, states, item_ids, _catalogue(lake, shop_id), answered, compared)
    decision = {"shop_id": shop_id, "candidate": folder.name, **decision, "placements": certified, "exploring": exploring}
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
