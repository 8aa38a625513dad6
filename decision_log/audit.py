"""Checks on the days that were built, over the files themselves, before anything is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb

from jishi.lake.query import quoted
from jishi.tables import SILVER_DECISIONS


class DaysUnfit(RuntimeError):
    """Built days are not fit to be published; the message names check, day and figures."""


def audit(
    connection: duckdb.DuckDBPyConnection, days: Sequence[date], answers: Mapping[date, Path], kept_out: Mapping[date, Path]
) -> None:
    """Every record of a day is an answer or kept out, once; keys are unique; clicks follow showings. Raises DaysUnfit."""
    counted = "select cast(logged_at as date), count(*) from landed where cast(logged_at as date) in $1 group by 1"
    records = dict(connection.execute(counted, [list(days)]).fetchall())
    key = ", ".join(SILVER_DECISIONS.key)
    for day in days:
        rows = _count(connection, kept_out.get(day), "count(*)")
        in_silver = _count(connection, answers.get(day), "count(distinct (shop_id, request_id))")
        if rows + in_silver != records.get(day, 0):
            raise DaysUnfit(f"{day}: {records.get(day, 0)} records, but {in_silver} answers and {rows} that are kept out")
        repeats = _count(connection, answers.get(day), f"count(*) - count(distinct ({key}))")
        if repeats:
            raise DaysUnfit(f"{day}: {repeats} repeated keys ({key})")
        wrong = _count(
            connection,
            answers.get(day),
            "count(*) filter (clicked_at < shown_at or (clicked_at is not null and shown_at is null) "
            "or not (propensity > 0 and propensity <= 1))",
        )
        if wrong:
            raise DaysUnfit(f"{day}: {wrong} places were clicked before they were shown, or have no propensity")


def _count(connection: duckdb.DuckDBPyConnection, file: Path | None, what: str) -> int:
    if file is None:
        return 0
    [(number,)] = connection.execute(f"select {what} from read_parquet({quoted(str(file))})").fetchall()
    return int(number)
