"""Values in one form, and every way in which an engine can differ from the oracle is seen and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jishi.features import FEATURES, views
from jishi.features.oracle import Value
from quality.parity.comparison import compare, compare_online, instants_to_read
from quality.parity.value_table import NothingComputed, from_flink, from_oracle

T0 = 1_788_220_800_000
UNTIL = T0 + 60_000
ITEM = views()["item_3600s_60s"]
LAST = views()["person_last_20"]
MEAN = views()["item_86400s_3600s"]


def oracle(tmp_path: Path, *values: Value) -> Path:
    target = tmp_path / "oracle.parquet"
    from_oracle(values, views(), target)
    return target


def flink(tmp_path: Path, *messages: dict[str, Any]) -> Path:
    folder = tmp_path / "messages"
    folder.mkdir()
    lines = [json.dumps({"message_key": "k", "message": json.dumps(message, ensure_ascii=False)}) for message in messages]
    (folder / "part-x-0-0").write_text("\n".join(lines) + "\n")
    target = tmp_path / "flink.parquet"
    from_flink(folder, views(), target)
    return target


def message(view: str, values: dict[str, Any], **changes: Any) -> dict[str, Any]:
    plain = {"view": view, "shop_id": "s", "entity_id": "项|\u0000", "as_of_ms": T0, "valid_until_ms": UNTIL, "values": values}
    return plain | changes


VIEWS_2 = Value("item_views_1h", "s", "项|\u0000", T0, 2, UNTIL)
EQUAL: dict[str, Any] = {"item_views_1h": 2, "item_carts_1h": 0}


def different(tmp_path: Path, *messages: dict[str, Any]) -> dict[str, int]:
    result = compare(oracle(tmp_path, VIEWS_2), flink(tmp_path, *messages), [feature.name for feature in FEATURES])
    return {name: compared.different for name, compared in result.items() if compared.different}


def test_equal_values_do_not_differ_and_a_default_needs_no_row(tmp_path: Path) -> None:
    assert different(tmp_path, message("item_3600s_60s", EQUAL)) == {}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"values": EQUAL | {"item_views_1h": 3}}, {"item_views_1h"}),
        ({"values": EQUAL | {"item_carts_1h": 1}}, {"item_carts_1h"}),
        ({"values": EQUAL | {"item_views_1h": "2"}}, {"item_views_1h"}),
        ({"values": EQUAL | {"item_views_1h": None}}, {"item_views_1h"}),
        ({"values": {"item_views_1h": 2}}, {"item_carts_1h"}),
        ({"valid_until_ms": UNTIL + 1}, {"item_views_1h"}),
        ({"as_of_ms": T0 + 1}, {"item_views_1h"}),
        ({"entity_id": "other"}, {"item_views_1h"}),
        ({"shop_id": "other"}, {"item_views_1h"}),
    ],
)
def test_every_kind_of_difference_is_seen(tmp_path: Path, changes: dict[str, Any], names: set[str]) -> None:
    assert different(tmp_path, message("item_3600s_60s", EQUAL) | changes).keys() == names


def test_doubles_are_equal_when_their_bits_are(tmp_path: Path) -> None:
    """3 priced views that sum up to 1 minor unit have a mean of the double nearest to a third."""
    values = {feature.name: feature.default for feature in views()["person_86400s_3600s"]}
    values = {name: [] if default == () else default for name, default in values.items()}
    result = message("person_86400s_3600s", values | {"person_price_sum_24h": 1, "person_priced_views_24h": 3})
    for expected, is_equal in ((0.3333333333333333, True), (0.33333333333333326, False)):
        folder = tmp_path / str(is_equal)
        folder.mkdir()
        actual = compare(
            oracle(folder, Value("person_price_mean_24h", "s", "项|\u0000", T0, expected, UNTIL)),
            flink(folder, result),
            ["person_price_mean_24h"],
        )
        assert (actual["person_price_mean_24h"].different == 0) is is_equal


def test_a_smoothed_rate_is_made_of_the_engines_own_rows(tmp_path: Path) -> None:
    """3 carts and 4 views, and 20 views more at the shop's rate of 1 in 10; huge counts do not round twice."""
    item = {feature.name: 0 for feature in views()["item_86400s_3600s"]}
    shop = {feature.name: 0 for feature in views()["shop_86400s_3600s"]}
    huge = 2**53 - 1
    sent = [
        message("item_86400s_3600s", item | {"item_views_24h": 4, "item_carts_24h": 3, "item_orders_24h": huge}),
        message(
            "shop_86400s_3600s", shop | {"shop_views_24h": 10, "shop_carts_24h": 1, "shop_lines_paid_24h": huge}, entity_id="s"
        ),
    ]
    pay_rate = float(huge * 10 + 50 * huge) / float((4 + 50) * 10)
    expected = [
        Value("item_add_rate_24h", "s", "项|\u0000", T0, (3 * 10 + 20 * 1) / ((4 + 20) * 10), UNTIL),
        Value("item_pay_rate_24h", "s", "项|\u0000", T0, pay_rate, UNTIL),
    ]
    names = [value.feature for value in expected]
    actual = compare(oracle(tmp_path, *expected), flink(tmp_path, *sent), names)
    assert [(actual[name].rows, actual[name].different) for name in names] == [(1, 0), (1, 0)]


