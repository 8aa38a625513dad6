"""Run one engine over a prepared log; engines live in their own environments and are called as commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from jishi.features import FEATURES, views
from jishi.features.event_log import outcomes_of, read_log, zones_of
from jishi.features.oracle import Act, good_acts, values
from jishi.outcomes import Outcome
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shops import Shop, Shops
from jishi.tables import BRONZE_EVENTS
from quality.parity import value_table

ENGINES = ("oracle", "spark", "flink")
STORES = ("sqlite", "redis", "postgresql")
ReportProgress = Callable[[str], None]


class EngineFailed(RuntimeError):
    """An engine ended with an error; the message names it and holds its last lines."""


@dataclass(frozen=True)
class PreparedLog:
    """A log that every engine reads: the records, their good acts, and ``folder/log`` with the records as JSON lines. Engines
    write below ``folder``.
    """

    records: list[dict[str, Any]]
    acts: list[Act]
    folder: Path


@contextmanager
def prepared_log(events: Path, settings: Settings, progress: ReportProgress = lambda line: None) -> Iterator[PreparedLog]:
    """The log of a folder of events, in a temporary folder that is gone afterwards; ``progress`` is told what was read.

    Raises jishi.landing.LandingError, also for a file that is not what its manifest says.
    """
    records, zones = read_log(events, time.time_ns() // 1_000_000), zones_of(events)
    progress(f"read {len(records)} records of {len({record['shop_id'] for record in records})} shops")
    limits = {"allowed_lateness_s": settings.allowed_lateness_s, "future_tolerance_s": settings.future_tolerance_s}
    outcomes = Counter(outcome.value for outcome in outcomes_of(records, **limits))
    progress("outcomes: " + ", ".join(f"{outcome.value} {outcomes[outcome.value]}" for outcome in Outcome))
    acts = good_acts(records, zones=zones, **limits)
    with TemporaryDirectory(prefix="jishi-features-") as name:
        folder = Path(name)
        shops = {shop_id: Shop(shop_id=shop_id, name=shop_id, time_zone=zone) for shop_id, zone in zones.items()}
        Shops(shops=shops).save(Paths(var=folder / "var", envs=settings.envs).shops_file)
        (folder / "log").mkdir()
        with (folder / "log" / "part-0.jsonl").open("wb") as file:
            for record in records:
                file.write(orjson.dumps({column: record[column] for column in BRONZE_EVENTS.columns}) + b"\n")
        yield PreparedLog(records, acts, folder)


def compute(engine: str, log: PreparedLog, target: Path, settings: Settings, progress: ReportProgress) -> None:
    """Write what ``engine`` computes of the log to the Parquet file ``target``. Raises EngineFailed."""
    began = time.monotonic()
    progress(f"{engine}: computing {len(log.acts)} acts")
    if engine == "oracle":
        computed = values(FEATURES, log.acts, allowed_lateness_s=settings.allowed_lateness_s)
        value_table.from_oracle(computed, views(), target)
    elif engine == "spark":
        out = log.folder / "spark"
        arguments = ["-m", "spark_jobs", "features", "--log", str(log.folder / "log"), "--out", str(out)]
        _run("spark", Paths.of(settings).python("main"), arguments, settings, log.folder)
        value_table.from_spark(out, views(), target)
        shutil.rmtree(out)
    else:
        arguments = ["-m", "flink_jobs.replay", "--source", str(log.folder / "log"), "--target", str(log.folder / "flink")]
        _run("flink", Paths.of(settings).python("flink"), arguments, settings, log.folder)
        value_table.from_flink(messages_of(log), views(), target)
    progress(f"{engine}: {time.monotonic() - began:.1f} s")


def messages_of(log: PreparedLog) -> Path:
    """Where the Flink engine left its messages."""
    return log.folder / "flink" / "features"


def read_online(
    log: PreparedLog, store: str, instants_ms: list[int], target: Path, settings: Settings, progress: ReportProgress
) -> None:
    """Send Flink's messages through the feature writer into an online store, reading it at each instant; what a reader got goes
    to the JSON-lines file ``target``. SQLite gets a file of its own; Redis and PostgreSQL are the servers of the settings.
    Raises EngineFailed.
    """
    began = time.monotonic()
    arguments = ["-m", "feature_repo", "replay", "--messages", str(messages_of(log)), "--out", str(target)]
    for instant_ms in instants_ms:
        arguments += ["--at-ms", str(instant_ms)]
    _run(store, Paths.of(settings).python("main"), arguments, settings, log.folder / store, store)
    progress(f"{store}: {time.monotonic() - began:.1f} s")


def _run(name: str, python: Path, arguments: list[str], settings: Settings, folder: Path, store: str = "sqlite") -> None:
    environment = os.environ | {
        "JISHI_VAR": str(folder / "var"),
        "JISHI_ENVS": str(settings.envs),
        "JISHI_ONLINE_STORE": store,
        **{f"JISHI_{name.upper()}": str(value) for name, value in settings if name.startswith(("redis_", "postgres_"))},
        "JISHI_ALLOWED_LATENESS_S": str(settings.allowed_lateness_s),
        "JISHI_FUTURE_TOLERANCE_S": str(settings.future_tolerance_s),
    }
    done = subprocess.run(
        [str(python), *arguments], capture_output=True, text=True, check=False, cwd=PROJECT_ROOT, env=environment
    )
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise EngineFailed(f"{name} ended with {done.returncode}: " + "\n".join(lines[-12:]))
