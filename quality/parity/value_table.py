"""What each engine computed, brought into one form: a Parquet file with a row for each value that is not the default.

Columns: ``feature``, ``shop_id``, ``entity_id``, ``as_of`` (UTC, from when the value holds), ``value`` (JSON text) and
``valid_until`` (UTC, null where it holds until the next one). Outside the rows the feature's default holds. Doubles are
compared as the numbers that they are: equal text means equal bits. Of several messages of one instant the last one stays.

No engine stores derived features: ratios and unique lists are made of each engine's own rows here, by the rules of
``jishi.features.decision`` in SQL, a ratio where the entity has any of its dividend or divisor. Ages have no rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from jishi.features import FEATURES, Feature, operands, prior_operands
from jishi.features.oracle import Value

if TYPE_CHECKING:
    import duckdb

# By view and feature: the table that has its rows, and the expression of its value as JSON.
Source = Callable[[str, Feature], tuple[str, str]]
Views = Mapping[str, Sequence[Feature]]
COLUMNS = "feature, shop_id, entity_id, as_of, value, valid_until"
_MISSING = "missing"
_HEAD = ("view", "shop_id", "entity_id", "as_of_ms", "valid_until_ms")  # of a message
_BATCH = 200_000  # of the oracle's values, at once


class NothingComputed(RuntimeError):
    """An engine left no output where it should have."""


def from_oracle(values: Iterable[Value], views: Views, target: Path) -> None:
    """Write the oracle's values."""
    import duckdb
    import pyarrow as pa

    names, rows = Value._fields, iter(values)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE feature_messages (feature VARCHAR, shop_id VARCHAR, entity_id VARCHAR, as_of_ms BIGINT, "
            "value VARCHAR, valid_until_ms BIGINT)"
        )
        while batch := list(islice(rows, _BATCH)):
            columns = dict(zip(names, map(list, zip(*batch, strict=True)), strict=True))
            columns["value"] = [orjson.dumps(value).decode() for value in columns["value"]]
            connection.register("batch", pa.table(columns))
            connection.execute(f"INSERT INTO feature_messages SELECT {', '.join(names)} FROM batch")
        every = [feature for members in views.values() for feature in members]
        every += [feature for feature in derived_of(every) if feature.aggregation != "age"]
        selects = [
            _select(feature, f"(SELECT * FROM feature_messages WHERE feature = '{feature.name}')", "json_extract(value, '$')")
            for feature in every
        ]
        _copy(connection, " UNION ALL ".join(selects), target)


def from_flink(messages: Path, views: Views, target: Path) -> None:
    """Write the values of messages of the feature topic (files of a sink of ``message_key`` and ``message``)."""
    import duckdb

    files = message_files(messages)
    with duckdb.connect() as connection:
        connection.execute(
            f"""
            CREATE TABLE feature_messages AS
            SELECT row_number() OVER () AS place, head[1] AS view, head[2] AS shop_id, head[3] AS entity_id,
                CAST(head[4] AS BIGINT) AS as_of_ms, CAST(head[5] AS BIGINT) AS valid_until_ms, message_values
            FROM (
                SELECT json_extract_string(message, {[f"$.{name}" for name in _HEAD]}) AS head,
                    json_extract(message, '$.values') AS message_values
                FROM read_json(?, format = 'newline_delimited', columns = {{message_key: 'VARCHAR', message: 'VARCHAR'}})
            )""",
            [[str(file) for file in files]],
        )
        for view in views:
            connection.execute(
                f"CREATE TABLE wide_{view} AS SELECT shop_id, entity_id, as_of_ms, valid_until_ms, message_values "
                f"FROM feature_messages WHERE view = '{view}' "
                "QUALIFY row_number() OVER (PARTITION BY shop_id, entity_id, as_of_ms ORDER BY place DESC) = 1"
            )
        _write(
            connection,
            views,
            target,
            lambda view, feature: (f"wide_{view}", f"json_extract(message_values, '$.{feature.name}')"),
        )


def message_files(folder: Path) -> list[Path]:
    """Committed files of the message sink in the order in which they were written. Raises NothingComputed."""
    files = [file for file in folder.glob("part-*") if not file.name.startswith(".")]
    if not files:
        raise NothingComputed(f"{folder} holds no messages")
    return sorted(files, key=lambda file: int(file.name.rsplit("-", 1)[1]))


def from_spark(folder: Path, views: Views, target: Path) -> None:
    """Write the values of ``<folder>/<view>/*.parquet``. Raises NothingComputed for a view without files."""
    import duckdb

    with duckdb.connect() as connection:
        for view in views:
            files = [str(file) for file in sorted((folder / view).glob("*.parquet"))]
            if not files:
                raise NothingComputed(f"{folder / view} holds no Parquet files")
            connection.execute(f"CREATE VIEW wide_{view} AS SELECT * FROM read_parquet({files!r})")
        _write(connection, views, target, lambda view, feature: (f"wide_{view}", f"to_json({feature.name})"))


