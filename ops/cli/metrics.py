"""``jishi metrics``: what every number means, and its values from the published marts by the one SQL that defines it."""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from jishi.settings import get_settings
from jishi.text_tables import TextTable, print_rows, text_console
from ops.cli.as_of import AsOf, version_as_of
from ops.cli.days import Day, refuse_reversed
from ops.cli.sql import write_rows

if TYPE_CHECKING:
    from jishi.metrics import Metric, MetricLayer

app = typer.Typer(help="Metrics: what each number means and what it is, defined once.", no_args_is_help=True)
console = text_console()
_MACROS = (
    "each is a macro of jishi sql, as one row or by day: select * from net_gmv('SHOP', date '2026-11-01', date '2026-11-30'), "
    "select * from net_gmv_by_day('SHOP')"
)
By = Annotated[list[str] | None, typer.Option(help="such as metric_time__day, visit__channel, customer__segment; repeatable")]
Where = Annotated[list[str] | None, typer.Option(help="MetricFlow's filter: \"{{ Dimension('visit__channel') }} = 'app'\"")]


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="every field, in both languages")] = False, as_of: AsOf = None
) -> None:
    """List every metric with meaning, formula, unit, grain and owner; before a first build, as the source declares them."""
    from jishi.metrics.definitions import UNITS

    metrics = _definitions(as_of)
    if as_json:
        print(json.dumps([metric.as_dict() for metric in metrics.values()], indent=2, ensure_ascii=False))
        return
    table = TextTable(show_lines=True, caption=_MACROS)
    for heading in ("metric 指标", "meaning 含义", "formula 公式", "unit 单位", "grain 粒度", "owner 负责"):
        table.add_column(heading, overflow="fold")
    for metric in metrics.values():
        texts = (metric.meaning, UNITS[metric.unit], metric.grain, metric.owner)
        meaning, unit, grain, owner = (f"{text.en}\n{text.zh}" for text in texts)
        table.add_row(f"{metric.name}\n{metric.label.en}\n{metric.label.zh}", meaning, metric.formula, unit, grain, owner)
    console.print(table, markup=False)


@app.command()
def query(
    names: Annotated[list[str], typer.Argument(metavar="METRIC…", help="such as orders net_gmv conversion")],
    by: By = None,
    shop: Annotated[str | None, typer.Option(help="one shop; left out: each shop in its own rows")] = None,
    since: Day = None,
    until: Day = None,
    where: Where = None,
    order: Annotated[list[str] | None, typer.Option(help="column to order by, -column for the greatest first")] = None,
    limit: Annotated[int | None, typer.Option(min=1)] = None,
    only_sql: Annotated[bool, typer.Option("--sql", help="print the generated SQL and do not run it")] = False,
    output: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="csv and json: money in minor units, exact")
    ] = "table",
    as_of: AsOf = None,
) -> None:
    """Values of metrics on the published marts, read-only, by the SQL that MetricFlow generates."""
    from jishi.marts import open_marts
    from jishi.metrics import MetricQueryRefused, TimeRange

    refuse_reversed(since, until)
    layer = _layer(as_of)
    days = TimeRange(since.date() if since else None, until.date() if until else None)
    try:
        sql = layer.sql.select(names, by or (), shop_id=shop, where=where or (), days=days, order=order or (), limit=limit)
    except MetricQueryRefused as error:
        raise typer.BadParameter(str(error), param_hint="METRIC") from None
    if only_sql:
        print(sql)
        return
    with open_marts(layer.lake) as connection:
        if output == "table":
            money = [name for name in names if layer.metrics[name].unit == "home_minor"]
            sql = f"select answer.*, currency, minor_digits from ({sql}) as answer left join dim_shops on shop = shop_id"
            cursor = connection.execute(sql)
            headings = [column[0] for column in cursor.description or []]
            _print_table(headings, [dict(zip(headings, row, strict=True)) for row in cursor.fetchall()], money)
        else:
            write_rows(output, connection.execute(sql))


def _print_table(headings: list[str], rows: list[dict[str, Any]], money: list[str]) -> None:
    """Rows for people: amounts in the shop's currency with its digits, days without a clock."""
    texts = []
    for row in rows:
        shown = {name: _shown(value) for name, value in row.items()}
        for name in money:
            if row[name] is not None:
                amount = Decimal(str(row[name])).scaleb(-row["minor_digits"])
                shown[name] = f"{amount:,.{row['minor_digits']}f} {row['currency']}"
        texts.append([shown[heading] for heading in headings[:-2]])
    print_rows(console, headings[:-2], texts)


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return str(value.date())
        case float():
            return f"{value:.4f}"
    return str(value)


def _layer(as_of: str | None) -> MetricLayer:
    """The metrics of a version; one line on what to do where there are none."""
    from jishi.lake import TableNotPublished
    from jishi.metrics import open_metrics

    try:
        return open_metrics(version_as_of(get_settings(), as_of))
    except TableNotPublished as error:
        console.print(f"[red]{error.args[0]}[/]", highlight=False)
        raise typer.Exit(1) from None


def _definitions(as_of: str | None) -> dict[str, Metric]:
    from jishi.lake import TableNotPublished
    from jishi.metrics import metrics_of, open_metrics
    from ops.dbt import parsed_metrics

    if as_of is not None:
        return _layer(as_of).metrics
    try:
        return open_metrics(version_as_of(get_settings(), None)).metrics
    except TableNotPublished:
        print("no marts are built yet: dbt reads the definitions from the source, which may take a minute", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            return metrics_of(parsed_metrics(Path(folder)))
