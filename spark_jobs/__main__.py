"""``python -m spark_jobs silver --batch history [--shop S …]``, and per shop ``cooccurrence`` and ``als``."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable

from jishi.lake import Lake, TableNotPublished
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop
from spark_jobs.drafts import AuditFailed
from spark_jobs.recommendations import als
from spark_jobs.recommendations.job import WITHIN, NothingToLearn, build_factors, build_neighbours
from spark_jobs.session import open_session
from spark_jobs.silver.job import BatchMissing, build_silver

_BATCH = re.compile(r"history|live-\d{4}-\d{2}-\d{2}")


def _batch(text: str) -> str:
    if not _BATCH.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no batch; a batch is history or live-YYYY-MM-DD")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spark_jobs", description="Batch jobs over the lake.")
    jobs = parser.add_subparsers(dest="job", required=True)
    silver = jobs.add_parser("silver", help="bronze batch → silver tables")
    silver.add_argument("--batch", type=_batch, required=True, help="history or live-YYYY-MM-DD")
    silver.add_argument("--shop", action="append", default=[], help="may repeat; default: every shop of the batch")
    near = jobs.add_parser("cooccurrence", help="silver → neighbours of each item of a shop")
    near.add_argument("--shop", action="append", required=True, help="may repeat")
    near.add_argument("--within", choices=WITHIN, default="order", help="what lies together: an order or a person's acts")
    factors = jobs.add_parser("als", help="silver → item and person factors of a shop, by MLlib")
    factors.add_argument("--shop", action="append", required=True, help="may repeat")
    factors.add_argument("--factors", type=int, default=als.Parameters.factors)
    factors.add_argument("--iterations", type=int, default=als.Parameters.iterations)
    return parser


def run(chosen: argparse.Namespace, tell: Callable[[str], None]) -> None:
    """Run the chosen job on the platform of the settings."""
    settings = get_settings()
    paths = Paths.of(settings)
    lake, shops = Lake(paths.lake), Shops.load(paths.shops_file)
    for shop_id in chosen.shop:
        shops.get(shop_id)
    session = open_session(settings, paths, f"jishi-{chosen.job}")
    if chosen.job == "silver":
        audited = build_silver(session, lake, shops, settings, chosen.batch, chosen.shop, lambda name: tell(f"wrote {name}"))
        published = [audited.rows]
    elif chosen.job == "cooccurrence":
        published = [build_neighbours(session, lake, shop_id, chosen.within) for shop_id in chosen.shop]
    else:
        parameters = als.Parameters(factors=chosen.factors, iterations=chosen.iterations)
        published = [build_factors(session, lake, shop_id, parameters) for shop_id in chosen.shop]
    for rows_by_table in published:
        for name, rows in rows_by_table.items():
            tell(f"published {name}: {rows:,} rows")


def main() -> int:
    """Run one job; what a user can mend is told in one line, with exit code 1."""
    chosen, began = _parser().parse_args(), time.monotonic()
    try:
        run(chosen, lambda line: print(f"{line} ({time.monotonic() - began:.0f} s)", flush=True))
    except (AuditFailed, BatchMissing, NothingToLearn, TableNotPublished, UnknownShop) as error:
        print(f"spark_jobs {chosen.job}: {error.args[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
