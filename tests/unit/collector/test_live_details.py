"""What is wrong is said in Chinese too, whatever is wrong, with the numbers and values of the English sentence."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from collector.live.details import detail_of
from jishi.contract import EVENT_TYPES, Event, Refusal, check_event
from jishi.contract.reading import read_event
from jishi.contract.sender import refusal_of_sender
from tests.contracts.test_schemas_equal_the_contract import EXAMPLES, places
from tests.unit.collector.conftest import NOW_MS

MAX = 2**53 - 1
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, MAX, MAX + 1, [], {}, [1], [{}], {"a": 1}, [""], "", "x", "null", "a\0b", "a\x07b", "EURO"),
    *("x" * 3000, "page:1", "import:1", "2026-09-01T00:00:00", "1960-01-01T00:00:00Z", "2999-01-01T00:00:00Z"),
)


def assert_chinese(detail: str) -> None:
    """The sentence says in Chinese what the English one says, and takes nothing from what came."""
    by_language = detail_of(detail)
    assert by_language is not None
    assert by_language["en"] == detail
    problem, _, got = detail.partition(" got ")
    assert by_language["zh"].endswith(got), detail
    chinese = by_language["zh"].removesuffix(got)
    assert re.search("[\u4e00-\u9fff]", chinese), detail
    # The field stands beside it; of what a text may not hold Chinese has the name.
    numbers = re.findall(r"\d+", re.sub(r"^[a-z_0-9.]+:? |\\x00", "", problem))
    assert set(numbers) <= set(re.findall(r"\d+", chinese)), detail


def refusals(event_type: str) -> Iterator[Refusal]:
    for example in EXAMPLES[event_type]:
        for path in places(example):
            for odd in ODD:
                raw = copy.deepcopy(example)
                part = raw
                for step in path[:-1]:
                    part = part[step]
                part[path[-1]] = odd
                for event in (raw, {key: value for key, value in raw.items() if key != path[0]}):
                    checked = check_event(event, now_ms=NOW_MS)
                    if isinstance(checked, Event):
                        by_sender = (refusal_of_sender(checked, "server", "page"), refusal_of_sender(checked, "page", "server"))
                        yield from filter(None, by_sender)
                    else:
                        yield checked


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_every_refusal_of_an_event_has_a_chinese_sentence(event_type: str) -> None:
    details = {refusal.detail for refusal in refusals(event_type)}
    assert len(details) > 50
    for detail in details:
        assert_chinese(detail)


@pytest.mark.parametrize(
    "text",
    [
        *(b'{"a":1,"a":2}', b'{"a":1e999}', b'{"a":9999999999999999999999}', b'{"a":NaN}', b"{", b'{"a":"\xff"}'),
        *(b'{"a":"\\u0000"}', b'"\\u0000"', b'{"a":"\\ud83d"}', b"[" * 400 + b"]" * 400),
    ],
)
def test_a_text_that_is_no_event_is_described_in_chinese(text: bytes) -> None:
    refusal = read_event(text)[1]
    assert refusal is not None
    assert_chinese(refusal.detail)


@pytest.mark.parametrize("raw", [[], 5, {}, {"type": "unheard"}, {"type": "item_viewed", "shop_id": "other"}])
def test_what_names_no_type_of_the_shop_is_described_in_chinese(raw: Any) -> None:
    refusal = check_event(raw, "a")
    assert isinstance(refusal, Refusal)
    assert_chinese(refusal.detail)


def test_sums_of_an_order_are_described_in_chinese() -> None:
    line = {"item_id": "i", "quantity": 1, "unit_price_minor": MAX}
    for more in ({"lines": [line, line]}, {"lines": [line | {"unit_price_minor": 5}], "discount_minor": 6}):
        order = EXAMPLES["order_paid"][0]
        refusal = check_event(order | {"properties": {"order_id": "o", "currency": "CNY", **more}})
        assert isinstance(refusal, Refusal)
        assert_chinese(refusal.detail)


def test_requests_repetitions_and_times_are_described_in_chinese(world: Any, viewed: Any) -> None:
    now = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    key = {"Authorization": f"Bearer {world.keys['write']}"}
    for shift in (-90, 90):
        for _ in range(2):
            world.post([viewed(f"e{shift}", occurred_at=(now + timedelta(seconds=shift)).isoformat())])
    for body in (b"[{", b"[]", b"5", b"{}", b'{"events":1}', b'{"events":[],"events":[]}', b"[" + b"{}," * 5000 + b"{}]"):
        world.client.post("/v1/events", content=body, headers=key)
    world.client.post("/v1/events", content=b"x", headers=key | {"Content-Encoding": "gzip"})
    world.client.post("/v1/events", content=b"x", headers=key | {"Content-Encoding": "br"})
    world.client.post("/v1/events", content=b"x", headers=key | {"Content-Type": "text/plain"})
    world.client.post("/v1/events", content=b"[" + b" " * 2**24 + b"]", headers=key)
    world.client.post("/v1/events", content=orjson.dumps([viewed("f", shop_id="b")]), headers=key)
    world.client.put("/v1/shops/b/items", content=b"[]", headers=key)
    shown = world.client.get("/v1/live/events", headers=key).json()["events"]
    assert len(shown) == 17
    for event in shown:
        assert_chinese(event["detail"]["en"])
        assert event["detail"]["zh"] == detail_of(event["detail"]["en"])["zh"]  # type: ignore[index]


def test_the_near_type_is_named_in_both_languages() -> None:
    refusal = check_event({"type": "page_veiw"}, now_ms=NOW_MS)
    assert isinstance(refusal, Refusal)
    assert detail_of(refusal.detail) == {
        "en": "'page_veiw' is not an event type, perhaps 'page_viewed'; see docs/events.md for the list",
        "zh": "没有 'page_veiw' 这种事件，是否为 'page_viewed'？",
    }
