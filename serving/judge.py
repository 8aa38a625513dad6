"""``python -m serving.judge --shop S``: what a candidate would serve, on the cases that judge its models.

A list that leaves serving is the model's with other sources mixed in and items kept back, so it is judged itself: the window
models of the newest candidate answer the cases of every placement through ``recommend``, everything in stock, with the request
and the last acts that the storefront and the online store would give. The same cases are answered by the ladder, by the window
models of the release in use, by what sells and by what each person buys often. The main metric of each case stays beside the
candidate; what follows from it the gate decides (``models.release.served_judgement``).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from jishi.lake.reading import LakeVersion, open_version
from jishi.paths import Paths
from jishi.placements import Placement
from jishi.settings import get_settings
from jishi.shop_runs import BadRunId, ShopRuns, add_run_options
from jishi.text_tables import text_console
from models.algorithms.item_knn import ItemKNN
from models.algorithms.recommender import Items, State
from models.candidates.recipes import Fitted, Recipe
from models.candidates.stored_models import load
from models.data.interactions import Interactions, by_sales
from models.data.last_acts import LastActs
from models.data.shop_zone import zone_of
from models.data.stored_features import StoredFeatures, ms_of
from models.evaluation.metrics import KS
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
from serving.candidates import QUOTAS, Quotas
from serving.catalogue import Catalogue, read_snapshot
from serving.moment import Moment
from serving.recent import LastAct
from serving.recommend import recommend
from serving.request import Request, VisitContext
from serving.shelf import Shelf, join_catalogue

LENGTH = max(KS)
MOST_CASES = 400  # of a placement, evenly spaced among those that judge the models
_NOTHING = np.empty(0, dtype=np.int64)
_OFTEN = Recipe("personal_frequency", personal="personal_frequency")


def requests(placement: Placement, shop_id: str, cases: Cases, acts: Interactions) -> Iterator[tuple[Request, list[LastAct]]]:
    """The request of each case and the person's last acts at its instant.

    None for a cart: the visit that led to it has shown the line that is asked for, and older acts do not count there.
    """
    asking, place = np.unique(cases.person, return_inverse=True)
    last = LastActs(acts.of_persons(asking))
    values, contexts = (*last.context_values, None), last.contexts_at(place, cases.asked_at).tolist()
    for row, given in enumerate(cases.given):
        items = tuple(str(each) for each in acts.item_ids[given])
        person = int(cases.person[row])
        request = Request(
            shop_id,
            placement,
            LENGTH,
            persons=(str(acts.person_ids[person]),),
            item_id=items[-1] if placement == "item" else None,
            cart=items if placement == "cart" else (),
            order=items if placement == "after_payment" else (),
            visit=VisitContext(*(values[each] for each in contexts[row])),
        )
        numbers, ages_s = last.at(int(place[row]), cases.asked_at[row]) if placement != "cart" else (_NOTHING, _NOTHING)
        yield request, [LastAct(str(acts.item_ids[each]), age_s) for each, age_s in zip(numbers, ages_s.tolist(), strict=True)]


def served_lists(
    shelf: Shelf,
    catalogue: Catalogue,
    asked: Iterator[tuple[Request, list[LastAct]]],
    acts: Interactions,
    moments: Iterable[Moment],
    quotas: Quotas | None = None,
) -> Items:
    """The list of each request in the item numbers of ``acts``, −1 for no item."""
    number_of = {str(item_id): number for number, item_id in enumerate(acts.item_ids)}
    lists = []
    for (request, last), moment in zip(asked, moments, strict=True):
        answer = recommend(request, shelf, catalogue, lambda *_, last=last: last, moment=moment, quotas=quotas)
        numbers = [number_of.get(one.item.item_id, -1) for one in answer.items]
        lists.append(numbers + [-1] * (LENGTH - len(numbers)))
    return np.array(lists, dtype=np.int64).reshape(-1, LENGTH)


def moments_of(cases: Cases, zone: ZoneInfo, features: StoredFeatures) -> Iterator[Moment]:
    """The moment of each case, with the values of the feature store as they were known then."""
    for asked_at in cases.asked_at:
        now_ms = ms_of(asked_at)

        def read(views: tuple[str, ...], ids: Sequence[str], now_ms: int = now_ms) -> np.ndarray:
            return features.at(views, ids, np.full(len(ids), now_ms)).astype(np.float64)

        yield Moment(now_ms, zone, read, read)


def everything_sellable(lake: LakeVersion, shop_id: str) -> Catalogue:
    """The shop's catalogue as if all of it were active and in stock: what was sold out on the judged days is not known."""
    catalogue = Catalogue()
    items = read_snapshot(lake, {}).get(shop_id, {})
    catalogue.put_snapshot({item_id: replace(item, stock=None, status="active") for item_id, item in items.items()})
    return catalogue


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
    catalogue = everything_sellable(lake, shop_id)
    release = window_release(folder, shop_id, chosen, report)
    champion = find_champion(paths.models, shop_id, folder.name, datetime.fromisoformat(report["window"]["cut"]))
    problem, in_use = _champions_shelf(paths, shop_id, champion, catalogue)
    shelves = {LADDER: join_catalogue(release.ladder_alone(), catalogue), MODEL: join_catalogue(release, catalogue)}
    shelves |= {} if in_use is None else {CHAMPION: in_use}
    fitted, trivial = _trivial(folder, manifest, release)
    kept: dict[str, State] = {}
    zone, features = zone_of(paths, shop_id), StoredFeatures(lake, shop_id, ms_of(window.cut))
    for placement in chosen:
        cases = cases_of(placement, acts, window, release.is_bought_again)
        if len(cases) == 0 or not report["placements"][placement]["models"]:
            continue
        cases = cases.sampled(MOST_CASES)
        lists = lists_of_recipes(fitted, trivial, cases, by_sales(release.popularity))
        for name, shelf in shelves.items():
            if name != MODEL or release.placement(placement) is not None or release.ranker(placement) is not None:
                asked = requests(placement, shop_id, cases, acts)  # type: ignore[arg-type]
                lists[name] = served_lists(shelf, catalogue, asked, acts, moments_of(cases, zone, features))
        if placement == "home" and (release.placement(placement) or release.ranker(placement)) is not None:
            for name, most in BESIDE.items():
                asked, quotas = requests("home", shop_id, cases, acts), replace(QUOTAS, **most)
                moments = moments_of(cases, zone, features)
                lists[name] = served_lists(shelves[MODEL], catalogue, asked, acts, moments, quotas)
        kept[placement] = {"person": cases.person, **{name: main_values(each, cases) for name, each in lists.items()}}
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    facts = {"shop_id": shop_id, "candidate": folder.name, "judged": judged_lists(chosen, champion), "problem": problem}
    save(folder / FOLDER, kept, {}, facts)
    return {placement: len(state["person"]) for placement, state in kept.items()}


def _champions_shelf(
    paths: Paths, shop_id: str, champion: Champion | None, catalogue: Catalogue
) -> tuple[str | None, Shelf | None]:
    """Why the release in use cannot be judged, or its window models."""
    if champion is None or champion.problem is not None:
        return None if champion is None else champion.problem, None
    folder = paths.models / shop_id / "releases" / champion.version / WINDOW
    try:
        return None, join_catalogue(Release.read(folder, shop_id, champion.version), catalogue)
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
