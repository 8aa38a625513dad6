"""Slices by the items that are right: head and tail of popularity, categories, shops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from models.evaluation.metrics import Counts, hits_of, measure

HEAD_SHARE = 0.2
MOST_GROUPS = 20
Groups = dict[str, npt.NDArray[np.bool_]]


def commonest(values: pa.Array, item: Counts, items: int) -> npt.NDArray[np.str_]:
    """The commonest value of each item's rows (the first in order of equal ones); empty text for an item without one."""
    labels = values.to_numpy(zero_copy_only=False).astype(str)
    names, code = np.unique(labels, return_inverse=True)
    pair, count = np.unique(item * len(names) + code, return_counts=True)
    pair, count = (column[names[pair % len(names)] != ""] for column in (pair, count))
    order = np.lexsort((pair, -count, pair // len(names)))
    owner = pair[order] // len(names)
    first = np.concatenate([[True], owner[1:] != owner[:-1]]) if len(owner) else np.empty(0, dtype=np.bool_)
    result = np.full(items, "", dtype=names.dtype)
    result[owner[first]] = names[pair[order][first] % len(names)]
    return result


def groups_of(items: int, by_item: dict[str, npt.NDArray[np.str_]], relevant: sparse.csr_matrix) -> Groups:
    """Items of each group: ``head`` (the most popular fifth; items are numbered by falling popularity), ``tail``, and
    ``<column>=<value>`` for at most ``MOST_GROUPS`` values a column, those with most test items.
    """
    edge = int(np.ceil(HEAD_SHARE * items))
    groups: Groups = {"head": np.arange(items) < edge, "tail": np.arange(items) >= edge}
    asked = np.bincount(relevant.indices, minlength=items)
    for column, values in by_item.items():
        names, code = np.unique(values, return_inverse=True)
        order = np.lexsort((names, -np.bincount(code, weights=asked, minlength=len(names))))
        kept = [place for place in order if names[place] != ""][:MOST_GROUPS]
        groups |= {f"{column}={names[place]}": code == place for place in kept}
    return groups


def slices_by_item(
    lists: Counts, relevant: sparse.csr_matrix, groups: Groups, ks: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Metrics where only the items of a group are right, over the users who have one; a group without such users is left out.

    PersonLists stay as they are: a place that goes to an item of another group is a miss.
    """
    slices = {}
    for name, mask in groups.items():
        only = sparse.csr_matrix(relevant @ sparse.diags(mask.astype(np.float32)))
        only.eliminate_zeros()
        counts = np.diff(only.indptr).astype(np.int64)
        rows = np.flatnonzero(counts)
        if len(rows):
            values = measure(hits_of(lists[rows], only[rows]), counts[rows], ks)
            slices[name] = {"users": len(rows), **{metric: round(float(each.mean()), 6) for metric, each in values.items()}}
    return slices
