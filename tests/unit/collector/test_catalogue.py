"""The collector's catalogue: items put, gaps of events filled and named, nothing lost over a restart."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue import Known, ShopCatalogues
from collector.catalogue_store import load_catalogue, save_snapshot, snapshot_file, snapshot_upto
from collector.wal.durable import read_durable
from collector.wal.reader import first_position, read_entries
from collector.wal.segments import Position
from jishi.contract.filled import unfilled
from jishi.fx_rates import FxRate, FxRates, save_rates
from jishi.shops import Shop, Shops
from tests.lake import settings_in

Viewed = Callable[..., dict[str, Any]]
NOW_MS = 1_795_000_000_000  # 2026-11-18T11:06:40Z, the collector's clock in these tests
AFTER, BEFORE = "2026-11-18T11:06:41Z", "2026-11-18T11:06:39Z"


def item(item_id: str = "i-1", **changes: Any) -> dict[str, Any]:
    return {
        "item_id": item_id,
        "title": "马面裙",
        "category": "裙装",
        "unit_price_minor": 19900,
        "currency": "CNY",
        "stock": 3,
    } | changes


def put(world: Any, items: Any, shop: str = "a", key: str = "write") -> Any:
    return world.client.put(f"/v1/shops/{shop}/items", json=items, headers={"Authorization": f"Bearer {world.keys[key]}"})


def lines(world: Any) -> list[dict[str, Any]]:
    """The events in the log, in order."""
    position, durable, rows = first_position(world.wal.folder), read_durable(world.wal.folder) or Position(), []
    while entries := read_entries(world.wal.folder, position, durable):
        rows += [orjson.loads(entry.body) | {"event": orjson.loads(orjson.loads(entry.body)["line"])} for entry in entries]
        position = entries[-1].after
    return rows


def test_items_become_events_once(world: Any) -> None:
    first = put(world, [item(), item("i-2", stock=0), {"item_id": "i-3"}])
    assert first.status_code == 200
    payload = first.json()
    assert (payload["accepted"], payload["quarantined"], payload["unchanged"]) == (3, 1, 0)
    assert [(r["item_id"], r["status"], r["field"]) for r in payload["results"]] == [
        ("i-1", "accepted", None),
        ("i-2", "accepted", None),
        ("i-3", "quarantined", "properties.title"),
    ]
    again = put(world, {"items": [item(), item("i-2", stock=1)]}).json()
    assert [(r["item_id"], r["status"]) for r in again["results"]] == [("i-1", "unchanged"), ("i-2", "accepted")]
    assert put(world, [item()]).json()["accepted"] == 0
    kept = lines(world)
    assert [(r["type"], r["event"]["properties"]["item_id"]) for r in kept] == [
        ("item_changed", f"i-{n}") for n in (1, 2, 3, 2)
    ]
    assert kept[0]["event"]["properties"] == item()
    assert kept[0]["occurred_at_ms"] == NOW_MS
    assert kept[3]["occurred_at_ms"] == NOW_MS + 1, "two states of an item never share their time"


def test_there_and_back_again_are_three_changes(world: Any) -> None:
    answer = put(world, [item(stock=5), item(stock=4), item(stock=5), item(stock=5)]).json()
    assert [r["status"] for r in answer["results"]] == ["accepted"] * 3 + ["unchanged"]
    assert [r["occurred_at_ms"] - NOW_MS for r in lines(world)] == [0, 1, 2]
    assert len({r["event_id"] for r in lines(world)}) == 3


@pytest.mark.parametrize(
    ("before", "status"),
    [
        ({"changed_at": "soon"}, "quarantined"),
        ({"changed_at": "9999-12-31T23:59:59.999Z"}, "quarantined"),
        ({"changed_at": "2027-06-01T00:00:00Z"}, "accepted"),
        ({"currency": "ZZZ"}, "quarantined"),
    ],
)
def test_a_state_that_was_not_taken_over_is_compared_with_nothing(world: Any, before: dict[str, Any], status: str) -> None:
    answer = put(world, [item(**before), item(**before), item(), item()])
    assert answer.status_code == 200
    first, _, good, again = (result["status"] for result in answer.json()["results"])
    assert (first, good, again) == (status, "accepted", "unchanged")
    assert lines(world)[-1]["occurred_at_ms"] == NOW_MS, "and it has the time of now, not one behind what was refused"


def test_a_change_may_bring_its_time(world: Any) -> None:
    answer = put(world, [item(changed_at="2026-11-01T00:00:00+08:00"), item("i-2", changed_at="soon"), 7]).json()
    assert [(r["status"], r["field"]) for r in answer["results"]] == [
        ("accepted", None),
        ("quarantined", "occurred_at"),
        ("quarantined", "event_id"),
    ]
    assert lines(world)[0]["event"]["occurred_at"] == "2026-11-01T00:00:00+08:00"
    assert "changed_at" not in lines(world)[0]["event"]["properties"]


def test_items_need_the_write_key_of_their_shop(world: Any) -> None:
    for shop, key, code in (("b", "write", "foreign_shop"), ("a", "read", "no_write_right"), ("a", "track", "no_write_right")):
        answer = put(world, [item()], shop, key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
    assert put(world, {"things": []}).json()["error"]["message"].startswith("put the items into an array")
    assert lines(world) == []


def test_gaps_are_filled_named_and_can_be_taken_out_again(world: Any, viewed: Viewed) -> None:
    put(world, [item(), item("i-2", category="鞋", unit_price_minor=0)])
    order = {"order_id": "o", "currency": "CNY"}
    sent = [
        viewed("gaps", occurred_at=AFTER),
        viewed("null category", occurred_at=AFTER, properties={"item_id": "i-2", "category": None, "unit_price_minor": 5}),
        viewed("whole", occurred_at=AFTER, properties={"item_id": "i-1", "category": "x", "unit_price_minor": 1}),
        viewed("unknown item", occurred_at=AFTER, properties={"item_id": "i-9"}),
        viewed("cart", occurred_at=AFTER, type="item_added_to_cart"),
        viewed(
            "order",
            occurred_at=AFTER,
            type="order_paid",
            properties=order | {"lines": [{"item_id": n, "quantity": 1, "unit_price_minor": 7} for n in ("i-1", "i-9")]},
        ),
        viewed("other type", occurred_at=AFTER, type="item_shared", properties={"item_id": "i-1", "share_id": "s"}),
        viewed("bad", occurred_at=AFTER, properties={"item_id": 1}),
    ]
    answer = world.post(sent)
    assert answer.json()["quarantined"] == 1
    kept = {r["event_id"]: r for r in lines(world)[2:]}
    filled = {name: r["event"]["properties"].get("filled") for name, r in kept.items()}
    both = {"category": "absent", "unit_price_minor": "absent"}
    assert filled == {"gaps": both, "null category": {"category": "null"}, "cart": both} | dict.fromkeys(
        ("whole", "unknown item", "order", "other type", "bad")
    )
    assert (kept["gaps"]["category"], kept["gaps"]["unit_price_minor"]) == ("裙装", 19900), "engines read the same values"
    order_lines = kept["order"]["event"]["properties"]["lines"]
    assert order_lines[0] == {
        "item_id": "i-1",
        "quantity": 1,
        "unit_price_minor": 7,
        "category": "裙装",
        "filled": {"category": "absent"},
    }
    assert "category" not in order_lines[1]
    assert [unfilled(kept[event["event_id"]]["event"]) for event in sent] == sent
    assert 'jishi_collector_filled_events_total{sent_by="server"} 4.0' in world.client.get("/metrics").text
    assert world.post([viewed("b", shop_id="b", occurred_at=AFTER)], key="b").status_code == 200
    assert "filled" not in lines(world)[-1]["event"]["properties"], "another shop's item of the same name"


def test_a_price_in_the_shops_currency_is_not_put_beside_another_one(world: Any, viewed: Viewed, tmp_path: Path) -> None:
    save_rates(tmp_path / "fx_rates", "a", FxRates.of("CNY", [FxRate("USD", date(2026, 1, 1), Decimal(7))]))
    put(world, [item()])  # 199.00 yuan; as dollars it would be worth seven times that
    for currency in ("USD", "CNY", None):
        sent = viewed(f"in {currency}", occurred_at=AFTER, properties={"item_id": "i-1", "currency": currency})
        assert world.post([sent]).json()["quarantined"] == 0
    kept = {r["event_id"]: (r["category"], r["unit_price_minor"]) for r in lines(world) if r["type"] == "item_viewed"}
    assert kept == {"in USD": ("裙装", None), "in CNY": ("裙装", 19900), "in None": ("裙装", 19900)}


def test_a_price_of_a_currency_that_the_shop_had_is_not_filled(world: Any, viewed: Viewed, tmp_path: Path) -> None:
    """199.00 yuan are not 199.00 dollars; what changes after the shop's currency has, is known in the new one."""
    put(world, [item(), item("i-2")])
    with Shops.edit(world.registry) as shops:
        shops.add(Shop(shop_id="a", name="a", currency="USD"))
    put(world, [item("i-2", unit_price_minor=2900, currency="USD")])
    for item_id in ("i-1", "i-2"):
        world.post([viewed(item_id, occurred_at=AFTER, properties={"item_id": item_id})])
    kept = {r["event_id"]: (r["category"], r["unit_price_minor"]) for r in lines(world) if r["type"] == "item_viewed"}
    assert kept == {"i-1": ("裙装", None), "i-2": ("裙装", 2900)}
    again = load_catalogue(world.wal.folder, settings_in(tmp_path))
    assert {item_id: known.currency for _, item_id, known in again} == {"i-1": "CNY", "i-2": "USD"}, "also after a restart"


