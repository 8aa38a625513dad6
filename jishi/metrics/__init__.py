"""The metric layer: what every number means and the one SQL that computes it, as MetricFlow reads dbt's definitions."""

from jishi.metrics.days import ALL_DAYS, STAND_IN, TimeRange, stand_in_for, with_days
from jishi.metrics.definitions import Bilingual, Metric, MetricUndefined, dates_of, metrics_of
from jishi.metrics.generation import MetricQueryRefused, MetricSql, equals
from jishi.metrics.macros import macro, mentioned_macros
from jishi.metrics.reading import MetricLayer, metric_rows, open_metrics
from jishi.metrics.rollup import rollup

__all__ = [
    "ALL_DAYS",
    "STAND_IN",
    "Bilingual",
    "Metric",
    "MetricLayer",
    "MetricQueryRefused",
    "MetricSql",
    "MetricUndefined",
    "TimeRange",
    "dates_of",
    "equals",
    "macro",
    "mentioned_macros",
    "metric_rows",
    "metrics_of",
    "open_metrics",
    "rollup",
    "stand_in_for",
    "with_days",
]