def test_a_share_is_1_at_most_although_more_came_back_than_was_paid(tmp_path: Path) -> None:
    """5 of 1 came back, and 900 of 30 in the whole shop, which counts as 30: (5 + 10 · 1) / (1 + 10) is above 1."""
    month = {name: {feature.name: 0 for feature in views()[name]} for name in ("item_2592000s_86400s", "shop_2592000s_86400s")}
    came = {"item_units_30d": 1, "item_units_returned_30d": 5}, {"shop_units_30d": 30, "shop_units_returned_30d": 900}
    sent = [
        message(view, values | more, entity_id=entity)
        for (view, values), more, entity in zip(month.items(), came, ("项|\u0000", "s"), strict=True)
    ]
    sent.append(message("item_2592000s_86400s", month["item_2592000s_86400s"] | {"item_units_30d": 10}, entity_id="sound"))
    expected = [
        Value("item_return_rate_30d", "s", "项|\u0000", T0, 1.0, UNTIL),
        Value("item_return_rate_30d", "s", "sound", T0, (0 + 10 * 1) / (10 + 10), UNTIL),
        Value("shop_return_rate_30d", "s", "s", T0, 1.0, UNTIL),
    ]
    names = ["item_return_rate_30d", "shop_return_rate_30d"]
    actual = compare(oracle(tmp_path, *expected), flink(tmp_path, *sent), names)
    assert [(actual[name].rows, actual[name].different) for name in names] == [(2, 0), (1, 0)]


def test_of_one_instant_the_last_message_stays(tmp_path: Path) -> None:
    expected = oracle(tmp_path, Value("last_items", "s", "项|\u0000", T0, ["b", "a"], None))
    sent = [message("person_last_20", {"last_items": items}, valid_until_ms=None) for items in (["a"], ["b", "a"])]
    assert compare(expected, flink(tmp_path, *sent), ["last_items"])["last_items"].different == 0


def test_a_sink_without_files_is_no_proof(tmp_path: Path) -> None:
    with pytest.raises(NothingComputed):
        from_flink(tmp_path, views(), tmp_path / "none.parquet")


def test_the_online_store_is_asked_when_values_begin_hold_and_end(tmp_path: Path) -> None:
    expected = oracle(tmp_path, VIEWS_2, Value("last_items", "s", "p", T0, ["a"], None))
    reads = tmp_path / "reads.jsonl"
    instants = [T0 - 1, T0, UNTIL - 1, UNTIL]
    entries = [("item_views_1h", "项|\u0000", at_ms, 2) for at_ms in (T0, UNTIL - 1)]
    entries += [("last_items", "p", at_ms, ["a"]) for at_ms in (T0, UNTIL - 1, UNTIL)]  # type: ignore[misc]
    rows = [dict(zip(("feature", "entity_id", "at_ms", "value"), row, strict=True)) | {"shop_id": "s"} for row in entries]
    names = ["item_views_1h", "last_items"]
    reads.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [c.different for c in compare_online(expected, reads, instants, names).values()] == [0, 0]
    reads.write_text("".join(json.dumps(row | {"at_ms": row["at_ms"] + 1}) + "\n" for row in rows))
    assert all(c.different for c in compare_online(expected, reads, instants, names).values())


def test_instants_lie_on_the_edges(tmp_path: Path) -> None:
    assert instants_to_read(oracle(tmp_path, VIEWS_2)) == [T0, UNTIL - 1, UNTIL]
