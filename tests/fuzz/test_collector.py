"""Whole requests to the collector: each event is accounted for, and none pays for what its neighbour is."""

from __future__ import annotations

import copy
import gzip
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from jishi.contract.normal import with_normal_fields
from jishi.contract.properties import ItemChanged
from jishi.contract.reading import kept_text
from jishi.contract.validation import REASONS
from tests.fuzz.asgi_collector import AsgiCollector
from tests.fuzz.inputs import ANY_JSON, EXAMPLES, NO_JSON, PLAIN_JSON, PLAIN_TEXTS, as_json, broken_events, fuzzed

NUMBERS = itertools.count()  # ids that no event had before
FROM_A_PAGE = [event for event in EXAMPLES if event["type"] not in ("item_changed", "order_paid", "order_refunded")]
STAYS_OUT = {"item_id", "event_id"}


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsgiCollector]:
    running = AsgiCollector(Path(tmp_path_factory.mktemp("collector")))
    yield running
    running.close()


GOOD = st.fixed_dictionaries(
    {
        "event": st.sampled_from(EXAMPLES),
        "extra": st.dictionaries(PLAIN_TEXTS.map("x {}".format), PLAIN_JSON, max_size=2),
        "ascii": st.booleans(),
        "indent": st.sampled_from([None, None, 1]),
    }
)
# What stands in a batch: a good event, one before it again, or anything else as its text.
ELEMENTS = st.one_of(
    GOOD,
    st.just("again"),
    NO_JSON,
    ANY_JSON.map(as_json),
    broken_events("a").map(as_json),
    broken_events("a").map(as_json),
    st.from_regex(rb"[-+.\w \t]{1,20}", fullmatch=True).filter(bytes.strip),
)
SPACE = st.sampled_from([b"", b" ", b"\n", b"\r\n\t"])


def good_text(good: dict[str, Any], event_id: str) -> bytes:
    event = copy.deepcopy(good["event"]) | {"event_id": event_id, "shop_id": "a"}
    event["properties"] = event["properties"] | good["extra"]
    return json.dumps(event, ensure_ascii=good["ascii"], indent=good["indent"]).encode()


