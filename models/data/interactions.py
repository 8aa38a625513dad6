"""Who did what with which item when: read from silver, and as a sparse matrix over stable indices."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.preference import WEIGHTS
from models.data.act_contexts import CONTEXT, CONTEXT_OF_ACTS, ActContexts
from models.data.known_acts import KNOWN_ACTS
from models.data.persons_at_cut import view_persons_then

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Interactions:
    """Acts of one shop, in columns of equal length, ordered by time, person and item.

    ``person`` and ``item`` index ``person_ids`` and ``item_ids`` (both sorted); ``kind`` is one of
    ``jishi.preference.WEIGHTS``; times are UTC, ``known_at`` that of the repair where one made the act good.
    ``contexts``: by what each act came, where that was read.
    """

    person_ids: npt.NDArray[np.str_]
    item_ids: npt.NDArray[np.str_]
    person: npt.NDArray[np.int64]
    item: npt.NDArray[np.int64]
    kind: npt.NDArray[np.str_]
    occurred_at: npt.NDArray[np.datetime64]
    known_at: npt.NDArray[np.datetime64]
    contexts: ActContexts | None = None

    def __len__(self) -> int:
        return len(self.person)

    def where(self, mask: npt.NDArray[np.bool_]) -> Interactions:
        """The rows of the mask, over the same persons and items."""
        return Interactions(
            self.person_ids,
            self.item_ids,
            self.person[mask],
            self.item[mask],
            self.kind[mask],
            self.occurred_at[mask],
            self.known_at[mask],
            None if self.contexts is None else self.contexts.where(mask),
        )

    def of_persons(self, kept: npt.NDArray[np.int64]) -> Interactions:
        """The acts of some persons (numbers, rising), who are numbered anew in that order."""
        number = np.full(len(self.person_ids), -1, dtype=np.int64)
        number[kept] = np.arange(len(kept))
        part = self.where(number[self.person] >= 0)
        return replace(part, person_ids=self.person_ids[kept], person=number[part.person])

    def matrix(self) -> sparse.csr_matrix:
        """Persons × items, float32: the strength of each preference (``jishi.preference``)."""
        weights = np.zeros(len(self), dtype=np.float32)
        for kind, weight in WEIGHTS.items():
            weights[self.kind == kind] = weight
        shape = (len(self.person_ids), len(self.item_ids))
        matrix = sparse.coo_matrix((weights, (self.person, self.item)), shape=shape).tocsr()
        matrix.sum_duplicates()
        matrix.data = np.log1p(matrix.data)
        return matrix

    def sales(self) -> npt.NDArray[np.float32]:
        """Payments of each item, views counting a hundredth, so that items nobody bought yet have an order too."""
        paid = np.bincount(self.item[self.kind == "pay"], minlength=len(self.item_ids))
        seen = np.bincount(self.item[self.kind == "view"], minlength=len(self.item_ids))
        return sales_of(paid, seen)


def sales_of(paid: npt.NDArray[np.int64], seen: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """What popularity goes by, from the payments and views of each item."""
    return (paid + 0.01 * seen).astype(np.float32)


def by_sales(sales: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Items by falling sales, equal ones by number."""
    return np.lexsort((np.arange(len(sales)), -sales)).astype(np.int64)


class NoInteractions(ValueError):
    """A shop has nothing to learn from."""

    @classmethod
    def of(cls, shop_id: str) -> NoInteractions:
        """With the step that would bring some."""
        return cls(f"shop {shop_id!r} has no interactions in silver; run the silver step for it first")


NEW_FOR_DAYS = 28
_DIGESTED = 100_000  # rows at a time
# Acts of persons on items of the shop's own catalogue: what every model learns from, and is judged by.
ACTS = f"""
    from {KNOWN_ACTS} as a semi join silver_items as i on a.shop_id = i.shop_id and a.item_id = i.item_id
    where a.person_id is not null
"""
OF_SHOP = f"{ACTS} and a.shop_id = $shop\n"
# The same with persons of before a cut as they were known at it (the view of ``models.data.persons_at_cut``).
OF_SHOP_THEN = OF_SHOP.replace(KNOWN_ACTS, "interactions_then")
IN_ORDER = "order by a.occurred_at, a.person_id, a.item_id, a.kind, a.event_id, a.line_number"


def known_before(before: datetime | None) -> str:
    """What ``OF_SHOP`` also asks for the acts that ``models.data.split.Window`` trains on; nothing without a cut."""
    return "" if before is None else " and a.occurred_at < $before and a.known_at < $before"


