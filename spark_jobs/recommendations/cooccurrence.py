"""Item-to-item co-occurrence: which items lie in the same baskets."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jishi.tables import ITEM_NEIGHBOURS


def order_baskets(order_lines: DataFrame) -> DataFrame:
    """One basket an order: ``shop_id``, ``basket_id``, ``item_id``."""
    return order_lines.select("shop_id", F.col("order_id").alias("basket_id"), "item_id")


def person_baskets(interactions: DataFrame) -> DataFrame:
    """One basket a person: all items that the person viewed, added, shared or paid for."""
    acts = interactions.where("person_id is not null")
    return acts.select("shop_id", F.col("person_id").alias("basket_id"), "item_id")


def usual_baskets(baskets: DataFrame, *, most_items: int) -> DataFrame:
    """Distinct items of each basket, without baskets of more than ``most_items`` different items.

    A basket of n items gives n² pairs, and what holds a large part of the catalogue (a bot, a reseller) tells nothing of taste.
    """
    distinct = baskets.select("shop_id", "basket_id", "item_id").distinct()
    items = F.count("*").over(Window.partitionBy("shop_id", "basket_id"))
    return distinct.withColumn("items", items).where(F.col("items") <= most_items).drop("items")


def neighbours(baskets: DataFrame, within: str, *, neighbours_per_item: int, least_together: int) -> DataFrame:
    """The nearest items of each item, with the columns of ``ITEM_NEIGHBOURS``; ``within`` names what the baskets are.

    ``baskets`` holds each item of a basket once. Over the n baskets of a shop, a of which hold the item, b the neighbour and t
    both: support = t / n, lift = t · n / (a · b), cosine = t / √(a · b) (Sarwar et al., Item-based collaborative filtering, WWW
    2001). Pairs with t below ``least_together`` are left out. Neighbours are ranked by cosine, then by t, then by their id, so
    that a rerun gives the same rows.
    """
    totals = baskets.groupBy("shop_id").agg(F.countDistinct("basket_id").alias("baskets"))
    sizes = baskets.groupBy("shop_id", "item_id").agg(F.count("*").alias("item_baskets"))
    others = baskets.select("shop_id", "basket_id", F.col("item_id").alias("neighbour_id"))
    # Each pair is counted in one direction and turned round afterwards: half the rows to shuffle.
    one_way = (
        baskets.join(others, ["shop_id", "basket_id"])
        .where("item_id < neighbour_id")
        .groupBy("shop_id", "item_id", "neighbour_id")
        .agg(F.count("*").alias("together"))
        .where(F.col("together") >= least_together)
    )
    other_way = one_way.select(
        "shop_id", F.col("neighbour_id").alias("item_id"), F.col("item_id").alias("neighbour_id"), "together"
    )
    sizes_of_neighbours = sizes.select(
        "shop_id", F.col("item_id").alias("neighbour_id"), F.col("item_baskets").alias("neighbour_baskets")
    )
    counted = (
        one_way.unionByName(other_way)
        .join(sizes, ["shop_id", "item_id"])
        .join(sizes_of_neighbours, ["shop_id", "neighbour_id"])
        .join(F.broadcast(totals), "shop_id")
    )
    product = F.col("item_baskets").cast("double") * F.col("neighbour_baskets")
    nearest = Window.partitionBy("shop_id", "item_id").orderBy(F.desc("cosine"), F.desc("together"), "neighbour_id")
    measures = {
        "within": F.lit(within),
        "support": F.col("together") / F.col("baskets"),
        "lift": F.col("together").cast("double") * F.col("baskets") / product,
        "cosine": F.col("together") / F.sqrt(product),
    }
    ranked = counted.withColumns(measures).withColumn("neighbour_rank", F.row_number().over(nearest))
    return ranked.where(F.col("neighbour_rank") <= neighbours_per_item).select(*ITEM_NEIGHBOURS.columns)
