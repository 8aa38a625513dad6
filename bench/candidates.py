"""``jishi bench candidates``: item neighbours within persons, and candidates for each person, of a shop with a million items.

Both are the platform's own Spark commands, each from its start to its published table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import user_path
from bench.candidates_silver import SHOP, write_interactions, write_items
from bench.measured_command import run_measured
from bench.one_shop import publish_folder, register, settings_of
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.tables import ITEM_NEIGHBOURS, PERSON_CANDIDATES, SILVER_INTERACTIONS, SILVER_ITEMS, TableSchema

ACTS_OF_ITEM, ITEMS_OF_PERSON = 3, 5  # a million items: three million acts of 200,000 persons
JOBS: tuple[tuple[str, list[str], TableSchema, str], ...] = (
    ("cooccurrence", ["--within", "person"], ITEM_NEIGHBOURS, "item_id"),
    ("candidates", [], PERSON_CANDIDATES, "person_id"),
)


def make_lake(var: Path, items: int, persons: int, acts: int) -> None:
    """A lake with the silver tables of the shop, and the shop's registration."""
    register(var, SHOP)
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=var) as folder:
        write_items(Path(folder) / "items", items)
        publish_folder(var, SILVER_ITEMS, Path(folder) / "items")
        write_interactions(Path(folder) / "acts", items, persons, acts)
        publish_folder(var, SILVER_INTERACTIONS, Path(folder) / "acts")


def run(var: Path, job: str, options: list[str], schema: TableSchema, key_column: str) -> dict[str, Any]:
    """Seconds and peak memory of one job, rows of its table, and how many items or persons have some."""
    began = time.monotonic()
    _, peak = run_measured([sys.executable, "-m", "spark_jobs", job, "--shop", SHOP, *options], var)
    seconds = round(time.monotonic() - began, 1)
    with open_lake(open_version(settings_of(var))) as connection:
        counted = f"select count(*), count(distinct {key_column}) from {schema.name.replace('/', '_')}"
        rows, lists = connection.execute(counted).fetchall()[0]
    result = {"job": job, "seconds": seconds, "peak_gb": peak, "rows": rows, "lists": lists}
    print(json.dumps(result), file=sys.stderr, flush=True)
    return result


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="jishi bench candidates", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000, help="three acts an item, a person for five items")
    parser.add_argument("--folder", type=user_path, help="where the lake is written; a temporary folder if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    size = {"items": chosen.items, "persons": chosen.items // ITEMS_OF_PERSON, "acts": chosen.items * ACTS_OF_ITEM}
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=chosen.folder) as name:
        var = Path(name)
        make_lake(var, **size)
        runs = [run(var, *job) for job in JOBS]
    if chosen.json:
        print(json.dumps(size | {"runs": runs, "load_average": os.getloadavg()[0]}))
    else:
        show(size, runs)
    return 0


def show(size: dict[str, int], runs: list[dict[str, Any]]) -> None:
    """Print the runs."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    title = ", ".join(f"{count:,} {name}" for name, count in size.items())
    table = Table("job", "seconds", "rows", "items or persons with rows", "peak GB", title=title)
    for each in runs:
        table.add_row(each["job"], *(f"{each[name]:,}" for name in ("seconds", "rows", "lists", "peak_gb")))
    console.print(table)
    console.print(f"load average {os.getloadavg()[0]:.1f}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
