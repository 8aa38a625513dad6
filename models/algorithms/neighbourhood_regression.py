"""Ridge regression of every item on its own neighbourhood: the sparse form of EASE, and close kin of SLIM without its L1 term.

SLIM (Ning & Karypis, ICDM 2011) also keeps few non-zero weights an item; choosing them by cosine first (fsSLIM in that paper)
turns one problem of items² unknowns into many small ones that are solved exactly.

With targets of their own it is the large form of other linear models (``models.algorithms.slist``).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Scores


def regress_on_neighbours(
    x: sparse.csr_matrix, penalty: Scores, neighbours: int, targets: sparse.csr_matrix | None = None
) -> sparse.csr_matrix:
    """B (items × items, CSR) with at most ``neighbours`` weights a column.

    B_nj = (G_nn + diag λ_n)⁻¹ R_nj for the neighbours n of item j, where G = XᵀX and R = Xᵀ ``targets``. Without ``targets``
    they are X itself, and no item is its own neighbour. ``x``: persons × items; ``penalty``: λ of each item, above zero.
    """
    gram = sparse.csr_matrix(x.T @ x, dtype=np.float32)
    gram.sort_indices()
    given = gram if targets is None else sparse.csr_matrix(targets.T @ x, dtype=np.float32)
    norms = np.sqrt(np.maximum(gram.diagonal(), 1e-12))
    place = np.full(x.shape[1], -1, dtype=np.int64)
    rows, columns, values = [], [], []
    for item in range(x.shape[1]):
        near, strength = _nearest(given, norms, item, neighbours, itself=targets is not None)
        if len(near) == 0:
            continue
        block = _submatrix(gram, near, place)
        block[np.diag_indices_from(block)] += penalty[near]
        rows.append(near)
        columns.append(np.full(len(near), item, dtype=np.int64))
        values.append(np.linalg.solve(block, strength))
    if not rows:
        return sparse.csr_matrix((x.shape[1], x.shape[1]), dtype=np.float32)
    entries = (np.concatenate(values).astype(np.float32), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.coo_matrix(entries, shape=(x.shape[1], x.shape[1])).tocsr()


def _nearest(given: sparse.csr_matrix, norms: Scores, item: int, most: int, *, itself: bool) -> tuple[np.ndarray, Scores]:
    """The most similar items by cosine, numbers rising, and their products with the item."""
    span = slice(given.indptr[item], given.indptr[item + 1])
    near, strength = given.indices[span], given.data[span]
    if not itself:
        others = near != item
        near, strength = near[others], strength[others]
    if len(near) > most:
        cosine = strength / norms[near]
        kept = np.sort(np.lexsort((near, -cosine))[:most])
        near, strength = near[kept], strength[kept]
    return near, strength


def _submatrix(gram: sparse.csr_matrix, near: np.ndarray, place: np.ndarray) -> Scores:
    """Rows and columns ``near`` of the Gram matrix, dense. ``place`` is scratch space: −1 everywhere, and left so."""
    place[near] = np.arange(len(near))
    starts, ends = gram.indptr[near], gram.indptr[near + 1]
    lengths = ends - starts
    entries = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths) + np.arange(lengths.sum())
    column = place[gram.indices[entries]]
    inside = column >= 0
    block = np.zeros((len(near), len(near)), dtype=np.float32)
    block[np.repeat(np.arange(len(near)), lengths)[inside], column[inside]] = gram.data[entries][inside]
    place[near] = -1
    return block
