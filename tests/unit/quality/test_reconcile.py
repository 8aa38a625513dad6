"""Reconciliation shop by shop: a shop whose manifest is damaged is named, and the others are counted."""

from __future__ import annotations

from pathlib import Path

from jishi.landing import ShopFacts, write_landing
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from quality.reconcile import reconcile
from tests.lake import settings_in

FACTS = ShopFacts(name="店", time_zone="Asia/Tokyo", currency="JPY")


def test_a_damaged_manifest_is_its_shops_problem_and_a_shop_without_anything_is_zero(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    paths = Paths.of(settings)
    for shop_id, lines in (("a", 3), ("b", 2)):
        with write_landing(paths.history, shop_id, FACTS, "test") as writer:
            writer.write([b"{}"] * lines)
    manifest = paths.history / "b" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"lines": 2', '"lines": 7', 1))
    with Shops.edit(paths.shops_file) as shops:
        shops.add(Shop(shop_id="new", name="new"))
    counts = {count.shop_id: count for count in reconcile(settings)}
    assert [(shop_id, count.accepted, count.is_equal) for shop_id, count in counts.items()] == [
        ("a", 3, False),  # three lines landed, and nothing of them in silver
        ("b", 0, False),
        ("new", 0, True),
    ]
    assert "manifest.json" in counts["b"].problem
    assert counts["a"].problem == counts["new"].problem == ""
