"""The page of this moment: its table keeps the newest, its numbers are a hand's, its stream ends with the session."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dashboard.portal.counter_reader import CounterReader, ReaderState
from dashboard.portal.counter_table import CounterTable, StreamClock
from dashboard.portal.formats import Formats
from dashboard.portal.live_streams import MOST_OF_A_PERSON, LiveStreams, message
from dashboard.portal.now_numbers import WeekBefore, now_numbers, stream_state
from jishi.kafka import KafkaCluster
from ops.ports import free_port
from tests.unit.dashboard.portal.twins import CANARY, PLAIN, TwinShops, canaries_in, count, post

TODAY = date(2026, 11, 30)
NOW = datetime(2026, 11, 30, 4, 20, tzinfo=UTC)  # 12:20 in Shanghai
SHANGHAI = Formats("en", "CNY", "Asia/Shanghai")
MIDNIGHT_MS, NOON_MS = (1000 * int(datetime(2026, 11, day, hour, tzinfo=UTC).timestamp()) for day, hour in ((29, 16), (30, 4)))


def give(table: CounterTable, kind: str, shop_id: str = "a", on: date = TODAY, as_of_ms: int = 1, **values: Any) -> None:
    """Apply one message; ``values`` that name the row go into the key."""
    named = {name: values.pop(name) for name in ("minute", "channel", "item_id") if name in values}
    key = json.dumps({"kind": kind, "shop_id": shop_id, "occurred_date": f"{on}"} | named)
    table.apply(key.encode(), json.dumps(values | {"as_of_ms": as_of_ms}).encode() if values else None)


def minute(at: datetime) -> int:
    return int(at.timestamp()) // 60


def acts(orders: int = 0, gmv_minor: int = 0, item_views: int = 0, cart_adds: int = 0) -> dict[str, Any]:
    return {"orders": orders, "gmv_minor": f"{gmv_minor}", "item_views": item_views, "cart_adds": cart_adds}


def test_an_older_value_never_takes_the_place_of_a_newer_one() -> None:
    table = CounterTable()
    give(table, "persons", as_of_ms=20, visitors=5, buyers=1)
    give(table, "persons", as_of_ms=10, visitors=4, buyers=1)
    give(table, "persons", shop_id="b", as_of_ms=10, visitors=9, buyers=0)
    day = table.day("a", TODAY)
    assert day is not None
    assert (day.visitors, day.buyers) == (5, 1)
    assert (table.version_of("a"), table.version_of("b"), table.version_of("c")) == (1, 1, 0)


def test_what_is_no_longer_among_the_largest_goes() -> None:
    table = CounterTable()
    give(table, "item", item_id="i1", order_lines=0, cart_adds=0, item_views=1)
    give(table, "item", item_id="i2", order_lines=0, cart_adds=1, item_views=1)
    give(table, "item", item_id="i1")
    day = table.day("a", TODAY)
    assert day is not None
    assert day.items.keys() == {"i2"}


def test_days_that_are_over_are_forgotten() -> None:
    table = CounterTable()
    for back in (2, 1, 0, 3):
        give(table, "persons", on=TODAY - timedelta(days=back), visitors=back + 1, buyers=0)
    known = [back for back in range(4) if table.day("a", TODAY - timedelta(days=back)) is not None]
    assert known == [0, 1]


def test_the_clock_is_that_of_the_partition_that_is_behind() -> None:
    table = CounterTable()
    assert table.clock is None
    for partition, since_ms, as_of_ms in ((0, 100, 900), (1, 200, 700), (0, 100, 800)):
        key = {"kind": "clock", "log_partition": partition}
        table.apply(json.dumps(key).encode(), json.dumps({"since_ms": since_ms, "as_of_ms": as_of_ms}).encode())
    assert table.clock == StreamClock(200, 700)


@pytest.mark.parametrize(
    ("reader", "age_s", "state"),
    [
        (ReaderState.READING, 1, "live"),
        (ReaderState.READING, 16, "behind"),
        (ReaderState.READING, 601, "stopped"),
        (ReaderState.READING, None, "none"),
        (ReaderState.WITHOUT_TOPIC, None, "none"),
        (ReaderState.STARTING, None, "starting"),
        (ReaderState.UNREACHABLE, 1, "unreachable"),
    ],
)
def test_the_page_says_how_current_it_is(reader: ReaderState, age_s: int | None, state: str) -> None:
    clock = None if age_s is None else StreamClock(0, int((NOW.timestamp() - age_s) * 1000))
    assert stream_state(reader, clock, NOW) == state


def test_without_kafka_the_reader_says_so_and_ends_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.portal.counter_reader.ANSWER_S", 0.2)
    reader = CounterReader(KafkaCluster(f"127.0.0.1:{free_port()}"), CounterTable())
    reader.start()
    deadline = time.monotonic() + 180
    while reader.state is ReaderState.STARTING:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert reader.state is ReaderState.UNREACHABLE
    reader.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "counter-reader"]


def test_numbers_of_the_day_and_the_hours_that_are_over() -> None:
    table = CounterTable()
    # 00:05 and 11:59 lie in hours that are over, 12:10 does not
    give(table, "minute", minute=minute(datetime(2026, 11, 29, 16, 5, tzinfo=UTC)), **acts(1, 1000, 3))
    give(table, "minute", minute=minute(datetime(2026, 11, 30, 3, 59, tzinfo=UTC)), **acts(2, 500, 4, 1))
    give(table, "minute", minute=minute(datetime(2026, 11, 30, 4, 10, tzinfo=UTC)), **acts(4, 250, 5, 2))
    give(table, "persons", visitors=8, buyers=2)
    hours: dict[int, dict[str, Any]] = {
        hour: {"orders": 1, "gmv_minor": Decimal(100), "visitors": 2, "cart_adds": 0, "item_views": 3} for hour in range(24)
    }
    before = WeekBefore(TODAY - timedelta(days=7), hours)
    numbers = now_numbers(table.day("a", TODAY), before, StreamClock(MIDNIGHT_MS, NOON_MS), SHANGHAI, NOW)
    shown = {tile.column.name: (str(tile.value), str(tile.until), str(tile.then), tile.direction) for tile in numbers.tiles}
    assert shown["orders"] == ("7 orders", "3 orders", "12 orders", -1)
    assert shown["gmv_minor"] == ("17.50 CNY", "15.00 CNY", "12.00 CNY", 1)
    # Persons are not counted by minute: eight so far are not beside those of twelve hours.
    assert shown["visitors"] == ("8 people", "None", "None", None)
    assert shown["item_views"][0] == "12 views"
    assert shown["buyers_per_visitor"] == ("25.00 %", "None", "None", None)
    assert str(numbers.hours.peak) == "10.00 CNY"
    assert [str(bar.value) for bar in numbers.hours.bars if bar.length] == ["10.00 CNY", "5.00 CNY", "2.50 CNY"]
    assert {
        name: [(bar.label, str(bar.value)) for bar in strip.bars if bar.length] for name, strip in numbers.minutes.items()
    } == {
        "orders": [("11:59", "2 orders"), ("12:10", "4 orders")],
        "gmv_minor": [("11:59", "5.00 CNY"), ("12:10", "2.50 CNY")],
        "cart_adds": [("11:59", "1 times"), ("12:10", "2 times")],
        "item_views": [("11:59", "4 views"), ("12:10", "5 views")],
    }
    assert (numbers.minutes["orders"].bars[0].label, numbers.minutes["orders"].bars[-1].label) == ("11:51", "12:20")


@pytest.mark.parametrize(
    ("clock", "compared"),
    [
        (StreamClock(MIDNIGHT_MS, NOON_MS), ("1 orders", "12 orders", -1)),
        (StreamClock(MIDNIGHT_MS + 1, NOON_MS), ("None", "None", None)),  # counting began after midnight
        (StreamClock(MIDNIGHT_MS, NOON_MS - 1), ("None", "None", None)),  # and stopped before the hour was over
        (None, ("None", "None", None)),
    ],
)
def test_hours_of_which_a_part_was_not_counted_are_compared_with_nothing(
    clock: StreamClock | None, compared: tuple[str, str, int | None]
) -> None:
    table = CounterTable()
    give(table, "minute", minute=minute(datetime(2026, 11, 30, 3, tzinfo=UTC)), **acts(1, 1000, 3))
    names = ("orders", "gmv_minor", "cart_adds", "item_views")
    before = WeekBefore(TODAY - timedelta(days=7), {hour: dict.fromkeys(names, 1) for hour in range(12)})
    [orders, *_] = now_numbers(table.day("a", TODAY), before, clock, SHANGHAI, NOW).tiles
    assert (str(orders.until), str(orders.then), orders.direction) == compared
    assert str(orders.value) == "1 orders"


def test_orders_without_a_rate_are_worth_an_unknown_amount() -> None:
    table = CounterTable()
    hours = {hour: {"orders": 1, "gmv_minor": 100, "cart_adds": 0, "item_views": 0} for hour in range(12)}
    early, late = (minute(datetime(2026, 11, 30, hour, 5, tzinfo=UTC)) for hour in (3, 4))
    give(table, "minute", minute=early, **acts(2), orders_without_rate=2)
    before = WeekBefore(TODAY - timedelta(days=7), hours | {3: hours[3] | {"gmv_minor": None}})
    clock = StreamClock(MIDNIGHT_MS, NOON_MS)
    [_, sales, *_] = now_numbers(table.day("a", TODAY), before, clock, SHANGHAI, NOW).tiles
    assert (str(sales.value), str(sales.until), str(sales.then), sales.direction) == ("–", "None", "None", None)
    give(table, "minute", minute=late, **acts(2, 700), orders_without_rate=1)
    numbers = now_numbers(table.day("a", TODAY), before, clock, SHANGHAI, NOW)
    assert str(numbers.tiles[1].value) == "7.00 CNY"
    assert [str(bar.value) for bar in numbers.minutes["gmv_minor"].bars if bar.label in ("12:04", "12:05")] == [
        "0.00 CNY",
        "7.00 CNY",
    ]
    assert before.until(12) == {"orders": 12, "gmv_minor": 1100, "cart_adds": 0, "item_views": 0}
    assert WeekBefore(TODAY, {0: hours[0] | {"gmv_minor": None}}).until(1) == {**hours[0], "gmv_minor": None}


def test_an_hour_that_the_marts_do_not_know_leaves_nothing_to_compare_with() -> None:
    hours = {hour: {"orders": 1, "gmv_minor": 1, "item_views": None} for hour in range(11)}
    clock = StreamClock(MIDNIGHT_MS, NOON_MS)
    numbers = now_numbers(None, WeekBefore(TODAY, hours), clock, SHANGHAI, NOW)
    assert all(tile.then is None for tile in numbers.tiles)
    assert numbers.is_empty
    known = now_numbers(None, WeekBefore(TODAY, hours | {11: hours[0]}), clock, SHANGHAI, NOW)
    assert {t.column.name: str(t.then) for t in known.tiles if t.then} == {"orders": "12 orders", "gmv_minor": "0.12 CNY"}


def test_soon_after_midnight_the_last_minutes_are_those_of_yesterday() -> None:
    table = CounterTable()
    yesterday = TODAY - timedelta(days=1)
    give(table, "minute", on=yesterday, minute=minute(datetime(2026, 11, 29, 15, 58, tzinfo=UTC)), **acts(3, 500))
    give(table, "minute", minute=minute(datetime(2026, 11, 29, 16, 2, tzinfo=UTC)), **acts(1, 100))
    days, now = (table.day("a", TODAY), table.day("a", yesterday)), datetime(2026, 11, 29, 16, 5, tzinfo=UTC)
    numbers = now_numbers(days[0], WeekBefore(TODAY), None, SHANGHAI, now, days[1])
    counted = [(bar.label, str(bar.value)) for bar in numbers.minutes["orders"].bars if bar.length]
    assert counted == [("23:58", "3 orders"), ("00:02", "1 orders")]
    assert str(numbers.tiles[0].value) == "1 orders"


def test_an_hour_that_the_clock_shows_twice_is_over_when_both_are() -> None:
    """01:30 comes a second time: the hours that are over are those before the first, as they are beside last week's."""
    now, day = datetime(2026, 11, 1, 6, 30, tzinfo=UTC), date(2026, 11, 1)  # 01:30 in New York, after 01:59
    table = CounterTable()
    for hour, paid in ((4, 10), (5, 20), (6, 5)):
        give(table, "minute", on=day, minute=minute(datetime(2026, 11, 1, hour, 5, tzinfo=UTC)), **acts(paid))
    hours = {hour: dict.fromkeys(("orders", "gmv_minor", "cart_adds", "item_views"), 10) for hour in range(24)}
    clock, formats = StreamClock(0, int(1000 * now.timestamp())), Formats("en", "USD", "America/New_York")
    before = WeekBefore(day - timedelta(days=7), hours)
    [orders, *_] = now_numbers(table.day("a", day), before, clock, formats, now).tiles
    assert (str(orders.value), str(orders.until), str(orders.then), orders.direction) == (
        "35 orders",
        "10 orders",
        "10 orders",
        0,
    )
    later = now + timedelta(hours=1)  # 02:30
    [orders, *_] = now_numbers(table.day("a", day), before, StreamClock(0, int(1000 * later.timestamp())), formats, later).tiles
    assert (str(orders.until), str(orders.then)) == ("35 orders", "20 orders")


