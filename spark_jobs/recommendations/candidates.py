"""Candidates for each person: the items nearest to what the person acted on."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jishi.tables import PERSON_CANDIDATES

# Whole billionths add up to the same sum in any order, which doubles do not; so equal scores are equal on every run.
BILLIONTHS = 1_000_000_000
_SELLABLE = "status = 'active' and coalesce(stock, 1) > 0"


def sellable(items: DataFrame) -> DataFrame:
    """Items of a catalogue that may be shown: active, in stock where it is known. Serving looks again at each request."""
    return items.where(_SELLABLE).select("shop_id", "item_id")


def not_withdrawn(catalogue: DataFrame, states: DataFrame) -> DataFrame:
    """Items of a catalogue without those that an earlier state of them (``states``) says could not be shown.

    An item without a known state by then stays: persons acted on it.
    """
    gone = states.where(f"not coalesce({_SELLABLE}, false)").select("shop_id", "item_id")
    return catalogue.select("shop_id", "item_id").join(gone, ["shop_id", "item_id"], "left_anti")


def candidates(preferences: DataFrame, neighbours: DataFrame, shown: DataFrame, *, candidates_per_person: int) -> DataFrame:
    """The best items for each person, with the columns of ``PERSON_CANDIDATES``.

    ``preferences`` has the columns that ``als.preferences`` gives, ``neighbours`` those of ``ITEM_NEIGHBOURS`` for one kind of
    basket. The score of an item is Σ strength × cosine over the items of the person's history that have it as a neighbour (to
    a billionth); the items of the history are among the candidates when others of them lead there. Equal scores are ordered
    by item, and of two items that gave the same the first by its id is the reason.
    """
    near = neighbours.select(
        "shop_id", F.col("item_id").alias("because_item_id"), F.col("neighbour_id").alias("item_id"), "cosine"
    )
    history = preferences.withColumnRenamed("item_id", "because_item_id")
    gain = F.round(F.col("strength") * F.col("cosine") * BILLIONTHS).cast("long")
    gains = (
        history.join(near.join(shown, ["shop_id", "item_id"], "left_semi"), ["shop_id", "because_item_id"])
        .select("shop_id", "person_id", "item_id", "because_item_id", gain.alias("gain"))
        .repartition("shop_id", "person_id")  # one exchange serves the sums and the places
    )
    most = F.min(F.struct((-F.col("gain")).alias("loss"), "because_item_id"))
    scored = gains.groupBy("shop_id", "person_id", "item_id").agg(F.sum("gain").alias("gained"), most.alias("most"))
    best = Window.partitionBy("shop_id", "person_id").orderBy(F.desc("gained"), "item_id")
    measures = {
        "place": F.row_number().over(best),
        "score": F.col("gained") / F.lit(float(BILLIONTHS)),
        "because_item_id": F.col("most.because_item_id"),
    }
    placed = scored.where(F.col("gained") > 0).withColumns(measures)
    return placed.where(F.col("place") <= candidates_per_person).select(*PERSON_CANDIDATES.columns)
