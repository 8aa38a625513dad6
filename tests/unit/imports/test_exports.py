"""Exports of another system become events: money exact, refunds with their orders, rejects kept, cut-off imports continued."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

import jishi.landing
from imports import orders
from imports.__main__ import app
from imports.history import land_history
from imports.order_mapping import load_export_mapping
from imports.user_events import lines_of_files
from jishi.contract import Event, check_event
from jishi.landing import LandingError, load_manifest
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shop, Shops

MAPPING = {
    "currency": "GBP",
    "time_zone": "Europe/London",
    "columns": {
        **{"order_id": "invoice", "item_id": "sku", "quantity": "qty", "unit_price": "price", "occurred_at": "at"},
        **{"user_id": "customer", "category": "group"},
    },
    "cancellation": {"column": "invoice", "starts_with": "C"},
}
# invoice, sku, qty, price, at, customer, group
ROWS = [
    ("100", "pen", "3", "1.50", "2011-07-01 09:00:00", "7", "office"),
    ("100", "ink", "2", "0.125", "2011-07-01 09:00:00", "7", ""),  # 12.5 pence: rounded, and the line's amount is exact
    ("101", "pen", "1", "1.50", "2011-07-02 09:00:00", "7", "office"),
    ("102", "cup", "1", "4", "2011-12-01 09:00:00", "", "home"),  # nobody's; winter time
    ("C103", "pen", "-2", "1.50", "2011-07-03 09:00:00", "7", "office"),  # the newest order has one pen only: 100
    ("C104", "pen", "-1", "1.50", "2011-07-04 09:00:00", "7", "office"),  # now 101
    ("C104", "hat", "-1", "9.99", "2011-07-04 09:00:00", "7", ""),  # never bought: a refund of its own
    ("105", "pen", "many", "1.50", "2011-07-05 09:00:00", "7", ""),
    ("106", "pen", "-4", "0", "2011-07-06 09:00:00", "", ""),  # a correction of stock
    ("107", "pen", "1", "1.50", "some day", "8", ""),
]
COLUMNS = ("invoice", "sku", "qty", "price", "at", "customer", "group")


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    get_settings.cache_clear()
    return Paths.of(get_settings())


@pytest.fixture(params=["csv", "parquet"])
def export(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    table = pa.table({name: [row[i] for row in ROWS] for i, name in enumerate(COLUMNS)})
    file = tmp_path / f"orders.{request.param}"
    pyarrow.csv.write_csv(table, file) if request.param == "csv" else pq.write_table(table, file)
    return file


def mapping_file(folder: Path, **changes: Any) -> Path:
    file = folder / "mapping.yaml"
    file.write_text(yaml.safe_dump(MAPPING | changes))
    return file


def run(*arguments: str) -> None:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output


def events(paths: Paths) -> list[dict[str, Any]]:
    folder = paths.history / "r"
    return [json.loads(line) for file in load_manifest(folder).files for line in (folder / file.name).read_text().splitlines()]


def test_orders_and_refunds_with_exact_money(paths: Paths, export: Path, tmp_path: Path) -> None:
    run("orders", str(export), "--shop", "r", "--map", str(mapping_file(tmp_path)))
    by_key = {event["event_id"]: event for event in events(paths)}
    good = [event_id for event_id, event in by_key.items() if isinstance(check_event(event, "r"), Event)]
    assert good == ["order-100", "order-101", "refund-C103", "refund-C104", "order-102"]
    first = by_key["order-100"]
    assert first["occurred_at"] == "2011-07-01T09:00:00+01:00"
    assert first["user_id"] == "7"
    assert first["properties"]["lines"] == [
        {"item_id": "pen", "quantity": 3, "unit_price_minor": 150, "category": "office"},
        {"item_id": "ink", "quantity": 2, "unit_price_minor": 13, "amount_minor": 25},
    ]
    assert (by_key["order-102"]["anonymous_id"], by_key["order-102"]["occurred_at"][-6:]) == ("import:guest-102", "+00:00")
    refunds = {name: by_key[name]["properties"] for name in ("refund-C103", "refund-C104")}
    assert [(p["order_id"], p["amount_minor"]) for p in refunds.values()] == [("100", 300), ("101", 150)]
    bad = {event_id: check_event(event, "r") for event_id, event in by_key.items() if event_id not in good}
    assert {
        event_id: (refusal.reason, refusal.field) for event_id, refusal in bad.items() if not isinstance(refusal, Event)
    } == {
        "refund-C104-2": ("missing_field", "properties.order_id"),
        "order-105": ("wrong_type", "properties.lines.0.quantity"),
        "order-106": ("bad_value", "properties.lines.0.quantity"),
        "order-107": ("bad_value", "occurred_at"),
    }
    assert by_key["order-107"]["source"] == {"file": export.name, "row": 10}
    counts = land_history(get_settings(), ["r"], processes=1)["r"]
    assert (counts.lines, counts.good) == (9, 5), "a reject is accepted history, and lies in bronze with its reason"


def test_a_refund_may_name_its_order_and_be_told_by_a_word_or_a_sign(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("invoice,sku,qty,price,at,of,kind\n1,a,2,100,01/02/2026 10:00,,sale\n2,a,1,100,02/02/2026 10:00,1,refund\n")
    columns = {"order_id": "invoice", "item_id": "sku", "quantity": "qty", "unit_price": "price", "occurred_at": "at"}
    back = {"column": "kind", "equals": ["refund"], "order_id": "of"}
    options = {"columns": columns, "money": "minor", "time_format": "%d/%m/%Y %H:%M", "defaults": {"user_id": "u"}}
    run("orders", str(file), "--shop", "r", "--map", str(mapping_file(tmp_path, cancellation=back, **options)))
    sale, refund = events(paths)
    assert (sale["occurred_at"], sale["user_id"]) == ("2026-02-01T10:00:00+00:00", "u")
    assert (refund["type"], refund["properties"]["order_id"], refund["properties"]["amount_minor"]) == (
        "order_refunded",
        "1",
        100,
    )


def test_an_import_that_was_cut_off_goes_on(
    paths: Paths, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jishi.landing, "LINES_PER_FILE", 2)
    arguments = ("orders", str(export), "--shop", "r", "--map", str(mapping_file(tmp_path)))
    run(*arguments)
    whole = {file.name: file.read_bytes() for file in (paths.history / "r").iterdir()}

    def cut_off(real: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
        def lines(*facts: Any) -> Iterator[bytes]:
            for number, line in enumerate(real(*facts)):
                if number == 5:
                    raise OSError("the machine went down")
                yield line

        return lines

    with monkeypatch.context() as patch:
        patch.setattr("imports.import_commands.order_lines", cut_off(orders.order_lines))
        with pytest.raises(OSError, match="went down"):
            run(*arguments)
    assert {file.name: file.read_bytes() for file in (paths.history / "r").iterdir()} == whole, (
        "the old history stays till then"
    )
    output = CliRunner().invoke(app, list(arguments)).output
    assert "going on behind 4 events" in output
    assert {file.name: file.read_bytes() for file in (paths.history / "r").iterdir()} == whole
    assert [file.name for file in paths.history.iterdir()] == ["r"]


def test_an_import_of_events_goes_on_and_may_add(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jishi.landing, "LINES_PER_FILE", 2)
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text("".join(f'{{"n": {n}}}\n' for n in range(5)))
    new.write_text('{"n": 5}\n')

    def cut_off(*facts: Any) -> Iterator[bytes]:
        yield from islice(lines_of_files(*facts), 3)
        raise OSError("the machine went down")

    with monkeypatch.context() as patch:
        patch.setattr("imports.import_commands.lines_of_files", cut_off)
        with pytest.raises(OSError, match="went down"):
            run("events", str(old), "--shop", "r")
    assert "going on behind 2 events" in CliRunner().invoke(app, ["events", str(old), "--shop", "r"]).output
    assert [event["n"] for event in events(paths)] == [0, 1, 2, 3, 4]
    run("events", str(new), "--shop", "r", "--add")
    assert [event["n"] for event in events(paths)] == [0, 1, 2, 3, 4, 5]
    run("events", str(new), "--shop", "r")
    assert [event["n"] for event in events(paths)] == [5]
    with pytest.raises(LandingError, match=r"--shop: 'R!' is not a shop id"):
        run("events", str(new), "--shop", "R!")


def test_items_add_to_the_history(paths: Paths, export: Path, tmp_path: Path) -> None:
    run("orders", str(export), "--shop", "r", "--map", str(mapping_file(tmp_path)))
    file = tmp_path / "items.csv"
    file.write_text("sku,name,price,left\npen,Pen,1.50,12\nink,Ink,x,3\n")
    columns = {"item_id": "sku", "title": "name", "unit_price": "price", "stock": "left"}
    items = tmp_path / "items.yaml"
    items.write_text(yaml.safe_dump({"currency": "GBP", "columns": columns, "defaults": {"category": "office"}}))
    run("items", str(file), "--shop", "r", "--map", str(items), "--changed-at", "2011-07-01T00:00:00Z")
    *before, pen, ink = events(paths)
    assert len(before) == 9
    assert pen["properties"] == {
        "item_id": "pen",
        "title": "Pen",
        "category": "office",
        "unit_price_minor": 150,
        "currency": "GBP",
        "stock": 12,
    }
    assert isinstance(check_event(pen, "r"), Event)
    assert not isinstance(check_event(ink, "r"), Event)
    assert "export: orders" in load_manifest(paths.history / "r").source


WRONG = [
    ({"columns": {"order_id": "invoice"}}, "names no column for 'item_id'"),
    ({"columns": MAPPING["columns"] | {"sku": "sku"}}, "which is none of"),  # type: ignore[operator]
    ({"columns": MAPPING["columns"] | {"item_id": "article"}}, "has no column 'article'; it has invoice"),  # type: ignore[operator]
    ({"currency": "pounds"}, "currency"),
    ({"time_zone": "London"}, "IANA"),
    ({"cancellation": {"column": "qty"}}, "name one rule"),
]


@pytest.mark.parametrize(("changes", "expected"), WRONG)
def test_a_wrong_mapping_is_refused_by_name(paths: Paths, tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(LandingError, match=expected):
        run("orders", str(file), "--shop", "r", "--map", str(mapping_file(tmp_path, **changes)))
    with pytest.raises(LandingError, match=r"gone\.yaml cannot be read"):
        load_export_mapping(tmp_path / "gone.yaml")


@pytest.mark.parametrize(
    ("content", "fix"),
    [(b"[{}]", "one event a line"), (gzip.compress(b"{}"), "gunzip"), ('{"a": 1}'.encode("utf-16"), "UTF-8")],
)
def test_a_file_that_is_not_lines_of_events_names_the_fix(tmp_path: Path, content: bytes, fix: str) -> None:
    (tmp_path / "events").write_bytes(content)
    with pytest.raises(LandingError, match=fix):
        list(lines_of_files([tmp_path / "events"]))
    (tmp_path / "events").write_bytes(b'\xef\xbb\xbf{"n": 1}\r\n\r\n{"n": 2}')
    assert list(lines_of_files([tmp_path / "events"])) == [b'{"n": 1}', b'{"n": 2}'], "a byte-order mark is of no event"


def test_what_was_oversold_is_out_of_stock(paths: Paths, tmp_path: Path) -> None:
    """woocommerce 25379: back orders make a stock of '-3, and the item stays in the catalogue."""
    (tmp_path / "items.csv").write_text("sku,name,price,left\npen,Pen,1.50,'-3\n")
    columns = {"item_id": "sku", "title": "name", "unit_price": "price", "stock": "left"}
    (tmp_path / "map.yaml").write_text(yaml.safe_dump({"currency": "GBP", "columns": columns, "defaults": {"category": "x"}}))
    at = ("--changed-at", "2011-07-01T00:00:00Z")
    run("items", str(tmp_path / "items.csv"), "--shop", "r", "--map", str(tmp_path / "map.yaml"), *at)
    [pen] = events(paths)
    assert (pen["properties"]["stock"], isinstance(check_event(pen, "r"), Event)) == (0, True)


def test_a_shop_that_nobody_made_is_refused_where_others_are_known_and_made_by_its_name(
    paths: Paths, export: Path, tmp_path: Path
) -> None:
    words = ("orders", str(export), "--map", str(mapping_file(tmp_path)), "--shop")
    run(*words, "first")
    with Shops.edit(paths.shops_file) as shops:
        shops.add(Shop(shop_id="lanting", name="Lanting"))
    run(*words, "lanting")
    run(*words, "first", "--dry-run")
    for command in (("orders", *words[1:]), ("events", str(export), "--shop"), ("items", *words[1:])):
        refused = CliRunner().invoke(app, [*command, "lantign"])
        assert isinstance(refused.exception, LandingError), refused.output
        assert str(refused.exception).startswith("--shop: unknown shop 'lantign', perhaps 'lanting'; known: lanting. ")
        assert "jishi shops create lantign" in str(refused.exception)
    assert not (paths.history / "lantign").exists()
    run(*words, "other", "--name", "Other")
    assert (paths.history / "other").exists()
