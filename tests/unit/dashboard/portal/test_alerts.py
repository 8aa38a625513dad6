"""A rule fires on days that are far from the same weekday's usual, once, outside of quiet hours; each receiver is told once."""

from __future__ import annotations

import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

import dashboard.portal.alerts.__main__ as command
from dashboard.delivery import Destination, Message, NotDelivered
from dashboard.portal.alerts.checking import check_shop
from dashboard.portal.alerts.files import AlertFiles
from dashboard.portal.alerts.findings import UnusualDay, days_of, finding_of, findings_of, open_day
from dashboard.portal.alerts.rules import Alert, AlertRule, AlertRules, BadRule, rule_from
from dashboard.portal.alerts.so_far import DaySoFar
from dashboard.portal.alerts.usual import Usual, usual_of
from dashboard.portal.alerts.wording import shown_finding
from dashboard.portal.app import make_app
from dashboard.portal.database import PortalDatabase
from dashboard.portal.formats import Formats
from dashboard.portal.published_marts import MartsBuild
from dashboard.portal.receivers import Receipt, Receivers, SomeNotDelivered
from dashboard.portal.shop_marts import ShopMarts
from jishi.quiet_hours import QuietHours
from jishi.shop_runs import NothingToDo
from jishi.shops import Shop
from tests.unit.dashboard.delivery.servers import chat_server
from tests.unit.dashboard.portal.twins import CANARY, PLAIN, TwinShops, post

SHOP = Shop(shop_id="s", name="集市", time_zone="Asia/Shanghai", currency="CNY")
SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = date(2026, 11, 23)
MORNING = datetime(2026, 11, 24, 1, tzinfo=UTC)  # nine o'clock in Shanghai
LESS = AlertRule("orders", "less", 0.3)


def marts_with(folder: Path, orders: dict[date, int | None], open_day: date | None = None) -> ShopMarts:
    """Days of shop s with these orders, beside another shop whose days are all unusual."""
    file = folder / "marts.duckdb"
    with duckdb.connect(str(file)) as writer:
        writer.execute(
            "create table fct_shop_days "
            "(shop_id varchar, shop_date date, is_complete boolean, orders bigint, conversion double)"
        )
        rows = [
            [shop, day, day != open_day, count if shop == "s" else 1, 0.5] for shop in "so" for day, count in orders.items()
        ]
        writer.executemany("insert into fct_shop_days values (?, ?, ?, ?, ?)", rows)
        writer.execute("create table dim_shops as select 's' as shop_id, 'CNY' as currency, 'Asia/Shanghai' as time_zone")
    database = duckdb.connect()
    database.execute(f"attach '{file}' as published (read_only)")
    columns = {
        "fct_shop_days": ["shop_id", "shop_date", "is_complete", "orders", "conversion"],
        "dim_shops": ["shop_id", "currency", "time_zone"],
    }
    return ShopMarts(database.cursor(), MartsBuild(file, database, columns, 1, MORNING, None), "s")


def mondays(newest: int | None, before: list[int | None]) -> dict[date, int | None]:
    """The newest Monday's orders, and those of the Mondays before, the last first."""
    return {MONDAY - timedelta(weeks=week): count for week, count in enumerate([newest, *before])}


@pytest.fixture
def database(tmp_path: Path) -> PortalDatabase:
    return PortalDatabase(tmp_path / "portal.db")


@pytest.fixture
def post_office() -> list[tuple[str, str]]:
    """What was sent: to whom, and its title."""
    return []


def test_the_band_by_hand() -> None:
    # Sorted 90 100 105 110 300: median 105, deviations 0 5 5 15 195, their median 5: 14.8 to both sides is within 30 %.
    assert usual_of([100, 110, 90, 105, 300], 0.3) == Usual(73.5, 136.5)
    # Deviations of 40 at the median: 2 * 1.4826 * 40 = 118.6 is more than 30 %, so that a shop of wild days stays silent.
    low, high = usual_of([100, 60, 140, 60, 140], 0.3) or (0.0, 0.0)
    assert (round(low, 2), round(high, 2)) == (-18.61, 218.61)
    assert usual_of([100, 110], 0.3) is None


