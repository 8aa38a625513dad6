"""Daily features: the tables that dbt exports to the lake, each declared once; the Feast views follow from here.

A row says what was known of one person or item of one shop at ``event_timestamp`` (a UTC midnight); ``created_timestamp`` is
when that could first be known, so a late correction does not reach back into a training set.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jishi.features.entity import Entity


@dataclass(frozen=True)
class DailyTable:
    """One lake table of daily features; ``columns`` are features with their type as in ``jishi.tables``.

    ``ages`` are stored nowhere: seconds from the instant in a column (epoch ms) to the decision (``jishi.features.decision``).
    """

    name: str
    meaning: str
    entity: Entity
    columns: dict[str, str]
    ages: dict[str, str] = field(default_factory=dict)

    @property
    def view(self) -> str:
        """Feature view that carries it."""
        return self.name.rsplit("/", 1)[1]


DAILY: tuple[DailyTable, ...] = (
    DailyTable(
        "features/person_daily",
        "What a person did in the shop up to the end of a day.",
        "person",
        {
            "orders_30d": "int64",
            "units_30d": "int64",
            "spent_minor_30d": "int64",
            "views_30d": "int64",
            "last_order_at_ms": "int64",
        },
        {"since_last_order_s": "last_order_at_ms"},
    ),
    DailyTable(
        "features/item_daily",
        "What people did with an item up to the end of a day.",
        "item",
        {
            "orders_30d": "int64",
            "units_30d": "int64",
            "buyers_30d": "int64",
            "views_30d": "int64",
        },
    ),
)
