"""Compile acts (``jishi.features.act``) to Flink SQL: the rows that a feature view aggregates.

Whole events come in one SELECT, so that they keep the order of the log; each kind of part is a SELECT of its own. The event's
line is read again only for the types whose records lack a column that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from jishi.features.act import (
    ACT_KINDS,
    COLUMNS,
    DAY_MS,
    HOUR_MS,
    ActKind,
    Formula,
    FromElement,
    FromProperties,
    FromRecord,
    Source,
)

SQL_TYPES = {"string": "STRING", "int64": "BIGINT"}
_OF_TIME = {
    "occurred_at_ms": "occurred_at_ms",
    "hour_utc": f"MOD(occurred_at_ms / {HOUR_MS}, 24)",
    "day_utc": f"occurred_at_ms / {DAY_MS}",
}


def acts_query(kinds: Sequence[str], keys: Sequence[str], columns: Sequence[str], clocks: Sequence[str]) -> str:
    """Query over ``events``: good acts of these kinds with ``shop_id``, ``keys``, ``type`` (the kind), ``columns``, ``clocks``.

    An act whose key is not whole is left out. ``clocks`` are columns of ``events`` that pass through.
    """
    wanted = [column for column in dict.fromkeys((*keys, *columns)) if column not in ("shop_id", *clocks)]
    chosen = [ACT_KINDS[name] for name in sorted(kinds)]
    whole = [kind for kind in chosen if kind.is_whole_event]
    branches = [_whole_events(whole, keys, wanted, clocks)] if whole else []
    branches += [_parts(kind, keys, wanted, clocks) for kind in chosen if not kind.is_whole_event]
    return together(branches)


def together(queries: Sequence[str], between: str = " ") -> str:
    """The rows of all queries. Wrapped into one SELECT: Flink 2.3 takes a bare union as several inputs of a window function and
    drops all but the first without a word.
    """
    if len(queries) == 1:
        return queries[0]
    return f"SELECT * FROM ({f'{between}UNION ALL{between}'.join(queries)})"


def in_list(values: Sequence[str | int]) -> str:
    """SQL list of literals."""
    return "(" + ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in values) + ")"


def _whole_events(kinds: Sequence[ActKind], keys: Sequence[str], wanted: Sequence[str], clocks: Sequence[str]) -> str:
    told = {column: _told_by(kinds, column) for column in wanted}
    types = [kind.name for kind in kinds]
    from_events = f"FROM events WHERE fate = 'good' AND type IN {in_list(types)}"
    return _select(told, keys, "type", clocks, from_events)


def _parts(kind: ActKind, keys: Sequence[str], wanted: Sequence[str], clocks: Sequence[str]) -> str:
    told = {column: _told_by([kind], column) for column in wanted}
    events = f"events WHERE fate = 'good' AND type = '{kind.event_type}'"
    if kind.each is not None:
        elements = f"JSON_QUERY(line, '$.properties.{kind.each}' RETURNING ARRAY<STRING>)"
        events = f"(SELECT * FROM {events}) CROSS JOIN UNNEST({elements}) AS elements(piece) WHERE TRUE"
    return _select(told, keys, f"'{kind.name}'", clocks, f"FROM {events}")


def _select(told: dict[str, str], keys: Sequence[str], kind: str, clocks: Sequence[str], source: str) -> str:
    named = {key: told[key] for key in keys} | {"type": kind} | told
    columns = ["shop_id", *(_named(expression, name) for name, expression in named.items())]
    whole_key = "".join(f" AND {told[key]} IS NOT NULL" for key in keys)
    return f"SELECT {', '.join([*columns, *clocks])} {source}{whole_key}"


def _named(expression: str, name: str) -> str:
    return expression if expression in (name, f"`{name}`") else f"{expression} AS `{name}`"


def _told_by(kinds: Sequence[ActKind], column: str) -> str:
    """One expression for a column of several kinds; NULL for those that do not carry it."""
    if column in _OF_TIME:
        return _OF_TIME[column]
    by_expression: dict[str, list[str]] = {}
    for kind in kinds:
        if column in kind.columns:
            by_expression.setdefault(_expression(kind.columns[column], column), []).append(kind.name)
    if not by_expression:
        return f"CAST(NULL AS {SQL_TYPES[COLUMNS[column]]})"
    if len(kinds) == 1 or list(by_expression) == [f"`{column}`"]:
        return next(iter(by_expression))
    cases = " ".join(f"WHEN type IN {in_list(names)} THEN {expression}" for expression, names in by_expression.items())
    return f"CASE {cases} END"


def _expression(source: Source, column: str) -> str:
    if isinstance(source, FromRecord):
        return f"`{column}`"
    if isinstance(source, Formula):
        return source.sql.format(**{name: _typed(field, "int64") for name, field in source.fields.items()})
    return _typed(source, COLUMNS[column])


def _typed(source: FromProperties | FromElement, kind: str) -> str:
    if isinstance(source, FromProperties):
        text = f"JSON_VALUE(line, '$.properties.{source.field}')"
    else:
        text = "piece" if source.field is None else f"JSON_VALUE(piece, '$.{source.field}')"
    return text if kind == "string" else f"TRY_CAST({text} AS {SQL_TYPES[kind]})"