def test_only_what_held_when_the_event_happened_is_filled(world: Any, viewed: Viewed) -> None:
    put(world, [item()])
    put(world, [item(stock=2)])  # neither category nor price: they hold since the first change
    world.post([viewed("before", occurred_at=BEFORE), viewed("after", occurred_at=AFTER)])
    put(world, [item(unit_price_minor=1, changed_at=AFTER)])
    world.post([viewed("earlier price", occurred_at="2026-11-18T11:06:40.500Z")])
    filled = {r["event_id"]: r["event"]["properties"].get("filled") for r in lines(world) if r["type"] == "item_viewed"}
    assert filled["before"] is None
    assert filled["after"]
    assert filled["earlier price"] is None


def test_a_change_that_is_sent_again_with_other_content_changes_nothing(world: Any, viewed: Viewed, tmp_path: Path) -> None:
    """Engines count the first delivery of an event; the catalogue believes the same one, also after a restart."""
    change = viewed("c", type="item_changed", occurred_at=BEFORE, properties=item())
    world.post([change])
    world.post([change | {"properties": item(unit_price_minor=1)}])
    assert world.intake.catalogue.get("a", "i-1").unit_price_minor == 19900
    known = load_catalogue(world.wal.folder, settings_in(tmp_path)).get("a", "i-1")
    assert known is not None
    assert known.unit_price_minor == 19900


