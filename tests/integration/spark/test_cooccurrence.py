"""Item neighbours against a brute-force count, and as a published table."""

from __future__ import annotations

import random
from collections import defaultdict
from itertools import permutations
from math import sqrt
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jishi.tables import ITEM_NEIGHBOURS, SILVER_INTERACTIONS, SILVER_ITEMS, SILVER_ORDER_LINES
from spark_jobs.audits import AuditFailed
from spark_jobs.recommendations.audit import audit_neighbours
from spark_jobs.recommendations.cooccurrence import neighbours, usual_baskets
from spark_jobs.recommendations.job import NothingToLearn, build_neighbours

pytestmark = pytest.mark.integration


def brute_force(
    baskets: list[tuple[str, str, str]], most_items: int, top: int, least: int
) -> dict[tuple[str, str], list[tuple[str, int, float, float, float]]]:
    """By shop and item: neighbour, together, support, lift, cosine, best first; the definition, one pair at a time."""
    contents: dict[tuple[str, str], set[str]] = defaultdict(set)
    for shop_id, basket_id, item_id in baskets:
        contents[shop_id, basket_id].add(item_id)
    usual = {key: items for key, items in contents.items() if len(items) <= most_items}
    by_key: dict[tuple[str, str], list[tuple[str, int, float, float, float]]] = {}
    for shop in {shop_id for shop_id, _ in usual}:
        rows = [items for (shop_id, _), items in usual.items() if shop_id == shop]
        every = set().union(*rows)
        holding = {item: sum(item in items for items in rows) for item in every}
        for item, other in permutations(sorted(every), 2):
            t = sum(item in items and other in items for items in rows)
            if t >= least:
                a, b, n = holding[item], holding[other], len(rows)
                by_key.setdefault((shop, item), []).append((other, t, t / n, t * n / (a * b), t / sqrt(a * b)))
    return {key: sorted(near, key=lambda x: (-x[4], -x[1], x[0]))[:top] for key, near in by_key.items()}


def test_every_neighbour_is_the_brute_force_one(spark: SparkSession) -> None:
    luck = random.Random(3)
    baskets = [
        (shop, f"b{basket}", f"i{int(luck.triangular(0, 9, 2))}")  # equal ids in both shops, items repeated in a basket
        for shop in ("a", "b")
        for basket in range(60)
        for _ in range(luck.randint(1, 6))
    ]
    baskets += [("a", "bot", f"i{item}") for item in range(10)]
    frame = spark.createDataFrame(baskets, "shop_id string, basket_id string, item_id string")
    rows = neighbours(usual_baskets(frame, most_items=6), "order", neighbours_per_item=4, least_together=2).collect()
    by_key: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.neighbour_rank):
        by_key[row.shop_id, row.item_id].append((row.neighbour_id, row.together, row.support, row.lift, row.cosine))
        assert row.neighbour_rank == len(by_key[row.shop_id, row.item_id])
    expected = brute_force(baskets, most_items=6, top=4, least=2)
    assert by_key.keys() == expected.keys()
    for key, near in expected.items():
        assert [entry[:2] for entry in by_key[key]] == [entry[:2] for entry in near]
        assert [entry[2:] for entry in by_key[key]] == [pytest.approx(entry[2:]) for entry in near]


def publish_shop(platform: Any) -> None:
    """Shop a: i1 and i2 in three orders, i1 and i3 in two, i2 and an item outside the catalogue in two."""
    baskets = [("o1", "i1 i2"), ("o2", "i1 i2"), ("o3", "i1 i2 i3"), ("o4", "i1 i3"), ("o5", "i2 gone"), ("o6", "i2 gone")]
    lines = [
        {"shop_id": "a", "order_id": order, "line_number": number, "person_id": f"p-{order}", "item_id": item}
        for order, items in baskets
        for number, item in enumerate(items.split(), start=1)
    ]
    platform.publish(SILVER_ORDER_LINES, lines)
    # Persons put i2 and i3 together, which orders hardly do.
    acts = [("p1", "i2"), ("p1", "i3"), ("p2", "i2"), ("p2", "i3"), ("p3", "i1"), (None, "i1"), (None, "i2")]
    platform.publish(
        SILVER_INTERACTIONS,
        [
            {"shop_id": "a", "event_id": str(n), "line_number": 0, "person_id": person, "item_id": item, "kind": "view"}
            for n, (person, item) in enumerate(acts)
        ],
    )
    platform.publish(SILVER_ITEMS, [{"shop_id": "a", "item_id": item} for item in ("i1", "i2", "i3")])


