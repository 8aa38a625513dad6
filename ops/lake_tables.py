"""``python -m ops.lake_tables``: make what the lake lacks of its declared tables and columns; before anything writes to it.

When the machine has started anew since, tables of which a power cut has taken files go back to what is whole.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from jishi.files import write_atomically
from jishi.lake.catalog import CatalogSettingWrong, identifier, warehouse
from jishi.lake.restoring import LakeDamaged, restore_tables
from jishi.lake.table_creation import TableConflict, create_tables
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.tables import BRONZE_LIVE


def main() -> int:
    """Make them; returns the exit code."""
    argparse.ArgumentParser(prog="python -m ops.lake_tables", description=__doc__.partition("\n\n")[2]).parse_args()
    settings = get_settings()
    try:
        restore_after_start(settings, Path("/proc/sys/kernel/random/boot_id"))
        create_tables(settings)
    except (CatalogSettingWrong, LakeDamaged, TableConflict) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"the lake's tables are in {warehouse(settings)}")
    return 0


def restore_after_start(settings: Settings, boot_id: Path) -> None:
    """Check the tables once for each start of the machine, which ``boot_id`` names; without that file always."""
    paths = Paths.of(settings)
    current, noted = boot_id.read_text(encoding="utf-8") if boot_id.exists() else "", paths.lake / "boot-id"
    if not paths.lake.exists() or (current and noted.exists() and noted.read_text(encoding="utf-8") == current):
        return
    restored = restore_tables(settings)
    for table, metadata in restored.items():
        print(f"{table} lost its newest files with the machine and is as {metadata} says; no recorded version is concerned")
    if identifier(BRONZE_LIVE.name) in restored and (checkpoints := paths.flink / "checkpoints").exists():
        aside = checkpoints.with_name(f"checkpoints-before-{time.time_ns()}")
        checkpoints.rename(aside)
        print(f"the stream reads the log from its start, since bronze may lack what its state knows; the state is in {aside}")
    write_atomically(noted, current)


if __name__ == "__main__":
    sys.exit(main())
