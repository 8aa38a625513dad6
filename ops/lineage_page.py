"""``python -m ops.lineage_page``: docs/operations/lineage.md, whose picture is made from dbt's project."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jishi.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "operations" / "lineage.md"
_FACTS = ("events", "sessions", "orders", "order_lines", "refunds", "refund_lines", "items", "decisions")
_TEXT = """\
# Lineage

<!-- The picture is made from dbt's project by `make docs`; the text stands in ops/lineage_page.py. -->

`jishi lineage fct_orders.net_minor` shows which columns a mart's column is computed from, model by model down to the lake;
`jishi lineage silver/orders.currency --used-by` what is computed from a column of the lake. It reads dbt's compiled SQL with
sqlglot and needs no build. What only filters, joins or groups is not followed. Spark computes `silver/*` from `bronze/*`; its
columns have no SQL to read, so the way ends there.

## OpenLineage

With `JISHI_OPENLINEAGE=file`, events go to `var/log/openlineage/airflow.jsonl` and `dbt.jsonl`, with a URL to any server that
takes them (`OPENLINEAGE_API_KEY` from the environment). Without it nothing is sent.

| engine | how | what |
|---|---|---|
| Airflow | its own provider | start, end and failure of every task and run |
| dbt | its own `dbt-ol send-events`, task `lineage` of `daily` | each model with what it reads and writes, columns and tests |

dbt's events say of columns which CTE of their own model they come from, and no more: for columns use `jishi lineage`. Spark
sends none. Its listener (openlineage-spark 1.53.0; there was no 1.54.0) starts on Spark 4.1.4 and sends events, but those of a
table that was written to and read from an Iceberg 1.12 catalog had empty inputs and outputs (tried 2026-12-01, the jar by
`spark.jars`). A jar of 43 MB does not earn its place with that. What Spark published when is in `jishi report DAY`.

## From the lake to the marts

Which tables of facts each subject of the marts reads, through all models between; settings, rates and spend are left out.

```mermaid
flowchart LR
{edges}```
"""


def render(manifest: Mapping[str, Any]) -> str:
    """The page, with a picture of a manifest's models."""
    reads: dict[str, set[str]] = defaultdict(set)
    for key, node in manifest["nodes"].items():
        if node["resource_type"] == "model" and "marts" in node["fqn"]:
            folder = node["fqn"][node["fqn"].index("marts") + 1]
            subject = "features" if folder.endswith("_daily") else "dimensions" if folder == node["name"] else folder
            reads[subject] |= {source.rpartition(".")[2] for source in _sources(key, manifest["nodes"])}.intersection(_FACTS)
    facts = sorted({name for tables in reads.values() for name in tables})
    lines = [f"  {layer.replace('/', '_')}[({layer})] --> silver[Spark]\n" for layer in ("bronze/events", "bronze/history")]
    writers = {"decisions": "serving[serving's decisions]"}
    lines += [f"  {writers.get(name, 'silver')} --> {name}[(silver/{name})]\n" for name in facts]
    lines += [
        f"  {name} --> marts_{subject}{{{{{subject}}}}}\n" for subject in sorted(reads) for name in sorted(reads[subject])
    ]
    return _TEXT.format(edges="".join(lines))


def _sources(key: str, nodes: Mapping[str, Any]) -> set[str]:
    """Every source below a model."""
    seen: set[str] = set()
    left = [key]
    while left:
        for parent in nodes[left.pop()]["depends_on"]["nodes"]:
            if parent not in seen:
                seen.add(parent)
                left += [parent] if parent in nodes else []
    return {each for each in seen if each.startswith("source.")}


def main() -> None:
    """Read the project and write the page."""
    import json

    from ops.dbt import parsed_metrics

    with tempfile.TemporaryDirectory() as name:
        parsed_metrics(Path(name))
        manifest = json.loads((Path(name) / "manifest.json").read_text(encoding="utf-8"))
    PAGE.write_text(render(manifest), encoding="utf-8")


if __name__ == "__main__":
    main()
