"""``jishi lineage``: from a mart's column to the columns of the lake that it is computed from, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from jishi import tables
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import get_settings

if TYPE_CHECKING:
    from ops.column_lineage import ColumnLineage, TableColumn

_OTHERS = (tables.SILVER_DECISIONS, tables.BRONZE_FX_RATES, tables.BRONZE_SPEND, tables.CHANNEL_EFFECTS)


def lineage(
    column: Annotated[
        str, typer.Argument(metavar="TABLE.COLUMN", help="such as fct_orders.net_minor or silver/orders.currency")
    ],
    used_by: Annotated[bool, typer.Option("--used-by", help="the other way: what is computed from it")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print its direct parents, origins and uses as JSON")] = False,
) -> None:
    """Show what a column is computed from, model by model down to the lake; the first call compiles dbt's project."""
    from ops.column_lineage import ColumnLineage, LineageFailed, TableColumn, compile_project, source_columns

    table, _, name = column.rpartition(".")
    asked = TableColumn(lake_names().get(table, table), name)
    settings = get_settings()
    folder = Paths.of(settings).warehouse / "lineage"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        sources = source_columns(open_version(settings), folder)
        graph = ColumnLineage(compile_project(folder), sources)
        origins, uses = graph.origins(asked), graph.uses(asked)
    except LineageFailed as error:
        raise typer.BadParameter(str(error), param_hint="TABLE.COLUMN") from None
    if as_json:
        parts = {"parents": graph.of(asked), "origins": origins, "used_by": uses}
        print(json.dumps({part: [shown(each) for each in columns] for part, columns in parts.items()}, indent=2))
    elif used_by:
        print("\n".join(map(shown, uses)) or "nothing is computed from it")
    else:
        _show_tree(graph, asked)
        print(f"\nfrom the lake: {', '.join(map(shown, origins)) or 'no column; it counts rows, or is a constant'}")
        if any(shown(each).startswith("silver/") for each in (*origins, asked)):
            print("silver/* is computed from bronze/events, bronze/history and bronze/repairs by spark_jobs/silver")


def shown(column: TableColumn) -> str:
    """A column with the name that its table has in the lake, where it is one of the lake's."""
    names = {model: table for table, model in lake_names().items()}
    return f"{names.get(column.table, column.table)}.{column.column}"


def _show_tree(graph: ColumnLineage, asked: TableColumn) -> None:
    seen: set[TableColumn] = set()
    left = [(asked, 0)]
    while left:
        column, depth = left.pop()
        is_again = column in seen and bool(graph.of(column))
        print(f"{'  ' * depth}{shown(column)}{' (as above)' if is_again else ''}")
        if not is_again:
            seen.add(column)
            left += [(parent, depth + 1) for parent in reversed(graph.of(column))]


def lake_names() -> dict[str, str]:
    """The lake's tables that the project reads by their names, with the project's own."""
    names = {}
    for schema in (*tables.SILVER, *tables.CUSTOMERS, *_OTHERS):
        layer, _, name = schema.name.partition("/")
        names[schema.name] = f"silver.customer_{name}" if layer == "customers" else f"silver.{name}"
    return names
