"""Checks on drafts of recommendation tables before they are published. A failed one stops the publication."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jishi.tables import TableSchema
from spark_jobs.drafts import AuditFailed, audit_key, parquet_files

if TYPE_CHECKING:
    import duckdb

# What has to be true of every row of a neighbour list.
_NEIGHBOUR = {
    "an item is its own neighbour": "item_id <> neighbour_id",
    "a pair is in more baskets than one of its items": "together between 1 and least(item_baskets, neighbour_baskets)",
    "an item is in more baskets than there are": "greatest(item_baskets, neighbour_baskets) <= baskets",
    "a measure is out of its range": "support > 0 and support <= 1 and cosine > 0 and cosine <= 1.000001 and lift > 0",
}


def audit_neighbours(draft: Path, schema: TableSchema, shop_id: str, within: str, neighbours_per_item: int) -> int:
    """Rows of a shop's neighbours. Raises AuditFailed: repeated keys, impossible counts, gaps in ranks, or an empty list."""
    with _opened(draft, schema) as connection:
        view = schema.name.replace("/", "_")
        for fault, rule in _NEIGHBOUR.items():
            _refuse(connection, f"select * from {view} where not coalesce({rule}, false)", fault, schema)
        _refuse(
            connection,
            f"select shop_id, within, item_id from {view} group by all "
            f"having count(*) > {int(neighbours_per_item)} or min(neighbour_rank) <> 1 or max(neighbour_rank) <> count(*)",
            "ranks do not run from 1 without gaps",
            schema,
        )
        count_sql = f"select count(*) from {view} where shop_id = ? and within = ?"
        return _rows(connection, count_sql, [shop_id, within], schema)


def audit_factors(draft: Path, schema: TableSchema, shop_id: str, expected: int, factors: int) -> int:
    """Rows of a shop's factors. Raises AuditFailed: repeated keys, another number of rows, wrong length, numbers not finite."""
    view = schema.name.replace("/", "_")
    with _opened(draft, schema) as connection:
        is_sound = f"len(factors) = {int(factors)} and list_bool_and(list_transform(factors, x -> isfinite(x)))"
        factors_sql = f"select * from {view} where shop_id = '{shop_id}'"
        _refuse(
            connection, f"{factors_sql} and not coalesce({is_sound}, false)", "factors of a wrong length or not finite", schema
        )
        rows = _rows(connection, f"select count(*) from {view} where shop_id = ?", [shop_id], schema)
    if rows != expected:
        raise AuditFailed(f"{schema.name}: {rows} rows of shop {shop_id}, but {expected} were to be factorised")
    return rows


def audit_candidates(draft: Path, schema: TableSchema, catalogue: Path, shop_id: str, candidates_per_person: int) -> int:
    """Rows of a shop's candidates; ``catalogue`` is the folder of its items.

    Raises AuditFailed: repeated keys, scores that are not above 0 or rise with the place, gaps in places, items that the
    catalogue does not know, or an empty table.
    """
    with _opened(draft, schema) as connection:
        connection.read_parquet(parquet_files(catalogue), hive_partitioning=False).create_view("catalogue")
        candidates_sql = f"select * from {schema.name.replace('/', '_')} where shop_id = '{shop_id}'"
        # NaN is greater than every number in DuckDB, so it is asked for by name.
        is_sound = "score > 0 and isfinite(score) and because_item_id is not null"
        _refuse(
            connection,
            f"{candidates_sql} and not coalesce({is_sound}, false)",
            "a score is not above 0 or has no reason",
            schema,
        )
        _refuse(
            connection,
            f"select person_id from ({candidates_sql}) group by all having count(*) > {int(candidates_per_person)} "
            "or min(place) <> 1 or max(place) <> count(*) or count(distinct place) <> count(*)",
            "places do not run from 1 without gaps",
            schema,
        )
        before = "lag(score) over (partition by person_id order by place)"
        _refuse(connection, f"{candidates_sql} qualify score > {before}", "a later place has a better score", schema)
        unknown = f"{candidates_sql} and item_id not in (select item_id from catalogue where item_id is not null)"
        _refuse(connection, unknown, "an item is not in the catalogue", schema)
        return _rows(connection, f"select count(*) from ({candidates_sql}) where shop_id = ?", [shop_id], schema)


@contextmanager
def _opened(draft: Path, schema: TableSchema) -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    files = parquet_files(draft)
    if not files:
        raise AuditFailed(f"{schema.name}: the draft has no rows")
    with duckdb.connect() as connection:
        connection.read_parquet(files, hive_partitioning=False).create_view(schema.name.replace("/", "_"))
        audit_key(connection, schema)
        yield connection


def _refuse(connection: duckdb.DuckDBPyConnection, sql: str, fault: str, schema: TableSchema) -> None:
    sample = connection.execute(f"{sql} limit 3").fetchall()
    if sample:
        raise AuditFailed(f"{schema.name}: {fault}, e.g. {sample}")


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[str], schema: TableSchema) -> int:
    row = connection.execute(sql, parameters).fetchone()
    rows = int(row[0]) if row else 0
    if rows == 0:
        raise AuditFailed(f"{schema.name}: no row of shop {parameters[0]!r}")
    return rows
