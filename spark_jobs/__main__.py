"""``python -m spark_jobs silver|features|cooccurrence|als|candidates``; ``--help`` after a job lists its options."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pyspark.sql import SparkSession

from jishi.contract.fields import parse_instant
from jishi.factorisation import Parameters
from jishi.features import views
from jishi.held_back import GateFinding, GatesUnreadable, hold, release
from jishi.lake import TableNotPublished
from jishi.lake.catalog import identifier
from jishi.lake.release import ClockBehind
from jishi.lake.versions import StaleWriter
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shop_runs import BadRunId, JobResult, ShopResult, ShopRuns, add_run_options
from jishi.shops import Shops, UnknownShop
from jishi.text_tables import text_console
from spark_jobs.audits import AuditFailed
from spark_jobs.features.job import backfill, replay
from spark_jobs.maintenance import Upkeep, drop_versions, maintain
from spark_jobs.recommendations.job import WITHIN, NothingToLearn, build_candidates, build_factors, build_neighbours
from spark_jobs.session import open_session
from spark_jobs.shop_groups import reason
from spark_jobs.silver.batches import BatchMissing, is_short
from spark_jobs.silver.bronze import HISTORY
from spark_jobs.silver.job import SilverBuilt, build_silver

_BATCH = re.compile(r"history|live-\d{4}-\d{2}-\d{2}")
Report = Callable[[str], None]
Result = TypeVar("Result")
TRIES = 3


def _batch(text: str) -> str:
    if not _BATCH.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no batch; a batch is history or live-YYYY-MM-DD")
    return text


def _cut(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}; an instant is such as 2026-09-17T00:00:00Z") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spark_jobs", description="Batch jobs over the lake.")
    jobs = parser.add_subparsers(dest="job", required=True)
    silver = jobs.add_parser("silver", help="bronze batch → silver tables")
    silver.add_argument("--batch", type=_batch, required=True, help="history or live-YYYY-MM-DD")
    silver.add_argument("--shop", action="append", default=[], help="may repeat; default: every shop of the batch")
    silver.add_argument("--to", type=_batch, metavar="live-YYYY-MM-DD", help="with all live days up to it, in one publish")
    silver.add_argument("--restate", action="store_true", help="with earlier days of which bronze has since got more")
    add_run_options(silver)
    silver.set_defaults(work=_silver)
    features = jobs.add_parser("features", help="bronze → lake tables features/<view>, or a log of JSON lines → a folder")
    features.add_argument("--shop", action="append", default=[], help="may repeat; default: every shop of bronze")
    features.add_argument(
        "--view", action="append", default=[], choices=sorted(views()), help="may repeat; default: every view"
    )
    features.add_argument("--log", type=Path, help="folder of JSON-lines records to read instead of bronze")
    features.add_argument("--out", type=Path, help="folder to write instead of the lake; goes with --log")
    features.set_defaults(work=_features)
    near = jobs.add_parser("cooccurrence", help="silver → neighbours of each item of a shop")
    near.add_argument("--shop", action="append", required=True, help="may repeat")
    near.add_argument("--within", choices=WITHIN, default="order", help="what lies together: an order or a person's acts")
    near.set_defaults(work=_cooccurrence)
    factors = jobs.add_parser("als", help="silver → item and person factors of a shop, by MLlib")
    factors.add_argument("--shop", action="append", required=True, help="may repeat")
    factors.add_argument("--factors", type=int, default=Parameters.factors)
    factors.add_argument("--iterations", type=int, default=Parameters.iterations)
    factors.set_defaults(work=_als)
    best = jobs.add_parser(
        "candidates", help="silver and the neighbours within persons → the best items for each person of a shop"
    )
    best.add_argument("--shop", action="append", required=True, help="may repeat")
    best.set_defaults(work=_candidates)
    upkeep = jobs.add_parser("maintain", help="join small files, drop old snapshots, remove files that no snapshot knows")
    upkeep.add_argument("--table", action="append", default=[], help="such as bronze/events; may repeat; default: every table")
    upkeep.set_defaults(work=_maintain, shop=[])
    for job in (near, factors, best):
        job.add_argument(
            "--before",
            type=_cut,
            metavar="ISO-INSTANT",
            help="learn only from what had happened and was known before it (`python -m models cut` tells the one that the "
            "gate judges by), into the tables that end in _before",
        )
    return parser


def _silver(session: SparkSession, settings: Settings, shops: Shops, chosen: argparse.Namespace, report: Report) -> int:
    began, runs = time.monotonic(), ShopRuns(Paths.of(settings), "silver", chosen.run)
    pending, result = runs.plan(chosen.shop, after=chosen.after)
    if chosen.shop and not pending:
        return _shown(result)
    now, options = datetime.now(UTC), {"last": chosen.to, "restate": chosen.restate}
    built = build_silver(session, settings, shops, chosen.batch, pending, report, **options, now=now)
    _note_gates(Paths.of(settings), built, chosen.batch, now)
    seconds = round(time.monotonic() - began, 1)
    for shop_id in sorted({*pending, *built.shops, *built.failures}):
        if shop_id in built.failures:
            shop = ShopResult(shop_id, "failed", reason(built.failures[shop_id]), seconds)
        elif shop_id in built.shops:
            shop = ShopResult(shop_id, "done", "", seconds)
        else:
            shop = ShopResult(shop_id, "nothing to do", f"bronze has no batch {chosen.batch} of it")
        runs.record(shop)
        result.shops.append(shop)
    _report_rows(built.rows, report)
    return _shown(result)


def _note_gates(paths: Paths, built: SilverBuilt, batch: str, now: datetime) -> None:
    """Portal and watch read which shops keep their old rows, and why."""
    for shop_id, error in built.failures.items():
        findings = error.findings if isinstance(error, AuditFailed) else ()
        again = f"python -m spark_jobs silver --batch {batch} --shop {shop_id}"
        hold(paths, shop_id, findings or [GateFinding("build", "silver", batch, reason(error), (), again)], now)
    for shop_id in built.shops:
        release(paths, shop_id)


def _features(session: SparkSession, settings: Settings, shops: Shops, chosen: argparse.Namespace, report: Report) -> int:
    wanted = {view: members for view, members in views().items() if not chosen.view or view in chosen.view}
    if chosen.log is not None:
        replay(session, settings, chosen.log, chosen.out, wanted, shops.zones)
    else:
        _again(lambda: backfill(session, settings, wanted, chosen.shop, lambda name: report(f"wrote {name}"), shops.zones))
    report("features computed")
    return 0


def _cooccurrence(session: SparkSession, settings: Settings, shops: Shops, chosen: argparse.Namespace, report: Report) -> int:
    return _each(chosen, report, lambda shop_id: build_neighbours(session, settings, shop_id, chosen.within, chosen.before))


def _als(session: SparkSession, settings: Settings, shops: Shops, chosen: argparse.Namespace, report: Report) -> int:
    parameters = Parameters(factors=chosen.factors, iterations=chosen.iterations)
    return _each(chosen, report, lambda shop_id: build_factors(session, settings, shop_id, parameters, chosen.before))


def _candidates(session: SparkSession, settings: Settings, shops: Shops, chosen: argparse.Namespace, report: Report) -> int:
    return _each(chosen, report, lambda shop_id: build_candidates(session, settings, shop_id, chosen.before))


def _maintain(session: SparkSession, settings: Settings, shops: Shops, chosen: argparse.Namespace, report: Report) -> int:
    def show(done: Upkeep) -> None:
        files = f"{done.joined} files joined to {done.became}, " if done.joined else ""
        report(f"{done.table}: {files}{done.expired} snapshots dropped, {done.orphans} unknown files removed")

    now = datetime.now(UTC).replace(tzinfo=None)
    if not chosen.table and (dropped := drop_versions(settings, now)):
        report(f"forgot versions {dropped[0]} to {dropped[-1]}")
    maintain(session, settings, [identifier(name) for name in chosen.table], now, show, report)
    return 0


def _each(chosen: argparse.Namespace, report: Report, work: Callable[[str], dict[str, int]]) -> int:
    for shop_id in chosen.shop:
        _report_rows(_again(lambda shop_id=shop_id: work(shop_id)), report)  # type: ignore[misc]
    return 0


def _again(work: Callable[[], Result]) -> Result:
    """Work, anew on the newest version when another publish of the same shops came first."""
    for _ in range(TRIES - 1):
        try:
            return work()
        except StaleWriter as error:
            print(f"{error}; beginning again", file=sys.stderr)
    return work()


def _report_rows(rows_by_table: dict[str, int], report: Report) -> None:
    for name, rows in rows_by_table.items():
        report(f"published {name}: {rows:,} rows")


def _shown(result: JobResult) -> int:
    result.show(text_console())
    return result.exit_code


def main() -> int:
    """Run one job; an error that a user can mend is printed in one line, with exit code 1, or 3 when only some shops failed."""
    parser, began = _parser(), time.monotonic()
    chosen = parser.parse_args()
    if chosen.job == "features" and (chosen.log is None) != (chosen.out is None):
        parser.error("--log and --out go together")
    if chosen.job == "silver" and chosen.to is not None and (chosen.batch == HISTORY or chosen.to < chosen.batch):
        parser.error("--to goes with a live day in --batch that is not after it")
    settings = get_settings()
    paths = Paths.of(settings)
    shops = Shops.load(paths.shops_file)
    try:
        for shop_id in chosen.shop:
            shops.get(shop_id)
        session = open_session(
            settings, paths, f"jishi-{chosen.job}", is_short=chosen.job == "silver" and is_short(settings, chosen.batch)
        )
        done: int = chosen.work(
            session, settings, shops, chosen, lambda line: print(f"{line} ({time.monotonic() - began:.1f} s)", flush=True)
        )
    except (
        AuditFailed,
        BadRunId,
        BatchMissing,
        ClockBehind,
        GatesUnreadable,
        NothingToLearn,
        StaleWriter,
        TableNotPublished,
        UnknownShop,
    ) as error:
        print(f"spark_jobs {chosen.job}: {error.args[0]}", file=sys.stderr)
        return 1
    return done


if __name__ == "__main__":
    sys.exit(main())