def test_a_change_that_is_dated_ahead_is_not_believed(world: Any, viewed: Viewed, tmp_path: Path) -> None:
    put(world, [item(changed_at="2027-01-01T00:00:00Z")])
    assert world.intake.catalogue.get("a", "i-1") is None
    assert load_catalogue(world.wal.folder, settings_in(tmp_path)).get("a", "i-1") is None, "nor after a restart"
    world.post([viewed("e", type="item_changed", occurred_at=BEFORE, properties=item())])
    assert world.intake.catalogue.get("a", "i-1") is not None, "a posted change counts like a put one"


@given(
    sent=st.fixed_dictionaries(
        {"item_id": st.sampled_from(["i-1", "i-9"])},
        optional={"category": st.none() | st.just("x"), "unit_price_minor": st.none() | st.just(3), "more": st.none()},
    ),
    event_type=st.sampled_from(["item_viewed", "item_added_to_cart", "order_paid", "item_shared"]),
)
def test_what_was_sent_comes_back_whatever_was_filled(sent: dict[str, Any], event_type: str) -> None:
    catalogue = ShopCatalogues()
    catalogue.put("a", "i-1", Known("裙装", 19900, 0, 0, ""))
    properties = {"lines": [copy.deepcopy(sent), 4]} if event_type == "order_paid" else sent
    event = {"type": event_type, "occurred_at": AFTER, "properties": properties}
    changed = copy.deepcopy(event)
    count = catalogue.fill("a", [changed], "CNY")
    assert unfilled(changed) == event
    assert (changed != event) == bool(count)


@pytest.mark.parametrize("is_clean", [True, False], ids=["stopped", "killed"])
def test_the_catalogue_survives_a_restart(
    make_world: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_clean: bool
) -> None:
    async def keep_none(_: object) -> None:
        """No snapshot but the test's: on a busy machine the collector's first one, of nothing, came after it."""

    monkeypatch.setattr("collector.app.keep_snapshot", keep_none)
    world = make_world(wal_segment_bytes=4096)
    put(world, [item(f"i-{n}") for n in range(20)])
    if is_clean:
        save_snapshot(world.wal.folder, world.intake.catalogue, world.intake.seen_upto)
    put(world, [item("i-3", unit_price_minor=1), item("new")])
    again = load_catalogue(world.wal.folder, settings_in(tmp_path))
    assert sorted(again) == sorted(world.intake.catalogue)
    assert snapshot_upto(world.wal.folder) == (20 if is_clean else 0)


def test_a_damaged_snapshot_is_made_anew_from_the_log(world: Any, tmp_path: Path) -> None:
    put(world, [item()])
    snapshot_file(world.wal.folder).write_text("damage\n")
    assert load_catalogue(world.wal.folder, settings_in(tmp_path)).get("a", "i-1") is not None
    assert snapshot_upto(world.wal.folder) == 0


def test_a_running_collector_saves_what_it_has_seen(make_world: Callable[..., Any]) -> None:
    world = make_world()
    put(world, [item()])
    world.client.__exit__(None, None, None)
    assert snapshot_upto(world.wal.folder) == 1
    assert '"i-1"' in snapshot_file(world.wal.folder).read_text()
    world.client.__enter__()
