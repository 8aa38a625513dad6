"""Order money in Spark equals the contract's own arithmetic, on generated orders in one DataFrame."""

from __future__ import annotations

import random

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jishi.contract.properties import OrderPaid
from jishi.tables import SILVER_EVENTS
from spark_jobs.silver.orders import order_lines, orders, paid_orders, reports

pytestmark = pytest.mark.integration


def generated(number: int, luck: random.Random) -> OrderPaid:
    lines = []
    for item in range(luck.randint(1, 5)):
        line = {"item_id": f"i{item}", "quantity": luck.randint(0, 9), "unit_price_minor": luck.choice([0, 1, 999, 123_456])}
        if luck.random() < 0.5:
            line["discount_minor"] = min(luck.choice([0, 1, 500, 10_000]), line["quantity"] * line["unit_price_minor"])
        if luck.random() < 0.3:
            line["amount_minor"] = luck.randint(0, 2_000_000)
        if luck.random() < 0.5:
            line["coupon_id"] = luck.choice("xyz")
        lines.append(line)
    whole = {"discount_minor": luck.choice([0, 10]), "shipping_minor": luck.choice([0, 800]), "coupon_ids": ["x", "x", "w"]}
    kept = {name: value for name, value in whole.items() if luck.random() < 0.6}
    net = sum(
        line.get("amount_minor", line["quantity"] * line["unit_price_minor"] - line.get("discount_minor", 0)) for line in lines
    )
    if net < kept.get("discount_minor", 0):
        del kept["discount_minor"]
    return OrderPaid(order_id=f"o{number}", currency="CNY", lines=lines, **kept)


MOST = 2**53 - 1
# The largest orders that the contract takes: one dear line, dear pieces, 2,000 lines, discounts of everything.
LARGEST = [
    {"lines": [{"item_id": "i", "quantity": 1, "unit_price_minor": MOST}]},
    {"lines": [{"item_id": "i", "quantity": MOST, "unit_price_minor": 1}]},
    {"lines": [{"item_id": "i", "quantity": 1, "unit_price_minor": MOST // 2000, "discount_minor": 7}] * 2000},
    {"lines": [{"item_id": "i", "quantity": 1, "unit_price_minor": MOST}], "discount_minor": MOST, "shipping_minor": MOST},
    {"lines": [{"item_id": "i", "quantity": 1, "unit_price_minor": MOST, "amount_minor": 0}], "shipping_minor": MOST},
]


def test_spark_adds_up_as_the_contract_does(spark: SparkSession) -> None:
    luck = random.Random(7)
    rows = [generated(number, luck) for number in range(300)]
    rows += [OrderPaid(order_id=f"most{number}", currency="CNY", **order) for number, order in enumerate(LARGEST)]
    # Sparse lines: what an order does not say is not in its JSON.
    lines = [f'{{"properties":{order.model_dump_json(exclude_unset=True)}}}' for order in rows]
    frame = spark.createDataFrame(list(enumerate(lines)), "number int, line string")
    known = {
        "shop_id": F.lit("a"),
        "event_id": F.col("number").cast("string"),
        "type": F.lit("order_paid"),
        "line": F.col("line"),
    }
    types = {column.split("` ")[0].strip("` "): column.split("` ")[1] for column in SILVER_EVENTS.spark_ddl.split(", ")}
    columns = [known.get(name, F.lit(None)).cast(kind).alias(name) for name, kind in types.items()]
    paid = paid_orders(reports(frame.select(*columns)), None)
    by_key = {row.order_id: row for row in orders(paid).collect()}
    for order in rows:
        row = by_key[order.order_id]
        coupons = {*order.coupon_ids, *(line.coupon_id for line in order.lines)} - {None}
        assert (row.lines, row.units, row.gross_minor, row.discount_minor, row.paid_minor, row.coupons) == (
            len(order.lines),
            sum(line.quantity for line in order.lines),
            sum(line.quantity * line.unit_price_minor for line in order.lines),
            sum(line.discount_minor for line in order.lines) + order.discount_minor,
            sum(line.net_minor for line in order.lines) - order.discount_minor + order.shipping_minor,
            len(coupons),
        )
    assert [by_key[f"most{number}"].paid_minor for number in range(5)] == [MOST, MOST, MOST - 991 - 14_000, MOST, MOST]
    nets = {(row.order_id, row.line_number): (row.item_id, row.net_minor) for row in order_lines(paid).collect()}
    assert nets == {
        (order.order_id, number): (line.item_id, line.net_minor)
        for order in rows
        for number, line in enumerate(order.lines, start=1)
    }
