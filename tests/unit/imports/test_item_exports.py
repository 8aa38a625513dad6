"""Exports of items as shop systems write them: variants below their product, pictures, stock below zero, status words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imports.__main__ import app
from jishi.contract import Event, check_event
from jishi.landing import landed_lines
from jishi.settings import get_settings

# Products → Export of Shopify's admin: what variants share stands on the product's first row, a further picture has a row too.
BEFORE_2025 = """\
Handle,Title,Vendor,Product Category,Type,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price,Image Src,Status
gouda,Old Gouda,Farm,Food > Cheese,Cheese,250 g,G-250,7,4.90,https://x.test/1.jpg,active
gouda,,,,,1 kg,G-1000,-2,17.50,,
gouda,,,,,,,,,https://x.test/2.jpg,
brie,Brie,Farm,Food > Cheese,,Default Title,BRIE,3,6.20,,draft
rind,Rind,Farm,,Cheese,Default Title,RIND,1,1.00,,archived
"""
SINCE_2025 = """\
Title,URL handle,Vendor,Product category,Type,Status,SKU,Option1 value,Price,Inventory quantity,Product image URL
Old Gouda,gouda,Farm,Food > Cheese,Cheese,Active,G-250,250 g,4.90,7,https://x.test/1.jpg
,gouda,,,,,G-1000,1 kg,17.50,-2,
,gouda,,,,,,,,,https://x.test/2.jpg
Brie,brie,Farm,Food > Cheese,,Draft,BRIE,,6.20,3,
Rind,rind,Farm,,Cheese,Archived,RIND,,1.00,1,
"""
# item_id: title, category, price in cents, stock, status
WANTED = {
    "G-250": ("Old Gouda", "Cheese", 490, 7, "active"),
    "G-1000": ("Old Gouda", "Cheese", 1750, 0, "active"),
    "BRIE": ("Brie", "Food > Cheese", 620, 3, "inactive"),
    "RIND": ("Rind", "Cheese", 100, 1, "inactive"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    get_settings.cache_clear()
    return tmp_path


def imported(folder: Path, text: str, *options: str) -> tuple[dict[str, tuple[object, ...]], str]:
    """Good items by id, and what the command said."""
    file = folder / "items.csv"
    file.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(
        app, ["items", str(file), "--shop", "shop", "--changed-at", "2026-01-01T00:00:00Z", *options], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    items = {}
    for line in landed_lines(folder / "var" / "landing" / "history" / "shop"):
        event = json.loads(line)
        assert isinstance(check_event(event | {"received_at": "2026-01-02T00:00:00Z"}), Event), event
        p = event["properties"]
        items[p["item_id"]] = (p["title"], p["category"], p["unit_price_minor"], p.get("stock"), p.get("status", "active"))
    return items, result.output


@pytest.mark.parametrize("text", [BEFORE_2025, SINCE_2025])
def test_every_variant_of_a_shopify_export_is_an_item(folder: Path, text: str) -> None:
    items, output = imported(folder, text, "--preset", "shopify")

    assert items == WANTED
    assert "left out 1 rows: neither item_id nor unit_price" in output
    assert "1 rows: stock below 0" in output


def test_a_status_is_of_its_row_where_no_product_is_named(folder: Path) -> None:
    mapping = folder / "items.yaml"
    mapping.write_text(
        "currency: EUR\ncolumns: {item_id: Id, title: Title, category: Kind, unit_price: Price, stock: Stock}\n"
        "leave_out: [{column: State, equals: [gone]}]\n"
    )
    text = "Id,Title,Kind,Price,Stock,State\na,A,x,1.00,1,gone\nb,B,x,2.00,1,\n"

    items, _ = imported(folder, text, "--map", str(mapping))

    assert set(items) == {"b"}


def test_a_preset_of_orders_is_none_of_items(folder: Path) -> None:
    file = folder / "items.csv"
    file.write_text(BEFORE_2025)

    result = CliRunner().invoke(app, ["items", str(file), "--shop", "shop", "--preset", "taobao"])

    assert result.exit_code != 0
    assert "is none of shopify; write a mapping for --map" in str(result.exception) + result.output


UNTRACKED = """\
Handle,Title,Type,Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,Variant Price,Status
gouda,Old Gouda,Cheese,G-250,shopify,0,4.90,active
gouda,,,G-1000,,0,17.50,
card,Gift card,Card,CARD,,0,10.00,active
"""


def test_a_stock_that_nobody_counts_is_unknown_and_not_none_left(folder: Path) -> None:
    items, output = imported(folder, UNTRACKED, "--preset", "shopify")

    assert {item_id: stock for item_id, (*_, stock, _) in items.items()} == {"G-250": 0, "G-1000": None, "CARD": None}
    assert "2 rows: stock that nobody counts is unknown" in output
