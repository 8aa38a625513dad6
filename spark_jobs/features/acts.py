"""Compile acts (``jishi.features.act``) to a Spark DataFrame: one row an act, with every column of an act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jishi.features.act import (
    ACT_KINDS,
    COLUMNS,
    DAY_MS,
    HOUR_MS,
    ActKind,
    Formula,
    FromElement,
    FromPersonId,
    FromProperties,
    FromRecord,
    IsSender,
    Source,
)
from jishi.features.zones import NO_ZONES, Zones, spans
from jishi.tables import SPARK_TYPES
from spark_jobs.silver.outcomes import ORDER_OF_KNOWING

_NEVER_MS = 2**62
_OF_TIME = {
    "occurred_at_ms": "occurred_at_ms",
    # A day more: west of Greenwich the first hours of 1970 are negative, and division would round them up.
    "hour_local": f"((local_ms + {DAY_MS}) div {HOUR_MS}) % 24",
    "day_local": f"(local_ms + {DAY_MS}) div {DAY_MS} - 1",
}


def acts(good: DataFrame, zones: Zones = NO_ZONES) -> DataFrame:
    """Acts of good events with ``kind``, ``shop_id``, the columns of an act and those that order the log.

    ``good`` has the columns of ``BRONZE_EVENTS`` and is read once: an event becomes the list of its acts. The line is read only
    of types whose acts need it.
    """
    reading = sorted({kind.event_type for kind in ACT_KINDS.values() if _reads_line(kind)})
    whole = [kind for kind in ACT_KINDS.values() if kind.is_whole_event]
    parts = [kind for kind in ACT_KINDS.values() if not kind.is_whole_event]
    line = F.when(F.col("type").isin(reading), F.col("line"))
    events = _with_local_time(good.where(F.col("type").isin([kind.name for kind in whole])), zones)
    events = events.withColumn("properties", F.from_json(line, f"properties {_properties_ddl()}")["properties"])
    of_type = " ".join(f"WHEN type = '{kind.event_type}' THEN {_parts(kind)}" for kind in parts)
    none = f"CAST(array() AS ARRAY<{_struct({'kind': 'STRING'} | _sql_types(COLUMNS))}>)"
    itself_and_parts = f"concat(array({_act('type', whole)}), coalesce(CASE {of_type} END, {none}))"
    return events.select("shop_id", *ORDER_OF_KNOWING, F.expr(f"inline({itself_and_parts})"))


def _with_local_time(events: DataFrame, zones: Zones) -> DataFrame:
    """Events with ``local_ms``, by the spans of their shop's zone: Spark's own table of zones may be another one."""
    rows = []
    for shop_id, zone in sorted(zones.items()):
        of_zone = spans(zone)
        until = [*(span.from_ms for span in of_zone[1:]), _NEVER_MS]
        rows += [
            (shop_id, -_NEVER_MS if number == 0 else span.from_ms, until_ms, span.offset_ms)
            for number, (span, until_ms) in enumerate(zip(of_zone, until, strict=True))
        ]
    if not rows:
        return events.withColumn("local_ms", F.col("occurred_at_ms"))
    ddl = "zone_shop string, from_ms bigint, until_ms bigint, offset_ms bigint"
    of_shops = F.broadcast(events.sparkSession.createDataFrame(rows, ddl))
    at_ms = F.col("occurred_at_ms")
    holds = (F.col("shop_id") == F.col("zone_shop")) & (at_ms >= F.col("from_ms")) & (at_ms < F.col("until_ms"))
    joined = events.join(of_shops, holds, "left")
    return joined.withColumn("local_ms", at_ms + F.coalesce("offset_ms", F.lit(0)))


def _act(kind: str, kinds: list[ActKind]) -> str:
    """One act as a struct of ``kind`` and every column."""
    columns = {name: f"CAST({_column_sql(kinds, name)} AS {sql_type})" for name, sql_type in _sql_types(COLUMNS).items()}
    return f"named_struct('kind', {kind}, {', '.join(f'{name!r}, {sql}' for name, sql in columns.items())})"


def _parts(kind: ActKind) -> str:
    """The parts of an event, as a list of acts; NULL for a list that is not there."""
    if kind.each is None:
        return f"array({_act(repr(kind.name), [kind])})"
    return f"transform(properties.{kind.each}, piece -> {_act(repr(kind.name), [kind])})"


def _column_sql(kinds: Iterable[ActKind], column: str) -> str:
    """One expression for a column of several kinds; NULL for those that do not carry it.

    Kinds that tell it alike share a case: Java does not compile a method that has become too long, and then all is slow.
    """
    if column in _OF_TIME:
        return _OF_TIME[column]
    types_of: dict[str, list[str]] = {}
    for kind in kinds:
        if column in kind.columns:
            types_of.setdefault(_expression(kind.columns[column], column), []).append(f"'{kind.event_type}'")
    cases = [f"WHEN type IN ({', '.join(types)}) THEN {expression}" for expression, types in types_of.items()]
    return f"CASE {' '.join(cases)} END" if cases else "NULL"


def _sql_types(columns: Mapping[str, str]) -> dict[str, str]:
    return {name: SPARK_TYPES[kind] for name, kind in columns.items()}


def _expression(source: Source, column: str) -> str:
    if isinstance(source, Formula):
        return source.sql.format(**{name: _expression(field, name) for name, field in source.fields.items()})
    if isinstance(source, FromRecord):
        return column
    if isinstance(source, IsSender):
        return source.sql.format(person=_expression(source.person, column))
    if isinstance(source, FromPersonId):
        return source.sql.format(field=f"properties.{source.field}")
    if isinstance(source, FromProperties):
        return f"properties.{source.field}"
    return "piece" if source.field is None else f"piece.{source.field}"


def _reads_line(kind: ActKind) -> bool:
    return kind.each is not None or any(not isinstance(source, FromRecord) for source in kind.columns.values())


def _properties_ddl() -> str:
    """Schema of every property that some act reads, lists with the fields of their elements."""
    fields: dict[str, str] = {}
    elements: dict[str, dict[str, str]] = {}
    for kind in ACT_KINDS.values():
        for column, source in kind.columns.items():
            for name, field in _fields_of(source, column):
                if isinstance(field, FromProperties):
                    fields[field.field] = SPARK_TYPES[field.kind or COLUMNS.get(name, "int64")]
                elif kind.each is not None:
                    of_list = elements.setdefault(kind.each, {})
                    if field.field is not None:
                        of_list[field.field] = SPARK_TYPES[COLUMNS.get(name, "int64")]
    for name, of_list in elements.items():
        fields[name] = f"ARRAY<{_struct(of_list) if of_list else 'STRING'}>"
    return _struct(fields)


def _fields_of(source: Source, column: str) -> list[tuple[str, FromProperties | FromElement]]:
    if isinstance(source, FromRecord):
        return []
    if isinstance(source, IsSender):
        source, column = source.person, "person_id"
    if isinstance(source, FromPersonId):
        return [(column, FromProperties(source.field))]
    return list(source.fields.items()) if isinstance(source, Formula) else [(column, source)]


def _struct(fields: dict[str, str]) -> str:
    return f"STRUCT<{', '.join(f'{name}: {kind}' for name, kind in fields.items())}>"