@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=8), st.integers(1, 1000))
def test_the_band_scales_with_its_values_and_holds_the_median(values: list[int], factor: int) -> None:
    usual, scaled = usual_of(values, 0.2), usual_of([value * factor for value in values], 0.2)
    assert usual is not None
    assert scaled is not None
    assert usual.low <= sorted(values)[len(values) // 2] <= usual.high or len(values) % 2 == 0
    assert scaled.low == pytest.approx(usual.low * factor)
    assert scaled.high == pytest.approx(usual.high * factor)


@pytest.mark.parametrize(
    ("newest", "before", "fires"),
    [
        (69, [100, 100, 100, 100], True),
        (70, [100, 100, 100, 100], False),  # the band's end is usual
        (131, [100, 100, 100, 100], False),  # the rule watches the other direction
        (60, [100, 100], False),  # of two Mondays nothing is usual
        (60, [100, None, 100, None, 100], True),  # weeks without a value are left out
        (60, [100, 100, 100, 1000, 1000], True),  # a sale of two weeks does not move the median
        (None, [100, 100, 100], False),
        (0, [0, 0, 0, 0], False),  # a shop that never sells on Mondays
    ],
)
def test_a_day_against_the_same_weekday(tmp_path: Path, newest: int | None, before: list[int | None], fires: bool) -> None:
    days = days_of(marts_with(tmp_path, mondays(newest, before)), ["orders"], MONDAY, MONDAY)
    assert (finding_of(LESS, days, MONDAY) is not None) == fires


def test_other_weekdays_are_no_measure(tmp_path: Path) -> None:
    """Ten orders on each Monday and a hundred on each other day: a Monday with ten is usual."""
    orders: dict[date, int | None] = {MONDAY - timedelta(days=back): 10 if back % 7 == 0 else 100 for back in range(60)}
    days = days_of(marts_with(tmp_path, orders), ["orders"], MONDAY, MONDAY)
    assert finding_of(AlertRule("orders", "either", 0.2), days, MONDAY) is None


def test_a_day_that_is_not_over_fires_only_for_a_sum_that_is_too_high_already(tmp_path: Path) -> None:
    for newest, rule, fires in (
        (10, LESS, False),
        (10, replace(LESS, direction="either"), False),
        (140, replace(LESS, direction="more"), True),
        (140, replace(LESS, direction="either"), True),
    ):
        folder = tmp_path / f"{newest}-{rule.direction}"
        folder.mkdir()
        marts = marts_with(folder, mondays(newest, [100] * 4), open_day=MONDAY)
        days = days_of(marts, ["orders", "conversion"], MONDAY, MONDAY)
        assert (finding_of(rule, days, MONDAY) is not None) == fires, (newest, rule.direction)
        # A share of the morning says nothing of the day.
        assert (
            finding_of(AlertRule("conversion", "either", 0.01), {**days, MONDAY: {**days[MONDAY], "conversion": 0.9}}, MONDAY)
            is None
        )


def hourly(
    folder: Path, today: list[int], before: list[list[int]], *, as_of_hour: int, minutes: int = 30, unknown_weeks: int = 0
) -> ShopMarts:
    """Mondays by their hours (orders of ten minor units each), the newest of which is known up to an hour of Shanghai's clock.

    Another shop has the same hours with a thousand orders each.
    """
    file = folder / "marts.duckdb"
    as_of = datetime(2026, 11, 23, as_of_hour, minutes, tzinfo=SHANGHAI).astimezone(UTC).replace(tzinfo=None)
    days = {MONDAY - timedelta(weeks=week): hours for week, hours in enumerate([today, *before])}
    with duckdb.connect(str(file)) as writer:
        writer.execute(
            "create table fct_shop_days (shop_id varchar, shop_date date, is_complete boolean, as_of_at timestamp, "
            "orders bigint, gmv_minor decimal(38, 0), conversion double)"
        )
        writer.execute(
            "create table fct_shop_hours "
            "(shop_id varchar, shop_date date, shop_hour bigint, orders bigint, gmv_minor decimal(38, 0), visitors bigint)"
        )
        writer.execute("create table dim_shops as select 's' as shop_id, 'CNY' as currency, 'Asia/Shanghai' as time_zone")
        for shop, times in (("s", 1), ("o", 1000)):
            for week, (day, hours) in enumerate(days.items()):
                total = times * sum(hours)
                row = [shop, day, week > 0, as_of, total, 10 * total, 0.5]
                writer.execute("insert into fct_shop_days values (?, ?, ?, ?, ?, ?, ?)", row)
                visitors = None if week > len(before) - unknown_weeks else 1
                rows = [[shop, day, hour, times * n, 10 * times * n, visitors and n] for hour, n in enumerate(hours)]
                writer.executemany("insert into fct_shop_hours values (?, ?, ?, ?, ?, ?)", rows)
    database = duckdb.connect()
    database.execute(f"attach '{file}' as published (read_only)")
    columns = {
        "fct_shop_days": ["shop_id", "shop_date", "is_complete", "as_of_at", "orders", "gmv_minor", "conversion"],
        "dim_shops": ["shop_id", "currency", "time_zone"],
        "fct_shop_hours": ["shop_id", "shop_date", "shop_hour", "orders", "gmv_minor", "visitors"],
    }
    return ShopMarts(database.cursor(), MartsBuild(file, database, columns, 1, MORNING, None), "s")


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (1000, -1000, -200, "10.00 CNY; usual on this weekday: -10.00 CNY to -2.00 CNY."),  # more goes back than is sold
        (-8000, -1000, 5000, "-80.00 CNY; usual on this weekday: -10.00 CNY to 50.00 CNY."),
        (9000, -1000, 5000, "90.00 CNY; usual on this weekday: 0.00 CNY to 50.00 CNY."),
    ],
)
def test_a_band_is_named_from_its_lower_end_to_its_upper_one(value: float, low: float, high: float, text: str) -> None:
    formats = Formats("en", "CNY", "Asia/Shanghai")
    finding = shown_finding(formats, "net_gmv_minor", MONDAY, value, Usual(low, high))
    assert finding.sentence(formats).endswith(text)


