"""Daily features: materialised to the last key, joined point in time, and a back-filled value never leaks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from feature_repo import training_set
from feature_repo.materialize import Materialized, materialize
from feature_repo.store import MATERIALIZE_BATCH_ROWS, open_store
from feature_repo.training_set import TRAINING_SET, build
from jishi.features import ENTITY_COLUMN
from jishi.features.daily import DAILY, DailyTable
from jishi.lake import TableNotPublished
from jishi.lake.publishing import Replacement
from jishi.lake.publishing import publish as publish_by_pyiceberg
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.lake.rows import Rows
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shop_runs import ShopRuns
from jishi.tables import SILVER_INTERACTIONS, TableSchema
from tests.lake import newest, settings_in, table_of
from tests.lake import publish as publish_rows

pytestmark = pytest.mark.integration
DAY = datetime(2026, 10, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
PERSON, ITEM = DAILY
one_store = pytest.mark.parametrize("online_store", ["sqlite"], indirect=True)


def publish(paths: Paths, table: DailyTable, rows: list[dict[str, Any]]) -> None:
    keys = {"shop_id": "string", ENTITY_COLUMN[table.entity]: "string"}
    times = {"event_timestamp": "instant", "created_timestamp": "instant"}
    schema = TableSchema(table.name, table.meaning, tuple(keys), keys | times | table.columns)
    blank = {column: {"int64": 0, "double": 0.0, "string": "x", "bool": False}[kind] for column, kind in table.columns.items()}
    halves = [table_of(schema, [blank | row for row in half]) for half in (rows[::2], rows[1::2])]
    # Two files, so that a reader that takes only the first loses half.
    replaced = (Rows.all(), Rows.of(shop_id=["nobody"]))
    both = [Replacement(schema, where, half) for where, half in zip(replaced, halves, strict=True)]
    publish_by_pyiceberg(settings_in(paths.var), "a test", lambda base: both)


def row(table: DailyTable, entity: str, day: int, value: int, created_day: int | None = None) -> dict[str, Any]:
    first = next(name for name, kind in table.columns.items() if kind == "int64")
    return {
        "shop_id": "a",
        ENTITY_COLUMN[table.entity]: entity,
        "event_timestamp": DAY + timedelta(days=day),
        "created_timestamp": DAY + timedelta(days=day if created_day is None else created_day),
        first: value,
    }


def first_feature(table: DailyTable) -> str:
    return next(name for name, kind in table.columns.items() if kind == "int64")


def at(day: float) -> datetime:
    return (DAY + timedelta(days=day)).replace(tzinfo=UTC)


def test_every_key_arrives_with_its_newest_row_up_to_the_instant(settings: Settings, paths: Paths) -> None:
    keys = MATERIALIZE_BATCH_ROWS + 7
    publish(paths, PERSON, [row(PERSON, f"p{k}", day, day * 10 + 1) for k in range(keys) for day in (0, 1, 2)])
    [done] = materialize(settings, paths, at(1), (PERSON,))
    assert (done.view, done.keys, done.written, done.refused) == (PERSON.view, keys, keys, 0)
    result = open_store(settings, paths).get_online_features(
        [f"{PERSON.view}:{first_feature(PERSON)}"], [{"shop_id": "a", "person_id": f"p{k}"} for k in (0, 1, keys - 1)]
    )
    assert result.to_dict()[first_feature(PERSON)] == [11, 11, 11]
    [again] = materialize(settings, paths, at(1), (PERSON,))
    assert (again.written, again.refused) == (0, keys)


def test_a_day_that_was_restated_replaces_what_the_store_had_of_it(settings: Settings, paths: Paths) -> None:
    """An import after the night's run changes values of the same day; an older version of the lake changes nothing back."""
    publish(paths, PERSON, [row(PERSON, "p", 1, 10), row(PERSON, "q", 1, 5)])
    materialize(settings, paths, at(1), (PERSON,))
    publish(paths, PERSON, [row(PERSON, "p", 1, 11), row(PERSON, "q", 0, 4), row(PERSON, "r", 1, 7)])
    [done] = materialize(settings, paths, at(1), (PERSON,))
    assert (done.keys, done.written, done.refused) == (3, 2, 1)
    people = [{"shop_id": "a", "person_id": name} for name in "pqr"]
    result = open_store(settings, paths).get_online_features([f"{PERSON.view}:{first_feature(PERSON)}"], people)
    assert result.to_dict()[first_feature(PERSON)] == [11, 5, 7]


@one_store
def test_a_table_without_rows_yet_is_no_error_and_a_missing_one_is(settings: Settings, paths: Paths) -> None:
    with pytest.raises(TableNotPublished):
        materialize(settings, paths, at(1), (PERSON,))
    nothing = [Materialized(PERSON.view, 0, 0, 0)]
    publish(paths, PERSON, [])
    assert materialize(settings, paths, at(1), (PERSON,)) == nothing
    publish(paths, PERSON, [row(PERSON, "p", 5, 1)])  # its first day ends later
    assert materialize(settings, paths, at(1), (PERSON,)) == nothing


def publish_labels(paths: Paths, labels: list[tuple[str, str, float]]) -> None:
    pay = {"shop_id": "a", "kind": "pay", "quantity": 1}
    rows = [pay | {"person_id": p, "item_id": i, "occurred_at": DAY + timedelta(days=d)} for p, i, d in labels]
    publish_rows(paths.var, {SILVER_INTERACTIONS: rows})


