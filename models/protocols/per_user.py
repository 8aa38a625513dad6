"""Metrics of each test user in a file, and two such files side by side."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.evaluation.intervals import paired_difference
from models.evaluation.metrics import Values, with_todays_names
from models.protocols import tables
from models.protocols.interactions import InteractionTask


def write_per_user(file: Path, task: InteractionTask, values: dict[str, Values]) -> None:
    """One row a test user: ``user_id`` as in the test file, and every metric."""
    _, first = np.unique(task.rows.user, return_index=True)
    users = task.rows.table.column("user_id").take(pa.array(first))
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"user_id": users, **values}), file)


def run_compare(asked: Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """The paired difference of every metric that both files have. Raises BadTable."""
    first, second = (tables.read_table(file, ["user_id"], _metrics(file)) for file in (asked.first, asked.second))
    rows = [
        _todays(table.take(pa.array(_order(table, file)))) for table, file in ((first, asked.first), (second, asked.second))
    ]
    if not rows[0].column("user_id").equals(rows[1].column("user_id")):
        raise tables.BadTable(
            f"{asked.first} and {asked.second} are over different users; judge both runs by the same test file"
        )
    shared = [name for name in rows[0].column_names if name != "user_id" and name in rows[1].column_names]
    if not shared:
        raise tables.BadTable(f"{asked.first} and {asked.second} share no metric; write both with the same --k")
    progress(f"{rows[0].num_rows:,} users; positive means that {asked.second} is better")
    differences = {}
    for name in shared:
        before, after = (
            tables.numbers(table, name, file) for table, file in zip(rows, (asked.first, asked.second), strict=True)
        )
        paired = paired_difference(before, after, seed=asked.seed)
        differences[name] = {**paired.difference.as_json(), "p_value": round(paired.p_value, 6)}
        low, high = paired.difference.low, paired.difference.high
        progress(f"{name}: {paired.difference.mean:+.4f} [{low:+.4f}, {high:+.4f}], p = {paired.p_value:.4f}")
    return {"protocol": "compare", "users": rows[0].num_rows, "differences": differences}


def _todays(table: pa.Table) -> pa.Table:
    return table.rename_columns(list(with_todays_names(dict.fromkeys(table.column_names))))


def _metrics(file: Path) -> list[str]:
    try:
        return [name for name in pq.ParquetFile(file).schema_arrow.names if name != "user_id"]
    except (pa.ArrowInvalid, OSError):
        return []  # the read that follows reports what is wrong with the file


def _order(table: pa.Table, file: Path) -> np.ndarray:
    users = tables.ids(table, "user_id", file)
    order = np.asarray(pa.compute.array_sort_indices(users).to_numpy(zero_copy_only=False))
    if len(users.unique()) != len(users):
        raise tables.BadTable(f"{file}: column 'user_id' names a user twice; give a file that --per-user wrote")
    return order
