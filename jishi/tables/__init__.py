"""Columns of the lake's tables, declared once; each engine derives its own schema from here."""

from jishi.tables.attribution import CHANNEL_EFFECTS
from jishi.tables.bronze import (
    BRONZE_EVENTS,
    BRONZE_FX_RATES,
    BRONZE_HISTORY,
    BRONZE_LIVE,
    BRONZE_REPAIRS,
    BRONZE_SPEND,
    LOG_RECORD,
)
from jishi.tables.customers import (
    CUSTOMER_THRESHOLDS,
    CUSTOMER_VALUE_CALIBRATION,
    CUSTOMER_VALUE_PARAMETERS,
    CUSTOMER_VALUES,
    CUSTOMERS,
    FORECASTS,
)
from jishi.tables.decisions import BRONZE_DECISIONS, DECISIONS, SILVER_DECISIONS, SILVER_DECISIONS_QUARANTINE
from jishi.tables.parity import ONLINE_PARITY
from jishi.tables.recommendations import (
    ALS_ITEM_FACTORS,
    ALS_PERSON_FACTORS,
    BEFORE_CUT,
    ITEM_NEIGHBOURS,
    PERSON_CANDIDATES,
    RECOMMENDATIONS,
)
from jishi.tables.schema import BY_BATCH, BY_SHOP, FLINK_TYPES, SPARK_TYPES, TableSchema
from jishi.tables.silver import (
    SILVER,
    SILVER_DUPLICATES,
    SILVER_EVENTS,
    SILVER_IDENTITY,
    SILVER_INTERACTIONS,
    SILVER_ITEMS,
    SILVER_ORDER_LINES,
    SILVER_ORDERS,
    SILVER_QUARANTINE,
    SILVER_REFUND_LINES,
    SILVER_REFUNDS,
    SILVER_SESSIONS,
    VISIT_PAUSE_S,
)

# Every table that the lake has from its start; features and training sets derive theirs from what they hold.
TABLES = (
    BRONZE_LIVE,
    BRONZE_HISTORY,
    BRONZE_REPAIRS,
    BRONZE_FX_RATES,
    BRONZE_SPEND,
    *SILVER,
    *DECISIONS,
    *RECOMMENDATIONS,
    *BEFORE_CUT.values(),
    *CUSTOMERS,
    CHANNEL_EFFECTS,
    ONLINE_PARITY,
)

__all__ = [
    "ALS_ITEM_FACTORS",
    "ALS_PERSON_FACTORS",
    "BEFORE_CUT",
    "BRONZE_DECISIONS",
    "BRONZE_EVENTS",
    "BRONZE_FX_RATES",
    "BRONZE_HISTORY",
    "BRONZE_LIVE",
    "BRONZE_REPAIRS",
    "BRONZE_SPEND",
    "BY_BATCH",
    "BY_SHOP",
    "CHANNEL_EFFECTS",
    "CUSTOMERS",
    "CUSTOMER_THRESHOLDS",
    "CUSTOMER_VALUES",
    "CUSTOMER_VALUE_CALIBRATION",
    "CUSTOMER_VALUE_PARAMETERS",
    "DECISIONS",
    "FLINK_TYPES",
    "FORECASTS",
    "ITEM_NEIGHBOURS",
    "LOG_RECORD",
    "ONLINE_PARITY",
    "PERSON_CANDIDATES",
    "RECOMMENDATIONS",
    "SILVER",
    "SILVER_DECISIONS",
    "SILVER_DECISIONS_QUARANTINE",
    "SILVER_DUPLICATES",
    "SILVER_EVENTS",
    "SILVER_IDENTITY",
    "SILVER_INTERACTIONS",
    "SILVER_ITEMS",
    "SILVER_ORDERS",
    "SILVER_ORDER_LINES",
    "SILVER_QUARANTINE",
    "SILVER_REFUNDS",
    "SILVER_REFUND_LINES",
    "SILVER_SESSIONS",
    "SPARK_TYPES",
    "TABLES",
    "VISIT_PAUSE_S",
    "TableSchema",
]
