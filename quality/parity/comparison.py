"""Compare what an engine computed with what the oracle did: by feature, key and instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jishi.features import FEATURES

_COLUMNS = "feature, shop_id, entity_id, as_of"


@dataclass(frozen=True)
class Difference:
    """One value on which an engine and the oracle differ; None means that the default holds."""

    feature: str
    shop_id: str
    entity_id: str
    as_of: datetime
    expected: str | None
    actual: str | None
    expected_until: datetime | None
    actual_until: datetime | None


@dataclass(frozen=True)
class Compared:
    """One feature in one engine: values that the oracle has, values that differ, and the first few of those."""

    feature: str
    rows: int
    different: int
    samples: list[Difference]


def compare(oracle: Path, engine: Path, features: list[str], *, samples: int = 3) -> dict[str, Compared]:
    """Both files have the form of ``quality.parity.value_table``; every named feature gets an entry."""
    joined = (
        f"SELECT {_COLUMNS}, o.value AS expected, e.value AS found, o.valid_until AS expected_until, "
        "e.valid_until AS found_until FROM read_parquet(?) AS o "
        f"FULL JOIN read_parquet(?) AS e USING ({_COLUMNS})"
    )
    return _compared(joined, [str(oracle), str(engine)], features, samples)


def compare_online(
    oracle: Path, reads: Path, instants_ms: list[int], features: list[str], *, samples: int = 3
) -> dict[str, Compared]:
    """``reads`` are JSON lines of ``feature, shop_id, entity_id, at_ms, value``: what the online store answered at
    each instant, as far as it was not the default. An age is expected to be the time since the instant that it is of.
    """
    listed = ", ".join(f"make_timestamp({instant_ms * 1000})" for instant_ms in instants_ms)
    ages = ", ".join(f"'{feature.name}': '{feature.source}'" for feature in FEATURES if feature.aggregation == "age")
    joined = f"""
        WITH held AS (
            SELECT feature, shop_id, entity_id, read_at AS as_of, value FROM read_parquet(?) AS v
            JOIN (SELECT unnest([{listed}]) AS read_at) AS reads
                ON v.as_of <= read_at AND (valid_until IS NULL OR read_at < valid_until)
            QUALIFY row_number() OVER (PARTITION BY feature, shop_id, entity_id, read_at ORDER BY v.as_of DESC) = 1
        ), expected AS (
            FROM held UNION ALL
            SELECT age.key, shop_id, entity_id, as_of,
                CAST(greatest(0, epoch_ms(as_of) - CAST(value AS BIGINT)) // 1000 AS VARCHAR)
            FROM held JOIN (SELECT unnest(map_entries(MAP {{{ages}}})) AS age) AS ages ON feature = age.value
        ), found AS (
            SELECT feature, shop_id, entity_id, make_timestamp(at_ms * 1000) AS as_of,
                CAST(CASE WHEN json_type(value) = 'DOUBLE' THEN to_json(CAST(value AS DOUBLE))
                    ELSE json_extract(value, '$') END AS VARCHAR) AS value
            FROM read_json(?, format = 'newline_delimited', columns = {{feature: 'VARCHAR', shop_id: 'VARCHAR',
                entity_id: 'VARCHAR', at_ms: 'BIGINT', value: 'JSON'}})
        )
        SELECT {_COLUMNS}, e.value AS expected, f.value AS found, NULL AS expected_until, NULL AS found_until
        FROM expected AS e FULL JOIN found AS f USING ({_COLUMNS})"""
    return _compared(joined, [str(oracle), str(reads)], features, samples)


def _compared(joined: str, parameters: list[str], features: list[str], samples: int) -> dict[str, Compared]:
    import duckdb

    differs = "(expected IS DISTINCT FROM found OR expected_until IS DISTINCT FROM found_until)"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE joined AS {joined}", parameters)
        counts = {
            feature: (rows, different)
            for feature, rows, different in connection.execute(
                f"SELECT feature, count(expected), count(*) FILTER (WHERE {differs}) FROM joined GROUP BY feature"
            ).fetchall()
        }
        first = connection.execute(
            f"SELECT {_COLUMNS}, expected, found, expected_until, found_until FROM joined WHERE {differs} "
            f"QUALIFY row_number() OVER (PARTITION BY feature ORDER BY as_of, shop_id, entity_id) <= {samples} ORDER BY ALL"
        ).fetchall()
    differences: dict[str, list[Difference]] = {}
    for row in first:
        differences.setdefault(row[0], []).append(Difference(*row))
    return {name: Compared(name, *counts.get(name, (0, 0)), differences.get(name, [])) for name in features}


def instants_to_read(oracle: Path) -> list[int]:
    """Instants (epoch ms) at which reading the online store tells most: when a value begins to hold, a millisecond before one
    ends and when it has ended, and after everything that ends.
    """
    import duckdb

    with duckdb.connect() as connection:
        row = connection.execute(
            "SELECT epoch_ms(quantile_disc(as_of, 0.1)), epoch_ms(quantile_disc(as_of, 0.35)), "
            "epoch_ms(quantile_disc(valid_until, 0.6)), epoch_ms(max(valid_until)) FROM read_parquet(?)",
            [str(oracle)],
        ).fetchone()
    assert row is not None
    begins, again, ends, last = row
    chosen = {begins, again, None if ends is None else ends - 1, ends, last}
    return sorted(instant for instant in chosen if instant is not None)
