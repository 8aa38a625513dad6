"""One odd event of a batch is quarantined by name, and its neighbours are taken; tests/fuzz has more of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from collector.wal.durable import read_durable
from collector.wal.reader import read_entries
from collector.wal.segments import Position
from jishi.contract.reading import read_event

Viewed = Callable[..., dict[str, Any]]


def stored(world: Any) -> list[dict[str, Any]]:
    folder = world.wal.folder
    return [orjson.loads(entry.body) for entry in read_entries(folder, Position(), read_durable(folder) or Position())]


def post(world: Any, body: bytes, path: str = "/v1/events") -> Any:
    headers = {"Authorization": f"Bearer {world.keys['write']}", "Content-Type": "application/json"}
    return world.client.request("PUT" if "items" in path else "POST", path, content=body, headers=headers)


def event(inside: bytes, event_id: bytes = b"odd", more: bytes = b"") -> bytes:
    """A good event with ``inside`` as what else its properties hold, and ``more`` beside them."""
    return (
        b'{"event_id":"%s","shop_id":"a","type":"search_performed","occurred_at":"2026-11-23T08:00:00Z","user_id":"u",%s'
        b'"properties":{"query":"x"%s}}' % (event_id, more, inside)
    )


# (what it is, the text of the event, reason, field)
ODD = [
    ("half of an emoji", event(rb',"q":"\ud83d"'), "bad_text", "properties.q"),
    ("the other half", event(rb',"q":["\udc00"]'), "bad_text", "properties.q.0"),
    ("half of an emoji as a key", event(rb',"\ud83d":1'), "bad_text", "properties (a key)"),
    ("half of an emoji in the id", event(b"", rb"odd-\ud83d"), "bad_text", "event_id"),
    ("bytes of a surrogate", event(b',"q":"\xed\xa0\xbd"'), "bad_text", ""),
    ("GBK", event(b',"q":"\xba\xba\xb7\xfe"'), "bad_text", ""),
    ("NUL", event(rb',"q":"a\u0000b"'), "bad_text", "properties.q"),
    ("NUL in an id", event(b"", rb"odd\u0000"), "bad_text", "event_id"),
    ("a key twice", event(b"", more=b'"user_id":"victim",'), "duplicate_key", "user_id"),
    ("a key twice, with spaces", event(b',"a" : 1, "a" : 2'), "duplicate_key", "a"),
    ("a key twice, escaped", event(rb',"a":1,"\u0061":2'), "duplicate_key", "a"),
    ("NaN", event(b',"n":NaN'), "number_out_of_range", ""),
    ("Infinity", event(b',"n":-Infinity'), "number_out_of_range", ""),
    ("1e400", event(b',"n":1e400'), "number_out_of_range", ""),
    ("1e999999", event(b',"n":1e999999'), "number_out_of_range", ""),
    ("2^63", event(b',"n":9223372036854775808'), "number_out_of_range", ""),
    ("10^30", event(b',"n":1' + b"0" * 30), "number_out_of_range", ""),
    ("a million digits", event(b',"n":' + b"9" * 400_000), "number_out_of_range", ""),
    ("300 levels", event(b',"d":' + b"[" * 300 + b"]" * 300), "too_deep", ""),
    ("5,000 levels", event(b',"d":' + b'{"a":' * 5000 + b"1" + b"}" * 5000), "too_deep", ""),
    ("a known field of 1e30", event(b',"results":1e30'), "wrong_type", "properties.results"),
    ("a truth for a number", event(b',"results":true'), "wrong_type", "properties.results"),
    ("true for a version", event(b"", more=b'"schema_version":true,'), "wrong_type", "schema_version"),
    ("a type that is a list", event(b"").replace(b'"search_performed"', b"[]"), "unknown_type", "type"),
    ("a type that is an object", event(b"").replace(b'"search_performed"', b'{"a":1}'), "unknown_type", "type"),
    ("252 levels in the properties", event(b',"d":' + b"[" * 252 + b"]" * 252), "too_deep", ""),
    ("a year ahead", event(b"").replace(b"2026-11-23", b"2028-11-23"), "beyond_horizon", "occurred_at"),
    ("the year 9999", event(b"").replace(b"2026-11-23", b"9999-12-31"), "beyond_horizon", "occurred_at"),
    ("no event", b"nonsense", "not_an_object", ""),
    ("two values without a comma", b"1 2", "not_an_object", ""),
    ("a text", b'"text"', "not_an_object", ""),
]


@pytest.mark.parametrize(("what", "text", "reason", "field"), ODD, ids=[case[0] for case in ODD])
def test_an_odd_event_is_quarantined_alone(world: Any, viewed: Viewed, what: str, text: bytes, reason: str, field: str) -> None:
    before, after = orjson.dumps(viewed("before")), orjson.dumps(viewed("after"))
    for body in (b"[%s,%s, %s]", b'\xef\xbb\xbf{"sent":1,"events" : [%s,%s,%s],"x":[{}]}\n'):
        answer = post(world, body % (before, text, after))
        assert answer.status_code == 200, (what, answer.text)
        results = answer.json()["results"]
        assert [result["status"] for result in results[::2]] in (["accepted"] * 2, ["duplicate"] * 2)
        assert (results[1]["status"], results[1]["reason"], results[1]["field"]) == ("quarantined", reason, field), what
        assert len(results[1]["detail"]) > 10
    kept = stored(world)[1]
    assert kept["invalid_reason"] == reason
    assert len(kept["line"]) >= min(len(text), 400_000), "it is kept as it came"
    assert world.post([viewed("later")]).json()["results"][0]["status"] == "accepted"


def test_a_key_that_stands_twice_among_many_is_named() -> None:
    """A page's key, which everybody can read, may send it: looking each key up among all others took an hour for these."""
    last = 499_999
    text = b"{%s}" % b",".join(b'"k%d":1' % number for number in [*range(last + 1), last])
    _, refusal = read_event(text)
    assert refusal is not None
    assert (refusal.reason, refusal.field) == ("duplicate_key", f"k{last}")


