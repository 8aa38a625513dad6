"""A digest says what the metric layer says of a week, in both languages, and reaches each receiver once."""

from __future__ import annotations

import email
import email.policy
import re
import struct
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import duckdb
import pytest

import dashboard.digest.__main__ as command
from dashboard.delivery import Destination
from dashboard.digest.changes import Change, change_of
from dashboard.digest.numbers import TopItem, WeekNotReached, WeekNumber, WeekNumbers, direction, numbers_of
from dashboard.digest.page import Digest
from dashboard.digest.pictures import days_picture
from dashboard.digest.week import Week
from dashboard.portal.alerts.rules import Alert, AlertRule
from dashboard.portal.alerts.usual import Usual
from dashboard.portal.columns import column_named
from dashboard.portal.formats import Formats
from dashboard.portal.published_marts import PublishedMarts
from dashboard.portal.shop_marts import marts_of_shop
from jishi.paths import Paths
from jishi.shop_runs import NothingToDo
from jishi.shops import Shop
from tests.unit.dashboard.delivery.servers import chat_server, mail_server
from tests.unit.dashboard.portal import twins as twin_shops
from tests.unit.dashboard.portal.twins import CANARY, PLAIN, TwinShops, canaries_in

WEEK = Week(date(2026, 11, 23))


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory, semantic_manifest: dict[str, Any]) -> TwinShops:
    return TwinShops(tmp_path_factory.mktemp("digests"), semantic_manifest)


