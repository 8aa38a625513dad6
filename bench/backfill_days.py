"""``jishi bench backfill-days``: 60 days of a shop built one by one, as the nights do, against the same days in one backfill.

Every table of silver, every published mart and the tables of daily features must hold the same rows after both. The days are
those of ``bench.eventful_days`` as live batches, so that the gates judge each of them, too. The marts are built every few days
in the first way, after each of the last nights as a continuation of the build before, and whole in the second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bench import user_path
from bench.day import digests
from bench.eventful_days import CURRENCY, NEW_CURRENCY, TIME_ZONE, EventfulDay, currency_changes_on, eventful, rates
from bench.measured_command import run_measured
from bench.one_shop import settings_of
from bench.shop_groups import MODEL, append, days_of
from imports.rates import publish_rates
from jishi.contract.home_money import shop_money
from jishi.lake.query import open_lake, view_of
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from jishi.tables import SILVER
from spark_jobs.silver.job import build_silver

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LAST_NIGHTS = 3  # so little of all has changed then that the marts go on from the build before
MARTS = [sys.executable, "-m", "ops.marts", "build"]


class Nights:
    """The shop's days, appended to bronze and worked up one after the other; ``refused`` are what a gate said no to."""

    def __init__(self, session: SparkSession, settings: Settings, days: Mapping[date, EventfulDay]) -> None:
        self._session, self._settings, self._days = session, settings, days
        self._paths, self._seq = Paths.of(settings), 0
        self.refused: list[str] = []
        _register(self._paths, CURRENCY)

    def __iter__(self) -> Iterator[date]:
        """Each day once its night is over. What is belated of it comes to bronze before the next one."""
        belated: list[bytes] = []
        for day, events in self._days.items():
            if day == currency_changes_on(list(self._days)):
                _register(self._paths, NEW_CURRENCY)
                now = datetime.combine(day, datetime.min.time())
                publish_rates(self._settings, MODEL, NEW_CURRENCY, rates(list(self._days)), now)
            self._append(belated + events.lines)
            belated = events.belated
            self._build(day)
            yield day

    def _append(self, lines: list[bytes]) -> None:
        currency = Shops.load(self._paths.shops_file).get(MODEL).currency
        money = shop_money(self._paths.fx_rates, MODEL, currency, TIME_ZONE)
        append(self._settings, [MODEL], lines, self._seq, money)
        self._seq += len(lines)

    def _build(self, day: date) -> None:
        """As the DAG does: the day, and with it the days of which bronze has got more since."""
        shops, now = Shops.load(self._paths.shops_file), datetime.now(UTC)
        built = build_silver(
            self._session, self._settings, shops, f"live-{day}", [MODEL], lambda line: None, restate=True, now=now
        )
        self.refused += [f"{day}: {error}" for error in built.failures.values()]


def _register(paths: Paths, currency: str) -> None:
    with Shops.edit(paths.shops_file) as shops:
        shops.add(Shop(shop_id=MODEL, name=MODEL, time_zone=TIME_ZONE, currency=currency))


def silver_contents(settings: Settings) -> dict[str, Any]:
    """Of each table of silver the number of its rows and a sum over their hashes."""
    with open_lake(open_version(settings)) as lake:
        return {
            schema.name: lake.execute(f"select count(*), sum(hash(rows_of)) from {view_of(schema.name)} as rows_of").fetchall()
            for schema in SILVER
        }


def contents(settings: Settings) -> dict[str, Any]:
    """The same of every table, marts and daily features included."""
    return silver_contents(settings) | digests(open_version(settings))


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Tables whose contents are not the same."""
    return {table: [one.get(table), other.get(table)] for table in sorted({*one, *other}) if one.get(table) != other.get(table)}


@contextmanager
def _session(settings: Settings) -> Iterator[SparkSession]:
    """One for all nights: each would else pay the start of a JVM, which is most of a small shop's night."""
    from spark_jobs.session import open_session

    session = open_session(settings, Paths.of(settings), "backfill-days")
    session.conf.set("spark.sql.shuffle.partitions", "2")  # of a few hundred rows
    try:
        yield session
    finally:
        session.stop()


def compare(settings: Settings, users: int, number: int, marts_every: int) -> dict[str, Any]:
    """Build both ways; what differs stands in ``different``."""
    days = eventful(days_of(users, number))
    result: dict[str, Any] = {"days": len(days), "events": sum(len(day.lines) + len(day.belated) for day in days.values())}
    nights_s, continued, began = list[float](), 0, time.monotonic()
    with _session(settings) as session:
        nights, at = Nights(session, settings, days), time.monotonic()
        for day_number, day in enumerate(nights, 1):
            nights_s.append(round(time.monotonic() - at, 1))
            print(f"{day}: {nights_s[-1]} s", file=sys.stderr, flush=True)
            if day_number % marts_every == 0 or day_number > len(days) - LAST_NIGHTS:
                lines, _ = run_measured(MARTS, settings.var)
                continued += any(line.startswith("continues version") for line in lines)
            at = time.monotonic()
    one_by_one = contents(settings)
    result |= {"refused": nights.refused, "marts_continued": continued, "night_by_night_s": round(time.monotonic() - began, 1)}
    tenth = max(1, len(nights_s) // 10)
    result["a_night_s"] = [statistics.median(nights_s[:tenth]), statistics.median(nights_s[-tenth:])]
    first, *_, last = days
    began = time.monotonic()
    silver = ["spark_jobs", "silver", "--batch", f"live-{first}", "--to", f"live-{last}", "--shop", MODEL]
    run_measured([sys.executable, "-m", *silver], settings.var)
    run_measured([*MARTS, "--whole"], settings.var)
    at_once = contents(settings)
    result |= {"backfill_s": round(time.monotonic() - began, 1), "tables": len(one_by_one)}
    result["empty"] = sorted(table for table, content in at_once.items() if content[0][0] == 0)
    result["different"] = differences(one_by_one, at_once)
    return result


def main() -> int:
    """Build both ways and compare; exit code 1 when a table differs, a gate refused a day, or no build of marts went on."""
    parser = argparse.ArgumentParser(prog="jishi bench backfill-days", description=__doc__)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--users", type=int, default=60, help="shoppers of the shop")
    parser.add_argument("--marts-every", type=int, default=15, help="nights from one build of the marts to the next")
    parser.add_argument("--folder", type=user_path, help="where the platform's state is kept; temporary if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jishi-bench-") as name:
        settings = settings_of((chosen.folder or Path(name)) / "var")
        result = compare(settings, chosen.users, chosen.days, chosen.marts_every)
    result["load_average"] = round(os.getloadavg()[0], 1)
    if chosen.json:
        print(json.dumps(result, default=str))
    else:
        Console().print(result)
    return 1 if result["different"] or result["refused"] or not result["marts_continued"] else 0


if __name__ == "__main__":
    sys.exit(main())
