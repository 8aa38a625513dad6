"""``jishi sql``: a query over one version of the lake and its marts, which nobody's writing can change or wait for."""

from __future__ import annotations

import csv
import json
import math
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from jishi.settings import get_settings
from ops.cli.as_of import AsOf, version_as_of

if TYPE_CHECKING:
    import duckdb

    from jishi.lake.reading import LakeVersion
    from jishi.metrics import MetricLayer

MOST_SHOWN = 200  # rows of a table; csv and json have all


def sql(
    query: Annotated[
        str | None,
        typer.Argument(
            metavar="[SELECT]",
            help='such as "select shop_id, count(*) from silver.orders group by 1"; left out: read from the terminal or a pipe',
        ),
    ] = None,
    as_of: AsOf = None,
    output: Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="json: one object a line")] = "table",
) -> None:
    """Query lake tables (silver.orders) and marts (marts.fct_orders) of one version; "show all tables" lists them.

    Every metric is a macro: select * from net_gmv('SHOP', date '2026-11-01', date '2026-11-30'), net_gmv_by_day('SHOP'), ….
    """
    from jishi.lake.query import add_namespaces, open_lake, quoted

    lake = version_as_of(get_settings(), as_of)
    with open_lake(lake) as connection:
        add_namespaces(connection)
        if lake.marts is not None:
            connection.execute(f"attach {quoted(str(lake.marts))} as marts (read_only)")
        session = _Session(connection, lake, output)
        if query is None and is_at_a_terminal():
            session.converse()
        else:
            session.answer(sys.stdin.read() if query is None else query)


def is_at_a_terminal() -> bool:
    """Whether a person can type here; else a query comes through a pipe."""
    return sys.stdin.isatty()


class _Session:
    """One reader of one version; macros of metrics are made when a query first calls them."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, lake: LakeVersion, output: Literal["table", "csv", "json"]
    ) -> None:
        self._connection, self._lake, self._output = connection, lake, output
        self._metrics: MetricLayer | None = None
        self._macros = set[str]()

    def answer(self, query: str) -> None:
        """Print what a query answers. Raises typer.BadParameter with what is wrong with it."""
        import duckdb

        try:
            _check(self._connection, query)
            self._make_macros(query)
            write_rows(self._output, self._connection.execute(query))
        except duckdb.Error as error:
            raise typer.BadParameter(str(error), param_hint="SELECT") from None

    def converse(self) -> None:
        """Answer one query after the other, each ended by a semicolon, until the input ends (Ctrl-D)."""
        import readline  # noqa: F401  (input() then edits lines and remembers them)

        print(f"version {self._lake.number} of the lake, read only; end a query with ; and leave with Ctrl-D")
        lines: list[str] = []
        while True:
            try:
                lines.append(input("   …> " if lines else "jishi> "))
            except KeyboardInterrupt:
                lines = []
                print()
                continue
            except EOFError:
                print()
                return
            if lines[-1].rstrip().endswith(";"):
                query, lines = "\n".join(lines), []
                try:
                    self.answer(query)
                except typer.BadParameter as error:
                    print(error.message)
            elif not "".join(lines).strip():
                lines = []

    def _make_macros(self, query: str) -> None:
        from jishi.lake import TableNotPublished
        from jishi.metrics import macro, mentioned_macros, open_metrics

        if "(" not in query:
            return
        try:
            self._metrics = self._metrics or open_metrics(self._lake, database="marts")
        except TableNotPublished:  # marts of before there were metrics, or none yet: the query may need neither
            return
        for name in mentioned_macros(query, self._metrics.metrics):
            if name not in self._macros:
                self._connection.execute(macro(name, self._metrics.sql))
                self._macros.add(name)


def write_rows(output: Literal["table", "csv", "json"], cursor: duckdb.DuckDBPyConnection) -> None:
    """Print what a query answers."""
    _WRITERS[output]([column[0] for column in cursor.description or []], cursor)


def _check(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """One statement that only reads. Raises typer.BadParameter for any other."""
    import duckdb

    statements = connection.extract_statements(query)
    reading = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    if len(statements) != 1 or statements[0].type not in reading:
        raise typer.BadParameter("the lake is read only here: write one SELECT", param_hint="SELECT")


def _as_table(names: list[str], cursor: duckdb.DuckDBPyConnection) -> None:
    from jishi.text_tables import print_rows, text_console

    rows = cursor.fetchmany(MOST_SHOWN + 1)
    texts = [["" if value is None else str(value) for value in row] for row in rows[:MOST_SHOWN]]
    console = text_console()
    print_rows(console, names, texts)
    if len(rows) > MOST_SHOWN:
        console.print(f"the first {MOST_SHOWN} rows; --format csv or json prints all")


def _as_csv(names: list[str], cursor: duckdb.DuckDBPyConnection) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(names)
    while rows := cursor.fetchmany(10_000):
        writer.writerows(rows)


def write_json_lines(names: list[str], cursor: duckdb.DuckDBPyConnection) -> None:
    """A line of JSON of each row; what is no finite number is null, and columns of one name are numbered."""
    keys = _distinct(names)
    while rows := cursor.fetchmany(10_000):
        for row in rows:
            record: dict[str, Any] = dict(zip(keys, map(_as_json_value, row), strict=True))
            print(json.dumps(record, ensure_ascii=False, default=str, allow_nan=False))


def _as_json_value(value: Any) -> Any:
    """JSON knows neither infinity nor what is no number: null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _as_json_value(each) for key, each in value.items()}
    return [_as_json_value(each) for each in value] if isinstance(value, list | tuple) else value


def _distinct(names: list[str]) -> list[str]:
    """Column names with a number behind those that came before, as DuckDB names columns of a table: a, a_1."""
    distinct: list[str] = []
    for name in names:
        key, number = name, 0
        while key in distinct:
            number += 1
            key = f"{name}_{number}"
        distinct.append(key)
    return distinct


_WRITERS = {"table": _as_table, "csv": _as_csv, "json": write_json_lines}
