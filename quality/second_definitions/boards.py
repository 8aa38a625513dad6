"""Rules over YAML: a Superset data set shows metrics under their names by the layer's own expression, a chart makes none up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from jishi.metrics import rollup
from quality.second_definitions.sql import computes, parsed
from quality.second_definitions.vocabulary import Vocabulary


def in_yaml(text: str, words: Vocabulary) -> Iterator[str]:
    """What a file of a board, or any other YAML, defines that only the metric layer may. Raises yaml.YAMLError."""
    content = yaml.safe_load(text)
    if not isinstance(content, dict):
        return
    for kind in ("semantic_models", "saved_queries"):
        if kind in content:
            yield f"has {kind}; they belong to dbt/models/"
    yield from _dataset(content, words)
    params = content.get("params")
    if isinstance(params, dict):
        shown = [params.get("metric"), params.get("timeseries_limit_metric"), *(params.get("metrics") or [])]
        for metric in shown:
            if isinstance(metric, dict):
                yield f"makes up the metric {metric.get('label') or metric.get('sqlExpression')!r}"


def _dataset(content: dict[str, Any], words: Vocabulary) -> Iterator[str]:
    metrics = [metric for metric in content.get("metrics") or [] if isinstance(metric, dict)]
    columns = [column for column in content.get("columns") or [] if isinstance(column, dict)]
    texts = [content.get("sql"), *(column.get("expression") for column in columns)]
    for text in (text for text in texts if isinstance(text, str)):
        for tree in parsed(text):
            yield from computes(tree, words)
    day = content.get("main_dttm_col")
    for metric in metrics:
        name, expression = str(metric.get("metric_name") or metric.get("name")), metric.get("expression", metric.get("expr"))
        if expression is None:
            continue
        if name in words.metrics:
            wanted = rollup(name, words.metrics, day)
            if _normal(str(expression)) != _normal(wanted):
                yield f"shows {name} as {expression}; the metric layer's is {wanted}"
        else:
            for tree in parsed(str(expression)):
                yield from (f"shows {name}, which {what}" for what in computes(tree, words))


def _normal(expression: str) -> str:
    return "; ".join(str(tree.sql("duckdb")) for tree in parsed(expression)) or expression
