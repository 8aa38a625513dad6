"""Parts of SQL that all feature queries share: the entity's id, conditions on acts, and messages as text of JSON."""

from __future__ import annotations

from collections.abc import Mapping

from flink_jobs.act_queries import in_list
from jishi.features import ENTITY_KEYS, Feature, Where
from jishi.features.entity import ESCAPES, SEPARATOR


def message(view: str, as_of_ms: str, valid_until_ms: str, json_values: Mapping[str, str]) -> str:
    """Columns of one message; ``json_values`` are SQL expressions of JSON text by feature.

    The text is joined here: ``JSON_OBJECT`` makes a tree of objects, twice a message, which took longer than the windows.
    """
    values = ", ',".join(f'"{name}":\', {value}' for name, value in json_values.items())
    return f"""\
'{view}|' || shop_id || '|' || entity_id AS message_key,
  CONCAT('{{"view":"{view}","shop_id":', {quoted("shop_id")}, ',"entity_id":', {quoted("entity_id")},
    ',"as_of_ms":', {json_text(as_of_ms)}, ',"valid_until_ms":', {json_text(valid_until_ms)},
    ',"values":{{{values}, '}}}}'
  ) AS message"""


def quoted(text: str) -> str:
    """A string that is not null as JSON; what has nothing to escape is spared the parser."""
    return f"""CASE WHEN REGEXP({text}, '["\\\\\\x00-\\x1f]') THEN JSON_STRING({text}) ELSE '"' || {text} || '"' END"""


def json_text(value: str) -> str:
    """A number as JSON; null where there is none."""
    return f"COALESCE(CAST({value} AS STRING), 'null')"


def entity_id(feature: Feature) -> str:
    """The id of the feature's entity from its key columns."""
    keys = ENTITY_KEYS[feature.entity]
    if len(keys) < 2:
        return f"`{keys[0]}`" if keys else "shop_id"
    return f" || '{SEPARATOR}' || ".join(_escaped(f"`{key}`") for key in keys)


def condition(where: Where) -> str:
    """A condition on a column of an act."""
    column = f"`{where.column}`"
    if where.one_of is not None:
        return f"{column} IN {in_list(where.one_of)}"
    return f"{column} IS NOT NULL" if where.at_least is None else f"{column} >= {where.at_least}"


def _escaped(value: str) -> str:
    for plain, escaped in ESCAPES:
        value = f"REPLACE({value}, '{plain}', '{escaped}')"
    return value