def test_the_table_keeps_orders_and_persons_apart_and_a_rerun_changes_nothing(platform: Any) -> None:
    publish_shop(platform)
    assert build_neighbours(platform.session, platform.settings, "a", "order") == {ITEM_NEIGHBOURS.name: 4}
    by_order = platform.rows(ITEM_NEIGHBOURS)
    by_key = {(row["item_id"], row["neighbour_rank"]): (row["neighbour_id"], row["together"]) for row in by_order}
    assert by_key == {("i1", 1): ("i3", 2), ("i1", 2): ("i2", 3), ("i2", 1): ("i1", 3), ("i3", 1): ("i1", 2)}
    assert build_neighbours(platform.session, platform.settings, "a", "person") == {ITEM_NEIGHBOURS.name: 2}
    both = platform.rows(ITEM_NEIGHBOURS)
    assert [row for row in both if row["within"] == "order"] == by_order
    assert {(row["item_id"], row["neighbour_id"]) for row in both if row["within"] == "person"} == {("i2", "i3"), ("i3", "i2")}
    build_neighbours(platform.session, platform.settings, "a", "order")
    assert platform.rows(ITEM_NEIGHBOURS) == both


def test_a_shop_without_rows_is_told_and_nothing_is_published(platform: Any) -> None:
    publish_shop(platform)
    with pytest.raises(NothingToLearn, match="shop 'b' has no rows in silver/order_lines"):
        build_neighbours(platform.session, platform.settings, "b", "order")
    platform.publish(SILVER_ITEMS, [{"shop_id": "a", "item_id": "another"}])
    with pytest.raises(NothingToLearn, match="catalogue of shop 'a'"):
        build_neighbours(platform.session, platform.settings, "a", "order")
    assert not platform.has(ITEM_NEIGHBOURS)


def test_a_shop_in_which_nothing_is_bought_together_has_no_rows_any_more(platform: Any) -> None:
    publish_shop(platform)
    build_neighbours(platform.session, platform.settings, "a", "order")
    build_neighbours(platform.session, platform.settings, "a", "person")
    lines = [{"shop_id": "a", "order_id": f"o{n}", "line_number": 1, "item_id": f"i{n}"} for n in (1, 2, 3)]
    platform.publish(SILVER_ORDER_LINES, lines)
    assert build_neighbours(platform.session, platform.settings, "a", "order") == {ITEM_NEIGHBOURS.name: 0}
    assert {row["within"] for row in platform.rows(ITEM_NEIGHBOURS)} == {"person"}


SOUND = {"shop_id": "a", "within": "order", "item_id": "i", "neighbour_id": "j", "neighbour_rank": 1, "together": 2}
SOUND |= {"item_baskets": 2, "neighbour_baskets": 3, "baskets": 9, "support": 0.2, "lift": 3.0, "cosine": 0.8}
BROKEN = {
    "an item is its own neighbour": {"neighbour_id": "i"},
    "a pair is in more baskets than one of its items": {"together": 3},
    "an item is in more baskets than there are": {"neighbour_baskets": 10},
    "a measure is out of its range": {"cosine": float("nan")},
    "ranks do not run from 1": {"neighbour_rank": 2},
    "no row of shop 'a'": {"shop_id": "b"},
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_audit_refuses(platform: Any, fault: str) -> None:
    written = platform.unpublished(ITEM_NEIGHBOURS, [SOUND | BROKEN[fault]])
    # A shop may have nothing that is bought together, but not persons who have nothing in common.
    within = "person" if fault.startswith("no row") else "order"
    with pytest.raises(AuditFailed, match=fault):
        audit_neighbours(written, ITEM_NEIGHBOURS, "a", within, 5)


def test_the_audit_passes_what_is_sound(platform: Any) -> None:
    rows = [SOUND | {"neighbour_id": other, "neighbour_rank": rank} for rank, other in enumerate("jkl", start=1)]
    written = platform.unpublished(ITEM_NEIGHBOURS, rows)
    assert audit_neighbours(written, ITEM_NEIGHBOURS, "a", "order", 3) == 3
    with pytest.raises(AuditFailed, match="ranks"):
        audit_neighbours(written, ITEM_NEIGHBOURS, "a", "order", 2)
