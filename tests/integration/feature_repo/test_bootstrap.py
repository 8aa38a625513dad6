"""A store that was lost is rebuilt from history and the stream: the same values as before, at any instant, in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feature_repo.bootstrap import bootstrap
from feature_repo.expiry import expire
from feature_repo.replay import read_stored
from feature_repo.store import apply, open_store
from feature_repo.writer import FeatureSink, WriterProgress
from jishi.features import FEATURES, operands, views
from jishi.features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, LOG_OFFSET
from jishi.features.decision import value_at
from jishi.features.entity import key_values
from jishi.features.event_log import read_log
from jishi.features.lake_tables import view_table
from jishi.features.message import FeatureRow
from jishi.features.oracle import Act, good_acts, values
from jishi.features.why import reason
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.point_in_time import FeatureMoment, values_at
from jishi.settings import PROJECT_ROOT, Settings
from tests.lake import record

pytestmark = pytest.mark.integration
GOLDEN = PROJECT_ROOT / "tests" / "golden" / "features" / "edges"
STORED = [feature for feature in FEATURES if not feature.is_derived]


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@pytest.fixture(scope="module")
def acts() -> list[Act]:
    return good_acts(read_log(GOLDEN), allowed_lateness_s=30, future_tolerance_s=5)


def rows_of(acts: Sequence[Act]) -> list[FeatureRow]:
    """Every row of every view, as backfill and stream both make them of these acts (parity proves it)."""
    by_row: dict[tuple[str, str, str, int], dict[str, Any]] = {}
    members = {feature.name: (feature.view, feature.entity) for feature in STORED}
    for value in values(STORED, acts, allowed_lateness_s=30):
        view, entity = members[value.feature]
        known = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value.as_of_ms)
        defaults = {feature.name: [] if feature.default == () else feature.default for feature in views()[view]}
        plain = {
            **{"shop_id": value.shop_id, **key_values(entity, value.entity_id)},
            **{EVENT_TIMESTAMP: known, CREATED_TIMESTAMP: known, "valid_until_ms": value.valid_until_ms, LOG_OFFSET: 0},
        }
        columns = by_row.setdefault((view, value.shop_id, value.entity_id, value.as_of_ms), plain | defaults)
        columns[value.feature] = value.value
    return [FeatureRow(view, as_of_ms, columns) for (view, _, _, as_of_ms), columns in by_row.items()]


class FollowedStore:
    """A feature store over a lake, with the sink of its writer."""

    def __init__(self, var: Path, lake: Iterable[FeatureRow] = ()) -> None:
        self.settings = Settings(var=var, _env_file=None)  # type: ignore[call-arg]
        self.paths = Paths.of(self.settings)
        tables = {view: view_table(view, members) for view, members in views().items()}
        rows: dict[str, list[dict[str, Any]]] = {view: [] for view in tables}
        for row in lake:
            naive = {name: row.columns[name].replace(tzinfo=None) for name in (EVENT_TIMESTAMP, CREATED_TIMESTAMP)}
            rows[row.view].append(row.columns | naive)
        record(var, {tables[view]: of_view for view, of_view in rows.items()})
        apply(self.settings, self.paths, open_version(self.settings))
        self.store = open_store(self.settings, self.paths)
        self.sink = FeatureSink(self.store, self.paths.features, WriterProgress())

    def stream(self, rows: Iterable[FeatureRow]) -> None:
        by_view: dict[str, list[FeatureRow]] = {}
        for offset, row in enumerate(sorted(rows, key=lambda row: row.as_of_ms), start=1):
            numbered = FeatureRow(row.view, row.as_of_ms, row.columns | {LOG_OFFSET: offset})
            by_view.setdefault(row.view, []).append(numbered)
        for view, of_view in by_view.items():
            self.sink.put(view, of_view)

    def read(self, rows: Iterable[FeatureRow], at: datetime) -> dict[tuple[str, str, str], dict[str, Any]]:
        """What holds at an instant of the keys that the rows have."""
        keys = sorted({(row.view, row.columns["shop_id"], identity(row)) for row in rows})
        read: dict[tuple[str, str, str], dict[str, Any]] = {}
        for entity, shop_id, entity_id, held in read_stored(self.store, views(), keys, ms(at)):
            if held:
                read.setdefault((entity, shop_id, entity_id), {}).update(held)
        return read


def identity(row: FeatureRow) -> str:
    from jishi.features.entity import ENTITY_KEYS, entity_id

    entity = views()[row.view][0].entity
    return entity_id(row.columns["shop_id"], [row.columns[key] for key in ENTITY_KEYS[entity]])


def test_a_wiped_store_has_the_same_values_after_bootstrap_and_stream(tmp_path: Path, acts: list[Act]) -> None:
    crash = datetime(2026, 9, 1, 2, 30, tzinfo=UTC)
    rows = [row for row in rows_of(acts) if row.columns[EVENT_TIMESTAMP] < crash + timedelta(days=2)]
    before = [row for row in rows if row.columns[EVENT_TIMESTAMP] <= crash]
    first = FollowedStore(tmp_path / "first")
    first.stream(before)
    at_crash = first.read(rows, crash)
    assert sum(map(len, at_crash.values())) > 200

    rebuilt = FollowedStore(tmp_path / "rebuilt", lake=rows)
    reported: list[str] = []
    done = bootstrap(rebuilt.settings, rebuilt.paths, crash, report=reported.append)
    assert rebuilt.read(rows, crash) == at_crash
    assert len(reported) == len(done) == len(views())
    assert all(view.known == 0 for view in done)

    again = bootstrap(rebuilt.settings, rebuilt.paths, crash, report=reported.append)
    assert [(view.keys, view.written) for view in again] == [(view.keys, 0) for view in done]

    for store in (first, rebuilt):
        store.stream(row for row in rows if row.columns[EVENT_TIMESTAMP] > crash)
    for at in (crash + timedelta(minutes=40), crash + timedelta(hours=30)):
        assert rebuilt.read(rows, at) == first.read(rows, at)


@pytest.mark.parametrize("bootstrap_first", [True, False])
def test_what_only_history_knows_stays_when_the_stream_goes_on(
    tmp_path: Path, acts: list[Act], *, bootstrap_first: bool
) -> None:
    """The stream began half way: its lists and first instants hold less than the whole history does."""
    middle = ms(datetime(2026, 9, 1, 1, tzinfo=UTC))
    end = datetime(2026, 9, 1, 23, tzinfo=UTC)
    running = {view for view, members in views().items() if members[0].is_running}
    whole = [row for row in rows_of(acts) if row.view in running]
    stream = [row for row in rows_of([act for act in acts if act["received_at_ms"] >= middle]) if row.view in running]
    rebuilt, expected = FollowedStore(tmp_path / "rebuilt", lake=whole), FollowedStore(tmp_path / "expected")
    expected.stream(whole)
    steps = [lambda: bootstrap(rebuilt.settings, rebuilt.paths, end, report=lambda line: None), lambda: rebuilt.stream(stream)]
    for step in steps if bootstrap_first else reversed(steps):
        step()
    assert rebuilt.read(whole, end) == expected.read(whole, end)
    only_stream = FollowedStore(tmp_path / "stream")
    only_stream.stream(stream)
    assert only_stream.read(whole, end) != expected.read(whole, end)


def test_training_sees_what_serving_would_have_read(tmp_path: Path, acts: list[Act]) -> None:
    """Every feature of persons, items and the shop at instants of the past: from backfilled tables as from a store that
    followed the stream, and as the log itself explains it.
    """
    rows = rows_of(acts)
    store = FollowedStore(tmp_path, lake=rows)
    features = [feature for feature in FEATURES if feature.entity in ("person", "item", "shop")]
    start = datetime(2026, 9, 1, 2, 1, 31, 500_000, tzinfo=UTC)
    instants = [start + timedelta(hours=hours) for hours in (0, 1, 24, 27, 25 * 24)]
    decisions = [
        FeatureMoment("lanting", ms(at), persons, item)
        for at in instants
        for persons, item in ((("u:u1", "a:a1"), "i1"), (("u:u2",), "never-seen"), (("a:nobody",), "i3"))
    ]
    trained = values_at(open_version(store.settings), decisions, features)
    streamed = sorted(rows, key=lambda row: row.as_of_ms)
    place = 0
    compared = 0
    for decision, values_then in zip(decisions, trained, strict=True):
        sent = [row for row in streamed[place:] if row.as_of_ms <= decision.at_ms]
        store.stream(sent)
        place += len(sent)
        held = read_for(store, decision)
        for feature in features:
            served = served_value(held, feature, decision)
            assert served == values_then[feature.name], (feature.name, decision)
            compared += served not in (feature.default, None)
        if len(decision.persons) == 1:
            for feature in features:
                entity_id = decision.ids(feature.entity)[0]
                of_shop = [act for act in acts if act["shop_id"] == "lanting"]
                why = reason(feature, entity_id, decision.at_ms, of_shop, allowed_lateness_s=30)
                assert plain(why.value) == plain(values_then[feature.name]), (feature.name, decision)
    assert compared > 250


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def read_for(store: FollowedStore, decision: FeatureMoment) -> dict[tuple[str, str], dict[str, Any]]:
    """What a request would read of the online store, by entity and id."""
    names = {(entity, name) for entity in ("person", "item", "shop") for name in decision.ids(entity)}
    keys = [
        (view, decision.shop_id, name)
        for view, members in views().items()
        for entity, name in sorted(names)
        if entity == members[0].entity
    ]
    by_id: dict[tuple[str, str], dict[str, Any]] = {}
    for entity, _, name, held in read_stored(store.store, views(), keys, decision.at_ms):
        by_id.setdefault((entity, name), {}).update(held)
    return by_id


def served_value(by_id: dict[tuple[str, str], dict[str, Any]], feature: Any, decision: FeatureMoment) -> Any:
    """What a request would make of it."""
    ids = [by_id.get((feature.entity, name), {}) for name in decision.ids(feature.entity)]
    # The time of a `last` value is read with it; here the instants themselves order them, as acts are known when they happen.
    known_ms = {part.name: [held.get(part.name) for held in ids] for part in operands(feature)}
    shop = by_id.get(("shop", decision.shop_id), {})
    return value_at(feature, ids, decision.at_ms, shop=shop, known_ms=known_ms)


def test_old_rows_expire_and_young_ones_stay(online_store: Any, settings: Settings, paths: Paths) -> None:
    """A window of an hour is kept a day longer than its slide, a running value 30 days."""
    store = open_store(settings, paths)
    sink = FeatureSink(store, paths.features, WriterProgress())
    now = datetime(2026, 9, 30, tzinfo=UTC)
    old = {"person_3600s_60s": timedelta(days=1, minutes=1), "person_last_20": timedelta(days=30)}
    defaults = {"person_3600s_60s": {"person_views_1h": 1, "person_carts_1h": 0}}
    defaults["person_last_20"] = {"last_items": ["i"], "last_items_known_ms": [1]}
    for view, age in old.items():
        for person, more in (("u:old", timedelta(milliseconds=1)), ("u:young", timedelta())):
            at = now - age - more
            columns = {"shop_id": "s", "person_id": person, EVENT_TIMESTAMP: at, CREATED_TIMESTAMP: at}
            sink.put(view, [FeatureRow(view, ms(at), columns | {"valid_until_ms": None, LOG_OFFSET: 0} | defaults[view])])
    expired = expire(store, now, keep_days=30)
    assert {view: count for view, count in expired.items() if count} == {"person_3600s_60s": 1, "person_last_20": 1}
    keys = [(view, "s", person) for view in old for person in ("u:old", "u:young")]
    left = {(person, tuple(held)) for _, _, person, held in read_stored(store, views(), keys, 0) if held}
    assert {person for person, _ in left} == {"u:young"}
    assert len(left) == 2
    at = now - timedelta(days=40)
    columns = {"shop_id": "s", "person_id": "u:old", EVENT_TIMESTAMP: at, CREATED_TIMESTAMP: at}
    sink.put(
        "person_last_20",
        [FeatureRow("person_last_20", ms(at), columns | {"valid_until_ms": None, LOG_OFFSET: 0} | defaults["person_last_20"])],
    )
    assert expire(store, now, keep_days=30)["person_last_20"] == 1  # what had expired may come back and go again
