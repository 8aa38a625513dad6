"""One id has one spelling, and a text that names nobody is no id."""

from __future__ import annotations

import unicodedata
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jishi.contract import Event, Refusal, check_event, record_of
from jishi.contract.ids import are_plain, normal_id
from jishi.contract.reading import is_plain, read_event

HEAD = {"event_id": "e", "shop_id": "a", "type": "item_viewed", "occurred_at": "2026-03-01T10:00:00Z"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("u-1", "u-1"),
        (" u-1\t\n", "u-1"),
        ("\u3000李雷\ufeff", "李雷"),  # an ideographic space, and a byte order mark behind
        ("cafe\u0301", "caf\u00e9"),  # e and an accent are one letter
        ("first last", "first last"),
        ("nullable", "nullable"),
        ("Nancy", "Nancy"),
        ("0", "0"),
        ("[object 1]", "[object 1]"),
        ("00000000-0000-0000-0000-0000000000001", "00000000-0000-0000-0000-0000000000001"),
        ("👩\u200d🚀", "👩\u200d🚀"),  # a joiner is part of what is seen
    ],
)
def test_an_id_has_one_form(sent: str, kept: str) -> None:
    assert normal_id(sent) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\t\n",
        "null",
        "NULL",
        "undefined",
        "None",
        "NaN",
        "nan",
        " null ",
        "[object Object]",  # PostHog 12008: whole sites became one person
        " [object Undefined] ",
        "00000000-0000-0000-0000-000000000000",  # of every phone that tells no device id
        "a\0b",
        "a\nb",
        "a\x7fb",
        "a\x85b",
        "\u202eabc",
        "x" * 201,
    ],
)
def test_what_is_no_id_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"id|control|empty|characters"):
        normal_id(text)
    for change in ({"user_id": text}, {"user_id": "u", "session_id": text}):
        refusal = check_event(HEAD | {"properties": {"item_id": "i"}} | change)
        assert isinstance(refusal, Refusal)
        assert (refusal.reason, refusal.field) == ("bad_id", list(change)[-1])


def test_every_engine_reads_the_one_form_from_the_line() -> None:
    raw: dict[str, Any] = HEAD | {
        "type": "order_paid",
        "user_id": " u-1 ",
        "properties": {
            "order_id": "o-1 ",
            "currency": "EUR",
            "coupon_ids": ["c", " d"],
            "lines": [
                {"item_id": "A", "quantity": 1, "unit_price_minor": 1},
                {"item_id": " B", "quantity": 2.0, "unit_price_minor": 1},
            ],
            "note": " kept ",
        },
    }
    record, result = record_of(raw, shop_id="a", collector_id="c", seq=0, collected_at_ms=0)
    assert isinstance(result, Event)
    kept = orjson.loads(record["line"])
    assert (record["user_id"], kept["user_id"]) == ("u-1", "u-1")
    assert kept["properties"]["order_id"] == "o-1"
    assert kept["properties"]["coupon_ids"] == ["c", "d"]
    assert kept["properties"]["lines"][1] == {"item_id": "B", "quantity": 2, "unit_price_minor": 1}
    assert b'"quantity":2,' in record["line"].encode()
    assert kept["properties"]["note"] == " kept "
    assert raw["user_id"] == " u-1 ", "what was given is not changed"


@given(st.text(max_size=30))
def test_the_form_is_stable(text: str) -> None:
    try:
        once = normal_id(text)
    except ValueError:
        return
    assert normal_id(once) == once == once.strip()
    assert unicodedata.is_normalized("NFC", once)
    assert not any(unicodedata.category(character) == "Cc" for character in once)


def test_a_made_up_id_of_an_import_cannot_meet_a_real_one() -> None:
    raw = HEAD | {"anonymous_id": "import:guest-7", "properties": {"item_id": "i"}}
    for sent_by, reason in (("import", None), ("server", "bad_id"), ("page", "bad_id")):
        record, _ = record_of(raw, shop_id="a", collector_id="c", seq=0, collected_at_ms=0, sent_by=sent_by)
        assert (record["invalid_reason"], record["sent_by"]) == (reason, sent_by)


ANY_ID = st.one_of(
    st.text(st.characters(min_codepoint=0, max_codepoint=0x3000), max_size=12),
    st.sampled_from(
        [
            *("null", "nan", "page:x", "page:", "a b", " a", "b ", "NaN1", "x" * 199, "x" * 201, "undefined", "undefinedly"),
            *("[object", "Object]", "[object Map]", "00000000-0000-0000-0000-000000000000"),
        ]
    ),
)


@given(st.lists(ANY_ID, min_size=1, max_size=5))
def test_ids_that_are_plain_at_a_glance_are_in_their_one_form(texts: list[str]) -> None:
    if are_plain(texts):
        assert [normal_id(text) for text in texts] == texts


@given(st.lists(st.from_regex(r"[!-~]{10,30}", fullmatch=True), min_size=1, max_size=5))
def test_common_ids_are_plain_at_a_glance(texts: list[str]) -> None:
    assert are_plain(texts) is not any(text.startswith("page:") for text in texts)


@pytest.mark.parametrize("number", ["9" * 19, "-" + "9" * 19, "1" * 40])
def test_a_long_number_is_refused_and_a_long_id_is_not(number: str) -> None:
    event = HEAD | {"user_id": number.strip("-"), "properties": {"item_id": number.strip("-")}}
    text = orjson.dumps(event)
    assert read_event(text) == (event, None)
    assert is_plain(text, event), "no second look at a long id"
    for place in (b'"x": %s', b'"x": [1 , %s]', b'"x":{"y":\n %s}'):
        _, refusal = read_event(text[:-1] + b", " + place % number.encode() + b"}")
        assert refusal is not None
        assert refusal.reason == "number_out_of_range"