@pytest.mark.parametrize(
    "text",
    [
        event(b',"d":' + b"[" * 200 + b"]" * 200),
        event(b',"n":1e30'),
        event(b',"n":9223372036854775807'),
        event(b',"n":-9223372036854775808'),
        event(rb',"q":"\ud83d\ude00"'),
        event(rb',"q":"\\u0000"'),
        event(rb',"q":"a\":1"'),
        event(b',"__proto__":{"admin":true},"constructor":{}'),
        event(b',"results":2.0'),
        event(b',"a" : 1,\n"b":\t2'),
    ],
)
def test_what_only_looks_odd_is_taken(world: Any, text: bytes) -> None:
    assert [r["status"] for r in post(world, b"[%s]" % text).json()["results"]] == ["accepted"]
    assert orjson.loads(stored(world)[0]["line"]) == orjson.loads(text)


def test_an_odd_item_is_quarantined_alone(world: Any) -> None:
    good = {"item_id": "i-1", "title": "t", "category": "c", "unit_price_minor": 1, "currency": "CNY", "stock": 1}
    body = b"[%s,%s,%s]" % (
        orjson.dumps(good),
        orjson.dumps(good | {"item_id": "i-2"}).replace(b'"t"', rb'"\ud83d"'),
        orjson.dumps(good | {"item_id": " i-1 ", "stock": 1.0}),
    )
    answer = post(world, body, "/v1/shops/a/items")
    assert [(r["item_id"], r["status"], r["reason"]) for r in answer.json()["results"]] == [
        ("i-1", "accepted", None),
        ("i-2", "quarantined", "bad_text"),
        ("i-1", "unchanged", "unchanged"),
    ]
    for levels in (252, 253, 254, 600):
        deep = b'{"item_id":"i-3","attributes":' + b"[" * levels + b"]" * levels + b"}"
        for odd in (deep, b"[" * levels + b"]" * levels):
            answer = post(world, b"[%s,%s]" % (odd, orjson.dumps(good)), "/v1/shops/a/items")
            assert [r["status"] for r in answer.json()["results"]][1] == "unchanged", levels


@pytest.mark.parametrize("length", ["\u00b2", "9" * 5000, "-1", "1e3"])
def test_a_length_that_is_no_number_is_not_believed(world: Any, viewed: Viewed, length: str) -> None:
    headers = {"Authorization": f"Bearer {world.keys['write']}", "Content-Length": length.encode("latin-1")}
    answer = world.client.post("/v1/events", content=orjson.dumps([viewed()]), headers=headers)
    assert answer.status_code == (413 if length.isascii() and len(length) > 100 else 200)
