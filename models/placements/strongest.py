"""Of each row the strongest items of a product of sparse matrices, and what made each strong; compiled."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.sessions.live import sorted_head
from models.sessions.sequences import Numbers

Values = npt.NDArray[np.float32]


def strongest(causes: sparse.csr_matrix, effects: sparse.csr_matrix, fill: Numbers, k: int) -> tuple[Numbers, Values, Numbers]:
    """Items, strengths and causes of the best ``k`` entries above zero of each row of causes × effects, best first.

    Equal strengths in the order of ``fill``, which names every item once. The cause is the column of ``causes`` that gave most.
    Places without an item hold −1, 0 and −1. Both matrices hold nothing below zero.
    """
    place = np.empty(len(fill), dtype=np.int64)
    place[fill] = np.arange(len(fill))
    rows = causes.shape[0]
    found, strength, because = (
        np.full((rows, k), -1, np.int64),
        np.zeros((rows, k), np.float32),
        np.full((rows, k), -1, np.int64),
    )
    arguments: tuple[Any, ...] = (
        *(causes.indptr.astype(np.int64), causes.indices.astype(np.int32), causes.data.astype(np.float32)),
        *(effects.indptr.astype(np.int64), place[effects.indices].astype(np.int32), effects.data.astype(np.float32)),
        *(len(fill), found, strength, because),
    )
    _strongest(*arguments)
    return np.where(found >= 0, fill[found], -1), strength, because


@numba.njit(cache=True, nogil=True)
def _strongest(
    starts: Any,
    causes: Any,
    weights: Any,
    effect_starts: Any,
    effects: Any,
    effect_weights: Any,
    items: int,
    found: Any,
    strength: Any,
    because: Any,
) -> None:
    total, best = np.zeros(items, dtype=np.float32), np.zeros(items, dtype=np.float32)
    cause_of, touched = np.empty(items, dtype=np.int64), np.empty(items, dtype=np.int32)
    for row in range(len(starts) - 1):
        count = 0
        for entry in range(starts[row], starts[row + 1]):
            cause = causes[entry]
            for place in range(effect_starts[cause], effect_starts[cause + 1]):
                item, given = effects[place], weights[entry] * effect_weights[place]
                if given <= 0:
                    continue
                if total[item] == 0:
                    touched[count] = item
                    count += 1
                total[item] += given
                if given > best[item]:
                    best[item], cause_of[item] = given, cause
        if count > 0:
            head, values = sorted_head(touched[:count], total, found.shape[1])
            for place in range(len(head)):
                found[row, place], strength[row, place], because[row, place] = head[place], values[place], cause_of[head[place]]
        for place in range(count):
            total[touched[place]] = best[touched[place]] = 0
