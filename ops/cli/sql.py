"""``jishi sql``: a query over one version of the lake and its marts, which nobody's writing can change or wait for."""

from __future__ import annotations

import csv
import json
import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from jishi.settings import get_settings
from ops.cli.as_of import AsOf, version_as_of

if TYPE_CHECKING:
    import duckdb

MOST_SHOWN = 200  # rows of a table; csv and json have all


def sql(
    query: Annotated[
        str, typer.Argument(metavar="SELECT", help='such as "select shop_id, count(*) from silver.orders group by 1"')
    ],
    as_of: AsOf = None,
    output: Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="json: one object a line")] = "table",
) -> None:
    """Query lake tables (silver.orders) and marts (marts.fct_orders) of one version; "show all tables" lists them."""
    import duckdb

    from jishi.lake.query import add_namespaces, open_lake, quoted

    lake = version_as_of(get_settings(), as_of)
    with open_lake(lake) as connection:
        add_namespaces(connection)
        if lake.marts is not None:
            connection.execute(f"attach {quoted(str(lake.marts))} as marts (read_only)")
        try:
            _check(connection, query)
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description or []]
            _WRITERS[output](names, cursor)
        except duckdb.Error as error:
            raise typer.BadParameter(str(error), param_hint="SELECT") from None


def _check(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """One statement that only reads. Raises typer.BadParameter for any other."""
    import duckdb

    statements = connection.extract_statements(query)
    reading = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    if len(statements) != 1 or statements[0].type not in reading:
        raise typer.BadParameter("the lake is read only here: write one SELECT", param_hint="SELECT")


def _as_table(names: list[str], cursor: duckdb.DuckDBPyConnection) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name in names:
        table.add_column(name, overflow="fold")
    rows = cursor.fetchmany(MOST_SHOWN + 1)
    for row in islice(rows, MOST_SHOWN):
        table.add_row(*("" if value is None else str(value) for value in row))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table, markup=False)
    if len(rows) > MOST_SHOWN:
        console.print(f"the first {MOST_SHOWN} rows; --format csv or json prints all")


def _as_csv(names: list[str], cursor: duckdb.DuckDBPyConnection) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(names)
    while rows := cursor.fetchmany(10_000):
        writer.writerows(rows)


def _as_json(names: list[str], cursor: duckdb.DuckDBPyConnection) -> None:
    while rows := cursor.fetchmany(10_000):
        for row in rows:
            record: dict[str, Any] = dict(zip(names, row, strict=True))
            print(json.dumps(record, ensure_ascii=False, default=str))


_WRITERS = {"table": _as_table, "csv": _as_csv, "json": _as_json}