def cut_value(before: datetime | None) -> dict[str, datetime]:
    """The value that ``known_before`` asks for."""
    return {} if before is None else {"before": before}


def read_interactions(lake: LakeVersion, shop_id: str) -> Interactions:
    """Acts of a shop on items of its own catalogue; items listed within ``NEW_FOR_DAYS`` of the newest act are among its items
    though nobody has touched them yet. Raises NoInteractions with the step that would bring some.
    """
    with open_lake(lake) as connection:
        return _read(connection, shop_id, OF_SHOP)


def with_persons_then(lake: LakeVersion, shop_id: str, interactions: Interactions, cut: np.datetime64) -> Interactions:
    """The same acts, the persons of those before ``cut`` as they were known at it: what a split by the cut trains on and is
    judged by.
    """
    with open_lake(lake) as connection:
        is_other = view_persons_then(connection, lake, shop_id, instant(cut))
        return _read(connection, shop_id, OF_SHOP_THEN) if is_other else interactions


def _read(connection: duckdb.DuckDBPyConnection, shop_id: str, of_shop: str) -> Interactions:
    acts = f"select a.person_id, a.item_id, a.kind, a.occurred_at, a.known_at, a.event_id, a.line_number {of_shop}"
    rows = connection.execute(f"{CONTEXT_OF_ACTS.format(acts=acts)} {IN_ORDER}", {"shop": shop_id}).to_arrow_table()
    listed = recently_listed(connection, shop_id)
    if rows.num_rows == 0:
        raise NoInteractions.of(shop_id)
    person_ids, person = numbered(rows["person_id"])
    item_ids, item = numbered(rows["item_id"], listed)
    kinds, kind = numbered(rows["kind"])
    occurred_at, known_at = (rows[name].to_numpy().astype("datetime64[us]") for name in ("occurred_at", "known_at"))
    contexts = ActContexts.of([rows[name] for name in CONTEXT])
    return Interactions(person_ids, item_ids, person, item, kinds[kind], occurred_at, known_at, contexts)


def recently_listed(connection: duckdb.DuckDBPyConnection, shop_id: str) -> list[str]:
    """Items of the catalogue whose first ``item_changed`` is within ``NEW_FOR_DAYS`` of the shop's newest act."""
    rows = connection.execute(
        """
        select e.item_id from silver_events as e
        semi join silver_items as i on e.shop_id = i.shop_id and e.item_id = i.item_id
        where e.shop_id = ? and e.type = 'item_changed' group by 1
        having min(e.occurred_at) > (select max(occurred_at) from silver_interactions where shop_id = ?) - to_days(?)
        """,
        [shop_id, shop_id, NEW_FOR_DAYS],
    ).fetchall()
    return [item_id for (item_id,) in rows]


def numbered(column: pa.ChunkedArray, others: Sequence[str] = ()) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64]]:
    """Distinct values and ``others``, sorted, and the number of each row's; a million strings are hashed, not sorted."""
    encoded = column.combine_chunks().dictionary_encode()
    values = np.array(encoded.dictionary.to_pylist(), dtype=np.str_)
    every = np.unique(np.concatenate([values, np.array(others, dtype=np.str_)])) if len(others) else np.unique(values)
    return every, np.searchsorted(every, values)[encoded.indices.to_numpy(zero_copy_only=False)]


def instant(value: np.datetime64) -> datetime:
    """A Python datetime (UTC, naive) of an array's instant, for reports."""
    timestamp: datetime = value.astype("datetime64[us]").item()
    return timestamp


def acts_digest(interactions: Interactions) -> str:
    """SHA-256 of every act, and of by what each came where that is known of any."""
    digest = hashlib.sha256()
    for column in (interactions.person, interactions.item, interactions.occurred_at, interactions.known_at):
        digest.update(np.ascontiguousarray(column).tobytes())
    for text in (interactions.person_ids, interactions.item_ids, interactions.kind):
        for first in range(0, len(text), _DIGESTED):  # so that no string is made of every act at once
            lines = "\n".join(text[first : first + _DIGESTED].tolist())
            digest.update((f"\n{lines}" if first else lines).encode())
    if interactions.contexts is not None and interactions.contexts.values:
        digest.update("\n".join(interactions.contexts.values).encode())
        digest.update(np.ascontiguousarray(interactions.contexts.numbers).tobytes())
    return digest.hexdigest()
