"""Implicit-feedback matrix factorisation with MLlib, for shops whose interactions do not fit the memory of one machine."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jishi.factorisation import Parameters
from jishi.preference import WEIGHTS
from jishi.tables import ALS_ITEM_FACTORS, ALS_PERSON_FACTORS


@dataclass(frozen=True)
class Factors:
    """Item and person factors, with the columns of ``ALS_ITEM_FACTORS`` and ``ALS_PERSON_FACTORS``."""

    items: DataFrame
    persons: DataFrame


def preferences(interactions: DataFrame) -> DataFrame:
    """Strength of each person's preference for each item: ``shop_id``, ``person_id``, ``item_id``, ``strength``."""
    weight = F.create_map(*[F.lit(word) for pair in WEIGHTS.items() for word in pair])[F.col("kind")]
    acts = interactions.where("person_id is not null")
    return acts.groupBy("shop_id", "person_id", "item_id").agg(F.log1p(F.sum(weight)).alias("strength"))


def numbered(preferences: DataFrame, column: str) -> DataFrame:
    """The distinct values of an id column of one shop with numbers from 0 in the order of the ids: the same on every run."""
    # One task a shop sorts ids, and nothing but ids.
    in_order = Window.partitionBy("shop_id").orderBy(column)
    return preferences.select("shop_id", column).distinct().withColumn("number", F.row_number().over(in_order) - 1)


def factorise(preferences: DataFrame, parameters: Parameters) -> Factors:
    """Fit the preferences of **one** shop (Hu, Koren, Volinsky, Collaborative filtering for implicit feedback, ICDM 2008)."""
    persons = numbered(preferences, "person_id").withColumnRenamed("number", "person")
    items = numbered(preferences, "item_id").withColumnRenamed("number", "item")
    ratings = (
        preferences.join(persons, ["shop_id", "person_id"])
        .join(items, ["shop_id", "item_id"])
        .select("person", "item", F.col("strength").cast("float").alias("strength"))
        .repartition(parameters.blocks, "person")
        .sortWithinPartitions("person", "item")
    )
    fitted = ALS(
        rank=parameters.factors,
        maxIter=parameters.iterations,
        regParam=parameters.regularization,
        alpha=parameters.alpha,
        implicitPrefs=True,
        userCol="person",
        itemCol="item",
        ratingCol="strength",
        seed=parameters.seed,
        numUserBlocks=parameters.blocks,
        numItemBlocks=parameters.blocks,
        checkpointInterval=-1,
    ).fit(ratings)
    item_factors = fitted.itemFactors.select(F.col("id").alias("item"), F.col("features").alias("factors"))
    person_factors = fitted.userFactors.select(F.col("id").alias("person"), F.col("features").alias("factors"))
    return Factors(
        items.join(item_factors, "item").select(*ALS_ITEM_FACTORS.columns),
        persons.join(person_factors, "person").select(*ALS_PERSON_FACTORS.columns),
    )
