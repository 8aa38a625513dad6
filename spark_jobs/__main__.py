"""``python -m spark_jobs silver|features|cooccurrence|als|candidates``; ``--help`` after a job lists its options."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pyspark.sql import SparkSession

from jishi.contract.fields import parse_instant
from jishi.factorisation import Parameters
from jishi.features import views
from jishi.lake import Lake, TableNotPublished
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop
from spark_jobs.drafts import AuditFailed
from spark_jobs.features.job import backfill, replay
from spark_jobs.recommendations.job import WITHIN, NothingToLearn, build_candidates, build_factors, build_neighbours
from spark_jobs.session import open_session
from spark_jobs.silver.job import BatchMissing, OlderLayout, build_silver, is_short

_BATCH = re.compile(r"history|live-\d{4}-\d{2}-\d{2}")
ReportProgress = Callable[[str], None]


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
    silver.set_defaults(run=_silver)
    features = jobs.add_parser("features", help="bronze → lake tables features/<view>, or a log of JSON lines → a folder")
    features.add_argument("--shop", action="append", default=[], help="may repeat; default: every shop of bronze")
    features.add_argument(
        "--view", action="append", default=[], choices=sorted(views()), help="may repeat; default: every view"
    )
    features.add_argument("--log", type=Path, help="folder of JSON-lines records to read instead of bronze")
    features.add_argument("--out", type=Path, help="folder to write instead of the lake; goes with --log")
    features.set_defaults(run=_features)
    near = jobs.add_parser("cooccurrence", help="silver → neighbours of each item of a shop")
    near.add_argument("--shop", action="append", required=True, help="may repeat")
    near.add_argument("--within", choices=WITHIN, default="order", help="what lies together: an order or a person's acts")
    near.set_defaults(run=_cooccurrence)
    factors = jobs.add_parser("als", help="silver → item and person factors of a shop, by MLlib")
    factors.add_argument("--shop", action="append", required=True, help="may repeat")
    factors.add_argument("--factors", type=int, default=Parameters.factors)
    factors.add_argument("--iterations", type=int, default=Parameters.iterations)
    factors.set_defaults(run=_als)
    best = jobs.add_parser(
        "candidates", help="silver and the neighbours within persons → the best items for each person of a shop"
    )
    best.add_argument("--shop", action="append", required=True, help="may repeat")
    best.set_defaults(run=_candidates)
    for job in (near, factors, best):
        job.add_argument(
            "--before",
            type=_cut,
            metavar="ISO-INSTANT",
            help="learn only from what had happened and was known before it (`python -m models cut` tells the one that the "
            "gate judges by), into the tables that end in _before",
        )
    return parser


def _silver(session: SparkSession, lake: Lake, shops: Shops, chosen: argparse.Namespace, progress: ReportProgress) -> None:
    settings = get_settings()
    audited = build_silver(session, lake, shops, settings, chosen.batch, chosen.shop, lambda name: progress(f"wrote {name}"))
    _report_rows(audited.rows, progress)


def _features(session: SparkSession, lake: Lake, shops: Shops, chosen: argparse.Namespace, progress: ReportProgress) -> None:
    wanted = {view: members for view, members in views().items() if not chosen.view or view in chosen.view}
    if chosen.log is not None:
        replay(session, get_settings(), chosen.log, chosen.out, wanted)
    else:
        backfill(session, get_settings(), lake, wanted, chosen.shop, lambda name: progress(f"wrote {name}"))
    progress("features computed")


def _cooccurrence(
    session: SparkSession, lake: Lake, shops: Shops, chosen: argparse.Namespace, progress: ReportProgress
) -> None:
    for shop_id in chosen.shop:
        _report_rows(build_neighbours(session, lake, shop_id, chosen.within, chosen.before), progress)


def _als(session: SparkSession, lake: Lake, shops: Shops, chosen: argparse.Namespace, progress: ReportProgress) -> None:
    parameters = Parameters(factors=chosen.factors, iterations=chosen.iterations)
    for shop_id in chosen.shop:
        _report_rows(build_factors(session, lake, shop_id, parameters, chosen.before), progress)


def _candidates(session: SparkSession, lake: Lake, shops: Shops, chosen: argparse.Namespace, progress: ReportProgress) -> None:
    for shop_id in chosen.shop:
        _report_rows(build_candidates(session, lake, shop_id, chosen.before), progress)


def _report_rows(rows_by_table: dict[str, int], progress: ReportProgress) -> None:
    for name, rows in rows_by_table.items():
        progress(f"published {name}: {rows:,} rows")


def main() -> int:
    """Run one job; an error that a user can mend is printed in one line, with exit code 1."""
    parser, began = _parser(), time.monotonic()
    chosen = parser.parse_args()
    if chosen.job == "features" and (chosen.log is None) != (chosen.out is None):
        parser.error("--log and --out go together")
    settings = get_settings()
    paths = Paths.of(settings)
    lake, shops = Lake(paths.lake), Shops.load(paths.shops_file)
    try:
        for shop_id in chosen.shop:
            shops.get(shop_id)
        short = chosen.job == "silver" and is_short(lake, chosen.batch, chosen.shop)
        session = open_session(settings, paths, f"jishi-{chosen.job}", is_short=short)
        chosen.run(session, lake, shops, chosen, lambda line: print(f"{line} ({time.monotonic() - began:.1f} s)", flush=True))
    except (AuditFailed, BatchMissing, NothingToLearn, OlderLayout, TableNotPublished, UnknownShop) as error:
        print(f"spark_jobs {chosen.job}: {error.args[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
