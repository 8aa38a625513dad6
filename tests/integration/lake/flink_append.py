"""Run by the flink environment: append a folder of records to bronze as the live job does, to the end of the folder."""

from __future__ import annotations

import sys
from pathlib import Path

from flink_jobs import bronze, bronze_restore, engine, log_table, outcomes
from flink_jobs.job import FlinkJob
from flink_jobs.operators import SHARED
from flink_jobs.replay import run_bounded
from jishi.paths import Paths
from jishi.settings import get_settings


def main() -> None:
    """``flink_append.py SOURCE``; settings come from the environment."""
    settings = get_settings()
    paths = Paths.of(settings)
    limits = {"allowed_lateness_s": settings.allowed_lateness_s}
    job = FlinkJob(
        tables=(log_table.file_log(folder=Path(sys.argv[1]), **limits), bronze.lake_bronze(settings)),
        definitions=tuple(outcomes.outcome_views(future_tolerance_s=settings.future_tolerance_s, **limits)),
        inserts=(bronze.bronze_insert(),),
        versions={SHARED: "test"},
    )
    jvm = engine.start_jvm(paths, "-Xmx512m")
    try:
        bronze_restore.put_back(settings, None)  # finds the table, in the same catalog
        run_bounded(job, paths.flink / "checkpoints")
    finally:
        engine.stop_jvm(jvm)


if __name__ == "__main__":
    main()
