"""How the columns of the marts are called for people, and in which unit they are; what a number means stands in dbt."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from jishi.metrics import Metric

Unit = Literal[
    "money",
    "own_money",  # in the row's own currency, which stands in its column currency
    "orders",
    "persons",
    "visits",
    "views",
    "times",
    "pieces",
    "impressions",
    "clicks",
    "refunds",
    "coupons",
    "lines",
    "share",
    "multiple",
    "models",
    "days",
    "score",
    "number",
    "date",
    "instant",
    "flag",
    "text",
]


@dataclass(frozen=True)
class Column:
    """A column of a mart with its label in both languages; ``metric`` is what the metric layer calls the number of a day."""

    name: str
    zh: str
    en: str
    unit: Unit
    metric: str | None = None

    @property
    def is_number(self) -> bool:
        """Whether it stands right-aligned with the digits of others."""
        return self.unit not in ("date", "instant", "flag", "text")


def unit_named(text: str) -> Unit:
    """The unit of a name. Raises ValueError."""
    for unit in get_args(Unit):
        if unit == text:
            return unit  # type: ignore[no-any-return]
    raise ValueError(f"{text!r} is no unit; columns.csv may name {', '.join(get_args(Unit))}")


with Path(__file__).with_name("columns.csv").open(encoding="utf-8", newline="") as _file:
    COLUMNS = {
        row["column"]: Column(row["column"], row["zh"], row["en"], unit_named(row["unit"]), row["metric"] or None)
        for row in csv.DictReader(_file)
    }


# The units of metrics as the portal calls them.
_OF_METRICS: dict[str, Unit] = {"home_minor": "money"}


def column_of_metric(metric: Metric) -> Column:
    """A metric as a column: its name, label and unit are those of the metric layer."""
    unit = _OF_METRICS.get(metric.unit)
    return Column(metric.name, metric.label.zh, metric.label.en, unit or unit_named(metric.unit), metric.name)


def column_named(name: str) -> Column:
    """The column with its label; one that is new here keeps its own name and takes the unit that its name says."""
    if name in COLUMNS:
        return COLUMNS[name]
    unit: Unit = "money" if name.endswith("_minor") else "date" if name.endswith("_date") else "text"
    return Column(name, name, name, unit)
