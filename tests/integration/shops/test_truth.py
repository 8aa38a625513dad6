"""What the simulator knows of its shop comes out of the marts within 1 %, as far as events can tell (simulator.linkable)."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from typing import Any

import pytest

from jishi.lake.reading import open_version
from jishi.marts import mart_rows
from jishi.metrics import open_metrics
from simulator.history import spend_file
from tests.integration.shops.conftest import KISSA, ShopPlatform
from tests.integration.shops.test_another_shop import landed

pytestmark = pytest.mark.integration


def summary(platform: ShopPlatform) -> dict[str, Any]:
    """The truth as the simulator wrote it, beside its landing files."""
    written: dict[str, Any] = json.loads((platform.paths.var.parent / "simulated/truth" / KISSA / "summary.json").read_text())
    return written


def test_persons_visits_conversion_and_repeat_rate_are_the_played_ones(platform: ShopPlatform) -> None:
    lake = open_version(platform.settings)
    [counted] = open_metrics(lake).rows(["visitors", "sessions", "paying_sessions", "conversion"], shop_id=KISSA)
    expected = summary(platform)["linkable"]
    assert counted["visitors"] == pytest.approx(expected["persons"], rel=0.01)
    assert counted["sessions"] == pytest.approx(expected["visits"], rel=0.01)
    assert counted["paying_sessions"] == pytest.approx(expected["visits_with_order"], rel=0.01)
    assert counted["conversion"] == pytest.approx(expected["conversion"], rel=0.01)
    orders_of: defaultdict[str, set[str]] = defaultdict(set)
    for event in landed(platform, KISSA):
        order_id = event.get("properties", {}).get("order_id")
        if event.get("type") == "order_paid" and event.get("user_id") and order_id:  # some events are broken by intent
            orders_of[event["user_id"]].add(order_id)
    repeat_rate = sum(len(orders) > 1 for orders in orders_of.values()) / len(orders_of)
    buyers = mart_rows(lake, "select count(*) as orders from fct_orders where shop_id = ? group by person_id", KISSA)
    assert sum(buyer["orders"] > 1 for buyer in buyers) / len(buyers) == pytest.approx(repeat_rate, rel=0.01)
    assert 0 < repeat_rate < 1


def test_page_views_are_those_that_were_played(platform: ShopPlatform) -> None:
    [counted] = mart_rows(
        open_version(platform.settings), "select sum(page_views) as page_views from fct_shop_days where shop_id = ?", KISSA
    )
    assert counted["page_views"] == summary(platform)["page_views"] > 0


def test_what_was_spent_on_channels_stands_beside_what_they_brought(platform: ShopPlatform) -> None:
    """Return and cost of a new customer of each paid channel, from the file and the credited orders themselves."""
    lake = open_version(platform.settings)
    spent: defaultdict[str, int] = defaultdict(int)
    with spend_file(platform.paths.var.parent / "simulated", KISSA).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            spent[row["channel"]] += int(row["amount"])  # yen have no minor unit
    metrics = ["channel_spend", "roas", "acquisition_cost"]
    last = "{{ Dimension('credit__model') }} = 'last'"
    rows = open_metrics(lake).rows(metrics, ["credit__channel"], shop_id=KISSA, where=[last])
    shown = {row["credit__channel"]: row for row in rows if row["channel_spend"] is not None}
    assert {channel: row["channel_spend"] for channel, row in shown.items()} == spent
    credited = mart_rows(
        lake,
        "select channel, sum(net_minor) as net, count(*) filter (is_first_kept_order) as customers "
        "from fct_attribution_credits where shop_id = ? and model = 'last' group by channel",
        KISSA,
    )
    for row in (row for row in credited if row["channel"] in spent):
        amount = spent[row["channel"]]
        assert shown[row["channel"]]["roas"] == pytest.approx(float(row["net"]) / amount)
        assert shown[row["channel"]]["acquisition_cost"] == pytest.approx(amount / row["customers"])
    assert len(spent) == 4


def test_bots_are_those_that_were_let_loose(platform: ShopPlatform) -> None:
    """Nobody else, and every one of them that came; they are in no number of persons."""
    bots = {event.get("anonymous_id") for event in landed(platform, KISSA)} & set(summary(platform)["bots"])
    labelled = mart_rows(
        open_version(platform.settings), "select distinct person_id from fct_sessions where shop_id = ? and is_bot", KISSA
    )
    assert {row["person_id"].removeprefix("a:") for row in labelled} == bots
    assert bots
