"""What is known when a list is asked for: the moment, the feature store's values, the context of each request.

It does not serve: of the feature store a request reads the last items alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jishi.features import FEATURES, Feature
from models.algorithms.recommender import Scores
from models.data.sequences import Numbers
from models.data.snapshot import Snapshot

# What of the feature store's declarations (docs/feature-catalogue.md) the trees may use.
PERSON_FEATURES = (
    "person_orders_30d",
    "person_spend_minor_30d",
    "person_order_value_30d",
    "person_categories_paid_30d",
    "person_active_days_30d",
    "person_views_24h",
    "person_shares_30d",
    "person_group_buys_30d",
)
ITEM_FEATURES = (
    "item_units_30d",
    "item_buyers_30d",
    "item_sales_minor_30d",
    "item_return_rate_30d",
    "item_shares_30d",
    "item_views_24h",
    "item_orders_24h",
    "item_add_rate_24h",
    "item_trend_6h",
    "item_click_rate_24h",
)
NO_PRIORS: Mapping[str, float | None] = {}
CONTEXT = ("hour", "weekday", "placement", "channel", "device")


def declared(names: Sequence[str]) -> list[Feature]:
    """The declarations of features by name, in that order. Raises KeyError for a name that is not declared."""
    by_name = {feature.name: feature for feature in FEATURES}
    return [by_name[name] for name in names]


def store_values(
    names: Sequence[str],
    ids: Sequence[str],
    stored: Mapping[str, Mapping[str, Any]],
    priors: Mapping[str, float | None] = NO_PRIORS,
) -> Scores:
    """Values by entity and feature, shape (ids, names): what is not stored is the shop's ratio for a smoothed one
    (``priors``), else the default; −1 where that is null.
    """
    table = np.empty((len(ids), len(names)), dtype=np.float32)
    for column, feature in enumerate(declared(names)):
        missing = priors.get(feature.name, feature.default)
        default = missing if isinstance(missing, int | float) else -1.0
        values = stored[feature.name]
        table[:, column] = [default if (value := values.get(name)) is None else value for name in ids]
    return table


@dataclass(frozen=True)
class Situation:
    """One request a person of the moment.

    ``person_values`` and ``item_values``: ``PERSON_FEATURES`` and ``ITEM_FEATURES`` as they held at the moment; ``context``:
    persons × ``CONTEXT``, hour 0–23 and weekday 0–6 in the shop's time zone, the others numbers of a name, −1 for unknown.
    """

    moment: Snapshot
    person_values: Scores
    item_values: Scores
    context: Numbers

    def __post_init__(self) -> None:
        """Refuse tables of another shape."""
        for name, table, shape in (
            ("person_values", self.person_values, (self.moment.persons, len(PERSON_FEATURES))),
            ("item_values", self.item_values, (self.moment.items, len(ITEM_FEATURES))),
            ("context", self.context, (self.moment.persons, len(CONTEXT))),
        ):
            if table.shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {table.shape}")

    def of(self, persons: Numbers) -> Situation:
        """The same for some persons, in rising order."""
        return Situation(self.moment.of(persons), self.person_values[persons], self.item_values, self.context[persons])
