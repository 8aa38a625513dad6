"""The project's generic tests on DuckDB: all those that look at single rows of a model are one pass over it.

They are nine of ten tests of the project. As a query each they took dbt longer to start than DuckDB to answer.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

from jishi.lake.object_store import reach
from jishi.lake.query import quoted
from jishi.settings import Settings

EXCLUDED = "test_type:generic"  # from what dbt runs
UNIQUE = "unique_key"
_WRITTEN = "written_"
_AT_ONCE = 2  # most of a query's time over few rows is its planning, which uses one core
Node = Mapping[str, Any]


class SettingNotHonoured(RuntimeError):
    """A generic test has a kind, an argument or a setting that is not honoured here; the message names both."""


def failing_tests(
    settings: Settings, database: Path, manifest: Path, missing: frozenset[str] | set[str] = frozenset()
) -> tuple[dict[str, str], int]:
    """The generic tests that rows fail, by name with the query of these rows, and how many tests there are.

    Tests of the models ``missing`` (ids) are not asked. In a build that continued the last one, values are looked at in rows
    that it wrote, and keys are counted where one of their rows was written anew: the others passed as they are, by the same
    tests (``ops.marts_state``). Parents are looked for of all rows, since one of them may be gone. Raises SettingNotHonoured.
    """
    nodes: dict[str, Node] = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    by_model: dict[str, list[Node]] = defaultdict(list)
    for node in nodes.values():
        if is_generic(node):
            refuse_unknown(node)
            by_model[node["attached_node"]].append(node)
    with duckdb.connect(str(database), read_only=True) as connection:
        reach(connection, settings)
        written, touched = written_rows(connection), touched_tables(connection)

        def failing_of(model: str) -> list[str]:
            return _failing(connection.cursor(), nodes, by_model[model], written.get(nodes[model]["name"]), touched)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            failing = list(chain.from_iterable(pool.map(failing_of, by_model.keys() - missing)))
    queries = {
        node["name"]: failing_rows(node, nodes) for node in nodes.values() if is_generic(node) and node["name"] in failing
    }
    return dict(sorted(queries.items())), sum(map(len, by_model.values()))


def is_generic(node: Node) -> bool:
    """Whether a node of dbt's manifest is a generic test: one kind, told its model and arguments."""
    return node["resource_type"] == "test" and bool(node.get("test_metadata"))


def failing_rows(test: Node, nodes: Mapping[str, Node]) -> str:
    """The query of the rows that fail a generic test; of ``unique_key`` the keys."""
    relation, kind = nodes[test["attached_node"]]["relation_name"], test["test_metadata"]["name"]
    if kind == UNIQUE:
        return _repeated_keys(test, relation, "")
    return f"select * from {relation} where {_CONDITIONS[kind](test['test_metadata']['kwargs'], nodes)}"


def refuse_unknown(test: Node) -> None:
    """Raise SettingNotHonoured for a kind, an argument or a setting that this module would not honour."""
    name, metadata, config = test["name"], test["test_metadata"], test["config"]
    known = _ARGUMENTS.get(metadata["name"]) if metadata.get("namespace") is None else None
    if known is None:
        raise SettingNotHonoured(f"{name} is of the kind {metadata['name']}, which ops.marts_tests does not know")
    for argument in metadata["kwargs"].keys() - known - {"model"}:
        raise SettingNotHonoured(f"{name} has the argument {argument}, which ops.marts_tests does not know")
    for setting, usual in {"where": None, "limit": None, "error_if": "!= 0", "fail_calc": "count(*)"}.items():
        if config.get(setting, usual) != usual:
            raise SettingNotHonoured(f"{name} has {setting}: {config[setting]}, which ops.marts_tests does not know")
    if config["severity"].lower() != "error":
        raise SettingNotHonoured(f"{name} has severity: {config['severity']}, which ops.marts_tests does not know")


