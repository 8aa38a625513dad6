"""What is known of a shop's channels between builds of the marts."""

from __future__ import annotations

from jishi.tables.schema import TableSchema

CHANNEL_EFFECTS = TableSchema(
    "attribution/channel_effects",
    "What one channel of a shop brings by one fitted model (models.attribution); the effects of a model add up to 1.",
    ("shop_id", "model", "channel"),
    {
        "shop_id": "string",
        "model": "string",
        "channel": "string",
        "as_of_date": "date",
        "effect": "double",
        "effect_low": "double",
        "effect_high": "double",
        "journeys": "int64",
        "orders": "int64",
    },
)