def test_counts_that_began_within_the_day_say_so() -> None:
    began = datetime(2026, 11, 30, 2, tzinfo=UTC)
    clock = StreamClock(int(began.timestamp() * 1000), 0)
    assert now_numbers(None, WeekBefore(TODAY), clock, SHANGHAI, NOW).counts_from == began
    assert now_numbers(None, WeekBefore(TODAY), StreamClock(0, 0), SHANGHAI, NOW).counts_from is None


def test_what_comes_from_outside_is_text_on_the_page(twins: TwinShops) -> None:
    client = twins.client()
    day = {"shop_id": PLAIN, "occurred_date": f"{twins.now:%Y-%m-%d}"}
    value = {"visitors": 10**9, "as_of_ms": 10**15}
    count(twins.portal, {"kind": "channel", **day, "channel": "<script>alert(1)</script>"}, value)
    for address in ("now", "now/stream"):
        body = client.get(f"/shops/{PLAIN}/{address}").text
        assert "<script>alert" not in body
        assert "&lt;script&gt;alert" in body


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_without_a_stream_says_so_and_the_others_live(twins: TwinShops, language: str) -> None:
    client = twins.client(language=language)
    words = {"en": "Kafka does not answer", "zh": "Kafka 没有响应"}
    twins.portal.counter_reader.state = ReaderState.UNREACHABLE
    try:
        assert words[language] in client.get(f"/shops/{PLAIN}/now").text
        assert client.get(f"/shops/{PLAIN}/today").status_code == 200
    finally:
        twins.portal.counter_reader.state = ReaderState.READING


