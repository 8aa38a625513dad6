"""Which columns a mart's column is computed from, back to the lake: dbt's compiled SQL, read by sqlglot.

A column comes from those that its value is an expression of; what only filters, joins or groups rows is not followed. Models
are read in the order of their dependencies, each with the columns of those before it, so that ``select *`` needs no database.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from jishi.lake.reading import LakeVersion
from jishi.shops import Shops
from ops.dbt import DBT, new_database
from ops.dbt_process import run_dbt

_DATABASE = "sources.duckdb"  # the project's sources, without any model
_SOURCE = "silver"  # dbt's schema of the lake's tables
Node = Mapping[str, Any]


class LineageFailed(RuntimeError):
    """The project could not be compiled, or a column does not exist; the message says which and what there is."""


class TableColumn(NamedTuple):
    """A column of a model, or of a source, whose table is then ``silver.NAME``."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


def compile_project(folder: Path) -> dict[str, Any]:
    """The manifest of the project with the SQL of every model as a full build runs it; dbt's files go to ``folder``.

    No data is read. Raises LineageFailed.
    """
    environment = {"DBT_TARGET_PATH": str(folder), "DBT_LOG_PATH": str(folder), "DBT_PROFILES_DIR": str(DBT)}
    environment |= {"JISHI_DBT_BEFORE": "[]", "JISHI_DBT_DATABASE": str(folder / _DATABASE)}
    done = run_dbt(["--log-level-file", "none", "compile", "--quiet", "--select", "resource_type:model"], environment)
    if done.returncode != 0:
        raise LineageFailed(f"dbt cannot compile the project: {done.stdout[-800:]}")
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def source_columns(lake: LakeVersion, folder: Path) -> dict[str, list[str]]:
    """Columns of each table that the project reads, as the next build would find them; the database goes to ``folder``."""
    new_database(lake, Shops(), folder / _DATABASE)
    columns: dict[str, list[str]] = {}
    with duckdb.connect(str(folder / _DATABASE), read_only=True) as connection:
        sql = "select table_name, column_name from duckdb_columns() where schema_name = ? order by table_name, column_index"
        for table, column in connection.execute(sql, [_SOURCE]).fetchall():
            columns.setdefault(table, []).append(column)
    return columns


class ColumnLineage:
    """Parents of every column of every model."""

    def __init__(self, manifest: Mapping[str, Any], sources: Mapping[str, Sequence[str]]) -> None:
        """``sources`` are the columns of each table of the schema that the project reads. Raises LineageFailed."""
        self._columns: dict[str, list[str]] = {f"{_SOURCE}.{name}": list(columns) for name, columns in sources.items()}
        self.parents: dict[TableColumn, tuple[TableColumn, ...]] = {}
        for model in _in_order(manifest["nodes"]):
            self._read(model)

    def of(self, column: TableColumn) -> tuple[TableColumn, ...]:
        """What a column is computed from directly; nothing for a source's column. Raises LineageFailed for an unknown one."""
        columns = self._columns.get(column.table)
        if columns is None:
            raise LineageFailed(f"there is no table {column.table!r}; known: {', '.join(sorted(self._columns))}")
        if column.column not in columns:
            raise LineageFailed(f"{column.table} has no column {column.column!r}; it has {', '.join(columns)}")
        return self.parents.get(column, ())

    def origins(self, column: TableColumn) -> list[TableColumn]:
        """The columns of the lake at the other end. Raises LineageFailed."""
        seen, left = {column}, [column]
        while left:
            for parent in self.of(left.pop()):
                if parent not in seen:
                    seen.add(parent)
                    left.append(parent)
        return sorted(each for each in seen if each.table.startswith(f"{_SOURCE}.") and each != column)

    def uses(self, column: TableColumn) -> list[TableColumn]:
        """The columns of models that are computed from a column, directly or not. Raises LineageFailed for an unknown one."""
        self.of(column)
        reached = {column}
        for child, parents in self.parents.items():  # in the order of their models
            if reached.intersection(parents):
                reached.add(child)
        return sorted(reached - {column})

    def _read(self, model: Node) -> None:
        name = model["name"]
        schema = {table: dict.fromkeys(columns, "text") for table, columns in self._columns.items()}
        try:
            tree = parse_one(model["compiled_code"], dialect="duckdb").transform(_renamed)
            query = qualify(tree, schema=schema, dialect="duckdb", validate_qualify_columns=False, identify=False)
            assert isinstance(query, exp.Query)
            scope = build_scope(query)
            self._columns[name] = list(query.named_selects)
            for column in query.named_selects:
                root = lineage(column, query, scope=scope, dialect="duckdb", copy=False, trim_selects=False)
                leaves = {_origin(node) for node in root.walk()}
                self.parents[TableColumn(name, column)] = tuple(sorted(leaf for leaf in leaves if leaf is not None))
        except SqlglotError as error:
            raise LineageFailed(f"sqlglot cannot read the SQL of {name}: {error}") from None


def _in_order(nodes: Mapping[str, Node]) -> Iterator[Node]:
    """Models after those that they depend on."""
    models = {key: node for key, node in nodes.items() if node["resource_type"] == "model"}
    done: set[str] = set()

    def visit(key: str) -> Iterator[Node]:
        if key in models and key not in done:
            done.add(key)
            for parent in models[key]["depends_on"]["nodes"]:
                yield from visit(parent)
            yield models[key]

    for key in models:
        yield from visit(key)


def _renamed(node: exp.Expression) -> exp.Expression:
    """A table by one name: a model by its own, a source as ``silver.NAME``."""
    if isinstance(node, exp.Table) and node.db:
        name = f"{_SOURCE}.{node.name}" if node.db == _SOURCE else node.name
        alias = node.alias or node.name
        table: exp.Expression = exp.alias_(exp.Table(this=exp.to_identifier(name, quoted=True)), alias, table=True)
        return table
    return node


def _origin(node: Any) -> TableColumn | None:
    """The column of another relation that a leaf of sqlglot's lineage is; None for what lies between."""
    if isinstance(node.expression, exp.Table):
        return TableColumn(node.expression.name, node.name.rpartition(".")[2].strip('"'))
    return None
