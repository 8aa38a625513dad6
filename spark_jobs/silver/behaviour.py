"""What persons did and what there is to buy: interactions and items."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jishi.tables import SILVER_INTERACTIONS, SILVER_ITEMS
from spark_jobs.silver.orders import home_minor, paid_lines

_ITEM = (
    "properties STRUCT<item_id STRING, title STRING, title_en STRING, category STRING, brand STRING, "
    "attributes MAP<STRING, STRING>, unit_price_minor BIGINT, currency STRING, home_currency STRING, "
    "home_unit_price_minor BIGINT, stock BIGINT, status STRING, region STRING, unit_cost_minor BIGINT, stocked_at STRING>"
)
_KINDS = {"item_viewed": "view", "item_added_to_cart": "add", "item_shared": "share"}


def interactions(events: DataFrame, paid: DataFrame) -> DataFrame:
    """Views, adds and shares from events and one ``pay`` for each line of the paid orders, with the columns of
    ``SILVER_INTERACTIONS``.
    """
    kind = F.create_map(*[F.lit(word) for pair in _KINDS.items() for word in pair])
    acts = events.where(F.col("type").isin(*_KINDS) & F.col("person_id").isNotNull() & F.col("item_id").isNotNull())
    acts = acts.withColumns(
        {
            "kind": kind[F.col("type")],
            "line_number": F.lit(0),
            "quantity": F.coalesce("quantity", F.lit(1).cast("long")),
        }
    ).select(*SILVER_INTERACTIONS.columns)
    pays = paid_lines(paid).where("person_id is not null").withColumn("kind", F.lit("pay")).select(*SILVER_INTERACTIONS.columns)
    return acts.unionByName(pays)


def items(events: DataFrame) -> DataFrame:
    """The newest state of each item, with the columns of ``SILVER_ITEMS``; attributes as JSON with sorted keys."""
    parsed = events.where("type = 'item_changed'").withColumn("p", F.from_json("line", _ITEM)["properties"])
    newest = Window.partitionBy("shop_id", "p.item_id").orderBy(
        F.desc("occurred_at"), F.desc("received_at"), F.desc("event_id")
    )
    latest = parsed.withColumn("n", F.row_number().over(newest)).where("n = 1")
    simple = ("title", "title_en", "category", "brand", "unit_price_minor", "currency", "home_currency", "stock", "region")
    columns = {
        "item_id": F.col("p.item_id"),
        "attributes": F.to_json(
            F.map_from_entries(
                F.array_sort(F.map_entries(F.coalesce("p.attributes", F.create_map().cast("map<string,string>"))))
            )
        ),
        "status": F.coalesce("p.status", F.lit("active")),
        "home_unit_price_minor": F.expr(home_minor("p.unit_price_minor", "p.home_unit_price_minor")),
        "changed_at": F.col("occurred_at"),
        "known_at": F.col("received_at"),
        "stocked_at": F.try_to_timestamp("p.stocked_at").cast("timestamp_ntz"),
        **{name: F.col(f"p.{name}") for name in (*simple, "unit_cost_minor")},
    }
    return latest.withColumns(columns).select(*SILVER_ITEMS.columns)
