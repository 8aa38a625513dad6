"""Exports (CSV or Parquet) as rows of text, and text as numbers, money and instants: exact, or left as it is.

What cannot be read is not guessed and not dropped: the text goes into the event, and the contract refuses it by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from imports.order_mapping import ExportMapping
from jishi.contract.bounds import MAX_DIGITS
from jishi.landing import LandingError

if TYPE_CHECKING:
    import duckdb


def open_rows(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], columns: Sequence[str]) -> None:
    """Make the table ``rows`` with these columns as text, ``jishi:file`` and ``jishi:row`` (from 1, over all files).

    Raises LandingError for a file that cannot be read or lacks a column.
    """
    import duckdb

    selects = []
    for file in files:
        if not file.is_file():
            raise LandingError(f"{file} does not exist or is not a file; name CSV or Parquet files")
        name = str(file).replace("'", "''")
        is_parquet = file.suffix.lower() in (".parquet", ".pq")
        source = (
            f"read_parquet('{name}')" if is_parquet else f"read_csv('{name}', all_varchar=true, header=true, null_padding=true)"
        )
        try:
            there = connection.sql(f"select * from {source} limit 0").columns
        except duckdb.Error as error:
            raise LandingError(f"{file} cannot be read: {error}") from None
        missing = [column for column in columns if column not in there]
        if missing:
            raise LandingError(f"{file} has no column {missing[0]!r}; it has {', '.join(there)}")
        texts = ", ".join(f'cast("{column}" as varchar) as "{column}"' for column in columns)
        quoted = file.name.replace("'", "''")
        selects.append(f'select {texts}, \'{quoted}\' as "jishi:file", 0 as "jishi:row" from {source}')
    together = " union all ".join(selects)
    connection.execute(f'create temp table rows as select * replace (row_number() over () as "jishi:row") from ({together})')


def whole(text: Any) -> Any:
    """A whole number, or what stands there."""
    number = _number(text)
    return int(number) if number is not None and number == int(number) else text


def minor(text: Any, mapping: ExportMapping) -> Decimal | None:
    """Money in minor units, exact and perhaps with a fraction; None when the text is no number."""
    number = _number(text)
    if number is None:
        return None
    return number.scaleb(mapping.digits) if mapping.money == "major" else number


def rounded(amount: Decimal) -> int:
    """To whole minor units, half up."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def instant(text: str | None, mapping: ExportMapping) -> Any:
    """An instant with its offset, or what stands there."""
    if text is None:
        return None
    try:
        found = datetime.strptime(text, mapping.time_format) if mapping.time_format else datetime.fromisoformat(text)  # noqa: DTZ007
    except ValueError:
        return text
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(mapping.time_zone))).isoformat()


def _number(text: Any) -> Decimal | None:
    try:
        number = Decimal(str(text).strip())
    except InvalidOperation:
        return None
    is_number = number.is_finite() and (not number or abs(number.adjusted()) <= MAX_DIGITS)
    return number if is_number else None  # 1e999999 stays a text, which the contract refuses
