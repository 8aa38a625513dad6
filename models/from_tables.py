"""The arrays of item-kNN and ALS from the tables that Spark published, for shops whose acts do not fit one machine's memory.

The folder that ``write`` makes is read like a part of a candidate, but it is no candidate for the gate: the tables know all
acts, those of the test days too, so a judgement of them would flatter them. Popularity and the models of
placements are not in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from jishi.lake import Lake
from jishi.lake_query import open_lake
from jishi.preference import WEIGHTS
from jishi.tables import ALS_ITEM_FACTORS, ALS_PERSON_FACTORS, ITEM_NEIGHBOURS
from models.artefact import save
from models.recommender import Scores, State

if TYPE_CHECKING:
    import duckdb

_COMMANDS = {
    ITEM_NEIGHBOURS: "cooccurrence --within person",
    ALS_ITEM_FACTORS: "als",
    ALS_PERSON_FACTORS: "als",
}
_NUMBERED = {
    "items": """
        select item_id as id from recommendations_als_item_factors where shop_id = $shop
        union select item_id from recommendations_item_neighbours where shop_id = $shop and "within" = 'person'
        union select neighbour_id from recommendations_item_neighbours where shop_id = $shop and "within" = 'person'
    """,
    "persons": "select person_id as id from recommendations_als_person_factors where shop_id = $shop",
}


class TablesMissing(LookupError):
    """A shop has no rows in a table that an artefact is made of; the message names the command that makes them."""


def write(lake: Lake, shop_id: str, folder: Path) -> dict[str, int]:
    """Write states ``item_knn`` and ``als`` and the ids of items and persons as an artefact; returns how many of each.

    Same tables, same bytes. Raises TablesMissing.
    """
    with open_lake(lake) as connection:
        for schema, command in _COMMANDS.items():
            _check(connection, schema.name, shop_id, command)
        for name, ids in _NUMBERED.items():
            numbered = f"select id, row_number() over (order by id) - 1 as number from ({ids})"
            connection.execute(f"create temp table {name} as {numbered}", {"shop": shop_id})
        ids_of = {name: _column(connection, f"select id from {name} order by number") for name in _NUMBERED}
        item_knn = _similarities(connection, shop_id, len(ids_of["items"]))
        als: State = {
            "item_factors": _factors(connection, ALS_ITEM_FACTORS.name, "item", shop_id, len(ids_of["items"])),
            "person_factors": _factors(connection, ALS_PERSON_FACTORS.name, "person", shop_id, len(ids_of["persons"])),
        }
    sources = {schema.name: lake.current(schema.name).name for schema in _COMMANDS}
    facts: dict[str, Any] = {"shop_id": shop_id, "weights": WEIGHTS, "made_from": sources}
    save(folder, {"item_knn": item_knn, "als": als}, {name: ids.tolist() for name, ids in ids_of.items()}, facts)
    return {name: len(ids) for name, ids in ids_of.items()}


def _check(connection: duckdb.DuckDBPyConnection, table: str, shop_id: str, command: str) -> None:
    within = """ and "within" = 'person'""" if table == ITEM_NEIGHBOURS.name else ""
    sql = f"select 1 from {table.replace('/', '_')} where shop_id = ?{within} limit 1"
    if connection.execute(sql, [shop_id]).fetchone() is None:
        raise TablesMissing(f"shop {shop_id!r} has no rows in {table}; run: python -m spark_jobs {command} --shop {shop_id}")


def _column(connection: duckdb.DuckDBPyConnection, sql: str) -> np.ndarray:
    return connection.execute(sql).to_arrow_table()["id"].to_numpy()


def _similarities(connection: duckdb.DuckDBPyConnection, shop_id: str, items: int) -> State:
    """State of ``ItemKNN``. An item's cosine with itself is 1; the table leaves it out, the model keeps it for buying again."""
    found = connection.execute(
        """
        select i.number as item, n.number as neighbour, cosine::float as cosine from recommendations_item_neighbours as t
        join items as i on t.item_id = i.id join items as n on t.neighbour_id = n.id
        where t.shop_id = ? and t."within" = 'person'
        """,
        [shop_id],
    ).fetchnumpy()
    itself = np.arange(items)
    rows, columns = (np.concatenate([np.asarray(found[name]), itself]) for name in ("item", "neighbour"))
    values = np.concatenate([np.asarray(found["cosine"]), np.ones(items)]).astype(np.float32)
    matrix = sparse.coo_matrix((values, (rows, columns)), shape=(items, items)).tocsr()
    matrix.sort_indices()
    return {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "items": np.array([items], dtype=np.int64)}


def _factors(connection: duckdb.DuckDBPyConnection, table: str, of: str, shop_id: str, rows: int) -> Scores:
    """Factors in the order of the numbers; zeros for an id that the factorisation did not know."""
    joined = f"{table.replace('/', '_')} as t join {of}s on {of}_id = id"
    rows_read = connection.execute(f"select number, factors from {joined} where t.shop_id = ? order by 1", [shop_id])
    found = rows_read.to_arrow_table().combine_chunks()
    flat = found["factors"].combine_chunks().flatten().to_numpy()
    factors = np.zeros((rows, len(flat) // found.num_rows), dtype=np.float32)
    factors[found["number"].to_numpy()] = flat.reshape(found.num_rows, -1)
    return factors
