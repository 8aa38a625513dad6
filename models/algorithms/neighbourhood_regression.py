"""Ridge regression of every item on its own neighbourhood: the sparse form of EASE, and close kin of SLIM without its L1 term.

SLIM (Ning & Karypis, ICDM 2011) also keeps few non-zero weights an item; choosing them by cosine first (fsSLIM in that paper)
turns one problem of items² unknowns into many small ones that are solved exactly.

With targets of their own it is the large form of other linear models (``models.algorithms.slist``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from scipy import sparse

from models.algorithms.recommender import Scores

CHUNK = 20_000  # items whose weights are held at their widest


def regress_on_neighbours(
    x: sparse.csr_matrix,
    penalty: Scores,
    neighbours: int,
    targets: sparse.csr_matrix | None = None,
    drawn_to: sparse.csr_matrix | None = None,
) -> sparse.csr_matrix:
    """B (items × items, CSR) with at most ``neighbours`` weights a column.

    B_nj = (G_nn + diag λ_n)⁻¹ R_nj for the neighbours n of item j, where G = XᵀX and R = Xᵀ ``targets``. Without ``targets``
    they are X itself, and no item is its own neighbour. ``x``: persons × items; ``penalty``: λ of each item, above zero. It
    draws B to zero, or to the items × items of ``drawn_to``, whose entries then count among an item's neighbours.
    """
    gram = sparse.csr_matrix(x.T @ x, dtype=np.float32)
    gram.sort_indices()
    given = gram if targets is None else sparse.csr_matrix(targets.T @ x, dtype=np.float32)
    squares = gram.diagonal()
    if drawn_to is not None:
        given = sparse.csr_matrix(given + (sparse.diags(penalty) @ drawn_to).T, dtype=np.float32)
        squares = squares + penalty
    given.sort_indices()
    norms = np.sqrt(np.maximum(squares, 1e-12)).astype(np.float32)
    items = x.shape[1]
    arrays = [array for m in (given, gram) for array in (m.indptr.astype(np.int64), m.indices.astype(np.int32), m.data)]
    solve: Callable[..., None] = _solve
    parts = []
    for first in range(0, items, CHUNK):
        count = min(CHUNK, items - first)
        near, weights = np.full((count, neighbours), -1, dtype=np.int32), np.zeros((count, neighbours), dtype=np.float32)
        solve(*arrays, norms, np.asarray(penalty, dtype=np.float32), targets is not None, first, near, weights)
        known = near >= 0
        starts = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
        parts.append(sparse.csr_matrix((weights[known], near[known], starts), shape=(count, items)))
    if not parts:
        return sparse.csr_matrix((items, items), dtype=np.float32)
    return sparse.csr_matrix(sparse.vstack(parts, format="csr").T, dtype=np.float32)


@numba.njit(cache=True, nogil=True)
def _solve(
    starts: Any,
    columns: Any,
    strengths: Any,
    gram_starts: Any,
    gram_columns: Any,
    gram: Any,
    norms: Any,
    penalty: Any,
    is_itself_near: bool,
    first: int,
    near: Any,
    weights: Any,
) -> None:
    """Fill the rows of ``near`` (which holds −1) and ``weights`` for the items from ``first`` on: the most similar items by
    cosine, of equal ones those of the lowest number, and the solution of their equations.
    """
    most, place = near.shape[1], np.full(len(norms), -1, dtype=np.int64)
    for row in range(len(near)):
        item = first + row
        others, strength = columns[starts[item] : starts[item + 1]], strengths[starts[item] : starts[item + 1]]
        if not is_itself_near:
            kept = others != item
            others, strength = others[kept], strength[kept]
        if len(others) > most:
            cosine = strength / norms[others]
            best = np.sort(np.argsort(-cosine, kind="mergesort")[:most])
            others, strength = others[best], strength[best]
        count = len(others)
        if count == 0:
            continue
        block = np.zeros((count, count), dtype=np.float32)
        for here in range(count):
            place[others[here]] = here
        for here in range(count):
            for entry in range(gram_starts[others[here]], gram_starts[others[here] + 1]):
                there = place[gram_columns[entry]]
                if there >= 0:
                    block[here, there] = gram[entry]
            block[here, here] += penalty[others[here]]
        for here in range(count):
            place[others[here]] = -1
        solution = np.linalg.solve(block, strength.copy())
        for here in range(count):
            near[row, here], weights[row, here] = others[here], solution[here]
