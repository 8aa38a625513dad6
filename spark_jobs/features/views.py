"""Compile feature definitions to Spark DataFrames: the rows of one view from acts.

The value of a window changes only where acts enter or leave it. Acts are therefore aggregated to slides, and a slide makes
two changes: what it adds at its end, and what it takes away one window later. Their running sums are the values at these
instants, and each value holds for every slide until the next change. A different value (``distinct``) is added where it comes
without having been in the window, and taken away where it was not seen again in time. An extreme cannot be taken away: it is
looked for among the slides in the window, and so are values (``values``). So an act is handled twice, and not once for each
of the windows that hold it. A window that ended some time ago is one up to now whose acts come later by as much.

A running view has one row an instant at which it changed: of several events known in the same millisecond the last one's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jishi.features import ENTITY_KEYS, Feature, Where
from jishi.features.act import COLUMNS
from jishi.features.entity import ESCAPES, SEPARATOR
from jishi.features.refusal import KNOWN_AT
from jishi.money import MOST_SUM
from jishi.tables import SPARK_TYPES
from spark_jobs.silver.outcomes import ORDER_OF_KNOWING

_WIDE = "DECIMAL(38, 0)"
EXTREMES = {"min": F.min, "max": F.max}


def view_rows(acts: DataFrame, features: Sequence[Feature], *, allowed_lateness_s: int) -> DataFrame:
    """Rows of one view: ``shop_id``, its key columns, ``entity_id``, ``as_of_ms``, ``valid_until_ms`` and the features.

    ``acts`` are those of ``spark_jobs.features.acts``.
    """
    if features[0].is_running:
        return _running_rows(acts, features)
    return _window_rows(acts, features, allowed_lateness_s)


def _window_rows(acts: DataFrame, parts: Sequence[Feature], allowed_lateness_s: int) -> DataFrame:
    keys = ENTITY_KEYS[parts[0].entity]
    slide_ms, offset_ms = parts[0].slide * 1000, parts[0].offset_s * 1000
    kinds = sorted({kind for part in parts for kind in part.acts})
    taken = _with_whole_key(acts.where(F.col("kind").isin(kinds)), keys)
    taken = taken.withColumn("at_ms", F.expr(f"(occurred_at_ms div {slide_ms} + 1) * {slide_ms} + {offset_ms}"))
    changes = _changes_of_slides(taken, parts, keys)
    for part in parts:
        if part.aggregation == "distinct":
            changes = changes.unionByName(_changes_of_values(taken, part, keys), allowMissingColumns=True)
    known_ms = F.col("end_ms") + F.lit(allowed_lateness_s * 1000)
    return _values_of_windows(changes, parts, keys, slide_ms).select(
        *_identity(keys),
        known_ms.alias("as_of_ms"),
        (known_ms + F.lit(slide_ms)).alias("valid_until_ms"),
        *(F.expr(_value(part)).alias(part.name) for part in parts),
    )


def _changes_of_slides(taken: DataFrame, parts: Sequence[Feature], keys: Sequence[str]) -> DataFrame:
    """What each slide adds at its end and takes away when it leaves a window; ``at_ms``, ``acts`` and aggregates of parts.

    ``acts`` tells whether the window holds anything at all.
    """
    added = {name: sql for part in parts for name, sql in sums_of(part).items()}
    extremes = {part.name: extreme_of(part) for part in parts if part.aggregation in EXTREMES}
    sets = {part.name: part for part in parts if part.aggregation == "values"}
    of_slide = added | extremes | {name: _set_of(part) for name, part in sets.items()}
    aggregates = [F.expr(sql).alias(name) for name, sql in of_slide.items()]
    slides = taken.groupBy("shop_id", *keys, "at_ms").agg(F.count(F.lit(1)).alias("acts"), *aggregates)
    come = {name: name for name in ("at_ms", "acts", *of_slide)}
    leave = {"at_ms": f"at_ms + {parts[0].size * 1000}", "acts": "-acts"} | {name: f"-{name}" for name in added}
    leave |= {name: "CAST(NULL AS BIGINT)" for name in extremes}
    leave |= {name: f"CAST(NULL AS ARRAY<{SPARK_TYPES[COLUMNS[part.column or '']]}>)" for name, part in sets.items()}
    changes = [_struct(come), _struct(leave)]
    return slides.select("shop_id", *keys, F.expr(f"inline(array({', '.join(changes)}))"))


def _changes_of_values(taken: DataFrame, part: Feature, keys: Sequence[str]) -> DataFrame:
    """Where the number of different values goes up and down."""
    size_ms = part.size * 1000
    of_value = ["shop_id", *keys, part.column or ""]
    seen = taken.where(_taken_by(part)).where(F.col(part.column or "").isNotNull()).select(*of_value, "at_ms").distinct()
    in_time = Window.partitionBy(*of_value).orderBy("at_ms")
    before, after = F.lag("at_ms").over(in_time), F.lead("at_ms").over(in_time)
    value_changes = seen.withColumns({"before_ms": before, "after_ms": after})
    comes = f"IF(before_ms + {size_ms} >= at_ms, 0L, 1L)"
    goes = f"IF(after_ms <= at_ms + {size_ms}, 0L, -1L)"
    changes = [_struct({"at_ms": "at_ms", part.name: comes}), _struct({"at_ms": f"at_ms + {size_ms}", part.name: goes})]
    return value_changes.select("shop_id", *keys, F.expr(f"inline(array({', '.join(changes)}))")).where(F.col(part.name) != 0)


def _values_of_windows(changes: DataFrame, parts: Sequence[Feature], keys: Sequence[str], slide_ms: int) -> DataFrame:
    """Aggregates of every window that holds an act, with its ``end_ms``."""
    of_key = Window.partitionBy("shop_id", *keys).orderBy("at_ms")
    so_far = of_key.rangeBetween(Window.unboundedPreceding, Window.currentRow)
    values = {"acts": F.sum("acts").over(so_far), "next_ms": F.lead("at_ms").over(of_key)}
    for part in parts:
        names = [part.name] if part.aggregation == "distinct" else list(sums_of(part))
        wide = wide_sums(part)
        for name in names:
            total = F.sum(name).over(so_far)
            values[name] = (
                F.least(F.lit(MOST_SUM), F.greatest(F.lit(-MOST_SUM), total)).cast("bigint") if name in wide else total
            )
        inside = of_key.rangeBetween(slide_ms - part.size * 1000, Window.currentRow)
        if part.aggregation in EXTREMES:
            values[part.name] = EXTREMES[part.aggregation](part.name).over(inside)
        if part.aggregation == "values":
            values[part.name] = F.array_sort(F.array_distinct(F.flatten(F.collect_list(part.name).over(inside))))
    # Of several changes at one instant each has the sum of all; the last one's next lies later.
    at_changes = changes.withColumns(values).where("acts > 0 AND next_ms > at_ms")
    return at_changes.withColumn("end_ms", F.expr(f"explode(sequence(at_ms, next_ms - {slide_ms}, {slide_ms}L))"))


def _struct(columns: Mapping[str, str]) -> str:
    return f"named_struct({', '.join(f'{name!r}, {sql}' for name, sql in columns.items())})"


def sums_of(part: Feature) -> dict[str, str]:
    """Integer aggregates over one slide that add up, by the name under which they travel, as Spark SQL over acts."""
    taken = f"FILTER (WHERE {_taken_by(part)})"
    if part.aggregation == "count":
        return {part.name: f"count(1) {taken}"}
    if part.aggregation == "sum":
        return {part.name: _exact_sum(part, taken)}
    if part.aggregation == "mean":
        return {
            f"{part.name}__sum__part": _exact_sum(part, taken),
            f"{part.name}__count__part": f"count({part.column}) {taken}",
        }
    return {}


def wide_sums(part: Feature) -> frozenset[str]:
    """Those of ``sums_of`` that 64 bits may not hold before they are cut to the bounds of the definition."""
    return frozenset({"sum": {part.name}, "mean": {f"{part.name}__sum__part"}}.get(part.aggregation, ()))


def _exact_sum(part: Feature, taken: str) -> str:
    return f"CAST(coalesce(sum(CAST({part.column} AS DECIMAL(20, 0))) {taken}, 0) AS {_WIDE})"


def extreme_of(part: Feature) -> str:
    """The extreme of one slide, as Spark SQL over acts."""
    return f"{part.aggregation}({part.column}) FILTER (WHERE {_taken_by(part)})"


def _set_of(part: Feature) -> str:
    """The different values of one slide, as Spark SQL over acts."""
    return f"collect_set({part.column}) FILTER (WHERE {_taken_by(part)})"


def _taken_by(part: Feature) -> str:
    return " AND ".join([f"kind IN {_in_list(part.acts)}", *(_condition(where) for where in part.where)])


def _condition(where: Where) -> str:
    if where.one_of is not None:
        return f"{where.column} IN {_in_list(where.one_of)}"
    return f"{where.column} IS NOT NULL" if where.at_least is None else f"{where.column} >= {where.at_least}"


def _in_list(values: Sequence[str | int]) -> str:
    return "(" + ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in values) + ")"


def _value(feature: Feature) -> str:
    """The value of a feature from the aggregates of a window."""
    default = "NULL" if feature.default is None else str(feature.default)
    if feature.aggregation == "mean":
        return _quotient(f"{feature.name}__sum__part", f"{feature.name}__count__part", default)
    if feature.aggregation == "values":
        return feature.name
    return f"CAST(coalesce({feature.name}, {default}) AS BIGINT)"


def _quotient(above: str, below: str, default: str) -> str:
    return f"CASE WHEN {below} > 0 THEN CAST({above} AS DOUBLE) / CAST({below} AS DOUBLE) ELSE CAST({default} AS DOUBLE) END"


def _running_rows(acts: DataFrame, features: Sequence[Feature]) -> DataFrame:
    """Rows of one running feature, with the times of its entries where ``features`` has them."""
    feature, times = features[0], features[1:]
    keys = ENTITY_KEYS[feature.entity]
    column = feature.column or "occurred_at_ms"
    taken = _with_whole_key(acts.where(F.col("kind").isin(list(feature.acts)) & F.col(column).isNotNull()), keys)
    for where in feature.where:
        taken = taken.where(_condition(where))
    in_log = Window.partitionBy("shop_id", *keys).orderBy(*ORDER_OF_KNOWING)
    if feature.aggregation == "last_n":
        assert feature.n is not None  # checked by the declaration
        newest = in_log.rowsBetween(1 - feature.n, Window.currentRow)
        value = F.reverse(F.collect_list(column).over(newest))
        taken = taken.withColumns({other.name: F.reverse(F.collect_list(KNOWN_AT).over(newest)) for other in times})
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
        *(other.name for other in times),
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