def so_far_finding(marts: ShopMarts, rule: AlertRule) -> UnusualDay | None:
    days = days_of(marts, [rule.metric], MONDAY, MONDAY)
    return finding_of(rule, days, MONDAY, open_day(marts, days, "Asia/Shanghai"))


EVEN = [10] * 24  # 240 orders a day, ten an hour


@pytest.mark.parametrize(
    ("today", "rule", "expected"),
    [
        # Twelve whole hours: 120 are usual, two roots of which are 21.9; 30 % of it is more: 84 to 156.
        ([10] * 12 + [1], LESS, None),
        ([7] * 12, LESS, None),
        ([6] * 12 + [90], LESS, 72),  # the thirteenth hour is not over and does not count
        ([20] * 12, LESS, None),
        ([20] * 12, AlertRule("orders", "more", 0.3), 240),  # half of a usual day, and twice its hours
        ([20] * 12, AlertRule("gmv_minor", "either", 0.3), 2400),
        ([13] * 12, AlertRule("orders", "more", 0.05), 156),
        ([11] * 12, AlertRule("orders", "more", 0.05), None),  # 132: within two roots of chance (98.1 to 141.9)
        ([6] * 12, AlertRule("visitors", "less", 0.3), 72),
        ([6] * 12, AlertRule("conversion", "less", 0.3), None),  # a share of some hours says nothing of the day
    ],
)
def test_a_day_that_is_not_over_against_the_same_hours(
    tmp_path: Path, today: list[int], rule: AlertRule, expected: int | None
) -> None:
    finding = so_far_finding(hourly(tmp_path, today, [EVEN] * 4, as_of_hour=12), rule)
    assert (finding and (finding.value, finding.until_hour)) == (expected and (expected, 12))


