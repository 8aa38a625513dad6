"""Judge a next-basket recommender on any table of baskets.

A row is a basket: ``user_id`` and ``items``, a list (ids are text or whole numbers of any size), also ``timestamp`` if there is
one. Or a row is one line of a basket: ``user_id``, ``basket_id`` and ``item_id``; the test file may
then leave ``basket_id`` out, and a user's rows are one basket.

- Baskets of a user stand in the order of ``timestamp``; equal ones, and files without it, in that of their first rows. Items
  that come twice in a basket count once.
- With ``timestamp`` in both files a model may use when the test basket is asked for; without it in the test file nobody may.
- For each test basket the whole catalogue, what the training rows name, is ranked for its user; what the user bought before is
  not masked, because people buy again.
- Recall@k = hits / distinct items of the basket; NDCG@k has binary gain and an ideal list of min(items, k) hits; means over
  test baskets, with a 95 % bootstrap interval. A user's second test basket is ranked from the
  training rows alone, like the first.
- A user without training rows gets what is popular, and counts. An item that no training row names counts and can never be hit.
- A basket without items is dropped.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from models.data.baskets import Purchases
from models.data.sequences import Numbers
from models.evaluation.metrics import coverage
from models.lab.basket_blend import TooFewBaskets
from models.protocols import report, tables
from models.protocols.basket_choice import (
    BASKET_MODELS,
    BasketChoice,
    basket_metrics,
    choose_basket_model,
    learn_basket_blend,
    rank_baskets,
)

SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True)
class BasketTask:
    """Baskets to learn from; of each test basket its user's history, its known items, and how many it has."""

    purchases: Purchases
    histories: Purchases
    bought: sparse.csr_matrix
    counts: Numbers
    facts: dict[str, Any]


@dataclass(frozen=True)
class _Lines:
    """One entry a line: user, item, number of the basket in the file's order, and when."""

    user: pa.Array
    item: pa.Array
    basket: Numbers
    at: np.ndarray | None


def read_baskets(train_file: Path, test_file: Path) -> BasketTask:
    """Read and check both files. Raises BadTable."""
    files = (train_file, test_file)
    train, test = _lines(train_file, is_test=False), _lines(test_file, is_test=True)
    if len(train.item) == 0 or len(test.item) == 0:
        empty = train_file if len(train.item) == 0 else test_file
        raise tables.BadTable(f"{empty}: every list of column 'items' is empty; give at least one with items")
    users, user, test_user = tables.number(*tables.same_kind(train.user, test.user, "user_id", files))
    items, item, test_item = tables.number(*tables.same_kind(train.item, test.item, "items", files))
    popularity = np.bincount(item, minlength=len(items))
    place = np.empty(len(items), dtype=np.int64)
    place[np.lexsort((np.arange(len(items)), -popularity))] = np.arange(len(items))
    purchases = _purchases(user, place[item], train.basket, train.at, len(users), len(items))
    first, row = np.unique(test.basket, return_index=True)
    owner = test_user[row]
    order = np.argsort(owner, kind="stable")
    number_of = np.empty(int(first.max()) + 1, dtype=np.int64)
    number_of[first[order]] = np.arange(len(first))
    bought, counts = _bought(
        number_of[test.basket], np.where(test_item >= 0, place[test_item], -1), test.item, len(first), len(items)
    )
    judged = owner[order]
    asked_at = None
    if train.at is not None and test.at is not None:
        asked_at = _earliest(test.basket, test.at)[first[order]] / SECONDS_A_DAY
        purchases = replace(purchases, asked_at=np.full(len(users), np.nan))
    facts = {
        "train_baskets": int(purchases.baskets.sum()),
        "train_lines": len(purchases),
        "users": len(users),
        "items": len(items),
        "test_baskets": len(first),
        "test_baskets_of_unknown_users": int((judged < 0).sum()),
        "test_items": int(counts.sum()),
        "test_items_unknown": int(counts.sum() - bought.nnz),
        "test_times_known": asked_at is not None,
    }
    return BasketTask(purchases, replace(_histories(purchases, judged), asked_at=asked_at), bought, counts, facts)


def _histories(purchases: Purchases, users: Numbers) -> Purchases:
    """One row a test basket: users rise but may repeat, and −1 is somebody unknown."""
    distinct, again = np.unique(users, return_inverse=True)
    once = purchases.of(distinct)
    starts = np.searchsorted(once.user, np.arange(once.users + 1))
    lengths = np.diff(starts)[again]
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    entries = np.repeat(starts[:-1][again] - ends[:-1], lengths) + np.arange(ends[-1])
    row = np.repeat(np.arange(len(users)), lengths)
    return Purchases(row, once.item[entries], once.back[entries], once.at[entries], once.baskets[again], once.items)


