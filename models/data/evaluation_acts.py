"""What a shop's models are judged by, read without the rest: the split, and the acts of those who acted in the test days.

Every question of the judges is about a person who acted in the test interval, so nobody else's acts are read; what all acts say
together (split, digest) is added up by DuckDB. A candidate made from tables is of a shop whose acts need not fit memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from models.data.act_contexts import CONTEXT, CONTEXT_OF_ACTS, ActContexts
from models.data.interactions import (
    IN_ORDER,
    OF_SHOP,
    OF_SHOP_THEN,
    Interactions,
    NoInteractions,
    cut_value,
    instant,
    known_before,
    numbered,
)
from models.data.sequences import evenly_spaced
from models.data.split import SplitWindow, last_active_days

if TYPE_CHECKING:
    import duckdb

MOST_PERSONS = 10_000  # evenly spaced; more would narrow intervals that are narrow already


@dataclass(frozen=True)
class Acts:
    """All acts of a shop in one line: how many, from when to when, and a digest that does not depend on their order."""

    count: int
    first: datetime
    last: datetime
    digest: str


def describe(connection: duckdb.DuckDBPyConnection, shop_id: str, before: datetime | None = None) -> Acts:
    """The acts of a shop, with ``before`` those that had happened and were known. Raises NoInteractions."""
    of_row = "hash(a.person_id, a.item_id, a.kind, a.occurred_at, a.known_at)"
    sql = f"select count(*), min(a.occurred_at), max(a.occurred_at), sum({of_row})::varchar {OF_SHOP}{known_before(before)}"
    row = connection.execute(sql, {"shop": shop_id} | cut_value(before)).fetchone()
    if row is None or row[0] == 0:
        raise NoInteractions.of(shop_id)
    return Acts(*row)


def digest_with_contexts(connection: duckdb.DuckDBPyConnection, shop_id: str) -> str:
    """A digest of all acts and of by what each came, that does not depend on their order. Raises NoInteractions."""
    sums = [describe(connection, shop_id).digest]
    for columns, table in (("channel, device, city", "silver_events"), ("delivery_region", "silver_orders")):
        of_acts = f"shop_id = $shop and event_id in (select a.event_id {OF_SHOP})"
        sql = f"select coalesce(sum(hash(event_id, {columns})), 0)::varchar from {table} where {of_acts}"
        sums += connection.execute(sql, {"shop": shop_id}).fetchall()[0]
    return "-".join(sums)


def split(connection: duckdb.DuckDBPyConnection, shop_id: str) -> SplitWindow:
    """The window by which a shop's models are judged. Raises NoInteractions and TooShort."""
    describe(connection, shop_id)
    sql = f"select distinct a.occurred_at::date as day {OF_SHOP} and a.kind = 'pay'"
    days = connection.execute(sql, {"shop": shop_id}).fetchnumpy()["day"]
    return last_active_days(np.asarray(days, dtype="datetime64[us]"))


def read_judged(
    connection: duckdb.DuckDBPyConnection,
    shop_id: str,
    window: SplitWindow,
    item_ids: Sequence[str],
    person_ids: Sequence[str],
    *,
    has_contexts: bool = False,
) -> Interactions:
    """All acts of at most ``MOST_PERSONS`` persons who acted in the test interval, over the items and persons of a candidate.

    The ids are sorted and name every item and person of the shop's acts. Persons of before the cut are those known at it, by
    the view ``interactions_then`` (``models.data.persons_at_cut``). ``has_contexts``: by what each act came is read, too.
    """
    interval = {"shop": shop_id, "test_from": instant(window.test_from), "end": instant(window.end)}
    in_test = f"select distinct a.person_id {OF_SHOP_THEN} and a.occurred_at >= $test_from and a.occurred_at < $end order by 1"
    people = connection.execute(in_test, interval).to_arrow_table()["person_id"]
    rows = evenly_spaced(len(people), MOST_PERSONS)
    connection.register("judged_persons", pa.table({"person_id": people.take(pa.array(rows))}))
    theirs = "and a.person_id in (select person_id from judged_persons)"
    columns = "a.person_id, a.item_id, a.kind, a.occurred_at, a.known_at, a.event_id, a.line_number"
    acts = f"select {columns} {OF_SHOP_THEN} {theirs}"
    query = f"{CONTEXT_OF_ACTS.format(acts=acts)} {IN_ORDER}" if has_contexts else f"{acts} {IN_ORDER}"
    table = connection.execute(query, {"shop": shop_id}).to_arrow_table()
    persons, items = np.array(list(person_ids), dtype=np.str_), np.array(list(item_ids), dtype=np.str_)
    (who, person), (which, item), (kinds, kind) = (numbered(table[name]) for name in ("person_id", "item_id", "kind"))
    person, item = np.searchsorted(persons, who)[person], np.searchsorted(items, which)[item]
    occurred_at, known_at = (table[name].to_numpy().astype("datetime64[us]") for name in ("occurred_at", "known_at"))
    contexts = ActContexts.of([table[name] for name in CONTEXT]) if has_contexts else None
    return Interactions(persons, items, person, item, kinds[kind], occurred_at, known_at, contexts)