@pytest.mark.parametrize(("who", "shop_id"), [("nobody", PLAIN), ("owner", "no-such-shop")])
def test_a_stream_that_is_not_for_somebody_ends_instead_of_a_page(twins: TwinShops, who: str, shop_id: str) -> None:
    """otf 455: a browser follows the way to the login, gets no stream there, and the page waits for ever."""
    client = twins.visitor() if who == "nobody" else twins.client()
    answer = client.get(f"/shops/{shop_id}/now/stream", headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer.text) == (200, message("", "ended"))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert client.get(f"/shops/{shop_id}/now/stream").status_code == (303 if who == "nobody" else 404)


def test_a_stream_is_sent_as_events(twins: TwinShops) -> None:
    answer = twins.client().get(f"/shops/{PLAIN}/now/stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith("retry: 2000\n\ndata: ")
    assert 'id="now-orders"' in answer.text


def followed(twins: TwinShops, client: Any, shop_id: str = PLAIN) -> AsyncIterator[str]:
    """The messages of a stream that goes on, as the server would send them."""
    from starlette.requests import Request

    from dashboard.portal.app import PAGES

    [page] = [page for page in PAGES if page.path.endswith("/now/stream")]
    cookie = f"jishi_portal={client.cookies['jishi_portal']}"
    scope = {"type": "http", "method": "GET", "path": f"/shops/{shop_id}/now/stream", "query_string": b"", "scheme": "http"}
    headers = [(b"cookie", cookie.encode()), (b"accept-language", b"en")]
    request = Request(scope | {"headers": headers, "path_params": {"shop_id": shop_id}, "server": ("t", 80)})
    answer: Any = page._answered(twins.portal, request, {})
    iterator: AsyncIterator[str] = answer.body_iterator
    return iterator


@pytest.fixture
def lasting(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> TwinShops:
    monkeypatch.setattr(twins.portal.streams, "longest_s", 60.0)
    monkeypatch.setattr("dashboard.portal.pages.now.CHECK_EVERY_S", 0.0)
    monkeypatch.setattr("dashboard.portal.pages.now.LOOK_EVERY_S", 0.01)
    return twins


def test_a_number_comes_to_the_open_page_of_its_shop_alone(lasting: TwinShops) -> None:
    async def watch() -> tuple[str, str]:
        mine, theirs = (followed(lasting, lasting.client(shop_id=shop), shop) for shop in (PLAIN, CANARY))
        for stream in (mine, theirs):
            await anext(stream)
            await anext(stream)
        day = {"shop_id": PLAIN, "occurred_date": f"{lasting.now.astimezone(UTC) + timedelta(hours=8):%Y-%m-%d}"}
        count(lasting.portal, {"kind": "persons", **day}, {"visitors": 777_001, "buyers": 3, "as_of_ms": 10**15})
        came = await asyncio.wait_for(anext(mine), 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(theirs), 0.3)
        return came, ""

    came, _ = asyncio.run(watch())
    assert "777,001" in came
    assert not canaries_in(came.encode())


@pytest.mark.parametrize("end", ["logged out", "removed", "expired"])
def test_a_stream_ends_with_what_it_was_opened_for(lasting: TwinShops, end: str) -> None:
    client = lasting.client("analyst")

    async def watch() -> str:
        stream = followed(lasting, client)
        await anext(stream)
        await anext(stream)
        if end == "logged out":
            post(client, "/logout")
        elif end == "removed":
            lasting.portal.people.set_role(f"analyst@{PLAIN}.example", PLAIN, None)
        coming = asyncio.ensure_future(anext(stream))
        if end == "expired":
            # An open page is not in use: twelve hours after the login the session ends, though the stream asked meanwhile.
            for _ in range(2):
                await asyncio.sleep(0.2)
                lasting.now += timedelta(hours=6, seconds=1)
        return await asyncio.wait_for(coming, 5)

    try:
        assert asyncio.run(watch()) == message("", "ended")
    finally:
        lasting.add(f"analyst@{PLAIN}.example", PLAIN, "analyst")


def test_a_browser_that_comes_back_by_itself_keeps_no_session_alive(twins: TwinShops) -> None:
    client = twins.client()
    for _ in range(2):
        twins.now += timedelta(hours=6, seconds=1)
        answer = client.get(f"/shops/{PLAIN}/now/stream")
    assert answer.status_code == 303


def test_a_person_has_so_many_streams_and_the_newest_stay() -> None:
    streams = LiveStreams()
    opened = [streams.enter(1) for _ in range(MOST_OF_A_PERSON + 1)]
    other = streams.enter(2)
    assert [streams.holds(1, stream) for stream in opened] == [False, *[True] * MOST_OF_A_PERSON]
    assert streams.holds(2, other)
    streams.leave(1, opened[1])
    assert not streams.holds(1, opened[1])
