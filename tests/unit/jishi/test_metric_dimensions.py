"""A question by what a metric is not known by is answered with what it is known by, the near one first."""

from __future__ import annotations

from typing import Any

import pytest

from jishi.metrics import MetricQueryRefused, MetricSql


@pytest.mark.parametrize(
    ("metrics", "question", "answer"),
    [
        (["gmv"], {"by": ["nothing"]}, "gmv cannot be asked by 'nothing'; known: customer__classic_segment, "),
        (
            ["gmv"],
            {"by": ["purchase__chanel"]},
            "gmv cannot be asked by 'purchase__chanel', perhaps 'purchase__channel'; known: ",
        ),
        (["gmv"], {"by": ["channel"]}, "gmv cannot be asked by 'channel', perhaps 'purchase__channel'; known: "),
        (
            ["gmv"],
            {"by": ["metric_time__dya"]},
            "gmv cannot be asked by 'metric_time__dya', perhaps 'metric_time__day'; known: ",
        ),
        (
            ["gmv", "visitors"],
            {"by": ["purchase__channel"]},
            "gmv, visitors cannot together be asked by 'purchase__channel'; known: ",
        ),
        (
            ["gmv"],
            {"where": ["{{ Dimension('visit__channel') }} = 'app'"]},
            "gmv cannot be asked by 'visit__channel', perhaps 'purchase__channel'; known: ",
        ),
    ],
)
def test_the_wrong_dimension_is_named_with_those_that_there_are(
    semantic_manifest: dict[str, Any], metrics: list[str], question: dict[str, Any], answer: str
) -> None:
    with pytest.raises(MetricQueryRefused) as refused:
        MetricSql(semantic_manifest).select(metrics, **question)
    assert str(refused.value).startswith(answer)
    assert str(refused.value).endswith(
        "metric_time__day, metric_time__week, metric_time__month, metric_time__quarter, metric_time__year"
    )
    assert len(str(refused.value)) < 600


def test_a_filter_that_does_not_parse_is_refused(semantic_manifest: dict[str, Any]) -> None:
    with pytest.raises(MetricQueryRefused, match="Error parsing where filter"):
        MetricSql(semantic_manifest).select(["gmv"], where=["{{ Dimension('purchase__channel') "])
