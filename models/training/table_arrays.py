"""Arrays of a candidate's models from the tables that Spark published and from sums over silver.

A connection of ``jishi.lake.query`` with temporary tables ``items`` and ``persons`` (``id``, ``number`` from 0 in the order of
the ids) is asked; nothing larger than the arrays themselves is held in memory.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from jishi.preference import WEIGHTS
from jishi.tables import ALS_ITEM_FACTORS, ALS_PERSON_FACTORS, BEFORE_CUT, ITEM_NEIGHBOURS, PERSON_CANDIDATES, TableSchema
from models.algorithms.buy_again import SHORTEST_GAP_DAYS, BuyAgain
from models.algorithms.recommender import Scores, State
from models.algorithms.sparse_rows import pack
from models.candidates.person_lists import LENGTH, PersonLists, origin
from models.candidates.recipes import CANDIDATES, CANDIDATES_AND_HISTORY
from models.candidates.repurchase import FILE as REPURCHASE
from models.data.interactions import OF_SHOP, OF_SHOP_THEN, cut_value, known_before, sales_of
from models.training.repurchase import chances_of

if TYPE_CHECKING:
    import duckdb


def view(schema: TableSchema, before: datetime | None) -> str:
    """The view of a table, of what all acts taught or of what was learnt up to a cut."""
    return (schema if before is None else BEFORE_CUT[schema]).name.replace("/", "_")


def read_states(
    connection: duckdb.DuckDBPyConnection, shop_id: str, items: int, persons: int, before: datetime | None
) -> dict[str, State]:
    """Arrays by file name of one part of a candidate, ``window`` (``before`` the cut) or ``full``."""
    weights = pa.table({"kind": list(WEIGHTS), "weight": list(WEIGHTS.values())})
    connection.register("weights", weights)
    within_persons = _neighbours(connection, shop_id, "person", items, before)
    itself = sparse.identity(items, dtype=np.float32, format="csr")
    return {
        "popularity": {"sales": _sales(connection, shop_id, items, before)},
        "item_knn": _as_item_knn(sparse.csr_matrix(within_persons + itself)),
        "als": {
            "item_factors": _factors(connection, ALS_ITEM_FACTORS, "item", shop_id, items, before),
            "person_factors": _factors(connection, ALS_PERSON_FACTORS, "person", shop_id, persons, before),
        },
        REPURCHASE: _repurchase_chances(connection, shop_id, items, before),
        "context_bought_together": pack("rules", _neighbours(connection, shop_id, "order", items, before)),
        f"lists_{CANDIDATES}": _candidates(connection, shop_id, persons, before).state(),
        f"lists_{CANDIDATES_AND_HISTORY}": _candidates_and_history(connection, shop_id, persons, before).state(),
    }


def _sales(connection: duckdb.DuckDBPyConnection, shop_id: str, items: int, before: datetime | None) -> Scores:
    rows = connection.execute(
        f"""
        with acts as (select a.item_id, a.kind {OF_SHOP}{known_before(before)})
        select n.number, count(*) filter (kind = 'pay') as paid, count(*) filter (kind = 'view') as seen
        from acts join items as n on acts.item_id = n.id group by 1
        """,
        {"shop": shop_id} | cut_value(before),
    ).fetchnumpy()
    paid, seen = np.zeros((2, items), dtype=np.int64)
    paid[rows["number"]], seen[rows["number"]] = rows["paid"], rows["seen"]
    return sales_of(paid, seen)


def _repurchase_chances(connection: duckdb.DuckDBPyConnection, shop_id: str, items: int, before: datetime | None) -> State:
    """``models.training.repurchase`` from sums: gaps of at least half a day between payments of a person and item."""
    of_shop = OF_SHOP if before is None else OF_SHOP_THEN
    rows = connection.execute(
        f"""
        with paid as (select a.person_id, a.item_id, a.occurred_at {of_shop} and a.kind = 'pay'{known_before(before)}),
        gaps as (
            select item_id, epoch(occurred_at - lag(occurred_at) over of_pair) / 86400 as days
            from paid window of_pair as (partition by person_id, item_id order by occurred_at)
        )
        select n.number, count(*) as bought, count(days) as gaps, coalesce(sum(ln(days)), 0) as log_gaps
        from gaps join items as n on gaps.item_id = n.id where days is null or days >= {SHORTEST_GAP_DAYS} group by 1
        """,
        {"shop": shop_id} | cut_value(before),
    ).fetchnumpy()
    sums = np.zeros((3, items))
    for row, name in zip(sums, ("log_gaps", "gaps", "bought"), strict=True):
        row[rows["number"]] = rows[name]
    return chances_of(BuyAgain().fit_sums(*sums))


def _neighbours(
    connection: duckdb.DuckDBPyConnection, shop_id: str, within: str, items: int, before: datetime | None
) -> sparse.csr_matrix:
    """Items × items, cosine; nothing of an item and itself."""
    pairs = connection.execute(
        f"""
        select i.number as item, n.number as neighbour, cosine::float as cosine from {view(ITEM_NEIGHBOURS, before)} as t
        join items as i on t.item_id = i.id join items as n on t.neighbour_id = n.id
        where t.shop_id = ? and t."within" = ?
        """,
        [shop_id, within],
    ).fetchnumpy()
    places = (np.asarray(pairs["item"]), np.asarray(pairs["neighbour"]))
    matrix = sparse.csr_matrix((np.asarray(pairs["cosine"], dtype=np.float32), places), shape=(items, items))
    matrix.sort_indices()
    return matrix


def _as_item_knn(similarities: sparse.csr_matrix) -> State:
    """State of ``ItemKNN``. An item's cosine with itself is 1; the table leaves it out, the model keeps it for buying again."""
    s = similarities
    s.sort_indices()
    size: Any = np.array([s.shape[0]], dtype=np.int64)
    return {"data": s.data, "indices": s.indices, "indptr": s.indptr, "items": size}


