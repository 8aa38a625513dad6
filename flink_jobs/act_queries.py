"""Compile acts (``jishi.features.act``) to Flink SQL: the rows that a feature view aggregates.

All acts of a view come through one SELECT, never through a union: after a silence of the source the branches of a union wake up
one by one, and until the last one has, time follows the first alone and drops as late what the others still bring (seen under
load). So an event that holds parts is unfolded: its ``piece`` is null in the row of the event itself and an element of its list
in the others. The line is read again only for the types whose records lack a column that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jishi.features.act import (
    ACT_KINDS,
    COLUMNS,
    DAY_MS,
    HOUR_MS,
    OF_TIME,
    ActKind,
    Formula,
    FromElement,
    FromPersonId,
    FromProperties,
    FromRecord,
    IsSender,
    Source,
)
from jishi.features.zones import NO_ZONES, Zones, offset_sql

_ITSELF = "ARRAY[CAST(NULL AS STRING)]"
SQL_TYPES = {"string": "STRING", "int64": "BIGINT"}


def acts_query(
    kinds: Sequence[str],
    keys: Sequence[str],
    columns: Sequence[str],
    clocks: Sequence[str],
    zones: Zones = NO_ZONES,
    *,
    events: str = "events",
) -> str:
    """Query over ``events``: good acts of these kinds with ``shop_id``, ``keys``, ``type`` (the kind), ``columns``, ``clocks``.

    An act whose key is not whole is left out. ``clocks`` are columns of ``events`` that pass through; ``zones`` tell the
    shops' local time. ``events`` may be a view that has a part of its rows.
    """
    of_time = _of_time(zones)
    wanted = [column for column in dict.fromkeys((*keys, *columns)) if column not in ("shop_id", *clocks)]
    chosen = [ACT_KINDS[name] for name in sorted(kinds)]
    if all(kind.is_whole_event for kind in chosen):
        from_events = f"FROM {events} WHERE outcome = 'good' AND type IN {in_list([kind.name for kind in chosen])}"
        return _select(chosen, "type", keys, wanted, clocks, from_events, of_time)
    read = ["shop_id", "type", "line", *_recorded(chosen, wanted), *clocks]
    source = f"FROM {_unfolded(chosen, read, events)} WHERE kind IN {in_list(sorted(kinds))}"
    return _select(chosen, "kind", keys, wanted, clocks, source, of_time)


def _of_time(zones: Zones) -> dict[str, str]:
    # A day more: west of Greenwich the first hours of 1970 are negative, and division would round them up.
    local = f"(occurred_at_ms + {offset_sql(zones)} + {DAY_MS})"
    return {
        "occurred_at_ms": "occurred_at_ms",
        "hour_local": f"MOD({local} / {HOUR_MS}, 24)",
        "day_local": f"{local} / {DAY_MS} - 1",
    }


def in_list(values: Sequence[str | int]) -> str:
    """SQL list of literals."""
    return "(" + ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in values) + ")"


def _recorded(kinds: Sequence[ActKind], wanted: Sequence[str]) -> list[str]:
    """Columns of the record from which some kind takes a wanted one: what is not named here is not copied with each act."""
    of_time = ["occurred_at_ms"] if any(column in OF_TIME for column in wanted) else []
    sources = [(column, kind.columns.get(column)) for column in wanted for kind in kinds]
    recorded = [f"`{column}`" for column, source in sources if isinstance(source, FromRecord)]
    ids = [column for _, source in sources if isinstance(source, IsSender) for column in source.reads]
    return list(dict.fromkeys(of_time + recorded + ids))


def _unfolded(kinds: Sequence[ActKind], read: Sequence[str], events: str) -> str:
    """Good events of the kinds' types with the columns ``read``, each as often as it holds acts, with ``piece``, ``kind``."""
    parts = {kind.event_type: kind for kind in kinds if not kind.is_whole_event}
    if len(parts) != sum(not kind.is_whole_event for kind in kinds):
        raise ValueError(
            f"two kinds of parts of one event in {', '.join(kind.name for kind in kinds)}; declare them in two views"
        )
    pieces = " ".join(f"WHEN '{event_type}' THEN {_pieces(part)}" for event_type, part in parts.items())
    named = " ".join(f"WHEN type = '{event_type}' THEN '{part.name}'" for event_type, part in parts.items())
    types = in_list(sorted({kind.event_type for kind in kinds}))
    return (
        f"(SELECT *, CASE WHEN piece IS NULL THEN type {named} END AS kind "
        f"FROM (SELECT {', '.join(read)} FROM {events} WHERE outcome = 'good' AND type IN {types}) "
        f"CROSS JOIN UNNEST(CASE type {pieces} ELSE {_ITSELF} END) AS pieces(piece))"
    )


def _pieces(part: ActKind) -> str:
    """The event itself and its parts, as an array; a list that is not there has none."""
    if part.each is None:
        return "ARRAY[CAST(NULL AS STRING), '']"
    elements = f"JSON_QUERY(line, '$.properties.{part.each}' RETURNING ARRAY<STRING>)"
    return f"COALESCE(ARRAY_CONCAT({_ITSELF}, {elements}), {_ITSELF})"


def _select(
    kinds: Sequence[ActKind],
    kind: str,
    keys: Sequence[str],
    wanted: Sequence[str],
    clocks: Sequence[str],
    source: str,
    of_time: Mapping[str, str],
) -> str:
    by_column = {column: of_time.get(column) or _column_sql(kinds, kind, column) for column in wanted}
    named = {key: by_column[key] for key in keys} | {"type": kind} | by_column
    columns = ["shop_id", *(_named(expression, name) for name, expression in named.items())]
    whole_key = "".join(f" AND {by_column[key]} IS NOT NULL" for key in keys)
    return f"SELECT {', '.join([*columns, *clocks])} {source}{whole_key}"


def _named(expression: str, name: str) -> str:
    return expression if expression in (name, f"`{name}`") else f"{expression} AS `{name}`"


def _column_sql(kinds: Sequence[ActKind], named: str, column: str) -> str:
    """One expression for a column of several kinds; NULL for those that do not carry it."""
    by_expression: dict[str, list[str]] = {}
    for kind in kinds:
        if column in kind.columns:
            by_expression.setdefault(_expression(kind.columns[column], column), []).append(kind.name)
    if not by_expression:
        return f"CAST(NULL AS {SQL_TYPES[COLUMNS[column]]})"
    if len(kinds) == 1 or list(by_expression) == [f"`{column}`"]:
        return next(iter(by_expression))
    cases = " ".join(f"WHEN {named} IN {in_list(names)} THEN {expression}" for expression, names in by_expression.items())
    return f"CASE {cases} END"


def _expression(source: Source, column: str) -> str:
    if isinstance(source, FromRecord):
        return f"`{column}`"
    if isinstance(source, IsSender):
        return source.sql.format(person=_expression(source.person, column))
    if isinstance(source, FromPersonId):
        return source.sql.format(field=_typed(FromProperties(source.field), "string"))
    if isinstance(source, Formula):
        return source.sql.format(**{name: _typed(field, "int64") for name, field in source.fields.items()})
    return _typed(source, COLUMNS[column])


def _typed(source: FromProperties | FromElement, kind: str) -> str:
    if isinstance(source, FromProperties):
        kind = source.kind or kind
        text = f"JSON_VALUE(line, '$.properties.{source.field}')"
    else:
        text = "piece" if source.field is None else f"JSON_VALUE(piece, '$.{source.field}')"
    return text if kind == "string" else f"TRY_CAST({text} AS {SQL_TYPES[kind]})"