def _write(connection: duckdb.DuckDBPyConnection, views: Views, target: Path, source: Source) -> None:
    selects = [_select(feature, *source(view, feature)) for view, members in views.items() for feature in members]
    connection.execute(f"CREATE TABLE stored AS SELECT {COLUMNS} FROM ({' UNION ALL '.join(selects)})")
    of_derived = {"ratio": _ratio, "unique": _unique}
    derived = derived_of([feature for members in views.values() for feature in members])
    selects = [of_derived[feature.aggregation](feature) for feature in derived if feature.aggregation in of_derived]
    _copy(connection, " UNION ALL ".join(["SELECT * FROM stored", *selects]), target)


def derived_of(stored: Iterable[Feature], declared: Sequence[Feature] = FEATURES) -> list[Feature]:
    """Declared features that are made of nothing but these."""
    names = {feature.name for feature in stored}
    return [
        feature
        for feature in declared
        if feature.is_derived
        and names.issuperset(part.name for part in (*operands(feature, declared), *prior_operands(feature, declared)))
    ]


def _copy(connection: duckdb.DuckDBPyConnection, rows: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    connection.execute(f"COPY (SELECT {COLUMNS} FROM ({rows})) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")


def _ratio(feature: Feature) -> str:
    """Rows of a ratio from the rows of its operands, and of the shop's at the same instant."""
    above, below = (_integers(part) for part in operands(feature))
    key = "shop_id, entity_id, as_of, valid_until"
    counts = "coalesce(a.n, 0) AS above, coalesce(b.n, 0) AS below"
    counted = f"SELECT {key}, {counts} FROM {above} AS a FULL JOIN {below} AS b USING ({key})"
    most = "least(1.0, {})" if feature.is_share else "{}"
    if feature.prior is None:
        value = f"CASE WHEN below > 0 THEN {_double('above')} / {_double('below')} END"
        rows = f"SELECT {key}, {most.format(value)} AS ratio FROM ({counted})"
    else:
        prior_above, prior_below = (_integers(part) for part in prior_operands(feature))
        weight = feature.prior_weight
        of_shop = "least(coalesce(pa.n, 0), pb.n)" if feature.is_share else "coalesce(pa.n, 0)"
        above, below = f"above * pb.n + {weight} * {of_shop}", f"(below + {weight}) * pb.n"
        value = most.format(f"{_double(above)} / {_double(below)}")
        rows = (
            f"SELECT own.shop_id, own.entity_id, own.as_of, own.valid_until, {value} AS ratio FROM ({counted}) AS own "
            f"JOIN {prior_below} AS pb ON pb.shop_id = own.shop_id AND pb.as_of = own.as_of "
            f"LEFT JOIN {prior_above} AS pa ON pa.shop_id = own.shop_id AND pa.as_of = own.as_of"
        )
    return (
        f"(SELECT '{feature.name}' AS feature, shop_id, entity_id, as_of, CAST(to_json(ratio) AS VARCHAR) AS value, "
        f"valid_until FROM ({rows}) WHERE ratio IS NOT NULL)"
    )


def _double(integer: str) -> str:
    """The nearest double, by way of text: DuckDB rounds integers of 128 bits twice."""
    return f"CAST(CAST({integer} AS VARCHAR) AS DOUBLE)"


def _integers(part: Feature) -> str:
    columns = "shop_id, entity_id, as_of, valid_until, TRY_CAST(value AS HUGEINT) AS n"
    return f"(SELECT {columns} FROM stored WHERE feature = '{part.name}')"


def _unique(feature: Feature) -> str:
    entries = "from_json(value, '[\"VARCHAR\"]')"
    first = f"list_filter({entries}, lambda entry, place: list_position({entries}, entry) = place)"
    return (
        f"(SELECT '{feature.name}' AS feature, shop_id, entity_id, as_of, CAST(to_json({first}) AS VARCHAR) AS value, "
        f"valid_until FROM stored WHERE feature = '{feature.source}')"
    )


def _select(feature: Feature, table: str, value: str) -> str:
    is_number = f"json_type({value}) IN ('DOUBLE', 'UBIGINT', 'BIGINT')"
    number = f"CASE WHEN {is_number} THEN to_json(CAST({value} AS DOUBLE)) ELSE {value} END"
    text = f"COALESCE(CAST({number if feature.value_type == 'double' else value} AS VARCHAR), '{_absent(feature)}')"
    default = json.dumps(feature.default if feature.default != () else [])
    return (
        f"(SELECT '{feature.name}' AS feature, shop_id, entity_id, make_timestamp(as_of_ms * 1000) AS as_of, "
        f"{text} AS value, make_timestamp(valid_until_ms * 1000) AS valid_until FROM {table} WHERE {text} <> '{default}')"
    )


def _absent(feature: Feature) -> str:
    """What a value that is not there stands for: null where null is the default, else a fault that must show."""
    return "null" if feature.default is None else _MISSING
