"""The training set: what was known of person and item at the moment of each label, joined point in time by Feast.

Labels are paid interactions of ``silver/interactions``, at most ``LABELS`` of a shop, chosen by a hash of their key so that the
same history gives the same set. Nothing may leak: a feature row counts only when its event timestamp *and* the time at which it
was made lie at or before the label, and for ``DAILY_TTL`` at most. An independent query proves it: it finds the newest such row
of each label by brute force and compares every value with Feast's. Persons are those that the version of the lake knows: a
device whose user logged in after the label is the user's here, as in the daily tables (``models.data.persons_at_cut`` undoes
it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pandas as pd
import pyarrow as pa

from feature_repo.definitions import DAILY_SERVICE, DAILY_TTL
from feature_repo.store import apply, open_store
from jishi.arrow_tables import arrow_schema
from jishi.features import ENTITY_COLUMN
from jishi.features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from jishi.features.daily import DAILY, DailyTable
from jishi.features.decision import age_s
from jishi.lake.publishing import Replacement, publish
from jishi.lake.query import open_lake, view_of
from jishi.lake.reading import LakeVersion, open_version
from jishi.lake.rows import Rows
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shop_runs import JobResult, ShopRuns, for_each
from jishi.tables import BY_SHOP, TableSchema

LABELS = 20_000
# Of several shops: a join reads the daily tables of all shops, so that one for each of many small ones would cost their square.
LABELS_AT_ONCE = 100_000
_KEY = ["shop_id", "person_id", "item_id", EVENT_TIMESTAMP]
TRAINING_SET = TableSchema(
    "features/training_set",
    "One label of one shop with the daily features known at it, and as of when each of them was.",
    tuple(_KEY),
    {
        **{"shop_id": "string", "person_id": "string", "item_id": "string", EVENT_TIMESTAMP: "instant"},
        **{"label": "int64", "quantity": "int64"},
        **{f"{table.view}__{column}": kind for table in DAILY for column, kind in table.columns.items()},
        **{f"{table.view}__{age}": "int64" for table in DAILY for age in table.ages},
        **{f"{table.view}__as_of": "instant" for table in DAILY},
    },
    partition=BY_SHOP,
)


class LeakFound(RuntimeError):
    """The joined features are not those that were known at the label."""


class NoLabels(ValueError):
    """The shop has no paid interaction."""


@dataclass(frozen=True)
class TrainingSetSummary:
    """Rows of one shop, and how many of them have a feature row of each view."""

    shop_id: str
    rows: int
    covered: dict[str, int]


def build(
    settings: Settings,
    paths: Paths,
    shop_ids: list[str],
    runs: ShopRuns,
    tables: tuple[DailyTable, ...] = DAILY,
    *,
    after: str | None = None,
) -> tuple[list[TrainingSetSummary], JobResult]:
    """Join, prove and publish the training sets of the shops in ``features/training_set``, on one version of the lake.

    A shop without labels has nothing to do; one whose join leaks fails and keeps its old rows; the others are published
    together. Raises jishi.lake.TableNotPublished.
    """
    lake = open_version(settings)
    for table in tables:
        lake.require(table.name)
    apply(settings, paths, lake)
    store = open_store(settings, paths)
    service = store.get_feature_service(DAILY_SERVICE)
    joined: dict[str, tuple[TrainingSetSummary, pd.DataFrame]] = {}

    def join_together(shops: list[str]) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
        """Of each of the shops that has labels Feast's join, and what was known at them."""
        labels = read_labels(lake, shops)
        if labels.empty:
            return {}
        features = store.get_historical_features(
            entity_df=labels.copy(),
            features=service,
            full_feature_names=True,
            # Off by default in Feast: a value made later would then stand in for what was known.
            filter_by_created_timestamp=True,
        ).to_df()
        known = dict(iter(known_at_label(lake, labels, tables).groupby("shop_id")))
        nothing = features.iloc[:0]
        by_shop = dict(iter(features.groupby("shop_id")))
        return {shop: (by_shop.get(shop, nothing), of_shop.reset_index(drop=True)) for shop, of_shop in known.items()}

    pending, result = runs.plan(shop_ids, after=after)
    parts = {shop_id: part for part in in_parts(count_labels(lake, pending), pending) for shop_id in part}
    at_once: tuple[list[str], dict[str, tuple[pd.DataFrame, pd.DataFrame]]] = ([], {})

    def join(shop_id: str) -> None:
        nonlocal at_once
        part = parts[shop_id]
        if at_once[0] != part:
            try:
                at_once = (part, join_together(part))
            except Exception:
                if len(part) == 1:
                    raise
                # What one shop's rows may have caused is for that shop: each of the part by itself.
                parts.update({shop: [shop] for shop in part})
                at_once = ([shop_id], join_together([shop_id]))
        if shop_id not in at_once[1]:
            raise NoLabels(f"shop {shop_id!r} has no paid interaction in silver/interactions")
        frame = with_ages(_checked(*at_once[1][shop_id], tables), tables)
        covered = {table.view: int(frame[f"{table.view}__as_of"].notna().sum()) for table in tables}
        joined[shop_id] = (TrainingSetSummary(shop_id, len(frame), covered), frame)

    attempted = for_each(pending, join, ShopRuns(paths, runs.job, None), failures=(LeakFound,), nothing=(NoLabels,))
    if joined:
        every = pd.concat([frame for _, frame in joined.values()]).reindex(columns=list(TRAINING_SET.columns))
        rows = pa.Table.from_pandas(every, schema=arrow_schema(TRAINING_SET), preserve_index=False)
        replacement = Replacement(TRAINING_SET, Rows.of(shop_id=sorted(joined)), rows)
        publish(settings, f"feature_repo training-set of {len(joined)} shops", lambda base: [replacement])
    for shop in attempted.shops:
        runs.record(shop)
        result.shops.append(shop)
    return [facts for facts, _ in joined.values()], result


