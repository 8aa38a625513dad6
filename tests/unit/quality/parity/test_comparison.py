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
    values = {feature.name: 0.0 if feature.value_type == "double" else 0 for feature in MEAN}
    for text, is_equal in (("3.333333333333333E-1", True), ("0.33333333333333326", False)):
        folder = tmp_path / str(is_equal)
        folder.mkdir()
        result = message("item_86400s_3600s", values | {"item_add_rate_24h": float(text)})
        actual = compare(
            oracle(folder, Value("item_add_rate_24h", "s", "项|\u0000", T0, 0.3333333333333333, UNTIL)),
            flink(folder, result),
            ["item_add_rate_24h"],
        )
        assert (actual["item_add_rate_24h"].different == 0) is is_equal


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
