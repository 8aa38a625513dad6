"""What a shop's models are judged by, read without the rest: the split, and the acts of those who acted in the test days.

A candidate made from tables is of a shop whose acts need not fit memory. Every question of the judges is about a person who
acted in the test interval, so nobody else's acts are read; what all acts say together (split, digest) is added up by DuckDB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from models.data.interactions import (
    IN_ORDER,
    OF_SHOP,
    OF_SHOP_THEN,
    Interactions,
    NoInteractions,
    cut_value,
    instant,
    known_before,
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
    of_row = "hash(a.person_id, a.item_id, a.kind, a.occurred_at, a.received_at)"
    sql = f"select count(*), min(a.occurred_at), max(a.occurred_at), sum({of_row})::varchar {OF_SHOP}{known_before(before)}"
    row = connection.execute(sql, {"shop": shop_id} | cut_value(before)).fetchone()
    if row is None or row[0] == 0:
        raise NoInteractions.of(shop_id)
    return Acts(*row)


def split(connection: duckdb.DuckDBPyConnection, shop_id: str) -> SplitWindow:
    """The window by which a shop's models are judged. Raises NoInteractions and TooShort."""
    describe(connection, shop_id)
    sql = f"select distinct a.occurred_at::date as day {OF_SHOP} and a.kind = 'pay'"
    days = connection.execute(sql, {"shop": shop_id}).fetchnumpy()["day"]
    return last_active_days(np.asarray(days, dtype="datetime64[us]"))


def read_judged(
    connection: duckdb.DuckDBPyConnection, shop_id: str, window: SplitWindow, item_ids: Sequence[str], person_ids: Sequence[str]
) -> Interactions:
    """All acts of at most ``MOST_PERSONS`` persons who acted in the test interval, over the items and persons of a candidate.

    The ids are sorted and name every item and person of the shop's acts. Persons of before the cut are those known at it, by
    the view ``interactions_then`` (``models.data.persons_at_cut``).
    """
    interval = {"shop": shop_id, "test_from": instant(window.test_from), "end": instant(window.end)}
    in_test = f"select distinct a.person_id {OF_SHOP_THEN} and a.occurred_at >= $test_from and a.occurred_at < $end order by 1"
    people = connection.execute(in_test, interval).to_arrow_table()["person_id"]
    rows = evenly_spaced(len(people), MOST_PERSONS)
    connection.register("judged_persons", pa.table({"person_id": people.take(pa.array(rows))}))
    theirs = "and a.person_id in (select person_id from judged_persons)"
    table = connection.execute(
        f"select a.person_id, a.item_id, a.kind, a.occurred_at, a.received_at {OF_SHOP_THEN} {theirs} {IN_ORDER}",
        {"shop": shop_id},
    ).to_arrow_table()
    persons, items = np.array(list(person_ids), dtype=np.str_), np.array(list(item_ids), dtype=np.str_)
    person, item, kind = (
        np.array(table[name].to_pylist(), dtype=np.str_).reshape(-1) for name in ("person_id", "item_id", "kind")
    )
    times = (table[name].to_numpy().astype("datetime64[us]") for name in ("occurred_at", "received_at"))
    return Interactions(persons, items, np.searchsorted(persons, person), np.searchsorted(items, item), kind, *times)