def count_labels(lake: LakeVersion, shop_ids: Sequence[str]) -> dict[str, int]:
    """At least as many labels as each shop that has any will have.

    Where not all can be read, so many that each shop is a part: what is wrong with one shop's rows is for that shop to meet.
    """
    lake.require("silver/interactions")
    try:
        with open_lake(lake) as connection:
            counted = connection.execute(
                "SELECT shop_id, least(count(*), ?) FROM silver_interactions "
                "WHERE kind = 'pay' AND person_id IS NOT NULL AND shop_id IN (SELECT unnest(?)) GROUP BY ALL",
                [LABELS, list(shop_ids)],
            )
            return dict(counted.fetchall())
    except duckdb.Error:
        return dict.fromkeys(shop_ids, LABELS_AT_ONCE)


def in_parts(labels: Mapping[str, int], shop_ids: Sequence[str], most: int = LABELS_AT_ONCE) -> list[list[str]]:
    """The shops in their order, cut so that a part has no more labels than ``most``, or is one shop.

    >>> in_parts({"a": 4, "b": 6, "d": 11, "e": 1}, ["a", "b", "c", "d", "e"], most=10)
    [['a', 'b', 'c'], ['d'], ['e']]
    """
    parts: list[list[str]] = []
    size = 0
    for shop_id in shop_ids:
        size += labels.get(shop_id, 0)
        if not parts or size > most:
            parts.append([])
            size = labels.get(shop_id, 0)
        parts[-1].append(shop_id)
    return parts


def read_labels(lake: LakeVersion, shop_ids: Sequence[str], limit: int = LABELS) -> pd.DataFrame:
    """Labels of some shops, at most ``limit`` of each: key, ``event_timestamp`` (UTC with microseconds), ``label`` = 1,
    ``quantity``.
    """
    lake.require("silver/interactions")
    with open_lake(lake) as connection:
        labels = connection.execute(
            f"""
            WITH paid AS (
                SELECT shop_id, person_id, item_id, occurred_at AS {EVENT_TIMESTAMP}, CAST(sum(quantity) AS BIGINT) AS quantity
                FROM silver_interactions
                WHERE shop_id IN (SELECT unnest(?)) AND kind = 'pay' AND person_id IS NOT NULL
                GROUP BY ALL
            )
            SELECT shop_id, person_id, item_id, {EVENT_TIMESTAMP}, 1 AS label, quantity
            FROM paid
            QUALIFY row_number() OVER (
                PARTITION BY shop_id
                ORDER BY md5(concat_ws('|', person_id, item_id, {EVENT_TIMESTAMP})), person_id, item_id, {EVENT_TIMESTAMP}
            ) <= ?
            """,
            [list(shop_ids), limit],
        ).df()
    labels[EVENT_TIMESTAMP] = labels[EVENT_TIMESTAMP].astype("datetime64[us]").dt.tz_localize("UTC")
    return labels.sort_values(_KEY, ignore_index=True)


