"""``python -m serving.judge --shop S``: what a candidate would serve, on the cases that judge its models.

A list that leaves serving is the model's with other sources mixed in and items kept back, so it is judged itself: the window
models of the newest candidate answer the cases of every placement through ``recommend``, with the catalogue as it was known at
the moment of each (one of before the cut: at the cut, as the models), and the request and the last acts that the storefront and
the online store would give. The same cases are answered by the ladder, by the window models of the release in use, by what
sells and by what each person buys often. The main metric of each case stays beside the candidate; what follows from it the
gate decides (``models.release.served_judgement``).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from jishi.lake.reading import LakeVersion, open_version
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shop_runs import BadRunId, ShopRuns, add_run_options
from jishi.text_tables import text_console
from models.algorithms.item_knn import ItemKNN
from models.algorithms.recommender import State
from models.candidates.recipes import Fitted, Recipe
from models.candidates.stored_models import load
from models.data.interactions import by_sales
from models.data.shop_zone import zone_of
from models.data.stored_features import StoredFeatures, ms_of
from models.evaluation.placement_evaluation import lists_of_recipes, main_values
from models.evaluation.placement_questions import Cases, cases_of
from models.release.artefact import CorruptArtefact, load_ids, load_state, read_manifest, save
from models.release.candidate import candidate_folder, judged_by, read_evaluation
from models.release.champion import Champion, find_champion
from models.release.checks import beating
from models.release.gate import choose_models, judged_lists
from models.release.model_choice import LADDER
from models.release.registry import WINDOW, write_release
from models.release.served_judgement import BESIDE, CHAMPION, FOLDER, MODEL
from models.release.serving_index import Release
from models.steps import run_step
from serving.candidates import QUOTAS
from serving.past_catalogue import PastCatalogue
from serving.past_questions import Question, RankedLists, ShelfAnswers, questions, served_lists
from serving.shelf import Shelf

MOST_CASES = 400  # of a placement, evenly spaced among those that judge the models
_OFTEN = Recipe("personal_frequency", personal="personal_frequency")


def window_release(folder: Path, shop_id: str, chosen: dict[str, Any], report: dict[str, Any]) -> Release:
    """A candidate's models of the training window as a release."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / WINDOW
        write_release(folder / "window", target, {"placements": chosen, "beats_popularity": beating(report)})
        return Release.read(target, shop_id, folder.name)


def judge_served(paths: Paths, lake: LakeVersion, shop_id: str) -> dict[str, int]:
    """Serve the cases and keep the main metric of each; returns the number of cases by placement. Raises StepMissing."""
    folder = candidate_folder(paths, shop_id)
    report = read_evaluation(folder)
    manifest = read_manifest(folder / "window")
    chosen = choose_models(paths, shop_id, folder, report)
    acts, window = judged_by(lake, shop_id, folder, manifest)
    past = PastCatalogue.read(lake, shop_id, window.cut)
    release = window_release(folder, shop_id, chosen, report)
    champion = find_champion(paths.models, shop_id, folder.name, datetime.fromisoformat(report["window"]["cut"]))
    problem, in_use = _champions_shelf(paths, shop_id, champion, past)
    shelves = {LADDER: past.shelf(release.ladder_alone()), MODEL: past.shelf(release)}
    shelves |= {} if in_use is None else {CHAMPION: in_use}
    zone, features = zone_of(paths, shop_id), StoredFeatures(lake, shop_id, ms_of(window.cut))
    fitted, trivial = _trivial(folder, manifest, release)
    fill = by_sales(release.popularity)
    cases, asked, served = dict[str, Cases](), list[Question](), dict[str, dict[str, ShelfAnswers | RankedLists]]()
    for placement in chosen:
        every = cases_of(placement, acts, window, release.is_bought_again)
        if len(every) == 0 or not report["placements"][placement]["models"]:
            continue
        cases[placement] = every.sampled(MOST_CASES)
        asked += questions(placement, shop_id, cases[placement], acts, zone, features)
        has_model = (release.placement(placement) or release.ranker(placement)) is not None
        ranked = lists_of_recipes(fitted, trivial, cases[placement], fill)
        served[placement] = {name: RankedLists(lists, fill, shelves[MODEL]) for name, lists in ranked.items()}
        served[placement] |= {name: ShelfAnswers(shelf) for name, shelf in shelves.items() if name != MODEL or has_model}
        if placement == "home" and has_model:
            served[placement] |= {name: ShelfAnswers(shelves[MODEL], replace(QUOTAS, **most)) for name, most in BESIDE.items()}
    kept: dict[str, State] = {}
    for placement, lists in served_lists(past, asked, served, cases, acts).items():
        of_placement = cases[placement]
        values = {name: main_values(each, of_placement) for name, each in lists.items()}
        kept[placement] = {"person": of_placement.person, **values}
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    facts = {"shop_id": shop_id, "candidate": folder.name, "judged": judged_lists(chosen, champion), "problem": problem}
    save(folder / FOLDER, kept, {}, facts)
    return {placement: len(state["person"]) for placement, state in kept.items()}


def _champions_shelf(
    paths: Paths, shop_id: str, champion: Champion | None, past: PastCatalogue
) -> tuple[str | None, Shelf | None]:
    """Why the release in use cannot be judged, or its window models."""
    if champion is None or champion.problem is not None:
        return None if champion is None else champion.problem, None
    folder = paths.models / shop_id / "releases" / champion.version / WINDOW
    try:
        return None, past.shelf(Release.read(folder, shop_id, champion.version))
    except CorruptArtefact as error:
        return str(error), None


def _trivial(folder: Path, manifest: dict[str, Any], release: Release) -> tuple[Fitted, list[Recipe]]:
    """What each person buys often, where the candidate knows it; what sells needs no model."""
    if f"lists_{_OFTEN.personal}" not in manifest["shapes"]:
        return Fitted({}, {}), []
    item_knn = ItemKNN().from_state(load_state(folder / "window", manifest, "item_knn"))
    persons = len(load_ids(folder / "window", manifest, "persons"))
    return load([_OFTEN], lambda name: load_state(folder / "window", manifest, name), item_knn, persons), [_OFTEN]


def main() -> int:
    """Judge each shop. Exit code 0: no shop failed; 3: some did; 1: all did; 4: one in a way that nobody foresaw."""
    parser = argparse.ArgumentParser(prog="python -m serving.judge", description=__doc__)
    parser.add_argument("--shop", action="append", required=True, help="may repeat")
    add_run_options(parser)
    chosen = parser.parse_args()
    settings = get_settings()
    paths, console = Paths.of(settings), text_console()
    try:
        runs = ShopRuns(paths, "judge", chosen.run)
    except BadRunId as error:
        parser.error(str(error))

    def show(shop_id: str, cases: dict[str, int], seconds: float) -> None:
        counted = ", ".join(f"{placement} {count}" for placement, count in cases.items()) or "no case"
        console.print(f"judge {shop_id}: {counted} ({seconds:.1f} s)", highlight=False, soft_wrap=True)

    result = run_step(
        paths, open_version(settings), "judge", chosen.shop, runs, step=judge_served, after=chosen.after, report=show
    )
    if result.failed or len(result.shops) != sum(each.state == "done" for each in result.shops):
        result.show(console)
    for failure in result.failed:
        print(f"serving judge: {failure.reason}", file=sys.stderr)
    return result.exit_code


if __name__ == "__main__":
    sys.exit(main())
