"""Several models on the same rows: every metric with its interval, and its paired difference to a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.evaluation.intervals import Estimate, estimate, resampled_means
from models.evaluation.metrics import Values

BASELINE = "popularity"


class PairedModels:
    """Metrics of models over the same resamples of persons, so that the difference of two is one of the same persons.

    ``values``: by model and metric one value a person, in the same order of persons. Raises ValueError without persons.
    """

    def __init__(self, values: Mapping[str, Mapping[str, Values]]) -> None:
        self.metrics = {model: list(by_metric) for model, by_metric in values.items()}
        columns = {(model, metric): each for model, by_metric in values.items() for metric, each in by_metric.items()}
        self._mean = {column: float(each.mean()) for column, each in columns.items() if len(each)}
        drawn = resampled_means({str(column): each for column, each in columns.items()})
        self._drawn = dict(zip(columns, drawn.values(), strict=True))

    def mean(self, model: str, metric: str) -> Estimate:
        """Mean over persons with its 95 % interval."""
        return estimate(self._mean[model, metric], self._drawn[model, metric])

    def difference(self, model: str, other: str, metric: str, level: float = 0.95) -> Estimate:
        """Mean of the persons' differences with its interval."""
        mine, theirs = (model, metric), (other, metric)
        return estimate(self._mean[mine] - self._mean[theirs], self._drawn[mine] - self._drawn[theirs], level)

    def report(self, baseline: str = BASELINE) -> dict[str, dict[str, dict[str, Any]]]:
        """By model and metric ``mean``, ``low`` and ``high``; ``over_<baseline>`` has the same of the difference."""
        result: dict[str, dict[str, dict[str, Any]]] = {}
        for model, metrics in self.metrics.items():
            result[model] = {metric: dict(self.mean(model, metric).as_json()) for metric in metrics}
            if model != baseline:
                for metric, entry in result[model].items():
                    entry[f"over_{baseline}"] = self.difference(model, baseline, metric).as_json()
        return result
