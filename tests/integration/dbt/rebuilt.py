"""The models and tests of a dbt build, run again in memory on changed rows or changed SQL.

It runs the SQL that dbt compiled and ran, in dbt's order. What does not depend on a change is built and tested once, so that a
mutant costs a fraction of a second instead of a build.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa

from ops.marts_tests import failing_rows, is_generic

Node = dict[str, Any]
Failing = dict[str, set[str | None]]
"""Names of tests that fail, each with the shops that its failing rows name."""
STAGING = "stg_lake__"


@dataclass(frozen=True)
class Project:
    """``models`` in the order of their dependencies and ``tests``, each a node of dbt's manifest with its compiled SQL.

    ``staging`` holds the rows of the staging models.
    """

    staging: Mapping[str, pa.Table]
    models: tuple[Node, ...]
    tests: tuple[Node, ...]

    @classmethod
    @cache
    def of(cls, warehouse: Path) -> Project:
        """The project as the build in this warehouse ran it, read once; ``read`` is for one where another build may follow."""
        return cls.read(warehouse)

    @classmethod
    def read(cls, warehouse: Path) -> Project:
        """The project as the last build in this warehouse ran it."""
        manifest = json.loads((warehouse / "target" / "manifest.json").read_text())
        nodes: dict[str, Node] = manifest["nodes"]
        models = {name: node for name, node in nodes.items() if node["resource_type"] == "model"}
        ordered: list[str] = []

        def add(name: str) -> None:
            if name in models and name not in ordered:
                for needed in models[name]["depends_on"]["nodes"]:
                    add(needed)
                ordered.append(name)

        for name in sorted(models):
            add(name)
        tests = tuple(with_sql(node, nodes) for node in nodes.values() if node["resource_type"] == "test")
        names = [node["name"] for node in models.values() if node["name"].startswith(STAGING)]
        with duckdb.connect(str(warehouse / "build.duckdb"), read_only=True) as connection:
            staging = {name: connection.execute(f"from {name}").to_arrow_table() for name in names}
        return cls(staging, tuple(models[name] for name in ordered), tests)

    def sql_of(self, model: str) -> str:
        """The compiled SQL of a model."""
        return next(str(node["compiled_code"]) for node in self.models if node["name"] == model)

    def failing_tests(self, rows: str | None = None, sql: Mapping[str, str] | None = None) -> Failing:
        """The tests that fail; ``rows`` and ``sql`` as in ``built``."""
        changed = self._changed(rows, sql)
        with self.built(rows, sql) as connection:
            failing = _failing(connection, [node for node in self.tests if changed & {*node["depends_on"]["nodes"]}])
        others = {node["name"] for node in self.tests if not changed & {*node["depends_on"]["nodes"]}}
        return failing | {name: shops for name, shops in self._failing_unchanged.items() if name in others}

    @contextmanager
    def built(
        self, rows: str | None = None, sql: Mapping[str, str] | None = None, only: str | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A database in memory with every model; those that do not depend on a change can only be read.

        ``rows``: statements that change the rows of the staging models before the others are built. ``sql``: SQL to run instead
        of a model's own. ``only``: build this model and what it needs.
        """
        instead, wanted, changed = sql or {}, self._needed_for(only), self._changed(rows, sql)
        with self._database() as connection:
            connection.execute(f"attach '{self._unchanged.name}/unchanged.duckdb' as unchanged (read_only)")
            for node in self.models:
                if node["unique_id"] not in changed and (node["name"] in wanted or node["name"] in self.staging):
                    connection.execute(f"create view {node['name']} as from unchanged.main.{node['name']}")
            for name in self.staging:
                if self._ids[name] in changed:
                    connection.execute(f"create table {name} as from unchanged.main.{name}")
            if rows is not None:
                connection.execute(rows)
            for node in self.models:
                if node["unique_id"] in changed and node["name"] in wanted and node["name"] not in self.staging:
                    connection.execute(f"create table {node['name']} as {instead.get(node['name'], node['compiled_code'])}")
            yield connection

    @contextmanager
    def _database(self, file: str = ":memory:") -> Iterator[duckdb.DuckDBPyConnection]:
        """A database under the name by which compiled SQL calls it."""
        with duckdb.connect() as connection:
            connection.execute(f"attach '{file}' as {self.models[0]['database']}")
            connection.execute(f"use {self.models[0]['database']}.{self.models[0]['schema']}")
            yield connection

    @cached_property
    def _unchanged(self) -> TemporaryDirectory[str]:
        """The folder of a database with every model as it is."""
        folder = TemporaryDirectory(prefix="jishi-rebuilt-")
        with self._database(f"{folder.name}/unchanged.duckdb") as connection:
            connection.execute("begin")
            for name, table in self.staging.items():
                connection.from_arrow(table).create(name)
            for node in self.models:
                if node["name"] not in self.staging:
                    connection.execute(f"create table {node['name']} as {node['compiled_code']}")
            connection.execute("commit")
        return folder

    @cached_property
    def _failing_unchanged(self) -> Failing:
        with self.built() as connection:
            return _failing(connection, self.tests)

    @cached_property
    def _ids(self) -> dict[str, str]:
        """dbt's ids of the models by their names."""
        return {node["name"]: node["unique_id"] for node in self.models}

    def _changed(self, rows: str | None, sql: Mapping[str, str] | None) -> set[str]:
        """Ids of the models that a change names, and of all that read one of them, directly or not."""
        changed = {self._ids[name] for name in (*re.findall(rf"\b{STAGING}\w+", rows or ""), *(sql or ()))}
        for node in self.models:
            if changed & {*node["depends_on"]["nodes"]}:
                changed.add(node["unique_id"])
        return changed

    def _needed_for(self, model: str | None) -> set[str]:
        """Names of a model and of all that it reads, directly or not; of all models without one."""
        wanted: set[str] = set()
        for node in reversed(self.models):
            if model is None or node["name"] == model or node["unique_id"] in wanted:
                wanted |= {node["name"], *node["depends_on"]["nodes"]}
        return wanted


def _failing(connection: duckdb.DuckDBPyConnection, tests: Iterable[Node]) -> Failing:
    failing = {node["name"]: _shops(connection.execute(node["compiled_code"])) for node in tests}
    return {name: shops for name, shops in failing.items() if shops}


def with_sql(test: Node, nodes: Mapping[str, Node]) -> Node:
    """A generic test with the query of its failing rows: dbt compiled none, for ``ops.marts_tests`` asks them."""
    return test | {"compiled_code": failing_rows(test, nodes)} if is_generic(test) else test


def _shops(result: duckdb.DuckDBPyConnection) -> set[str | None]:
    """Shops of a test's failing rows, None where a row names none."""
    columns = [column[0] for column in result.description or []]
    return {dict(zip(columns, row, strict=True)).get("shop_id") for row in result.fetchall()}
