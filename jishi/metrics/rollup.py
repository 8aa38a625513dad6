"""Metrics over the rows of a saved query, for tools such as Superset that group those rows again."""

from __future__ import annotations

from collections.abc import Mapping

from jishi.metrics.definitions import Metric


def rollup(name: str, metrics: Mapping[str, Metric], day: str | None = None) -> str:
    """The SQL expression of a metric over rows that hold it, or the parts of a ratio, by shop and by column ``day``.

    A number that does not add up over days, such as visitors, is null for more days than one, and so is a ratio of it.
    Raises ValueError for one that does not add up where rows have no day.
    """
    metric = metrics[name]
    parts = metric.inputs if metric.formula == " / ".join(metric.inputs) else (name,)
    above, *below = (f"SUM({part})" for part in parts)
    expression = f"{above} * 1.0 / NULLIF({below[0]}, 0)" if below else above
    if all(metrics[part].is_additive for part in parts):
        return expression
    if day is None:
        raise ValueError(f"{name} does not add up, and these rows have no day to keep apart")
    return f"CASE WHEN COUNT(DISTINCT {day}) = 1 THEN {expression} END"
