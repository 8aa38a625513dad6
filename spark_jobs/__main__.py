"""``python -m spark_jobs silver --batch history [--shop S …]``, ``features [--shop S …]``, ``features --log DIR --out DIR``."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

from jishi.features import views
from jishi.lake import Lake, TableNotPublished
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop
from spark_jobs.features.job import backfill, replay
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
    features = jobs.add_parser("features", help="bronze → lake tables features/<view>, or a log of JSON lines → a folder")
    features.add_argument("--shop", action="append", default=[], help="may repeat; default: every shop of bronze")
    features.add_argument("--view", action="append", default=[], help="may repeat; default: every view")
    features.add_argument("--log", type=Path, help="folder of JSON-lines records to read instead of bronze")
    features.add_argument("--out", type=Path, help="folder to write instead of the lake; goes with --log")
    chosen = parser.parse_args()
    if chosen.job == "features":
        if (chosen.log is None) != (chosen.out is None):
            parser.error("--log and --out go together")
        unknown = sorted(set(chosen.view) - set(views()))
        if unknown:
            parser.error(f"--view: {unknown[0]!r} is none of {', '.join(views())}")
    settings = get_settings()
    paths = Paths.of(settings)
    lake, began = Lake(paths.lake), time.monotonic()
    try:
        session = open_session(settings, paths, f"jishi-{chosen.job}")

        def tell(name: str) -> None:
            print(f"wrote {name} ({time.monotonic() - began:.0f} s)", flush=True)

        if chosen.job == "features":
            wanted = {view: members for view, members in views().items() if not chosen.view or view in chosen.view}
            if chosen.log is not None:
                replay(session, settings, chosen.log, chosen.out, wanted)
            else:
                backfill(session, settings, lake, wanted, chosen.shop, tell)
            print(f"spark: features after {time.monotonic() - began:.1f} s")
            return 0
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
