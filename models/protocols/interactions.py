"""Judge a recommender on any table of interactions.

Train and test have the columns ``user_id`` and ``item_id`` (text or whole numbers of any size), and may have ``timestamp`` (a
time or a number that grows with time) and ``weight`` (how much a row says of a preference). Training rows may have ``category``
and ``shop_id`` of the item (slices), test rows ``amount``, what the row brought in (metrics weighted by revenue).

- For every test user all items of the catalogue are ranked, except those of the user's own training rows. The catalogue is what
  the training rows name. Nothing is sampled.
- Recall@k = hits in the first k / test items of the user; NDCG@k has binary gain and an ideal list of min(test items, k) hits;
  both are means over test users, with a 95 % bootstrap interval.
- A test user without training rows is judged like all others and gets what is popular.
- A test item that no training row names, and one that the user's training rows name, counts as relevant and can never be hit:
  nobody could have recommended it, and hiding it would flatter.
- Rows of the same user and item count once; their weights are added. A row of weight 0 says nothing and is dropped; weights
  that are empty, NaN or below 0 are refused.
- Results do not depend on the order of rows: items are numbered by falling popularity, so that equal scores go to the popular
  one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from models.algorithms.recommender import Scores
from models.data.sequences import Numbers
from models.protocols import tables
from models.protocols.item_groups import commonest

REQUIRED, OPTIONAL = ("user_id", "item_id"), ("timestamp", "weight", "category", "shop_id", "amount")
BY_ITEM = ("category", "shop_id")


@dataclass(frozen=True)
class Pairs:
    """Distinct pairs of user and item, ordered by user and item: weight (> 0) and last instant."""

    user: Numbers
    item: Numbers
    weight: npt.NDArray[np.float64]
    at: npt.NDArray[np.float64] | None
    users: int
    items: int

    def __len__(self) -> int:
        return len(self.user)

    def where(self, mask: npt.NDArray[np.bool_]) -> Pairs:
        """The pairs of the mask, over the same users and items."""
        at = None if self.at is None else self.at[mask]
        return Pairs(self.user[mask], self.item[mask], self.weight[mask], at, self.users, self.items)

    def matrix(self) -> sparse.csr_matrix:
        """Users × items, float32, weights with a mean of 1."""
        scaled = (self.weight / self.weight.mean()).astype(np.float32) if len(self) else self.weight.astype(np.float32)
        return sparse.csr_matrix((scaled, (self.user, self.item)), shape=(self.users, self.items))

    def sales(self) -> Scores:
        """Users of each item."""
        return np.bincount(self.item, minlength=self.items).astype(np.float32)

    def has_weights(self) -> bool:
        """Whether weights differ."""
        return len(self) > 0 and bool(np.ptp(self.weight) > 0)


@dataclass(frozen=True)
class TestRows:
    """The test rows that count: the user's place among the judged, the item's number (−1 if unknown), and the rows as read."""

    user: Numbers
    item: Numbers
    table: pa.Table


@dataclass(frozen=True)
class InteractionTask:
    """What a model learns from and what it is judged by."""

    train: Pairs
    histories: sparse.csr_matrix  # test users × items: their training rows
    relevant: sparse.csr_matrix  # test users × items: their test items within the catalogue
    counts: Numbers  # test items of each test user, unknown ones among them
    judged: Numbers  # number of each test user; from ``train.users`` on for one without training rows
    is_later: bool  # whether each user's test rows come after the training rows, as far as instants tell
    user_ids: pa.Array  # of the training rows, sorted
    item_ids: pa.Array  # by number
    rows: TestRows
    by_item: dict[str, npt.NDArray[np.str_]]  # of each item: the columns of ``BY_ITEM`` that the training rows have
    facts: dict[str, Any]


def read_task(train_file: Path, test_file: Path) -> InteractionTask:
    """Read and check both files. Raises BadTable."""
    files = (train_file, test_file)
    train, test = (tables.read_table(file, REQUIRED, OPTIONAL) for file in files)
    coded = {}
    for column in REQUIRED:
        pair = (tables.ids(train, column, train_file), tables.ids(test, column, test_file))
        coded[column] = tables.number(*tables.same_kind(*pair, column, files))
    (users, user, test_user), (items, item, test_item) = coded["user_id"], coded["item_id"]
    at, test_at = _instants(train, train_file), _instants(test, test_file)
    weight, test_weight = _weights(train, train_file), _weights(test, test_file)
    new_test_user = _number_strangers(test, test_file, test_user, len(users))
    kept = weight > 0
    if not kept.any():
        raise tables.BadTable(f"{train_file}: column 'weight' is 0 in every row; nothing can be learnt from it")
    pairs, rank = _pairs(user[kept], item[kept], weight[kept], None if at is None else at[kept], len(users), len(items))
    is_positive = test_weight > 0
    if not is_positive.any():
        raise tables.BadTable(f"{test_file}: column 'weight' is 0 in every row; there is nothing to judge by")
    judged, relevant, counts = _relevant(
        new_test_user[is_positive], test_item[is_positive], test, is_positive, rank, len(items)
    )
    histories = _rows(pairs.matrix(), judged, len(users))
    overlap = int(relevant.multiply(histories > 0).nnz)
    facts = {
        "train_rows": train.num_rows,
        "train_pairs": len(pairs),
        "users": len(users),
        "items": len(items),
        "test_rows": test.num_rows,
        "test_users": len(judged),
        "test_users_without_training_rows": int((judged >= len(users)).sum()),
        "test_pairs": int(counts.sum()),
        "test_pairs_of_unknown_items": int(counts.sum() - relevant.nnz),
        "test_pairs_already_in_train": overlap,
    }
    by_number = items.take(pa.array(np.argsort(rank)))
    is_later = _is_later(user, at, new_test_user, test_at, len(users))
    row = np.searchsorted(judged, new_test_user[is_positive])
    known = test_item[is_positive]
    rows = TestRows(row, np.where(known >= 0, rank[known], -1), test.filter(pa.array(is_positive)))
    by_item = {
        name: commonest(tables.text(train, name, train_file), rank[item], len(items))
        for name in BY_ITEM
        if name in train.column_names
    }
    return InteractionTask(pairs, histories, relevant, counts, judged, is_later, users, by_number, rows, by_item, facts)


def _weights(table: pa.Table, file: Path) -> npt.NDArray[np.float64]:
    if "weight" not in table.column_names:
        return np.ones(table.num_rows)
    return tables.numbers(table, "weight", file, least=0)


def _instants(table: pa.Table, file: Path) -> npt.NDArray[np.float64] | None:
    return tables.instants(table, "timestamp", file) if "timestamp" in table.column_names else None


def _number_strangers(test: pa.Table, file: Path, test_user: Numbers, known: int) -> Numbers:
    """Test users that training does not know get numbers from ``known`` on, in the order of their ids."""
    strangers = test_user < 0
    if not strangers.any():
        return test_user
    names = tables.ids(test, "user_id", file).filter(pa.array(strangers)).to_numpy(zero_copy_only=False)
    numbered = test_user.copy()
    numbered[strangers] = known + np.unique(names, return_inverse=True)[1]
    return numbered


def _pairs(
    user: Numbers, item: Numbers, weight: npt.NDArray[np.float64], at: npt.NDArray[np.float64] | None, users: int, items: int
) -> tuple[Pairs, Numbers]:
    """Distinct pairs over items renumbered by falling popularity, and the new number of each old one."""
    key, where = np.unique(user * items + item, return_inverse=True)
    summed = np.bincount(where, weights=weight).astype(np.float64)
    last = None
    if at is not None:
        last = np.full(len(key), -np.inf)
        np.maximum.at(last, where, at)
    popularity = np.bincount(key % items, minlength=items)
    rank = np.empty(items, dtype=np.int64)
    rank[np.lexsort((np.arange(items), -popularity))] = np.arange(items)
    owner, renamed = key // items, rank[key % items]
    order = np.lexsort((renamed, owner))
    pairs = Pairs(owner[order], renamed[order], summed[order], None if last is None else last[order], users, items)
    return pairs, rank


def _relevant(
    user: Numbers, item: Numbers, test: pa.Table, is_positive: npt.NDArray[np.bool_], rank: Numbers, items: int
) -> tuple[Numbers, sparse.csr_matrix, Numbers]:
    """Test users in order, their known test items, and how many test items each has in all."""
    judged, row = np.unique(user, return_inverse=True)
    known = item >= 0
    pairs = np.unique(row[known] * items + rank[item[known]])
    ones = np.ones(len(pairs), dtype=np.float32)
    relevant = sparse.csr_matrix((ones, (pairs // items, pairs % items)), shape=(len(judged), items))
    names = test.column("item_id").combine_chunks().filter(pa.array(is_positive)).filter(pa.array(~known))
    strange = names.dictionary_encode()
    codes = strange.indices.to_numpy(zero_copy_only=False).astype(np.int64) if len(names) else np.empty(0, dtype=np.int64)
    unknown = np.unique(row[~known] * max(1, len(names)) + codes)
    counts = np.diff(relevant.indptr) + np.bincount(unknown // max(1, len(names)), minlength=len(judged))
    return judged, relevant, counts.astype(np.int64)


def _rows(matrix: sparse.csr_matrix, users: Numbers, known: int) -> sparse.csr_matrix:
    """Rows of users; an empty row for each stranger (numbers from ``known`` on come last)."""
    old = users[users < known]
    empty = sparse.csr_matrix((len(users) - len(old), matrix.shape[1]), dtype=np.float32)
    return sparse.csr_matrix(sparse.vstack([matrix[old], empty], format="csr"))


def _is_later(
    user: Numbers, at: npt.NDArray[np.float64] | None, test_user: Numbers, test_at: npt.NDArray[np.float64] | None, users: int
) -> bool:
    """Whether instants vary and no test row of a known user precedes that user's last training row."""
    if at is None or test_at is None or np.ptp(at) == 0:
        return False
    last = np.full(users, -np.inf)
    np.maximum.at(last, user, at)
    old = test_user < users
    return bool((test_at[old] >= last[test_user[old]]).all())