def known_at_label(lake: LakeVersion, labels: pd.DataFrame, tables: tuple[DailyTable, ...]) -> pd.DataFrame:
    """For each label and table the newest feature row that existed and was known at the label, found without Feast.

    Columns are named ``<view>__<feature>``, and ``<view>__as_of`` is the row's event timestamp (null where there is no row).
    """
    with open_lake(lake) as connection:
        plain = labels.copy()
        plain[EVENT_TIMESTAMP] = plain[EVENT_TIMESTAMP].dt.tz_localize(None)
        connection.register("labels", plain)
        known = plain[_KEY]
        for table in tables:
            connection.register("known", known)
            entity = ENTITY_COLUMN[table.entity]
            values = ", ".join(f'f."{column}" AS "{table.view}__{column}"' for column in table.columns)
            known = connection.execute(
                f"""
                WITH matched AS (
                    SELECT l.shop_id, l.{entity}, l.{EVENT_TIMESTAMP} AS label_at, f.{EVENT_TIMESTAMP} AS "{table.view}__as_of",
                           {values},
                           row_number() OVER (
                               PARTITION BY l.shop_id, l.{entity}, l.{EVENT_TIMESTAMP}
                               ORDER BY f.{EVENT_TIMESTAMP} DESC, f.{CREATED_TIMESTAMP} DESC
                           ) AS place
                    FROM (SELECT DISTINCT shop_id, {entity}, {EVENT_TIMESTAMP} FROM labels) AS l
                    JOIN {view_of(table.name)} AS f
                      ON f.shop_id = l.shop_id AND f.{entity} = l.{entity}
                     AND f.{EVENT_TIMESTAMP} <= l.{EVENT_TIMESTAMP} AND f.{CREATED_TIMESTAMP} <= l.{EVENT_TIMESTAMP}
                     AND f.{EVENT_TIMESTAMP} + to_days({DAILY_TTL.days}) >= l.{EVENT_TIMESTAMP}
                )
                SELECT k.*, m.* EXCLUDE (shop_id, {entity}, label_at, place)
                FROM known AS k
                LEFT JOIN (SELECT * FROM matched WHERE place = 1) AS m
                  ON m.shop_id = k.shop_id AND m.{entity} = k.{entity} AND m.label_at = k.{EVENT_TIMESTAMP}
                """
            ).df()
    return known.sort_values(_KEY, ignore_index=True)


def with_ages(frame: pd.DataFrame, tables: tuple[DailyTable, ...]) -> pd.DataFrame:
    """The frame with the ages of its instants at each label, as serving computes them at a request."""
    at_ms = (frame[EVENT_TIMESTAMP].astype("datetime64[us]").astype("int64") // 1000).tolist()
    ages = {
        f"{table.view}__{age}": pd.array(
            [
                age_s(None if pd.isna(since) else int(since), at)
                for since, at in zip(frame[f"{table.view}__{column}"], at_ms, strict=True)
            ],
            dtype="Int64",
        )
        for table in tables
        for age, column in table.ages.items()
    }
    return frame.assign(**ages)


def _checked(joined: pd.DataFrame, known: pd.DataFrame, tables: tuple[DailyTable, ...]) -> pd.DataFrame:
    """Feast's join with the proof's ``as_of`` columns. Raises LeakFound at the first value that was not known at the label."""
    frame = joined.copy()
    frame[EVENT_TIMESTAMP] = pd.to_datetime(frame[EVENT_TIMESTAMP], utc=True).dt.tz_localize(None).astype("datetime64[us]")
    frame = frame.sort_values(_KEY, ignore_index=True)
    if len(frame) != len(known):
        raise LeakFound(f"{len(known)} labels became {len(frame)} rows")
    for table in tables:
        for column in table.columns:
            name = f"{table.view}__{column}"
            served, true = frame[name], known[name]
            different = ~((served == true) | (served.isna() & true.isna()))
            if different.any():
                at = int(different.idxmax())
                raise LeakFound(
                    f"{name} of {dict(frame.loc[at, _KEY])}: Feast gave {served[at]!r}, known at the label was {true[at]!r}; "
                    f"{int(different.sum())} such rows"
                )
        frame[f"{table.view}__as_of"] = known[f"{table.view}__as_of"].astype("datetime64[us]")
    return frame.reindex(columns=sorted(frame.columns, key=lambda name: (name not in _KEY, name)))