def test_hours_so_far_say_nothing_too_early_of_few_weeks_of_few_orders_or_of_what_is_unknown(tmp_path: Path) -> None:
    either = AlertRule("orders", "either", 0.3)
    for number, (before, as_of_hour, fires) in enumerate(
        (
            ([EVEN] * 4, 12, True),
            ([EVEN] * 4, 5, False),  # five hours of 24 are less than a quarter
            ([EVEN] * 4, 0, False),
            ([EVEN] * 2, 12, False),
            ([[0] * 12 + [20] * 12] * 4, 12, False),  # a shop of afternoons
            ([[0, 0, 0, 1] * 6] * 4, 12, False),  # nothing in place of three orders: 3.5 either way is chance
            ([[0, 1] * 12] * 4, 12, True),  # and in place of six it is not: 4.9 either way
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        marts = hourly(folder, [0] * 12, before, as_of_hour=as_of_hour)
        assert (so_far_finding(marts, either) is not None) == fires, number
    marts = hourly(tmp_path, [1] * 12, [EVEN] * 4, as_of_hour=12, unknown_weeks=2)
    assert so_far_finding(marts, AlertRule("visitors", "less", 0.3)) is None, "visitors are known of two Mondays"


def test_hours_so_far_leave_out_earlier_days_of_which_an_hour_is_unknown() -> None:
    today = date(2026, 3, 30)
    mondays = [today - timedelta(weeks=week) for week in range(6)]
    sums: dict[date, dict[str, float | None]] = {day: {"gmv_minor": 100.0, "orders": 100.0} for day in mondays}
    unknown: dict[date, dict[str, float | None]] = {day: {"gmv_minor": None, "orders": 200.0} for day in mondays}
    assert DaySoFar(today, 12, sums, unknown).usual("gmv_minor", 0.3) is None, "no day's share is known"
    whole = unknown | {day: {"gmv_minor": 200.0, "orders": 200.0} for day in mondays[1:4]}
    for day in mondays[4:]:
        sums[day] = {"gmv_minor": 500.0, "orders": 100.0}
    assert DaySoFar(today, 12, sums, whole).usual("gmv_minor", 0.3) == Usual(70.0, 130.0)
    for day in mondays[1:4]:
        sums[day] = {"gmv_minor": 40.0, "orders": 40.0}
    assert DaySoFar(today, 12, sums, whole).usual("gmv_minor", 0.3) is None, "40 of 200 are less than a quarter"


def test_an_alert_of_a_day_so_far_names_its_hour_in_both_languages_and_is_the_days_only_one(
    tmp_path: Path, database: PortalDatabase, post_office: list[tuple[str, str]]
) -> None:
    marts, rules, receivers = hourly(tmp_path, [6] * 12, [EVEN] * 4, as_of_hour=12), AlertRules(database), Receivers(database)
    now = datetime(2026, 11, 23, 12, 40, tzinfo=SHANGHAI).astimezone(UTC)
    rules.add("s", LESS, now)
    receivers.add("s", Destination("email", "mei@example.org"), "zh", {"alerts"})
    receivers.add("s", Destination("email", "me@example.org"), "en", {"alerts"})

    def check() -> None:
        send = lambda to, message: post_office.append((to.shown, message.text))  # noqa: E731
        check_shop(SHOP, marts, rules, receivers, send, "http://p", now)

    check()
    check()
    texts = dict(post_office)
    assert len(post_office) == 2
    assert (
        "2026-11-23 Mon until 12:00: 72 orders; usual by then on this weekday: 84 orders to 156 orders."
        in texts["me@example.org"]
    )
    assert "2026-11-23 周一 截至 12:00：72 单；同一星期几此时的常态为 84 单 至 156 单。" in texts["mei@example.org"]
    [alert] = rules.log("s")
    assert (alert.day, alert.value, alert.until_hour) == (MONDAY, 72, 12)


def test_a_database_of_before_gets_the_hour_of_its_alerts(tmp_path: Path) -> None:
    file = tmp_path / "portal.db"
    with closing(sqlite3.connect(file)) as old:
        old.execute(
            "create table alerts (alert_id integer primary key, rule_id integer not null, shop_id text not null, "
            "day text not null, metric text not null, value real not null, low real not null, high real not null, "
            "at integer not null, is_held integer not null, unique (rule_id, day))"
        )
        old.execute("insert into alerts values (1, 1, 's', '2026-11-23', 'orders', 3, 5, 9, 0, 0)")
        old.commit()
    for _ in range(2):
        [alert] = AlertRules(PortalDatabase(file)).log("s")
    assert (alert.value, alert.until_hour) == (3, None)


def test_a_preview_names_the_days_and_keeps_silent_while_it_cools_down(tmp_path: Path) -> None:
    orders: dict[date, int | None] = {MONDAY - timedelta(days=back): 100 for back in range(100)}
    bad = [MONDAY - timedelta(days=back) for back in (20, 19, 18, 2)]
    orders |= dict.fromkeys(bad, 20)
    days = days_of(marts_with(tmp_path, orders), ["orders"], MONDAY - timedelta(days=30), MONDAY)
    first = MONDAY - timedelta(days=30)
    assert [each.day for each in findings_of(LESS, days, first, MONDAY)] == bad
    cooling = replace(LESS, cool_down_days=2)
    assert [each.day for each in findings_of(cooling, days, first, MONDAY)] == [bad[0], bad[3]]
    assert findings_of(LESS, days, first, MONDAY)[0].usual == Usual(70, 130)


def test_one_alert_a_day_reaches_each_receiver_once_and_a_failure_is_its_own(
    tmp_path: Path, database: PortalDatabase, post_office: list[tuple[str, str]]
) -> None:
    marts, rules, receivers = marts_with(tmp_path, mondays(60, [100] * 4)), AlertRules(database), Receivers(database)
    rules.add("s", LESS, MORNING - timedelta(days=9))
    receivers.add("s", Destination("email", "mei@example.org"), "zh", {"alerts"})
    receivers.add("s", Destination("slack", "https://hooks.slack.com/SECRET"), "en", {"alerts", "digests"})
    receivers.add("s", Destination("email", "digests@example.org"), "en", {"digests"})
    receivers.add("o", Destination("email", "other@example.org"), "en", {"alerts"})
    is_down = True

    def send(destination: Destination, message: Message) -> None:
        if destination.kind == "slack" and is_down:
            raise NotDelivered("it answered 503")
        post_office.append((destination.shown, message.title))

    first = check_shop(SHOP, marts, rules, receivers, send, "http://p", MORNING)
    assert post_office == [("mei@example.org", "集市：支付订单低于常态")]
    assert [delivery.failure for delivery in first] == [None, "slack hooks.slack.com (2): it answered 503"]
    is_down = False
    check_shop(SHOP, marts, rules, receivers, send, "http://p", MORNING + timedelta(hours=1))
    check_shop(SHOP, marts, rules, receivers, send, "http://p", MORNING + timedelta(hours=2))
    assert post_office[1:] == [("hooks.slack.com", "集市: Orders lower than usual")]
    assert [(alert.day, alert.value, alert.usual) for alert in rules.log("s")] == [(MONDAY, 60, Usual(70, 130))]
    assert rules.log("o") == []


def test_a_receiver_that_refuses_for_good_is_not_asked_again_and_fails_nothing(
    tmp_path: Path, database: PortalDatabase
) -> None:
    marts, rules, receivers = marts_with(tmp_path, mondays(60, [100] * 4)), AlertRules(database), Receivers(database)
    rules.add("s", LESS, MORNING)
    receivers.add("s", Destination("slack", "https://hooks.slack.com/SECRET"), "en", {"alerts"})
    asked = []

    def send(destination: Destination, _: Message) -> None:
        asked.append(destination.kind)
        raise NotDelivered("it answered 404", is_final=True)

    for hour in range(3):
        deliveries = check_shop(SHOP, marts, rules, receivers, send, "", MORNING + timedelta(hours=hour))
        SomeNotDelivered.raise_for(deliveries)
    assert asked == ["slack"]
    assert [delivery.failure for delivery in receivers.failures("s")] == ["slack hooks.slack.com (1): it answered 404"]
    with pytest.raises(SomeNotDelivered, match="it answered 503"):
        SomeNotDelivered.raise_for([Receipt("alert", 1, MORNING, "slack: it answered 503")])


@pytest.mark.parametrize(
    ("shop", "rule"),
    [
        (SHOP, replace(LESS, quiet_from=22, quiet_until=8)),
        (SHOP.model_copy(update={"quiet_hours": QuietHours(begins=22, ends=8)}), LESS),
        (SHOP.model_copy(update={"quiet_hours": QuietHours(begins=12, ends=14)}), replace(LESS, quiet_from=22, quiet_until=8)),
    ],
    ids=["the rule's", "the shop's", "both"],
)
def test_quiet_hours_hold_an_alert_and_a_snooze_ends_it(
    tmp_path: Path, database: PortalDatabase, post_office: list[tuple[str, str]], shop: Shop, rule: AlertRule
) -> None:
    marts, rules, receivers = marts_with(tmp_path, mondays(60, [100] * 4)), AlertRules(database), Receivers(database)
    rules.add("s", rule, MORNING - timedelta(days=9))
    receivers.add("s", Destination("email", "mei@example.org"), "en", {"alerts"})

    def check(now: datetime) -> None:
        check_shop(
            shop, marts, rules, receivers, lambda to, message: post_office.append((to.shown, message.text)), "http://p", now
        )

    [rule] = rules.of_shop("s")
    rules.snooze("s", rule.rule_id, date(2026, 11, 24))
    check(MORNING - timedelta(hours=10))  # the 23rd, 23 o'clock in Shanghai
    assert rules.log("s") == []
    check(MORNING - timedelta(hours=4))  # the 24th, five o'clock: awake again, and quiet
    assert ([alert.is_held for alert in rules.log("s")], post_office) == ([True], [])
    check(MORNING)
    assert [alert.is_held for alert in rules.log("s")] == [False]
    [(_, text)] = post_office
    assert "2026-11-23 Mon: 60 orders; usual on this weekday: 70 orders to 130 orders." in text
    assert "http://p/shops/s/today?date=2026-11-23" in text


@pytest.mark.parametrize("snoozed_days", [1, 7])
def test_a_snooze_silences_what_was_held_and_what_failed(
    tmp_path: Path, database: PortalDatabase, post_office: list[tuple[str, str]], snoozed_days: int
) -> None:
    marts, rules, receivers = marts_with(tmp_path, mondays(60, [100] * 4)), AlertRules(database), Receivers(database)
    rules.add("s", replace(LESS, quiet_from=22, quiet_until=8), MORNING - timedelta(days=9))
    rules.add("s", LESS, MORNING - timedelta(days=9))
    receivers.add("s", Destination("email", "mei@example.org"), "en", {"alerts"})

    def refuse(_: Destination, __: Message) -> None:
        raise NotDelivered("it answered 503")

    def check(now: datetime) -> None:
        check_shop(SHOP, marts, rules, receivers, lambda to, message: post_office.append((to.shown, message.text)), "", now)

    night = MORNING - timedelta(hours=4)
    check_shop(SHOP, marts, rules, receivers, refuse, "", night)
    held, failed = rules.of_shop("s")
    assert {alert.rule_id: alert.is_held for alert in rules.log("s")} == {held.rule_id: True, failed.rule_id: False}
    for rule in (held, failed):
        rules.snooze("s", rule.rule_id, date(2026, 11, 24) + timedelta(days=snoozed_days))
    for hours in range(60):
        check(night + timedelta(hours=hours))
    assert post_office == []
    assert [alert.is_held for alert in rules.log("s")] == [False, False], "no longer held: nobody will be told"


def test_what_is_sent_is_in_a_file_of_each_language_and_what_is_held_is_not(tmp_path: Path, database: PortalDatabase) -> None:
    marts, rules = marts_with(tmp_path, mondays(60, [100] * 4)), AlertRules(database)
    rules.add("s", replace(LESS, quiet_from=22, quiet_until=8), MORNING - timedelta(days=9))
    folder = tmp_path / "alerts"

    def check(hours: int) -> list[Path]:
        now = MORNING + timedelta(hours=hours)
        check_shop(SHOP, marts, rules, Receivers(database), lambda *_: None, "http://p", now, AlertFiles(folder))
        return sorted(folder.rglob("*.txt"))

    assert check(-4) == []
    files = check(0)
    assert [file.relative_to(folder).as_posix() for file in files] == ["s/2026-11-23-1-en.txt", "s/2026-11-23-1-zh.txt"]
    english, chinese = (file.read_text("utf-8") for file in files)
    assert "2026-11-23 Mon: 60 orders; usual on this weekday: 70 orders to 130 orders." in english
    assert "支付订单低于常态" in chinese
    files[0].write_text("as it was sent")
    check(1)
    assert files[0].read_text() == "as it was sent"


def test_a_rule_that_is_woken_tells_what_it_held(
    tmp_path: Path, database: PortalDatabase, post_office: list[tuple[str, str]]
) -> None:
    marts, rules, receivers = marts_with(tmp_path, mondays(60, [100] * 4)), AlertRules(database), Receivers(database)
    rules.add("s", replace(LESS, quiet_from=22, quiet_until=8), MORNING - timedelta(days=9))
    receivers.add("s", Destination("email", "mei@example.org"), "en", {"alerts"})
    night = MORNING - timedelta(hours=4)
    for hours, until in ((0, None), (1, date(2026, 12, 1)), (2, None), (4, None)):
        rules.snooze("s", 1, until)
        check_shop(
            *(SHOP, marts, rules, receivers),
            lambda to, message: post_office.append((to.shown, message.title)),
            "",
            night + timedelta(hours=hours),
        )
    assert post_office == [("mei@example.org", "集市: Orders lower than usual")]


@pytest.mark.parametrize(("begins", "ends"), [(22, 8), (8, 7)], ids=["a night", "all hours but one"])
def test_quiet_hours_hold_what_failed_by_day_and_what_a_new_receiver_waits_for(
    tmp_path: Path, database: PortalDatabase, begins: int, ends: int
) -> None:
    shop = SHOP.model_copy(update={"quiet_hours": QuietHours(begins=begins, ends=ends)})
    marts, rules, receivers = marts_with(tmp_path, mondays(60, [100] * 4)), AlertRules(database), Receivers(database)
    noted = datetime(2026, 11, 24, (begins - 1) % 24, tzinfo=SHANGHAI).astimezone(UTC)
    rules.add("s", LESS, noted)
    receivers.add("s", Destination("email", "mei@example.org"), "en", {"alerts"})
    tried: list[tuple[str, int]] = []

    def send(to: Destination, _: Message) -> None:
        tried.append((to.shown, local.hour))
        if local.date() == date(2026, 11, 24):
            raise NotDelivered("it answered 503")

    for hours in range(30):
        local = (noted + timedelta(hours=hours)).astimezone(SHANGHAI)
        if hours == 2:
            receivers.add("s", Destination("email", "new@example.org"), "en", {"alerts"})
        check_shop(shop, marts, rules, receivers, send, "", local.astimezone(UTC))
    assert tried == [("mei@example.org", (begins - 1) % 24), ("mei@example.org", ends), ("new@example.org", ends)]


def test_a_rule_says_nothing_of_the_days_before_it_was_made(tmp_path: Path, database: PortalDatabase) -> None:
    orders: dict[date, int | None] = {MONDAY - timedelta(days=back): 100 for back in range(80)}
    orders |= {MONDAY - timedelta(days=back): 10 for back in range(4)}
    marts, rules = marts_with(tmp_path, orders), AlertRules(database)
    with pytest.raises(NothingToDo, match="no rules"):
        check_shop(SHOP, marts, rules, Receivers(database), lambda *_: None, "", MORNING)
    rules.add("s", LESS, MORNING)
    check_shop(SHOP, marts, rules, Receivers(database), lambda *_: None, "", MORNING)
    assert [alert.day for alert in rules.log("s")] == [MONDAY]
    rules.add("s", LESS, MORNING - timedelta(days=30))
    check_shop(SHOP, marts, rules, Receivers(database), lambda *_: None, "", MORNING)
    assert [alert.day for alert in rules.log("s") if alert.rule_id == 2] == [MONDAY - timedelta(days=back) for back in range(4)]


def test_a_rule_that_wakes_up_says_nothing_of_the_days_that_it_slept_through(tmp_path: Path, database: PortalDatabase) -> None:
    orders: dict[date, int | None] = {MONDAY - timedelta(days=back): 100 for back in range(80)}
    orders |= {MONDAY - timedelta(days=back): 10 for back in range(4)}
    marts, rules = marts_with(tmp_path, orders), AlertRules(database)
    rules.add("s", LESS, MORNING - timedelta(days=30))
    [rule] = rules.of_shop("s")
    rules.snooze("s", rule.rule_id, MONDAY + timedelta(days=1))
    check_shop(SHOP, marts, rules, Receivers(database), lambda *_: None, "", MORNING)
    assert [alert.day for alert in rules.log("s")] == [MONDAY]


def test_a_new_rule_inherits_nothing_of_a_deleted_one(tmp_path: Path, database: PortalDatabase) -> None:
    marts, rules = marts_with(tmp_path, mondays(60, [100] * 4)), AlertRules(database)
    for _ in range(2):
        rules.add("s", replace(LESS, cool_down_days=30), MORNING)
        [rule] = rules.of_shop("s")
        check_shop(SHOP, marts, rules, Receivers(database), lambda *_: None, "", MORNING)
        assert rules.alerted_days("s", rule.rule_id) == [MONDAY]
        rules.delete("s", rule.rule_id)
    assert len(rules.log("s")) == 2


def test_the_command_checks_every_shop_and_names_a_strange_one(
    twins: TwinShops, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "get_settings", lambda: twins.settings)
    twins.portal.alert_rules.add(PLAIN, LESS, twins.now)
    monkeypatch.setattr(sys, "argv", ["alerts", "check"])
    assert command.main() == 0
    assert "alerts: 1 done, 1 with nothing to do, 0 failed" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["alerts", "check", "--shop", "nobody"])
    with pytest.raises(SystemExit):
        command.main()
    assert "nobody: not registered" in capsys.readouterr().err
    for rule in twins.portal.alert_rules.of_shop(PLAIN):
        twins.portal.alert_rules.delete(PLAIN, rule.rule_id)


@pytest.mark.parametrize(
    ("hours", "quiet"), [((22, 8), {22, 23, 0, 5, 7}), ((9, 12), {9, 10, 11}), ((None, None), set()), ((5, 5), set())]
)
def test_quiet_hours_may_span_midnight(hours: tuple[int | None, int | None], quiet: set[int]) -> None:
    rule = replace(LESS, quiet_from=hours[0], quiet_until=hours[1])
    assert {hour for hour in (22, 23, 0, 7, 8, 9, 10, 11, 12, 5) if rule.is_quiet(hour)} == quiet


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"metric": "person_id"}, "metric"),
        ({"direction": "up"}, "direction"),
        ({"size": "0"}, "size"),
        ({"size": "12.5"}, "size"),
        ({"size": "²"}, "size"),
        ({"quiet_from": "24", "quiet_until": "8"}, "quiet_from"),
        ({"quiet_from": "22"}, "quiet_until"),
        ({"cool_down_days": "-1"}, "cool_down_days"),
    ],
)
def test_a_form_that_is_no_rule_names_its_field(change: dict[str, str], field: str) -> None:
    with pytest.raises(BadRule) as error:
        rule_from({"metric": "orders", "direction": "less", "size": "30", **change})
    assert str(error.value) == field


