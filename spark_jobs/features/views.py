"""Compile feature definitions to Spark DataFrames: the rows of one view from acts.

Each act is copied to the windows that hold it, and the copies are aggregated; a part with a shorter window than its view's
takes the acts that are young enough. A running view has one row an instant at which it changed: of several events known in the
same millisecond the last one's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jishi.features import ENTITY_KEYS, FEATURES, Feature, Where, operands
from jishi.features.entity import ESCAPES, SEPARATOR
from spark_jobs.silver.fates import ORDER_OF_KNOWING

KEY = ("shop_id", "entity_id", "as_of_ms", "valid_until_ms")


def view_rows(
    acts: DataFrame, features: Sequence[Feature], *, allowed_lateness_s: int, declared: Iterable[Feature] = FEATURES
) -> DataFrame:
    """Rows of one view: ``shop_id``, its key columns, ``entity_id``, ``as_of_ms``, ``valid_until_ms`` and the features.

    ``acts`` are those of ``spark_jobs.features.acts``; ``declared`` are all features that a ratio may name.
    """
    if features[0].is_running:
        return _running_rows(acts, features[0])
    return _window_rows(acts, features, allowed_lateness_s, tuple(declared))


def _window_rows(
    acts: DataFrame, features: Sequence[Feature], allowed_lateness_s: int, declared: tuple[Feature, ...]
) -> DataFrame:
    parts = {part.name: part for feature in features for part in operands(feature, declared)}
    keys = ENTITY_KEYS[features[0].entity]
    slide_ms, size_ms = features[0].slide * 1000, max(part.size for part in parts.values()) * 1000
    kinds = sorted({kind for part in parts.values() for kind in part.acts})
    first_end = f"(occurred_at_ms div {slide_ms} + 1) * {slide_ms}"
    last_end = f"((occurred_at_ms + {size_ms}) div {slide_ms}) * {slide_ms}"
    copies = _with_whole_key(acts.where(F.col("kind").isin(kinds)), keys).withColumn(
        "end_ms", F.explode(F.expr(f"sequence({first_end}, {last_end}, {slide_ms}L)"))
    )
    aggregates = [F.expr(sql).alias(name) for part in parts.values() for name, sql in aggregates_of(part).items()]
    grouped = copies.groupBy("shop_id", *keys, "end_ms").agg(*aggregates)
    known_ms = F.col("end_ms") + F.lit(allowed_lateness_s * 1000)
    return grouped.select(
        *_identity(keys),
        known_ms.alias("as_of_ms"),
        (known_ms + F.lit(slide_ms)).alias("valid_until_ms"),
        *(F.expr(_value(feature)).alias(feature.name) for feature in features),
    )


def aggregates_of(part: Feature) -> dict[str, str]:
    """Integer aggregates that a feature is made of, by the name under which they travel, as Spark SQL over copied acts."""
    conditions = [f"kind IN {_in_list(part.acts)}", f"occurred_at_ms >= end_ms - {part.size * 1000}"]
    taken = f"FILTER (WHERE {' AND '.join(conditions + [_condition(where) for where in part.where])})"
    if part.aggregation == "count":
        return {part.name: f"count(1) {taken}"}
    if part.aggregation == "distinct":
        return {part.name: f"count(DISTINCT {part.column}) {taken}"}
    if part.aggregation == "mean":
        return {
            f"{part.name}__sum__part": f"sum({part.column}) {taken}",
            f"{part.name}__count__part": f"count({part.column}) {taken}",
        }
    if part.aggregation == "seconds_since":
        return {part.name: f"max(occurred_at_ms) {taken}"}
    return {part.name: f"{part.aggregation}({part.column}) {taken}"}


def _condition(where: Where) -> str:
    if where.one_of is not None:
        return f"{where.column} IN {_in_list(where.one_of)}"
    return f"{where.column} IS NOT NULL" if where.at_least is None else f"{where.column} >= {where.at_least}"


def _in_list(values: Sequence[str | int]) -> str:
    return "(" + ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in values) + ")"


def _value(feature: Feature) -> str:
    """The value of a feature from the aggregates of a window."""
    default = "NULL" if feature.default is None else str(feature.default)
    if feature.aggregation == "ratio":
        return _quotient(f"coalesce({feature.numerator}, 0L)", f"coalesce({feature.denominator}, 0L)", default)
    if feature.aggregation == "mean":
        return _quotient(f"{feature.name}__sum__part", f"{feature.name}__count__part", default)
    value = f"(end_ms - {feature.name}) div 1000" if feature.aggregation == "seconds_since" else feature.name
    return f"CAST(coalesce({value}, {default}) AS BIGINT)"


def _quotient(above: str, below: str, default: str) -> str:
    return f"CASE WHEN {below} > 0 THEN CAST({above} AS DOUBLE) / CAST({below} AS DOUBLE) ELSE CAST({default} AS DOUBLE) END"


def _running_rows(acts: DataFrame, feature: Feature) -> DataFrame:
    keys = ENTITY_KEYS[feature.entity]
    column = feature.column or "occurred_at_ms"
    taken = _with_whole_key(acts.where(F.col("kind").isin(list(feature.acts)) & F.col(column).isNotNull()), keys)
    for where in feature.where:
        taken = taken.where(_condition(where))
    in_log = Window.partitionBy("shop_id", *keys).orderBy(*ORDER_OF_KNOWING)
    if feature.aggregation == "last_n":
        assert feature.n is not None  # checked by the declaration
        value = F.reverse(F.collect_list(column).over(in_log.rowsBetween(1 - feature.n, Window.currentRow)))
    elif feature.aggregation == "first_seen":
        value = F.min(column).over(in_log.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    else:
        value = F.col(column)
    of_instant = Window.partitionBy("shop_id", *keys, "received_at_ms").orderBy(*[F.desc(name) for name in ORDER_OF_KNOWING])
    latest = taken.withColumns({"value": value, "place": F.row_number().over(of_instant)}).where("place = 1")
    return latest.select(
        *_identity(keys),
        F.col("received_at_ms").alias("as_of_ms"),
        F.lit(None).cast("bigint").alias("valid_until_ms"),
        F.col("value").alias(feature.name),
    )


def _with_whole_key(acts: DataFrame, keys: Sequence[str]) -> DataFrame:
    for key in keys:
        acts = acts.where(F.col(key).isNotNull())
    return acts


def _identity(keys: Sequence[str]) -> list[Column]:
    if len(keys) < 2:
        identity = F.col(keys[0] if keys else "shop_id")
    else:
        identity = F.concat_ws(SEPARATOR, *(_escaped(F.col(key)) for key in keys))
    return [F.col("shop_id"), *(F.col(key) for key in keys), identity.alias("entity_id")]


def _escaped(value: Column) -> Column:
    for plain, escaped in ESCAPES:
        value = F.replace(value, F.lit(plain), F.lit(escaped))
    return value
