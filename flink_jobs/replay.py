"""``python -m flink_jobs.replay --source DIR --target DIR``: features of a bounded log, by the statements of the live job.

``source`` holds JSON lines of ``jishi.tables.BRONZE_EVENTS`` in the order of the log; messages of every view, those outside the
live job included, go to ``target/features`` in the order in which they were made. Exit code 1 when Flink refuses or fails.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from py4j.protocol import Py4JError
from pyflink.util.exceptions import JavaException

from flink_jobs import engine
from flink_jobs.job import FlinkJob, features_job
from flink_jobs.plan import compile_job
from jishi.features import live_views, views
from jishi.files import file_uri
from jishi.java import JavaMissing
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops


def run_bounded(job: FlinkJob, checkpoints: Path) -> None:
    """Run a job over bounded sources to its end, in the JVM of this process; rows keep the order of the log.

    ``checkpoints`` is a folder for the job's state. A failure ends the job: a second try would find nothing else.
    """
    # Files get their names with checkpoints; the last one comes with the end of the input.
    options = engine.computing_options(1) | {
        "execution.checkpointing.interval": "10 s",
        # Without a folder they are kept in memory, where state of more than 5 MB is refused.
        "execution.checkpointing.dir": file_uri(checkpoints),
        "restart-strategy.type": "none",
    }
    compile_job(engine.table_environment(options), job).execute().wait()


def main() -> int:
    """Replay one folder; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flink_jobs.replay", description="Features of a bounded log.")
    parser.add_argument("--source", type=Path, required=True, help="folder of JSON-lines records")
    parser.add_argument("--target", type=Path, required=True, help="empty folder for messages and Flink's own files")
    parser.add_argument("--views", choices=("all", "live"), default="all", help="every view, or those of the real-time job")
    chosen = parser.parse_args()
    settings, began = get_settings(), time.monotonic()
    source, target = chosen.source.absolute(), chosen.target.absolute()
    wanted = live_views() if chosen.views == "live" else views()
    jvm = None
    try:
        jvm = engine.start_jvm(Paths(var=target / "flink", envs=settings.envs), settings.flink_jvm)
        started = time.monotonic()
        zones = Shops.load(Paths.of(settings).shops_file).zones
        run_bounded(features_job(settings, wanted, source=source, target=target, zones=zones), target / "checkpoints")
        print(f"flink: replayed in {time.monotonic() - started:.1f} s (start {started - began:.1f} s)", flush=True)
    except (JavaException, Py4JError, JavaMissing, OSError, ValueError) as error:
        lines = str(error).strip().splitlines()
        cause = [line for line in lines if line.startswith("Caused by: ")] or lines
        print(f"flink: {cause[-1] if cause else error!r}", file=sys.stderr)
        return 1
    finally:
        if jvm is not None:
            engine.stop_jvm(jvm)
    return 0


if __name__ == "__main__":
    sys.exit(main())
