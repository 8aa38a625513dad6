"""The models and tests of a dbt build, run again in memory on changed rows or changed SQL.

It runs the SQL that dbt compiled and ran, in dbt's order, so that a mutant costs a second instead of a build.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ops.marts_tests import failing_rows, is_generic

Node = dict[str, Any]
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
    def of(cls, warehouse: Path) -> Project:
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

    def failing_tests(self, rows: str | None = None, sql: Mapping[str, str] | None = None) -> dict[str, set[str | None]]:
        """Names of the tests that fail, each with the shops that its failing rows name.

        ``rows`` and ``sql`` as in ``built``.
        """
        with self.built(rows, sql) as connection:
            failing = {node["name"]: _shops(connection.execute(node["compiled_code"])) for node in self.tests}
            return {name: shops for name, shops in failing.items() if shops}

    @contextmanager
    def built(
        self, rows: str | None = None, sql: Mapping[str, str] | None = None, only: str | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A database in memory with every model.

        ``rows``: statements that change the rows of the staging models before the others are built. ``sql``: SQL to run instead
        of a model's own. ``only``: build this model and what it needs.
        """
        changed, wanted = sql or {}, self._needed_for(only)
        with duckdb.connect() as connection:
            connection.execute(f"attach ':memory:' as {self.models[0]['database']}")
            connection.execute(f"use {self.models[0]['database']}.{self.models[0]['schema']}")
            for name, table in self.staging.items():
                connection.from_arrow(table).create(name)
            if rows is not None:
                connection.execute(rows)
            for node in self.models:
                if node["name"] not in self.staging and node["name"] in wanted:
                    connection.execute(f"create table {node['name']} as {changed.get(node['name'], node['compiled_code'])}")
            yield connection

    def _needed_for(self, model: str | None) -> set[str]:
        """Names of a model and of all that it reads, directly or not; of all models without one."""
        wanted: set[str] = set()
        for node in reversed(self.models):
            if model is None or node["name"] == model or node["unique_id"] in wanted:
                wanted |= {node["name"], *node["depends_on"]["nodes"]}
        return wanted


def with_sql(test: Node, nodes: Mapping[str, Node]) -> Node:
    """A generic test with the query of its failing rows: dbt compiled none, for ``ops.marts_tests`` asks them."""
    return test | {"compiled_code": failing_rows(test, nodes)} if is_generic(test) else test


def _shops(result: duckdb.DuckDBPyConnection) -> set[str | None]:
    """Shops of a test's failing rows, None where a row names none."""
    columns = [column[0] for column in result.description or []]
    return {dict(zip(columns, row, strict=True)).get("shop_id") for row in result.fetchall()}