def packed(body: bytes, how: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    if how == "plain":
        return body, []
    if how == "marked":
        return b"\xef\xbb\xbf" + body, []
    middle = len(body) // 2
    members = [body] if how == "gzip" else [body[:middle], b"", body[middle:]]
    return b"".join(map(gzip.compress, members)), [(b"content-encoding", b"gzip")]


@fuzzed(
    "collector",
    elements=st.lists(ELEMENTS, min_size=1, max_size=8),
    space=SPACE,
    wrapped=st.booleans(),
    how=st.sampled_from(["plain", "plain", "marked", "gzip", "members"]),
    key=st.sampled_from(["write", "write", "track", "test", "test track"]),
)
def test_every_event_of_a_batch_is_accounted_for(
    collector: AsgiCollector, elements: list[Any], space: bytes, wrapped: bool, how: str, key: str
) -> None:
    texts: list[bytes] = []
    expected: dict[int, tuple[str, str]] = {}
    good_before = ""
    for index, element in enumerate(elements):
        if element == "again":
            text = next((texts[i] for i, (_, state) in expected.items() if state == "accepted"), b'{"none":"before"}')
            if good_before:
                expected[index] = (good_before, "duplicate")
        elif isinstance(element, dict):
            event_id = f"good-{next(NUMBERS)}"
            is_from_page = element["event"] in FROM_A_PAGE
            text = good_text(element, event_id)
            if "track" in key and not is_from_page:
                expected[index] = (event_id, "quarantined")
            else:
                expected[index] = (event_id, "accepted")
                good_before = good_before or event_id
        else:
            text = element
        texts.append(text)
    body = b"[" + (space + b"," + space).join(texts) + b"]"
    if wrapped:
        body = b'{"sent":[{"a":"]"}],"events":' + space + body + b',"events_":0}'
    body, headers = packed(body, how)
    answer = collector.post(body, key, headers=headers)
    records = collector.new_records()
    if answer.status == 403:
        assert answer.json()["error"]["code"] == "foreign_shop"
        assert not expected
        assert not records
        return
    assert answer.status == 200, (answer.content, body)
    payload = answer.json()
    results = payload["results"]
    assert len(results) == payload["accepted"] == len(texts)
    assert payload["duplicates"] == sum(result["status"] == "duplicate" for result in results)
    assert payload["quarantined"] == sum(result["status"] == "quarantined" for result in results)
    for index, (event_id, state) in expected.items():
        assert (results[index]["event_id"], results[index]["status"]) == (event_id, state), (results[index], texts[index])
    for result in results:
        assert result["status"] in ("accepted", "duplicate", "quarantined")
        if result["status"] == "quarantined":
            assert result["reason"] in REASONS
            assert len(result["detail"]) > 5
    if "test" in key:
        assert not records
        return
    assert len(records) == len(texts)
    assert [record["seq"] for record in records] == list(range(records[0]["seq"], records[0]["seq"] + len(texts)))
    for record, result, text in zip(records, results, texts, strict=True):
        assert record["invalid_reason"] == (result["reason"] if result["status"] == "quarantined" else None)
        if result["reason"] in ("bad_text", "duplicate_key", "number_out_of_range", "too_deep", "not_an_object"):
            assert record["line"] == kept_text(text.strip()) or json.loads(record["line"]) == json.loads(text)
        if result["status"] != "quarantined":
            sent, kept = json.loads(text), json.loads(record["line"])
            assert sent.keys() <= kept.keys()
            assert sent["properties"].keys() - {"home_currency"} <= kept["properties"].keys() | set(kept["properties"])


ACCEPTED: set[tuple[str, bytes]] = set()  # states of items by id, of all inputs: the collector remembers them, too


def normal(properties: dict[str, Any]) -> dict[str, Any]:
    """A state of an item as the collector compares it."""
    return dict(sorted(with_normal_fields(properties, ItemChanged).items()))


def item(number: int) -> dict[str, Any]:
    """A good item, by a number that tells two of its states apart."""
    return {"title": "t", "category": "c", "unit_price_minor": number % 7, "currency": "CNY", "stock": number % 5}


@fuzzed(
    "collector",
    elements=st.lists(
        st.one_of(
            st.fixed_dictionaries(
                {"item": st.integers(0, 3), "state": st.integers(0, 2), "changed_at": st.just(...)},
                optional={"x": PLAIN_JSON},
            ),
            st.fixed_dictionaries(
                {"item": st.integers(0, 3), "state": st.integers(0, 2)},
                optional={
                    name: PLAIN_JSON
                    | st.sampled_from(["9999-12-31T23:59:59.999Z", "2026-11-18T11:06:40Z", "1970-01-01T00:00:00Z"])
                    for name in ("changed_at", "title", "unit_price_minor", "currency", "stock", "status", "item_id")
                },
            ),
            NO_JSON,
            ANY_JSON.map(as_json),
        ),
        min_size=1,
        max_size=7,
    ),
)
def test_every_item_is_accounted_for(collector: AsgiCollector, elements: list[Any]) -> None:
    first = next(NUMBERS)
    texts, good = [], {}
    for index, element in enumerate(elements):
        if isinstance(element, bytes):
            texts.append(element)
            continue
        fields = {name: value for name, value in element.items() if name not in ("item", "state") and value is not ...}
        item_id = f"i-{first}-{element['item']}"
        if element.get("changed_at") is ...:
            good[index] = item_id
        texts.append(as_json({"item_id": item_id} | item(element["state"]) | fields))
    answer = collector.post(b"[" + b",".join(texts) + b"]", path="/v1/shops/a/items", method="PUT")
    records = collector.new_records()
    assert answer.status == 200, (answer.content, texts)
    payload = answer.json()
    results = payload["results"]
    assert len(results) == len(texts) == payload["accepted"] + payload["unchanged"]
    assert len(records) == payload["accepted"]
    assert payload["unchanged"] == sum(result["status"] == "unchanged" for result in results)
    stored = iter(records)
    for index, (text, result) in enumerate(zip(texts, results, strict=True)):
        if result["status"] == "unchanged":
            sent = {name: value for name, value in json.loads(text).items() if name != "changed_at"}
            assert (result["item_id"], as_json(normal(sent))) in ACCEPTED, "an unchanged item was accepted in this state before"
            continue
        record = next(stored)
        assert record["invalid_reason"] == (result["reason"] if result["status"] == "quarantined" else None)
        if index in good:
            assert result["status"] in ("accepted", "duplicate"), (result, texts)
        if result["status"] == "accepted":
            ACCEPTED.add((result["item_id"], as_json(normal(json.loads(record["line"])["properties"]))))


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"content-length",
                b"content-type",
                b"content-encoding",
                b"authorization",
                b"origin",
                b"if-none-match",
                b"x",
                b"host",
            ]
        ),
        st.binary(max_size=12)
        | st.sampled_from(
            [b"0", b"-1", b"\xb2", b"1e9", b"9" * 5000, b"gzip", b"gzip, br", b"identity", b"text/plain", b"Bearer "]
        )
        | st.sampled_from([b"application/json;charset=gbk", b"https://shop.example", b"HTTPS://SHOP.EXAMPLE", b"null", b"*"]),
    ),
    max_size=3,
)
PATHS = [
    "/v1/events",
    "/v1/track",
    "/v1/shops/a/items",
    "/v1/shops/b/items",
    "/v1/live/events",
    "/v1/schemas/x",
    "/v1/shops//items",
]


