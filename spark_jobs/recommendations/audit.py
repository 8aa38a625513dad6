"""Checks on recommendation tables before they are published. A failed one stops the publication."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jishi.lake.rows import Rows
from jishi.tables import SILVER_ITEMS, TableSchema
from spark_jobs.audits import AuditFailed, audit_key, opened, view_of
from spark_jobs.publication import Publication

if TYPE_CHECKING:
    import duckdb

# What has to be true of every row of a neighbour list.
_NEIGHBOUR = {
    "an item is its own neighbour": "item_id <> neighbour_id",
    "a pair is in more baskets than one of its items": "together between 1 and least(item_baskets, neighbour_baskets)",
    "an item is in more baskets than there are": "greatest(item_baskets, neighbour_baskets) <= baskets",
    "a measure is out of its range": "support > 0 and support <= 1 and cosine > 0 and cosine <= 1.000001 and lift > 0",
}


def audit_neighbours(publication: Publication, schema: TableSchema, shop_id: str, within: str, neighbours_per_item: int) -> int:
    """Rows of a shop's neighbours. Raises AuditFailed: repeated keys, impossible counts, gaps in ranks, or an empty list (that
    within orders may be empty).
    """
    with _opened(publication, schema, shop_id) as connection:
        view = view_of(schema)
        for fault, rule in _NEIGHBOUR.items():
            _refuse(connection, f"select * from {view} where not coalesce({rule}, false)", fault, schema)
        _refuse(
            connection,
            f"select shop_id, within, item_id from {view} group by all "
            f"having count(*) > {int(neighbours_per_item)} or min(neighbour_rank) <> 1 or max(neighbour_rank) <> count(*)",
            "ranks do not run from 1 without gaps",
            schema,
        )
        counted = f"select count(*) from {view} where within = ?"
        return _rows(connection, counted, [within], schema, shop_id, may_be_empty=within == "order")


def audit_factors(publication: Publication, schema: TableSchema, shop_id: str, expected: int, factors: int) -> int:
    """Rows of a shop's factors. Raises AuditFailed: repeated keys, another number of rows, wrong length, numbers not finite."""
    view = view_of(schema)
    with _opened(publication, schema, shop_id) as connection:
        is_sound = f"len(factors) = {int(factors)} and list_bool_and(list_transform(factors, x -> isfinite(x)))"
        unsound = f"select * from {view} where not coalesce({is_sound}, false)"
        _refuse(connection, unsound, "factors of a wrong length or not finite", schema)
        rows = _rows(connection, f"select count(*) from {view}", [], schema, shop_id)
    if rows != expected:
        raise AuditFailed(f"{schema.name}: {rows} rows of shop {shop_id}, but {expected} were to be factorised")
    return rows


def audit_candidates(publication: Publication, schema: TableSchema, shop_id: str, candidates_per_person: int) -> int:
    """Rows of a shop's candidates.

    Raises AuditFailed: repeated keys, scores that are not above 0 or rise with the place, gaps in places, items that the
    catalogue does not know, or an empty table.
    """
    with _opened(publication, schema, shop_id, SILVER_ITEMS) as connection:
        view = view_of(schema)
        # NaN is greater than every number in DuckDB, so it is asked for by name.
        is_sound = "score > 0 and isfinite(score) and because_item_id is not null"
        unsound = f"select * from {view} where not coalesce({is_sound}, false)"
        _refuse(connection, unsound, "a score is not above 0 or has no reason", schema)
        _refuse(
            connection,
            f"select person_id from {view} group by all having count(*) > {int(candidates_per_person)} or min(place) <> 1 "
            "or max(place) <> count(*) or count(distinct place) <> count(*)",
            "places do not run from 1 without gaps",
            schema,
        )
        before = "lag(score) over (partition by person_id order by place)"
        _refuse(connection, f"select * from {view} qualify score > {before}", "a later place has a better score", schema)
        known = f"select item_id from {view_of(SILVER_ITEMS)} where item_id is not null"
        unknown = f"select * from {view} where item_id not in ({known})"
        _refuse(connection, unknown, "an item is not in the catalogue", schema)
        return _rows(connection, f"select count(*) from {view}", [], schema, shop_id)


@contextmanager
def _opened(
    publication: Publication, schema: TableSchema, shop_id: str, *others: TableSchema
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The shop's rows of the table, whose key is audited, and of others."""
    mine = Rows.of(shop_id=[shop_id])
    with opened(publication, {view_of(each): (each, mine) for each in (schema, *others)}) as connection:
        audit_key(connection, schema)
        yield connection


def _refuse(connection: duckdb.DuckDBPyConnection, sql: str, fault: str, schema: TableSchema) -> None:
    sample = connection.execute(f"{sql} limit 3").fetchall()
    if sample:
        raise AuditFailed(f"{schema.name}: {fault}, e.g. {sample}")


def _rows(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: list[str],
    schema: TableSchema,
    shop_id: str,
    *,
    may_be_empty: bool = False,
) -> int:
    [(rows,)] = connection.execute(sql, parameters).fetchall()
    if rows == 0 and not may_be_empty:
        raise AuditFailed(f"{schema.name}: no row of shop {shop_id!r}")
    return int(rows)
