"""``python -m spark_jobs silver --batch history [--shop S …]`` and the at-scale recommenders."""

from __future__ import annotations

import argparse
import re
import sys
import time

from jishi.lake import Lake, TableNotPublished
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop
from spark_jobs.session import open_session
from spark_jobs.silver.audit import AuditFailed
from spark_jobs.silver.job import BatchMissing, build_silver

_BATCH = re.compile(r"history|live-\d{4}-\d{2}-\d{2}")


def _batch(text: str) -> str:
    if not _BATCH.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no batch; a batch is history or live-YYYY-MM-DD")
    return text


def main() -> int:
    """Run one job; what a user can mend is told in one line, with exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m spark_jobs", description="Batch jobs over the lake.")
    jobs = parser.add_subparsers(dest="job", required=True)
    silver = jobs.add_parser("silver", help="bronze batch → silver tables")
    silver.add_argument("--batch", type=_batch, required=True, help="history or live-YYYY-MM-DD")
    silver.add_argument("--shop", action="append", default=[], help="may repeat; default: every shop of the batch")
    chosen = parser.parse_args()
    settings = get_settings()
    paths = Paths.of(settings)
    lake, began = Lake(paths.lake), time.monotonic()
    try:
        session = open_session(settings, paths, f"jishi-{chosen.job}")

        def tell(name: str) -> None:
            print(f"wrote {name} ({time.monotonic() - began:.0f} s)", flush=True)

        audited = build_silver(session, lake, Shops.load(paths.shops_file), settings, chosen.batch, chosen.shop, tell)
    except (AuditFailed, BatchMissing, TableNotPublished, UnknownShop) as error:
        print(f"spark_jobs {chosen.job}: {error.args[0]}", file=sys.stderr)
        return 1
    for name, rows in audited.rows.items():
        print(f"published {name}: {rows:,} rows")
    print(f"silver of batch {chosen.batch} published after {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