def _factors(
    connection: duckdb.DuckDBPyConnection, schema: TableSchema, entity: str, shop_id: str, rows: int, before: datetime | None
) -> Scores:
    """Factors in the order of the numbers; zeros for an id that the factorisation did not know."""
    joined = f"{view(schema, before)} as t join {entity}s on {entity}_id = id"
    rows_read = connection.execute(f"select number, factors from {joined} where t.shop_id = ? order by 1", [shop_id])
    table = rows_read.to_arrow_table().combine_chunks()
    flat = table["factors"].combine_chunks().flatten().to_numpy()
    factors = np.zeros((rows, len(flat) // table.num_rows), dtype=np.float32)
    factors[table["number"].to_numpy()] = flat.reshape(table.num_rows, -1)
    return factors


_CANDIDATES_SQL = (
    "select person_id, item_id, score as weight, place, because_item_id, null as baskets from {view} where shop_id = $shop"
)


def _candidates(connection: duckdb.DuckDBPyConnection, shop_id: str, persons: int, before: datetime | None) -> PersonLists:
    """The best ``LENGTH`` candidates of each person, and the item of the history that gave most of each."""
    query = _CANDIDATES_SQL.format(view=view(PERSON_CANDIDATES, before))
    return _lists(connection, query, persons, {"shop": shop_id}, "place, item")


def _candidates_and_history(
    connection: duckdb.DuckDBPyConnection, shop_id: str, persons: int, before: datetime | None
) -> PersonLists:
    """The same with the items of the history, to which each adds its strength: an item's cosine with itself is 1."""
    of_shop = OF_SHOP if before is None else OF_SHOP_THEN
    query = f"""
        with acts as (select a.person_id, a.item_id, a.kind, a.occurred_at {of_shop}{known_before(before)}),
        acted_upon as (
            select person_id, item_id, ln(1 + sum(weight)) as strength,
                count(distinct occurred_at) filter (kind = 'pay') as baskets
            from acts join weights using (kind) group by all
        ),
        weighted as (
            {_CANDIDATES_SQL.format(view=view(PERSON_CANDIDATES, before))}
            union all select person_id, item_id, strength, null, null, baskets from acted_upon
        )
        select person_id, item_id, sum(weight) as weight, any_value(because_item_id) as because_item_id, max(baskets) as baskets
        from weighted group by all
    """
    return _lists(connection, query, persons, {"shop": shop_id} | cut_value(before), "weight desc, item")


def _lists(connection: duckdb.DuckDBPyConnection, query: str, persons: int, values: dict[str, Any], order: str) -> PersonLists:
    """The first ``LENGTH`` entries of each person; ``baskets`` tells of an item of the history how often it was bought."""
    rows = connection.execute(
        f"""
        select p.number as person, i.number as item, t.weight::float as weight, coalesce(t.baskets, -1) as baskets,
            coalesce(b.number, -1) as because, row_number() over (partition by person order by t.{order}) - 1 as place
        from ({query}) as t join persons as p on t.person_id = p.id join items as i on t.item_id = i.id
        left join items as b on t.because_item_id = b.id qualify place < {LENGTH}
        """,
        values,
    ).fetchnumpy()
    here = (np.asarray(rows["person"]), np.asarray(rows["place"]))
    items, because, origins = np.full((3, persons, LENGTH), -1, dtype=np.int64)
    weights = np.zeros((persons, LENGTH), dtype=np.float32)
    is_history, baskets = rows["baskets"] >= 0, rows["baskets"]
    bought = np.where(
        baskets >= 2, origin("bought_often"), np.where(baskets >= 1, origin("bought_before"), origin("seen_before"))
    )
    items[here], weights[here] = rows["item"], rows["weight"]
    because[here] = np.where(is_history, -1, rows["because"])
    origins[:] = origin("like_yours")
    origins[here] = np.where(is_history, bought, origin("like_yours"))
    return PersonLists.of(items, weights, origins, because)