def _lines(file: Path, *, is_test: bool) -> _Lines:
    present = pq.ParquetFile(file).schema_arrow.names if file.exists() and _is_parquet(file) else []
    if "items" in present or "item_id" not in present:
        table = tables.read_table(file, ["user_id", "items"], ["timestamp"])
        item, starts = tables.lists(table, "items", file)
        lengths = np.diff(starts)
        basket = np.repeat(np.arange(table.num_rows), lengths)
        user = tables.ids(table, "user_id", file).take(pa.array(basket))
        at = np.repeat(tables.instants(table, "timestamp", file), lengths) if "timestamp" in table.column_names else None
        return _Lines(user, item, basket, at)
    required = ["user_id", "item_id"] if is_test and "basket_id" not in present else ["user_id", "basket_id", "item_id"]
    table = tables.read_table(file, required, ["timestamp"])
    user = tables.ids(table, "user_id", file)
    keys = [user] if "basket_id" not in required else [user, tables.ids(table, "basket_id", file)]
    codes = [key.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64) for key in keys]
    joint = codes[0] if len(codes) == 1 else codes[0] * (int(codes[1].max()) + 1) + codes[1]
    _, first, basket = np.unique(joint, return_index=True, return_inverse=True)
    by_appearance = np.empty(len(first), dtype=np.int64)
    by_appearance[np.argsort(first)] = np.arange(len(first))
    at = tables.instants(table, "timestamp", file) if "timestamp" in table.column_names else None
    return _Lines(user, tables.ids(table, "item_id", file), by_appearance[basket], at)


def _is_parquet(file: Path) -> bool:
    try:
        pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError):
        return False
    return True


def _earliest(basket: Numbers, at: np.ndarray) -> np.ndarray:
    """The least time of each basket's lines, infinite where a number has none."""
    when = np.full(int(basket.max()) + 1, np.inf)
    np.minimum.at(when, basket, at)
    return when


def _purchases(user: Numbers, item: Numbers, basket: Numbers, at: np.ndarray | None, users: int, items: int) -> Purchases:
    number = int(basket.max()) + 1
    owner = np.full(number, -1, dtype=np.int64)
    owner[basket] = user
    when = np.arange(number, dtype=np.float64) if at is None else _earliest(basket, at)
    filled = np.flatnonzero(owner >= 0)
    order = filled[np.lexsort((filled, when[filled], owner[filled]))]
    counts = np.bincount(owner[order], minlength=users)
    ends = np.cumsum(counts)
    back = np.full(number, -1, dtype=np.int64)
    back[order] = np.repeat(ends, counts) - 1 - np.arange(len(order))
    # Without times the number of the basket within its user is the clock.
    clock = when / SECONDS_A_DAY if at is not None else (counts[np.maximum(owner, 0)] - back).astype(np.float64)
    pair = np.unique(basket * items + item)
    held, bought = pair // items, pair % items
    rows = np.lexsort((bought, -back[held], owner[held]))
    held, bought = held[rows], bought[rows]
    return Purchases(owner[held], bought, back[held], clock[held], counts.astype(np.int64), items)


def _bought(basket: Numbers, item: Numbers, ids: pa.Array, baskets: int, items: int) -> tuple[sparse.csr_matrix, Numbers]:
    """Known distinct items of each test basket, and how many distinct ones it has in all."""
    codes = ids.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    size = int(codes.max()) + 1
    counts = np.bincount(np.unique(basket * size + codes) // size, minlength=baskets)
    known = item >= 0
    pair = np.unique(basket[known] * items + item[known])
    ones = np.ones(len(pair), dtype=np.float32)
    return sparse.csr_matrix((ones, (pair // items, pair % items)), shape=(baskets, items)), counts.astype(np.int64)


def run_baskets(asked: Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """The report. Raises BadTable."""
    watch = report.Stopwatch()
    task = read_baskets(asked.train, asked.test)
    watch.lap("read")
    progress(f"{task.facts['train_baskets']:,} baskets of {task.facts['users']:,} users and {task.facts['items']:,} items")
    ks = sorted(set(asked.k))
    choice = _chosen(task.purchases, asked, ks[0], progress)
    watch.lap("fit")
    lists = rank_baskets(choice.model, task.histories, ks[-1])
    watch.lap("rank")
    values = basket_metrics(lists, task.bought, task.counts, ks)
    is_known = task.histories.baskets > 0
    report.write_rows(asked.per_user, values)
    result = {
        "protocol": "baskets",
        "model": asked.model,
        **report.summarise(values),
        **{f"coverage@{k}": round(coverage(lists[:, :k], task.facts["items"]), 6) for k in ks},
        "slices": report.slices(values, {"with_training_rows": is_known, "without_training_rows": ~is_known}, "baskets"),
        "chosen": {"model": choice.name, "parameters": choice.parameters},
        "trials": choice.trials,
        "data": task.facts,
        "seed": asked.seed,
    }
    watch.lap("measure")
    return {**result, "seconds": watch.as_json(), "machine": report.machine()}


def _chosen(purchases: Purchases, asked: Namespace, k: int, progress: Callable[[str], None]) -> BasketChoice:
    if asked.model == "auto":
        return choose_basket_model(purchases, k, asked.seed, progress)
    if asked.model == "blend":
        try:
            return BasketChoice(learn_basket_blend(purchases, asked.seed), "blend", {})
        except TooFewBaskets as error:
            raise tables.BadTable(f"{asked.train}: the blend cannot be learnt: {error}; use tifu_knn or auto") from error
    return BasketChoice(BASKET_MODELS[asked.model](**asked.parameters).fit(purchases), asked.model, asked.parameters)
