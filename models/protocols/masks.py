"""Pairs that are never recommended, besides a user's own training items."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import sparse

from models.data.sequences import Numbers
from models.protocols import tables
from models.protocols.interactions import REQUIRED, InteractionTask


def read_mask(file: Path, task: InteractionTask) -> sparse.csr_matrix:
    """Pairs never to recommend, test users × items; those of unknown users and items are of no effect. Raises BadTable."""
    table = tables.read_table(file, REQUIRED)
    user = _numbers_of(tables.ids(table, "user_id", file), task.user_ids)
    item = _numbers_of(tables.ids(table, "item_id", file), task.item_ids)
    row = np.searchsorted(task.judged, user)
    row[row == len(task.judged)] = 0
    kept = (user >= 0) & (item >= 0) & (task.judged[row] == user)
    ones = np.ones(int(kept.sum()), dtype=np.float32)
    return sparse.csr_matrix((ones, (row[kept], item[kept])), shape=task.histories.shape)


def _numbers_of(values: pa.Array, known: pa.Array) -> Numbers:
    return tables.numbers_of(values if values.type == known.type else values.cast(known.type), known)
