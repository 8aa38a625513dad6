"""The words of the metric layer: its metrics, the columns that they read and the marts that these stand in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp

from jishi.metrics import Metric, metrics_of

_AGGREGATIONS = {"sum": exp.Sum, "count": exp.Count, "sum_boolean": exp.Sum}


@dataclass(frozen=True)
class Vocabulary:
    """``measures``: columns that metrics are computed from, and metrics themselves, which saved queries hold as columns."""

    metrics: Mapping[str, Metric]
    marts: frozenset[str]
    measures: frozenset[str]
    by_aggregate: Mapping[tuple[type[exp.Expression], str], str]

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Vocabulary:
        """The words of a semantic manifest."""
        marts, measures = set[str](), set[str]()
        by_aggregate: dict[tuple[type[exp.Expression], str], str] = {}
        for metric in manifest["metrics"]:
            aggregation = metric["type_params"]["metric_aggregation_params"]
            if aggregation is None:
                continue
            marts.add(aggregation["semantic_model"])
            expression = sqlglot.parse_one(metric["type_params"]["expr"], dialect="duckdb")
            columns = {column.name for column in expression.find_all(exp.Column)}
            measures |= {column for column in columns if not column.endswith("_id") and not column.endswith("_key")}
            if aggregation["agg"] in _AGGREGATIONS and isinstance(expression, exp.Column):
                by_aggregate[_AGGREGATIONS[aggregation["agg"]], expression.name] = metric["name"]
        metrics = metrics_of(manifest)
        return cls(metrics, frozenset(marts), frozenset(measures | set(metrics)), by_aggregate)

    def named(self, aggregate: exp.Expression) -> str:
        """The metric that an aggregate computes again, in words; nothing where no metric is that simple."""
        inner = aggregate.this
        column = inner.name if isinstance(inner, exp.Column) else ""
        name = self.by_aggregate.get((type(aggregate), column))
        return f" again, which is the metric {name}" if name else ""
