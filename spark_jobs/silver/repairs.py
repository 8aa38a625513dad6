"""Put repaired records in the place of the quarantined ones, before outcomes are decided."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jishi.tables import BRONZE_EVENTS, BRONZE_REPAIRS

_IDENTITY = BRONZE_EVENTS.key
# What a repair may change. Identity, both clocks of the log and its position stay those of the acknowledgement. Only an
# imported line, which no log knew, may become known later than the line before it, once its own time can be read.
_REPLACED = tuple(
    name
    for name in BRONZE_REPAIRS.columns
    if name in BRONZE_EVENTS.columns and name not in (*_IDENTITY, "shop_id", "collected_at_ms", "received_at_ms")
)


def apply_repairs(bronze: DataFrame, repairs: DataFrame | None) -> DataFrame:
    """Bronze rows with their repaired form where there is one, and two columns more.

    ``repaired_at`` is since when the event is good (null for an event that came good), ``is_repeated`` whether another delivery
    of it was known to be good before. ``repairs`` has the columns of ``BRONZE_REPAIRS``. The number of rows stays.
    """
    if repairs is None:
        return bronze.withColumns({"repaired_at": F.lit(None).cast("timestamp_ntz"), "is_repeated": F.lit(False)})
    repaired = repairs.select(
        *_IDENTITY,
        "repaired_at",
        "is_repeated",
        F.col("received_at_ms").alias("known_at_ms"),
        *[F.col(name).alias(f"new_{name}") for name in _REPLACED],
    )
    joined = bronze.join(F.broadcast(repaired), list(_IDENTITY), "left")
    is_repaired = F.col("repaired_at").isNotNull()
    columns = {name: F.when(is_repaired, F.col(f"new_{name}")).otherwise(F.col(name)) for name in _REPLACED}
    columns["received_at_ms"] = F.greatest("received_at_ms", "known_at_ms")
    columns["is_repeated"] = F.coalesce("is_repeated", F.lit(False))
    return joined.withColumns(columns).select(*bronze.columns, "repaired_at", "is_repeated")