def _failing(
    connection: duckdb.DuckDBPyConnection, nodes: Mapping[str, Node], tests: list[Node], written: str | None, touched: set[str]
) -> list[str]:
    """Of the tests of one model the names of those that fail."""
    model = nodes[tests[0]["attached_node"]]
    relation = model["relation_name"]
    failing, by_rows = [], defaultdict(list)
    for test in tests:
        kind = test["test_metadata"]["name"]
        if kind == UNIQUE:
            rewritten = _rewritten(test, model, written, touched)
            if connection.execute(f"{_repeated_keys(test, relation, rewritten)} limit 1").fetchall():
                failing.append(test["name"])
        else:
            by_rows[written if written and kind in _OF_ONE_ROW else relation].append(test)
    for rows, of_rows in by_rows.items():
        conditions = [_CONDITIONS[test["test_metadata"]["name"]](test["test_metadata"]["kwargs"], nodes) for test in of_rows]
        counts = ", ".join(f"count(*) filter (where {condition})" for condition in conditions)
        [numbers] = connection.execute(f"select {counts} from {rows}").fetchall()
        failing += [test["name"] for test, count in zip(of_rows, numbers, strict=True) if count]
    return failing


def written_rows(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """By model the table with what a build that continued the last one wrote of it; those that it made whole are left out.

    It is macros/materializations.sql that fills them.
    """
    return {name.removeprefix(_WRITTEN): f"touched.{name}" for name in touched_tables(connection) if name.startswith(_WRITTEN)}


def touched_tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """What a day's build notes in dbt's database (macros/touched.sql); nothing after a full one."""
    asked = "select table_name from duckdb_tables() where database_name = current_database() and schema_name = 'touched'"
    return {name for (name,) in connection.execute(asked).fetchall()}


def _null(kwargs: Mapping[str, Any], nodes: Mapping[str, Node]) -> str:
    return f'"{kwargs["column_name"]}" is null'


def _of_no_value(kwargs: Mapping[str, Any], nodes: Mapping[str, Node]) -> str:
    values = ", ".join(quoted(str(value)) if kwargs.get("quote", True) else str(value) for value in kwargs["values"])
    return f'"{kwargs["column_name"]}" not in ({values})'


def _without_parent(kwargs: Mapping[str, Any], nodes: Mapping[str, Node]) -> str:
    column, field, parents = kwargs["column_name"], kwargs["field"], _parents(kwargs, nodes)
    return f'"{column}" is not null and "{column}" not in (select "{field}" from {parents} where "{field}" is not null)'


def _parents(kwargs: Mapping[str, Any], nodes: Mapping[str, Node]) -> str:
    """The table that a relationship leads to. Raises SettingNotHonoured."""
    named = re.fullmatch(r"ref\('(\w+)'\)", kwargs["to"])
    parents = [str(node["relation_name"]) for node in nodes.values() if named and node["name"] == named[1]]
    if len(parents) != 1:
        raise SettingNotHonoured(f"a relationship leads to {kwargs['to']}, which ops.marts_tests does not know")
    return parents[0]


def _without_parent_in_shop(kwargs: Mapping[str, Any], nodes: Mapping[str, Node]) -> str:
    column, field = kwargs["column_name"], kwargs["field"]
    parents = f'select shop_id, "{field}" from {_parents(kwargs, nodes)} where "{field}" is not null'
    return f'"{column}" is not null and (shop_id, "{column}") not in ({parents})'


_CONDITIONS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Node]], str]] = {
    "not_null": _null,
    "accepted_values": _of_no_value,
    "relationships": _without_parent,
    "relationships_within_shop": _without_parent_in_shop,
}
_OF_ONE_ROW = ("not_null", "accepted_values")  # the row passes or fails by itself
_ARGUMENTS = {
    "not_null": {"column_name"},
    "accepted_values": {"column_name", "values", "quote"},
    "relationships": {"column_name", "to", "field"},
    "relationships_within_shop": {"column_name", "to", "field"},
    UNIQUE: {"columns"},
}


def _repeated_keys(test: Node, relation: str, where: str) -> str:
    keys = ", ".join(f'"{column}"' for column in test["test_metadata"]["kwargs"]["columns"])
    return f"select {keys} from {relation} {where} group by {keys} having count(*) > 1"


def _rewritten(test: Node, model: Node, written: str | None, touched: set[str]) -> str:
    """The condition of keys of which a day's build wrote a row (macros/touched.sql); nothing where it wrote the whole model."""
    key = ", ".join(f'"{column}"' for column in test["test_metadata"]["kwargs"]["columns"])
    if written is not None:  # by hashes, for a key may have nulls
        return f"where hash({key}) in (select hash({key}) from {written})"
    changed = f"changed_{model['name'].removeprefix('stg_lake__')}"
    if model["name"].startswith("stg_lake__") and changed in touched:
        return f"where hash({key}) in (select hash({key}) from touched.{changed}) or shop_id in (from touched.whole_shops)"
    return ""