@pytest.fixture
def run(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Run the command with arguments and other settings; returns its exit code."""

    def run(*arguments: str, **settings: Any) -> int:
        monkeypatch.setattr(command, "get_settings", lambda: twins.settings.model_copy(update=settings))
        monkeypatch.setattr(sys, "argv", ["digest", *arguments])
        return command.main()

    yield run
    for receiver in twins.portal.receivers.of_shop(PLAIN):
        twins.portal.receivers.remove(PLAIN, receiver.receiver_id)


def answer(twins: TwinShops, sql: str) -> Any:
    """A value of the marts' file, without the metric layer."""
    [file] = Paths.of(twins.settings).marts_files.glob("*.duckdb")
    with duckdb.connect(str(file), read_only=True) as connection:
        [(value,)] = connection.execute(sql).fetchall()
    return value


def test_a_week_begins_on_monday_and_last_years_has_the_same_weekdays() -> None:
    for day in range(7):
        assert Week.of(date(2026, 11, 23) + timedelta(days=day)) == WEEK
    assert Week.of(date(2026, 12, 31)).first == date(2026, 12, 28)
    assert WEEK.before.last == date(2026, 11, 22)
    assert (WEEK.year_before.first, WEEK.year_before.first.weekday()) == (date(2025, 11, 24), 0)


def test_numbers_are_those_of_the_marts_and_unknown_ones_are_none(twins: TwinShops, semantic_manifest: dict[str, Any]) -> None:
    with marts_of_shop(PublishedMarts(twins.settings), PLAIN) as marts:
        week_numbers = numbers_of(marts, WEEK)
    numbers, items = {number.column.metric: number for number in week_numbers.numbers}, week_numbers.items
    of_week = "where shop_id = 'plain' and {} between date '2026-11-23' and date '2026-11-29'"
    before = "where shop_id = 'plain' and {} between date '2026-11-16' and date '2026-11-22'"
    for metric, sql in {
        "orders": "select count(*) from fct_orders {of}",
        "buyers": "select count(distinct person_id) from fct_orders {of}",
        "net_gmv": "select sum(paid_minor) - (select sum(counted_minor) from fct_refunds {of_refunds}) from fct_orders {of}",
        "refunds": "select sum(counted_minor) from fct_refunds {of_refunds}",
        "aov_per_buyer": "select sum(paid_minor) / count(distinct person_id) from fct_orders {of}",
    }.items():
        for period, value in ((of_week, numbers[metric].value), (before, numbers[metric].before)):
            question = sql.format(of=period.format("paid_date"), of_refunds=period.format("refunded_date"))
            assert value == pytest.approx(answer(twins, question)), (metric, period)
    # The shop is fifteen days old: nothing is known of last year, and two weeks make nothing usual.
    assert {number.year_before for number in numbers.values()} == {None}
    assert not [number for number in numbers.values() if number.usual is not None]
    # The best items, in a build whose metrics know items.
    if "item_revenue" in [metric["name"] for metric in semantic_manifest["metrics"]]:
        best = answer(twins, f"select max(revenue_minor) from fct_item_days {of_week.format('shop_date')}")
        assert best
        assert [item.title for item in items] == ["连衣裙"]
    assert (numbers["orders"].value, numbers["orders"].direction) == (7, 0)
    assert [direction(3, other) for other in (2, 3, 4, None)] == [1, 0, -1, None]


def test_a_week_is_not_compared_with_the_days_of_the_week_in_which_the_shop_began(
    tmp_path: Path, semantic_manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twin_shops, "DAYS", 12)
    young = TwinShops(tmp_path, semantic_manifest)  # since Wednesday of the week before
    with marts_of_shop(PublishedMarts(young.settings), PLAIN) as marts:
        numbers = numbers_of(marts, WEEK).numbers
    assert {number.value is None for number in numbers if number.column.metric in ("orders", "net_gmv", "buyers")} == {False}
    assert {(number.before, number.direction) for number in numbers} == {(None, None)}


@pytest.mark.parametrize(
    ("name", "value", "other", "english", "chinese"),
    [
        ("orders", 7, 4, "+75.0%", "+75.0%"),
        ("orders", 4, 4, "0.0%", "0.0%"),
        ("orders", 0, 4, "−100.0%", "−100.0%"),
        ("orders", 4, 0, None, None),  # of nothing nothing is a percentage
        ("orders", 0, 0, None, None),
        ("orders", 10001, 10000, "+<0.1%", "+<0.1%"),
        ("visitors", None, 4, None, None),
        ("visitors", 4, None, None, None),
        ("conversion", 0.03, 0.02, "+1.0 pp", "+1.0 个百分点"),  # and not +50 %
        ("conversion", 0.02, 0.0, "+2.0 pp", "+2.0 个百分点"),
        ("refund_rate_by_refund_day", 0.104, 0.125, "−2.1 pp", "−2.1 个百分点"),
        ("conversion", None, 0.02, None, None),
        ("net_gmv_minor", Decimal(150060), Decimal(100000), "+50.1%", "+50.1%"),
        ("net_gmv_minor", 12345, -500, None, None),  # more was refunded than sold
        ("net_gmv_minor", -500, 1000, "−150.0%", "−150.0%"),
        ("customer_value_minor", 133.4, 100.0, "+33.4%", "+33.4%"),
    ],
)
def test_changes_are_percent_or_points_and_none_where_there_is_no_base(
    name: str, value: Any, other: Any, english: str | None, chinese: str | None
) -> None:
    change = change_of(column_named(name), value, other)
    assert (change and change.shown("en"), change and change.shown("zh")) == (english, chinese)


def test_changes_stand_beside_the_weeks_that_are_known() -> None:
    shop, orders = Shop(shop_id="s", name="集市"), WeekNumber(column_named("orders"), 7, 4, None, None)
    assert (orders.change, orders.year_change) == (Change(Decimal(75), is_points=False), None)
    digest = Digest(shop, WeekNumbers(WEEK, [orders], [], [], []), [], Formats("zh", "CNY", "UTC"), "http://p")
    assert "支付订单: 7 单 (上周 4 单▲ +75.0%, 去年同周 –)" in digest.message().text
    assert len(re.findall(r"\+75\.0%", digest.page())) == 1


def test_a_week_that_is_not_worked_up_is_not_compared(twins: TwinShops) -> None:
    with marts_of_shop(PublishedMarts(twins.settings), PLAIN) as marts:
        with pytest.raises(WeekNotReached, match=r"end on 2026-11-29, before 2026-12-06"):
            numbers_of(marts, Week(date(2026, 11, 30)))
        for monday in (date(2026, 12, 7), date(2026, 11, 9), date(2025, 11, 24)):
            with pytest.raises(NothingToDo):
                numbers_of(marts, Week(monday))


def test_pages_are_written_in_both_languages_with_pictures_inside_and_nothing_from_elsewhere(
    twins: TwinShops, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = twins.portal.alert_rules
    rules.add(PLAIN, AlertRule("orders", "less", 0.3), twins.now)
    rules.note(PLAIN, Alert(1, date(2026, 11, 25), "orders", 3, Usual(5, 9), twins.now))
    rules.note(PLAIN, Alert(1, date(2026, 11, 22), "orders", 2, Usual(5, 9), twins.now))
    assert run(PLAIN, "--week", "2026-11-26") == 0
    folder = Paths.of(twins.settings).digests / PLAIN
    assert sorted(file.name for file in folder.iterdir()) == ["2026-11-23-en.html", "2026-11-23-zh.html"]
    english, chinese = ((folder / f"2026-11-23-{language}.html").read_text("utf-8") for language in ("en", "zh"))
    assert str(folder / "2026-11-23-zh.html") in capsys.readouterr().out.replace("\n", "")
    for page in (english, chinese):
        assert re.findall(r'src="([^"]{22})', page) == ["data:image/png;base64,"] * 2
        assert set(re.findall(r"https?://[^\"/]+", page)) == {f"http://127.0.0.1:{twins.settings.portal_port}"}
        assert not canaries_in(re.sub(r'src="[^"]*"', "", page).encode())
        assert "<script" not in page
    text = unescape(re.sub(r"<[^>]+>", " ", english))
    assert re.search(r"Orders\s+7 orders\s+7 orders =\s+0\.0%\s+–", text)
    assert "Orders · 2026-11-25 Wed: 3 orders; usual on this weekday: 5 orders to 9 orders." in text
    assert "2026-11-22 Sun: 2" not in text
    outside = re.sub('一样的店|style="[^"]*"', "", english)
    assert not re.search("[一-鿿]", outside)
    assert re.search(r"支付订单.*7 单", chinese, re.S)
    before = english
    assert run(PLAIN, "--week", "2026-11-23") == 0
    assert (folder / "2026-11-23-en.html").read_text("utf-8") == before


def test_each_receiver_gets_a_week_once_in_its_language_and_a_failure_is_named(
    twins: TwinShops, run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receivers = twins.portal.receivers
    with mail_server(tmp_path) as box, chat_server() as chat:
        settings: dict[str, Any] = {"smtp_host": "127.0.0.1", "smtp_port": box.port, "smtp_from": "jishi@example.org"}
        settings |= {"smtp_ca_file": str(box.certificate), "webhook_allow_private": True}
        receivers.add(PLAIN, Destination("email", "mei@example.org"), "zh", {"digests"})
        receivers.add(PLAIN, Destination("email", "gone@example.org"), "en", {"digests"})
        receivers.add(PLAIN, Destination("wecom", chat.url), "zh", {"digests"}, allow_private=True)
        receivers.add(CANARY, Destination("email", "twin@example.org"), "zh", {"digests"})
        box.refused = {"gone@example.org"}
        chat.answers = [(200, '{"errcode":93000,"errmsg":"invalid webhook url"}'), (200, '{"errcode":0}')]
        # What was refused for good fails nothing; it stands in the log and on the shop's page.
        assert run(PLAIN, "--week", "2026-11-23", "--send", **settings) == 0
        shown = capsys.readouterr().err
        assert "gone@example.org (2): the mail server refused the address" in shown
        assert "wecom 127.0.0.1 (3): it refused: 93000 invalid webhook url" in shown
        assert "SECRET" not in shown
        assert run(PLAIN, "--week", "2026-11-23", "--send", **settings) == 0
        [(to, data)] = box.mails
        mail: Any = email.message_from_bytes(data, policy=email.policy.default)
        assert (to, mail["Subject"]) == ("mei@example.org", "一样的店：2026-11-23 起的一周")
        assert "支付订单: 7 单 (上周 7 单= 0.0%, 去年同周 –)" in mail.get_body(("plain",)).get_content()
        [page, *pictures] = mail.get_body(("related",)).iter_parts()
        assert {f"cid:{part['Content-ID'].strip('<>')}" for part in pictures} == set(
            re.findall(r'src="([^"]+)"', page.get_content())
        )
        # Another week is another subject.
        assert [body["msgtype"] for body in chat.bodies] == ["markdown"]
        assert run(PLAIN, "--week", "2026-11-16", "--send", **settings) == 0
        assert ([to for to, _ in box.mails], len(chat.bodies)) == (["mei@example.org"] * 2, 2)


def test_a_receiver_that_does_not_answer_fails_the_run_and_gets_the_week_later(
    twins: TwinShops, run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dashboard.delivery.sending.FIRST_PAUSE_S", 0)
    with chat_server() as chat:
        twins.portal.receivers.add(PLAIN, Destination("slack", chat.url), "en", {"digests"}, allow_private=True)
        chat.answers = [(503, "x")]
        assert run(PLAIN, "--week", "2026-11-23", "--send", webhook_allow_private=True) == 1
        assert "it answered 503" in capsys.readouterr().err
        assert len(chat.bodies) == 3
        chat.answers = [(200, "ok")]
        for _ in range(2):
            assert run(PLAIN, "--week", "2026-11-23", "--send", webhook_allow_private=True) == 0
        assert len(chat.bodies) == 4
        assert chat.bodies[-1]["text"] == "一样的店: the week of 2026-11-23"


def test_an_unknown_shop_is_named(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("nobody", "--week", "2026-11-23")
    assert "nobody: not registered; see: jishi shops list" in capsys.readouterr().err


def test_the_best_items_are_named_with_what_they_brought_and_what_is_left() -> None:
    items = [TopItem("连衣裙", "Dress", 1234500, 12, 0), TopItem("<b>帽子", None, 200, 1, 5)]
    shop, numbers = (
        Shop(shop_id="s", name="集市", time_zone="Asia/Shanghai", currency="CNY"),
        WeekNumbers(WEEK, [], [], items, []),
    )
    english, chinese = (Digest(shop, numbers, [], Formats(each, "CNY", "Asia/Shanghai"), "http://p") for each in ("en", "zh"))
    assert english.items == [("Dress", "12 pieces", "12,345.00 CNY"), ("<b>帽子", "1 pieces", "2.00 CNY")]
    assert chinese.notes == ["已售罄：连衣裙"]
    assert "· 连衣裙: 12 件, 12,345.00 CNY" in chinese.message().text
    assert "&lt;b&gt;帽子" in chinese.page()
    assert "Sold out: Dress" in english.page()


def test_a_picture_is_wide_enough_for_a_phone_and_there_is_none_of_nothing() -> None:
    formats = Formats("zh", "JPY", "Asia/Tokyo")
    days = [{"shop_date": WEEK.before.first + timedelta(days=day), "net_gmv_minor": day * 1000 - 3000} for day in range(14)]
    picture = days_picture(days, WEEK, "net_gmv_minor", formats)
    assert picture is not None
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, _ = struct.unpack(">II", picture[16:24])
    assert width >= 2 * 560
    assert days_picture([day | {"net_gmv_minor": None} for day in days], WEEK, "net_gmv_minor", formats) is None
    assert days_picture(days[:7], WEEK, "net_gmv_minor", formats) is None
