"""Metrics of a version of the lake: the definitions that were published with its marts, over those marts, read-only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jishi.lake import TableNotPublished
from jishi.lake.reading import LakeVersion
from jishi.marts import mart_rows
from jishi.metrics.days import ALL_DAYS, TimeRange
from jishi.metrics.definitions import Metric, metrics_of
from jishi.metrics.generation import MetricSql


@dataclass(frozen=True)
class MetricLayer:
    """The metrics of a version with the generator of their SQL."""

    lake: LakeVersion
    metrics: dict[str, Metric]
    sql: MetricSql

    def rows(self, metrics: Sequence[str], by: Sequence[str] = (), **question: Any) -> list[dict[str, Any]]:
        """Rows of ``MetricSql.select`` on the marts of the version."""
        return mart_rows(self.lake, self.sql.select(metrics, by, **question))


def open_metrics(lake: LakeVersion, database: str | None = None) -> MetricLayer:
    """The metric layer of a version; ``database`` as in MetricSql. Raises TableNotPublished with the command that makes it."""
    [build] = mart_rows(lake, "from build")
    if build.get("semantic_manifest") is None:
        raise TableNotPublished(
            "the marts of this version were published without metrics; run: python -m ops.marts build --again"
        )
    manifest = json.loads(build["semantic_manifest"])
    return MetricLayer(lake, metrics_of(manifest), MetricSql(manifest, database))


def metric_rows(
    lake: LakeVersion, metrics: Sequence[str], by: Sequence[str] = (), *, shop_id: str, days: TimeRange = ALL_DAYS
) -> list[dict[str, Any]]:
    """Values of metrics of one shop in the units of their definitions, a row for each value of ``by``."""
    return open_metrics(lake).rows(metrics, by, shop_id=shop_id, days=days)
