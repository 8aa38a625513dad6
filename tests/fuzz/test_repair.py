"""Repair mappings on quarantined events: twice is once, and each event is repaired or refused by name."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from pydantic import ValidationError

from jishi.arrow_tables import to_arrow
from jishi.contract import Refusal, record_of
from jishi.contract.home_money import ShopMoney
from jishi.contract.reading import kept_text, read_event
from jishi.fx_rates import FxRates
from jishi.lake.quarantine import Quarantined
from jishi.shops import Shop
from jishi.tables import BRONZE_REPAIRS
from quality.repair import Mapping, MappingError, load_mapping
from quality.replay import repaired_record
from tests.fuzz.inputs import ANY_JSON, FIELD_VALUES, NO_JSON, PLAIN_JSON, TEXTS, as_json, broken_events, check_refusal, fuzzed

NOW = datetime(2026, 11, 18)  # noqa: DTZ001
SHOP = Shop(shop_id="a", name="a", currency="JPY")
MONEY = ShopMoney("Asia/Tokyo", FxRates("JPY"))

AMOUNTS = ["properties.unit_price_minor", "properties.lines.*.unit_price_minor", "properties.lines.*.discount_minor"]
AMOUNTS += ["properties.amount_minor", "properties.discount_minor", "properties.price"]
FIELDS = st.sampled_from(
    [
        *(
            *AMOUNTS,
            "event_id",
            "user_id",
            "type",
            "occurred_at",
            "properties",
            "properties.lines",
            "properties.lines.*.item_id",
        ),
        *("properties.lines.*.quantity", "properties.quantity", "schema_version", "context.city", "properties.currency"),
        *("a.b.c", "*", "shop_id", "", "."),
    ]
)
ENTRY_PAIRS = st.sampled_from(
    [
        ("properties.lines.*.sku", "properties.lines.*.item_id"),
        ("properties.lines.*.price", "properties.lines.*.unit_price_minor"),
    ]
)
STEPS = st.one_of(
    st.builds(lambda pair: {"rename": {"from": pair[0], "to": pair[1]}}, st.tuples(FIELDS, FIELDS) | ENTRY_PAIRS),
    st.builds(
        lambda field, value: {"default": {"field": field, "value": value}},
        FIELDS,
        st.just("$identity") | PLAIN_JSON | FIELD_VALUES,
    ),
    st.builds(
        lambda field, to, more: {"convert": {"field": field, "to": to} | more},
        FIELDS,
        st.sampled_from(["integer", "string", "minor_units", "minor_units", "instant", "instant_from_s", "instant_from_ms"]),
        st.fixed_dictionaries(
            {},
            optional={
                "digits": st.integers(0, 4),
                "decimal": st.sampled_from([".", ","]),
                "zone": st.sampled_from(["Asia/Shanghai", "America/New_York", "UTC"]),
            },
        ),
    ),
    st.builds(
        lambda field, seconds: {"shift": {"field": field, "seconds": seconds}},
        FIELDS,
        st.sampled_from([-28800, 0.5, 1e300, float("inf"), float("nan"), 10**12, -(10**15)]),
    ),
    st.builds(lambda field: {"remove": {"field": field}}, FIELDS),
)
NUMBERS = st.sampled_from(
    ["12,50", "1.234,50", "1,234", "19.99", 19.99, 20, 1e300, "1e999999", "€ 5", "(3)", "", "many", True, None, 2**63 - 1]
)


@st.composite
def events_to_repair(draw: st.DrawFn) -> Any:
    """A broken event whose amounts, numbers and times are often texts."""
    event = draw(broken_events("a"))
    if isinstance(event.get("properties"), dict):
        event["properties"] |= draw(
            st.dictionaries(st.sampled_from(["price", "unit_price_minor", "quantity", "sku"]), NUMBERS, max_size=3)
        )
        lines = draw(
            st.lists(
                st.dictionaries(st.sampled_from(["sku", "price", "unit_price_minor", "discount_minor"]), NUMBERS), max_size=3
            )
        )
        if lines and draw(st.booleans()):
            event["properties"]["lines"] = lines
    return event


def mapping_of(steps: list[Any]) -> Mapping | None:
    try:
        return Mapping.model_validate({"name": "m", "steps": steps})
    except ValidationError as error:
        check_refusal(error)
        return None


@fuzzed("repair", event=events_to_repair() | ANY_JSON, steps=st.lists(STEPS, max_size=5))
def test_twice_is_once(event: Any, steps: list[Any]) -> None:
    mapping = mapping_of(steps)
    if mapping is None:
        return
    before = copy.deepcopy(event)
    once = mapping.apply(event, "c#7")
    assert repr(event) == repr(before)
    assert repr(mapping.apply(once, "c#7")) == repr(once)


@fuzzed(
    "repair",
    texts=st.lists(
        events_to_repair().map(as_json) | ANY_JSON.map(as_json) | NO_JSON | st.binary(max_size=12), min_size=1, max_size=4
    ),
    steps=st.lists(STEPS, max_size=4),
)
def test_every_event_is_repaired_or_refused_by_name(texts: list[bytes], steps: list[Any]) -> None:
    mapping = mapping_of(steps)
    if mapping is None:
        return
    repaired = []
    for seq, text in enumerate(texts):
        raw, refusal = read_event(text)
        facts = {"shop_id": "a", "collector_id": "c", "seq": seq, "collected_at_ms": 1_795_000_000_000}
        record, checked = record_of(raw, **facts, line=kept_text(text), refusal=refusal, money=MONEY)  # type: ignore[arg-type]
        if not isinstance(checked, Refusal):
            continue
        row = Quarantined(
            *(
                "a",
                "c",
                seq,
                None,
                "invalid",
                checked.reason,
                checked.field,
                checked.detail,
                record["type"],
                record["event_id"],
            ),
            *(NOW, record["line"], None, None, "open"),
        )
        repaired_row = repaired_record(row, mapping, 300, SHOP, MONEY, NOW.replace(tzinfo=UTC))
        if isinstance(repaired_row, Refusal):
            assert repaired_row.reason
            assert len(repaired_row.detail) > 5
        else:
            assert (repaired_row["collector_id"], repaired_row["seq"], repaired_row["shop_id"]) == ("c", seq, "a")
            repaired.append(
                repaired_row
                | {
                    "repaired_at": NOW,
                    "mapping": "m",
                    "original_reason": checked.reason,
                    "original_field": None,
                    "is_repeated": False,
                }
            )
    assert to_arrow(BRONZE_REPAIRS, repaired).num_rows == len(repaired)


@fuzzed(
    "repair",
    content=st.binary(max_size=40)
    | st.text(max_size=40).map(str.encode)
    | st.fixed_dictionaries(
        {"name": st.just("m") | TEXTS}, optional={"steps": st.lists(STEPS | ANY_JSON) | ANY_JSON, "match": ANY_JSON}
    ).map(as_json)
    | st.sampled_from(
        [b"name: 2026-13-45", b"!!int", b"0000-00-00", b"[" * 3000, b"a: &a [*a]", b"1" * 5000, b"\xff\xfe", b"? [a]\n: b"]
    ),
    suffix=st.sampled_from([".yaml", ".json"]),
)
def test_any_mapping_is_read_or_refused_by_name(tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str) -> None:
    file = Path(tmp_path_factory.getbasetemp()) / f"mapping{suffix}"
    file.write_bytes(content)
    try:
        mapping = load_mapping(file)
    except MappingError as error:
        check_refusal(error, "mapping")
        return
    mapping.apply(json.loads('{"properties":{"lines":[{"price":"1,5"}]}}'), "c#0")
