"""The project's ``not_null`` tests, all those of a model in one pass over its rows.

They are two of three tests of the project. As a query each they took dbt longer to start than DuckDB to answer.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb

from jishi.lake.object_store import reach
from jishi.settings import Settings

EXCLUDED = "test_name:not_null"  # from what dbt runs


class SettingNotHonoured(RuntimeError):
    """A ``not_null`` test has a setting that is not honoured here; the message names both."""


def failing_null_tests(settings: Settings, database: Path, manifest: Path) -> tuple[list[str], int]:
    """Names of the ``not_null`` tests that rows fail, and how many there are. Raises SettingNotHonoured."""
    nodes = json.loads(manifest.read_text())["nodes"]
    by_relation: dict[str, dict[str, str]] = defaultdict(dict)
    for name, node in nodes.items():
        if node["resource_type"] == "test" and (node.get("test_metadata") or {}).get("name") == "not_null":
            _refuse_settings(name, node["config"])
            by_relation[nodes[node["attached_node"]]["relation_name"]][name] = node["column_name"]
    failing: list[str] = []
    with duckdb.connect(str(database), read_only=True) as connection:
        reach(connection, settings)
        for relation, tests in by_relation.items():
            nulls = ", ".join(f'count(*) - count("{column}")' for column in tests.values())
            [counts] = connection.execute(f"select {nulls} from {relation}").fetchall()
            failing += [name for name, count in zip(tests, counts, strict=True) if count]
    return sorted(failing), sum(map(len, by_relation.values()))


def _refuse_settings(name: str, config: dict[str, Any]) -> None:
    usual = {"where": None, "limit": None, "error_if": "!= 0", "enabled": True}
    for setting, value in usual.items():
        if config.get(setting, value) != value:
            raise SettingNotHonoured(f"{name} has {setting}: {config[setting]}, which ops.marts_nulls does not know")
    if config["severity"].lower() != "error":
        raise SettingNotHonoured(f"{name} has severity: {config['severity']}, which ops.marts_nulls does not know")