@one_store
def test_shops_that_are_joined_together_get_what_each_gets_alone(
    settings: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two shops share persons and items by name, a third has no labels; one whose join breaks fails alone."""
    pay = {"kind": "pay", "quantity": 1, "item_id": "i", "person_id": "p"}
    days = {"a": (0.5, 1.5, 2.5), "b": (1.5, 3.5)}
    labels = [pay | {"shop_id": shop, "occurred_at": DAY + timedelta(days=day)} for shop in days for day in days[shop]]
    publish_rows(paths.var, {SILVER_INTERACTIONS: [*labels, pay | {"kind": "view", "shop_id": "c", "occurred_at": DAY}]})
    publish(
        paths,
        PERSON,
        [row(PERSON, "p", day, day + base) | {"shop_id": shop} for shop, base in (("a", 10), ("b", 20)) for day in (1, 2)],
    )
    publish(paths, ITEM, [row(ITEM, "i", 0, 7), row(ITEM, "i", 1, 9) | {"shop_id": "b"}])

    def built(*shops: str) -> tuple[list[str], list[dict[str, Any]]]:
        _, result = build(settings, paths, list(shops), ShopRuns(paths, "training-set", None))
        with open_lake(newest(paths.var)) as connection:
            rows = connection.execute("select * from features_training_set order by all").to_arrow_table().to_pylist()
        return [shop.state for shop in result.shops], [each for each in rows if each["shop_id"] in shops]

    (_, of_a), (_, of_b) = built("a"), built("b")
    assert built("a", "c", "b") == (["done", "nothing to do", "done"], [*of_a, *of_b])
    assert (len(of_a), len(of_b)) == (3, 2)
    read = training_set.read_labels

    def broken(lake: LakeVersion, shop_ids: Sequence[str]) -> pd.DataFrame:
        if "b" in shop_ids:
            raise ArithmeticError("what no one foresaw")
        return read(lake, shop_ids)

    monkeypatch.setattr(training_set, "read_labels", broken)
    assert built("a", "b", "c") == (["done", "unexpected", "nothing to do"], [*of_a, *of_b])


@one_store
def test_the_training_set_knows_only_what_was_known(settings: Settings, paths: Paths) -> None:
    publish_labels(paths, [("p", "i", 1.5), ("p", "i", 0.5), ("p", "j", 2.0), ("q", "i", 1.5), ("p", "i", -1), ("p", "i", 12)])
    person_rows = [
        row(PERSON, "p", 0, 1),
        row(PERSON, "p", 1, 2) | {"last_order_at_ms": round(at(0.25).timestamp() * 1000)},
        row(PERSON, "p", 1, 99, created_day=5),  # a later correction of day 1: unknown at every label
        row(PERSON, "p", 2, 3),
        row(PERSON, "p", 3, 4),
    ]
    publish(paths, PERSON, person_rows)
    publish(paths, ITEM, [row(ITEM, "i", 0, 7), row(ITEM, "i", 2, 8)])
    [facts], result = build(settings, paths, ["a"], ShopRuns(paths, "training-set", None))
    assert result.exit_code == 0
    assert (facts.rows, facts.covered) == (6, {PERSON.view: 3, ITEM.view: 3})
    frame = pd.concat(pd.read_parquet(file) for file in newest(paths.var).files(TRAINING_SET.name))
    by_key = {
        (r["person_id"], r["item_id"], (r["event_timestamp"] - DAY) / timedelta(days=1)): (
            r[f"{PERSON.view}__{first_feature(PERSON)}"],
            r[f"{ITEM.view}__{first_feature(ITEM)}"],
        )
        for r in frame.astype(object).where(frame.notna(), None).to_dict("records")
    }
    assert by_key == {
        ("p", "i", 1.5): (2, 7),
        ("p", "i", 0.5): (1, 7),
        ("p", "j", 2.0): (3, None),  # known exactly at the label: counts
        ("q", "i", 1.5): (None, 7),  # another person's rows do not
        ("p", "i", -1.0): (None, None),
        ("p", "i", 12.0): (None, None),  # the newest rows are older than a week: expired
    }
    [since] = frame[(frame["event_timestamp"] == DAY + timedelta(days=1.5)) & (frame["person_id"] == "p")][
        f"{PERSON.view}__since_last_order_s"
    ]
    assert since == 1.25 * 86_400  # from the order to the label, not to the day of the features
    known = frame[frame[f"{PERSON.view}__as_of"].notna()]
    assert (known[f"{PERSON.view}__as_of"] <= known["event_timestamp"]).all()


@one_store
def test_a_join_that_leaks_is_found(settings: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_labels(paths, [("p", "i", 1.5)])
    publish(paths, PERSON, [row(PERSON, "p", 1, 2), row(PERSON, "p", 1, 99, created_day=5)])
    publish(paths, ITEM, [row(ITEM, "i", 0, 7)])
    from feast import FeatureStore

    honest = FeatureStore.get_historical_features
    monkeypatch.setattr(
        FeatureStore,
        "get_historical_features",
        lambda self, **asked: honest(self, **(asked | {"filter_by_created_timestamp": False})),
    )
    sets, result = build(settings, paths, ["a"], ShopRuns(paths, "training-set", None))
    assert (sets, result.exit_code) == ([], 1)
    assert first_feature(PERSON) in result.failed[0].reason
    assert not newest(paths.var).has(TRAINING_SET.name)


@one_store
def test_a_shop_without_labels_has_nothing_to_do_and_the_others_get_their_set(settings: Settings, paths: Paths) -> None:
    publish_labels(paths, [("p", "i", 1.5)])
    publish(paths, PERSON, [row(PERSON, "p", 1, 2)])
    publish(paths, ITEM, [row(ITEM, "i", 0, 7)])
    sets, result = build(settings, paths, ["nobody", "a"], ShopRuns(paths, "training-set", None))
    assert [(each.shop_id, each.rows) for each in sets] == [("a", 1)]
    assert [(row.shop_id, row.state) for row in result.shops] == [("nobody", "nothing to do"), ("a", "done")]
    assert result.exit_code == 0