@fuzzed("collector", data=st.data())
def test_any_request_gets_an_answer(collector: AsgiCollector, data: st.DataObject) -> None:
    elements = data.draw(st.lists(NO_JSON | broken_events("a").map(as_json), max_size=3))
    body = bytearray(data.draw(st.binary(max_size=30)) if data.draw(st.booleans()) else b"[" + b",".join(elements) + b"]")
    if data.draw(st.booleans()):
        body = bytearray(gzip.compress(body))
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(body)))
        piece = data.draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b"\\", b"]", b"{", b'{"events":', b"\xef\xbb\xbf", b"\0"])
        )
        body[at : at + data.draw(st.integers(0, 3))] = piece
    path = data.draw(st.sampled_from(PATHS) | st.text(max_size=8).map("/v1/{}".format))
    method = data.draw(st.sampled_from(["POST", "POST", "PUT", "GET", "HEAD", "OPTIONS", "DELETE", "PATCH"]))
    key = collector.keys[data.draw(st.sampled_from(sorted(collector.keys)))].encode()
    headers = [(b"authorization", b"Bearer " + key)] if data.draw(st.booleans()) else []
    headers += data.draw(HEADERS)
    if data.draw(st.booleans()):
        headers.append((b"content-encoding", b"gzip"))
    query = data.draw(
        st.sampled_from([b"key=" + key, b"", b"after=1", b"key=%ff%00", b"after=\xb2", b"&&=", b"after=" + b"9" * 40])
    )
    cut = data.draw(st.integers(0, len(body)))
    gone = data.draw(st.integers(0, 9)) == 0
    answer = collector.request(method, path, [bytes(body[:cut]), bytes(body[cut:])], headers, query, gone=gone)
    records = collector.new_records()
    assert answer.status < 500, (answer.status, answer.content)
    if answer.status == 200 and method in ("POST", "PUT"):
        payload = answer.json()
        assert len(records) == (0 if payload.get("test") else payload["accepted"])
        assert len(payload["results"]) == payload["accepted"] + payload.get("unchanged", 0)
        return
    assert not records
    if answer.status >= 400 and method != "HEAD" and not gone:
        error = answer.json()["error"]
        assert error["code"]
        assert len(error["message"]) > 10