def test_the_page_adds_snoozes_and_deletes_rules_of_its_own_shop_alone(twins: TwinShops) -> None:
    owner, other, path = twins.client(), twins.client(shop_id=CANARY), f"/shops/{PLAIN}/alerts"
    rule = {
        "metric": "orders",
        "direction": "less",
        "size": "30",
        "quiet_from": "22",
        "quiet_until": "8",
        "cool_down_days": "3",
    }
    assert post(owner, f"{path}/add", **rule).status_code == 303
    assert post(other, f"/shops/{CANARY}/alerts/add", **{**rule, "metric": "sessions"}).status_code == 303
    [added], [of_other] = (twins.portal.alert_rules.of_shop(shop_id) for shop_id in (PLAIN, CANARY))
    assert (added.size, added.quiet_from, added.quiet_until, added.cool_down_days) == (0.3, 22, 8, 3)
    twins.portal.alert_rules.note(CANARY, Alert(of_other.rule_id, MONDAY, "sessions", 98765, Usual(1, 2), twins.now))
    page = owner.get(path).text
    assert "by 30 % or more" in page
    assert "Orders" in page
    assert "98,765" not in page
    assert "98,765" in other.get(f"/shops/{CANARY}/alerts").text
    # Another shop's rule cannot be reached through one's own pages.
    for action, form in (("snooze", {"days": "7"}), ("delete", {})):
        assert post(owner, f"{path}/{action}", rule_id=str(of_other.rule_id), **form).status_code == 404
    assert post(owner, f"{path}/snooze", rule_id=str(added.rule_id), days="7").status_code == 303
    assert "snoozed until 2026-12-07" in owner.get(path).text
    assert post(owner, f"{path}/delete", rule_id=str(added.rule_id)).status_code == 303
    assert twins.portal.alert_rules.of_shop(PLAIN) == []
    assert [each.rule_id for each in twins.portal.alert_rules.of_shop(CANARY)] == [of_other.rule_id]
    refused = post(owner, f"{path}/add", metric="orders", direction="less", size="")
    assert (refused.status_code, "size is missing" in refused.text) == (400, True)
    reader = twins.client("read_only").get(path)
    assert (reader.status_code, "Receivers" in reader.text, "formaction" in reader.text) == (200, False, False)
    acts = [entry.action for entry in twins.portal.audit.newest(PLAIN)]
    assert {"added a rule", "snoozed a rule", "deleted a rule"} <= set(acts)


