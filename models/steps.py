"""The steps from interactions to a release, for many shops: each shop by itself, and one that has too little is no error.

A shop without orders, or with too few days or customers of them, cannot be learnt from yet: the gate would refuse whatever was
trained. ``train`` finds that out before it trains, and notes it beside the shop's candidates, so that the steps after it, run
on their own, say the same instead of asking for a candidate.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from jishi.files import write_atomically
from jishi.lake import TableNotPublished
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from jishi.shop_runs import JobResult, NothingToDo, ShopRuns, for_each
from jishi.shops import Shops, UnknownShop
from models.data.interactions import NoInteractions
from models.data.short_histories import short_histories
from models.data.split import TooShort
from models.evaluation.time_split import NobodyToTest
from models.release.artefact import CorruptArtefact
from models.release.candidate import StepMissing
from models.release.candidate_evaluation import evaluate_candidate
from models.release.checks import TooFewPersons
from models.release.gate import gate
from models.release.registry import publish
from models.training import from_tables
from models.training.train import train

MOST_AT_ONCE = 4  # shops, whose acts and models are all in memory
Step = Callable[[Paths, LakeVersion, str], Any]
STEPS: dict[str, Step] = {
    "train": train,
    "evaluate": evaluate_candidate,
    "gate": gate,
    "publish": lambda paths, _, shop_id: publish(paths, shop_id),
}
TOO_LITTLE = (NoInteractions, NobodyToTest, TooFewPersons, TooShort)
FAILURES = (from_tables.TablesMissing, StepMissing, CorruptArtefact, TableNotPublished, UnknownShop)


def run_step(
    paths: Paths,
    lake: LakeVersion,
    name: str,
    shop_ids: Sequence[str],
    runs: ShopRuns,
    *,
    step: Step | None = None,
    from_spark: bool = False,
    after: str | None = None,
    report: Callable[[str, Any, float], None] = lambda *_: None,
) -> JobResult:
    """Run a step of ``STEPS``, or another ``step`` under a name, for each shop, several at once; ``report`` gets shop, result
    and seconds of each that is done.

    ``from_spark``: train from the tables that Spark published. Threads will do, because most of a step is compiled code that
    runs without the interpreter's lock; BLAS gets one thread for each of them.
    """
    shops = Shops.load(paths.shops_file)
    is_trained = name == "train" and not from_spark
    too_short = short_histories(lake, runs.pending(shop_ids, after=after)) if is_trained else {}
    taken = step or (from_tables.train if from_spark and name == "train" else STEPS[name])

    def work(shop_id: str) -> Any:
        if is_trained:
            _refuse_tables(shops, shop_id)
        return attempt(paths, lake, name, _raises(too_short[shop_id]) if shop_id in too_short else taken, shop_id, shops)

    workers = min(MOST_AT_ONCE, os.cpu_count() or 1)
    with threadpool_limits(1, user_api="blas"):
        return for_each(shop_ids, work, runs, failures=FAILURES, after=after, workers=workers, report=report)


def attempt(paths: Paths, lake: LakeVersion, name: str, step: Step, shop_id: str, shops: Shops) -> Any:
    """One step for one shop. Raises NothingToDo with the reason where the shop has too little, else what the step raises.

    An id that is neither registered nor among the lake's acts is a mistake: UnknownShop.
    """
    note = _note(paths, shop_id)
    if name != "train" and note.exists():
        raise NothingToDo(note.read_text(encoding="utf-8").strip())
    try:
        result = step(paths, lake, shop_id)
    except TOO_LITTLE as error:
        if isinstance(error, NoInteractions):
            shops.get(shop_id)
        write_atomically(note, f"{error}\n")
        raise NothingToDo(str(error)) from error
    note.unlink(missing_ok=True)
    return result


def _raises(error: TooShort) -> Step:
    """A step that ends with what is known already."""

    def refused(paths: Paths, lake: LakeVersion, shop_id: str) -> Any:
        raise error

    return refused


def _note(paths: Paths, shop_id: str) -> Path:
    """Why the shop's newest candidate was not made or not judged; absent when it was."""
    return paths.models / shop_id / "candidates" / "TOO_LITTLE"


def _refuse_tables(shops: Shops, shop_id: str) -> None:
    if shop_id in shops.shops and shops.shops[shop_id].models_from == "tables":
        raise NothingToDo("its models are made from tables (jishi shops models): the DAG tables, or train --from-tables")
