"""What is kept of a shop's customers between builds of the marts."""

from __future__ import annotations

from jishi.tables.schema import BY_SHOP, TableSchema

CUSTOMER_THRESHOLDS = TableSchema(
    "customers/thresholds",
    "One threshold of a shop's RFM scores or layers in one month, kept so that no later build moves it.",
    ("shop_id", "month", "measure", "score"),
    {
        "shop_id": "string",
        "month": "date",
        "measure": "string",
        "score": "int32",
        "threshold": "int64",
        "currency": "string",
        "origin": "string",
        "is_final": "bool",
    },
)
CUSTOMER_VALUES = TableSchema(
    "customers/values",
    "What is expected of one customer within horizon_days after as_of_date (models.lifetime); amounts are in currency.",
    ("shop_id", "person_id"),
    {
        "shop_id": "string",
        "person_id": "string",
        "as_of_date": "date",
        "currency": "string",
        "horizon_days": "int32",
        "repeat_purchases": "int32",
        "probability_alive": "double",
        "expected_purchases": "double",
        "expected_purchases_low": "double",
        "expected_purchases_high": "double",
        "expected_amount_minor": "double",
        "expected_value_minor": "double",
        "expected_value_minor_low": "double",
        "expected_value_minor_high": "double",
    },
    partition=BY_SHOP,
)
CUSTOMER_VALUE_PARAMETERS = TableSchema(
    "customers/value_parameters",
    "One parameter of a shop's models of lifetime value with its 95 % interval.",
    ("shop_id", "parameter"),
    {
        "shop_id": "string",
        "parameter": "string",
        "as_of_date": "date",
        "currency": "string",
        "estimate": "double",
        "low": "double",
        "high": "double",
    },
)
CUSTOMER_VALUE_CALIBRATION = TableSchema(
    "customers/value_calibration",
    "Customers of a shop by their repeat purchases up to cut_date: the forecast of the days after it, and what happened.",
    ("shop_id", "repeat_purchases"),
    {
        "shop_id": "string",
        "repeat_purchases": "int32",
        "as_of_date": "date",
        "cut_date": "date",
        "held_out_days": "int32",
        "customers": "int64",
        "expected_purchases": "double",
        "expected_purchases_low": "double",
        "expected_purchases_high": "double",
        "actual_purchases": "double",
    },
)

FORECASTS = (CUSTOMER_VALUES, CUSTOMER_VALUE_PARAMETERS, CUSTOMER_VALUE_CALIBRATION)
CUSTOMERS = (CUSTOMER_THRESHOLDS, *FORECASTS)