def test_a_webhooks_address_is_never_shown_again_and_none_of_a_private_network_is_kept(twins: TwinShops) -> None:
    owner, path = twins.client(), f"/shops/{PLAIN}/receivers"
    secret = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=SECRET-KEY"
    assert post(owner, f"{path}/add", kind="wecom", address=secret, language="zh", digests="1").status_code == 303
    for address in ("http://qyapi.weixin.qq.com/", "https://u@qyapi.weixin.qq.com/", "https://qyapi.weixin.qq.com:22/"):
        assert post(owner, f"{path}/add", kind="wecom", address=address).status_code == 400, address
    assert post(owner, f"{path}/add", kind="email", address="no address").status_code == 400
    page = owner.get(f"/shops/{PLAIN}/alerts").text
    assert "qyapi.weixin.qq.com" in page
    audited = str(twins.portal.audit.newest(PLAIN))
    assert "SECRET-KEY" not in page + audited
    assert "qyapi.weixin.qq.com" in audited
    [kept] = twins.portal.receivers.of_shop(PLAIN)
    assert (kept.destination.address, kept.language, kept.gets_digests, kept.gets_alerts) == (secret, "zh", True, False)
    strange = {"receiver_id": str(kept.receiver_id)}
    assert post(twins.client(shop_id=CANARY), f"/shops/{CANARY}/receivers/test", **strange).status_code == 404
    post(twins.client(shop_id=CANARY), f"/shops/{CANARY}/receivers/remove", **strange)
    assert twins.portal.receivers.of_shop(PLAIN) == [kept]
    post(owner, f"{path}/remove", receiver_id=str(kept.receiver_id))
    assert twins.portal.receivers.of_shop(PLAIN) == []
    assert re.search("added a receiver", audited)


def test_a_receiver_can_be_tried(twins: TwinShops) -> None:
    owner, path = twins.client(), f"/shops/{PLAIN}/receivers"
    with chat_server() as chat:
        twins.portal.receivers.add(PLAIN, Destination("slack", chat.url), "zh", {"alerts"}, allow_private=True)
        [receiver] = twins.portal.receivers.of_shop(PLAIN)
        refused = post(owner, f"{path}/test", receiver_id=str(receiver.receiver_id))
        assert "Not delivered: 127.0.0.1: A webhook begins with https://." in refused.text
        assert chat.bodies == []
        settings = twins.settings.model_copy(update={"webhook_allow_private": True})
        app = make_app(replace(twins.portal, settings=settings))
        client = TestClient(app, headers={"accept-language": "en"}, cookies=owner.cookies)
        chat.answers = [(200, "ok")]
        sent = post(client, f"{path}/test", receiver_id=str(receiver.receiver_id))
        assert "Sent to 127.0.0.1: look there." in sent.text
        assert [body["text"] for body in chat.bodies] == ["一样的店：测试消息"]
    twins.portal.receivers.remove(PLAIN, receiver.receiver_id)
