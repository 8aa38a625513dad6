"""From records of the log and events of pages to a row for each place of a list, run after run."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from decision_log.job import BRONZE_KEPT, SILVER_KEPT, DecisionsBuilt, build_decisions
from jishi import tables
from jishi.lake.query import open_lake
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from tests.integration.decision_log.logged_lines import NOW, ListedLog, clicked, explored, line, shown
from tests.lake import newest, publish, settings_in

pytestmark = pytest.mark.integration
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
YESTERDAY = NOW - timedelta(days=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = settings_in(tmp_path)
    with Shops.edit(Paths.of(settings).shops_file) as shops:
        for shop_id in ("s1", "s2"):
            shops.add(Shop(shop_id=shop_id, name=shop_id, time_zone="Asia/Shanghai", currency="CNY"))
    return settings


def build(settings: Settings, log: ListedLog | None, now: datetime = NOW) -> DecisionsBuilt:
    return build_decisions(settings, log, now)


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with open_lake(newest(settings.var)) as connection:
        return connection.execute(query).fetchall()


def plain(instant: datetime) -> datetime:
    return instant.replace(tzinfo=None)


def test_each_place_has_by_what_its_list_was_looked_at_where_the_line_says_it(settings: Settings) -> None:
    log = ListedLog()
    before = line("r2", NOW)
    del before["visit"]
    for each in (line("r1", NOW, ["a"]), before | {"items": ["a"], "scores": [1.0], "reasons": ["taste"]}):
        log.put(each, NOW)
    log.put(line("r3", NOW, ["a"], visit="nonsense"), NOW)
    build(settings, log)
    asked = "select request_id, channel, device, region from silver_decisions order by 1"
    assert rows(settings, asked) == [("r1", "wechat", None, "north"), ("r2", None, None, None), ("r3", None, None, None)]


def test_every_place_has_what_became_of_it_and_later_events_restate_its_day_alone(settings: Settings) -> None:
    log = ListedLog()
    log.put(line("r1", YESTERDAY), YESTERDAY + SECOND)
    log.put(explored("r2", NOW, {"n1": 0.75, "n2": 0.25}, "n2", touched_by_rules={"a": ["winter"]}, rules_version=3), NOW)
    log.put(line("r3", NOW, [], served_by="popular"), NOW)
    events = [
        shown("r1", YESTERDAY + SECOND),
        clicked("r1", YESTERDAY, "b"),  # before it was shown: none
        clicked("r1", YESTERDAY + 9 * SECOND, "b"),
        clicked("r1", YESTERDAY + 5 * SECOND, "b", placement="elsewhere"),  # where it was not shown
    ]
    publish(settings.var, {tables.SILVER_EVENTS: events})
    first = build(settings, log)
    assert (first.landed, len(first.days), first.places, first.kept_out) == (3, 2, 5, 0)
    places = (
        "select request_id, place, item_id, arm, round(propensity, 6), person_id, shown_at, clicked_at from silver_decisions"
    )
    at = plain(YESTERDAY + SECOND)
    assert rows(settings, f"{places} order by 1, 2") == [
        ("r1", 1, "a", "ranked", 1.0, "u:1", at, None),
        ("r1", 2, "b", "ranked", 1.0, "u:1", at, plain(YESTERDAY + 9 * SECOND)),
        ("r2", 1, "a", "ranked", 1.0, None, None, None),
        ("r2", 2, "n2", "explored", 0.05, None, None, None),
        ("r3", 0, None, "ranked", 1.0, None, None, None),
    ]
    of_rules = "place, rules, rules_version, explore_probability, policy, eligible"
    assert rows(settings, f"select {of_rules} from silver_decisions where request_id = 'r2' order by 1") == [
        (1, '["winter"]', 3, None, None, None),
        (2, None, 3, 0.2, "thompson", '{"n1":0.75,"n2":0.25}'),
    ]
    assert build(settings, log).version is None  # nothing new, nothing written

    # The person of r1 is known by now, and r2 was seen: a day each, and a record lands on the second.
    late = [shown("r1", YESTERDAY + SECOND, person="u:9"), *events[1:], shown("r2", NOW + SECOND, items=["a", "n2"])]
    publish(settings.var, {tables.SILVER_EVENTS: late[:3]})
    log.put(line("r4", NOW, shop_id="s2", arm="tried_popular"), NOW + SECOND)
    publish(settings.var, {tables.SILVER_EVENTS: late})
    second = build(settings, log)
    assert (second.landed, second.days, second.why_all) == (1, [YESTERDAY.date(), NOW.date()], None)
    assert rows(settings, "select distinct request_id, person_id from silver_decisions order by 1") == [
        *(("r1", "u:9"), ("r2", "u:1"), ("r3", None), ("r4", None))
    ]
    assert (
        rows(settings, "select arm, propensity from silver_decisions where request_id = 'r4'") == [("tried_popular", 1.0)] * 2
    )
    publish(settings.var, {tables.SILVER_EVENTS: [*late, clicked("r2", NOW + HOUR, "n2")]})
    third = build(settings, None)
    assert (third.landed, third.days, third.why_all) == (0, [NOW.date()], None)
    assert rows(settings, "select clicked_at from silver_decisions where arm = 'explored'") == [(plain(NOW + HOUR),)]


def test_what_is_no_decision_is_kept_out_with_the_reason_and_what_comes_twice_counts_once(settings: Settings) -> None:
    good, log = line("r1", NOW), ListedLog()
    hostile: list[tuple[dict[str, Any] | bytes, bytes | None, tuple[str, str | None]]] = [
        (b"{not json", b"s1|x", ("not_json", None)),
        (b"\xff\xfe\x00", b"s1|x", ("not_json", None)),
        (b'["a"]', b"s1|x", ("not_json", None)),
        (good, b"\xff", ("bad_key", "key")),
        (good, b"nobar", ("bad_key", "key")),
        (good, b"s2|r1", ("other_key", "shop_id")),
        (good, b"s1|r2", ("other_key", "request_id")),
        (line("r2", NOW, shop_id="'; drop"), None, ("unknown_shop", "shop_id")),
        (line("r2", NOW - timedelta(days=2)), None, ("bad_value", "answered_at_ms")),
        (line("r2", NOW, placement="x" * 65), None, ("bad_value", "placement")),
        (line("r2", NOW, items=["a", "a"]), None, ("bad_value", "items")),
        (line("r2", NOW) | {"items": "ab"}, None, ("bad_value", "items")),
        (line("r2", NOW, scores=[1.0, None]), None, ("bad_value", "scores")),
        (line("r2", NOW, reasons=["taste"]), None, ("bad_value", "reasons")),
        (line("r2", NOW, served_by=None), None, ("bad_value", "served_by")),
        (line("r2", NOW, arm="left"), None, ("bad_value", "arm")),
        (line("r2", NOW, propensity=0.0), None, ("bad_value", "propensity")),
        (line("r2", NOW, propensity=1.5), None, ("bad_value", "propensity")),
        (line("r2", NOW, propensity=0.5), None, ("bad_value", "propensity")),  # nothing was left to chance
        (explored("r2", NOW, {"n": 1.0}, "n", propensity=0.9), None, ("bad_value", "propensity")),
        (explored("r2", NOW, {"n": 1.0}, "n") | {"items": ["n", "a"]}, None, ("bad_value", "exploration")),
        (explored("r2", NOW, {"n": 1.0, "m": -0.5}, "n"), None, ("bad_value", "exploration")),
        (line("r2", NOW, arm="explored"), None, ("bad_value", "exploration")),
    ]
    for record, key, _ in hostile:
        log.put(record, NOW, key)
    log.put(good, NOW)
    log.put(good, NOW + SECOND)
    log.put(good | {"items": ["z", "y"]}, NOW + timedelta(days=1) - HOUR * 12)  # the same answer, another list: not the first
    built = build(settings, log, NOW + timedelta(days=1))
    assert (built.landed, built.places, built.kept_out) == (len(hostile) + 3, 2, len(hostile) + 2)
    kept_out = rows(settings, "select reason, field from silver_decisions_quarantine order by log_offset")
    assert kept_out[: len(hostile)] == [reason for _, _, reason in hostile]
    assert rows(settings, "select item_id from silver_decisions order by place") == [("a",), ("b",)]


def test_days_leave_bronze_and_silver_whole_when_their_time_is_over(settings: Settings) -> None:
    log = ListedLog()
    log.put(line("r1", NOW), NOW)
    build(settings, log)
    later = NOW + BRONZE_KEPT + timedelta(days=1)
    log.put(line("r2", later), later)
    assert build(settings, log, later).days == [later.date()]
    assert rows(settings, "select request_id from bronze_decisions") == [("r2",)]
    assert rows(settings, "select distinct request_id from silver_decisions order by 1") == [("r1",), ("r2",)]
    last = NOW + SILVER_KEPT + timedelta(days=1)
    log.put(line("r3", last), last)
    build(settings, log, last)
    assert rows(settings, "select distinct request_id from silver_decisions order by 1") == [("r2",), ("r3",)]
