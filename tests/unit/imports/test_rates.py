"""``imports rates``: what it takes, how rates are restated, and that imported orders are stamped by them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from imports.__main__ import app
from imports.rates import read_rates
from jishi.fx_rates import load_rates
from jishi.lake.query import open_lake
from jishi.landing import LandingError
from jishi.paths import Paths
from jishi.shops import Shop
from tests.lake import newest, platform_of_commands

SHOP = "kissa"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    kissa = Shop(shop_id=SHOP, name="喫茶", time_zone="Asia/Tokyo", currency="JPY")
    with platform_of_commands(tmp_path / "var", monkeypatch, kissa) as paths:
        yield paths


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def rates_file(folder: Path, *rows: str) -> Path:
    file = folder / "rates.csv"
    file.write_text("\n".join(["date,currency,rate", *rows]) + "\n")
    return file


def test_rates_are_kept_in_the_lake_and_beside_the_registry_and_later_ones_restate_them(paths: Paths, tmp_path: Path) -> None:
    first = run("rates", rates_file(tmp_path, "2026-03-01,USD,150.25", "2026-03-01,KWD,490.50"), "--shop", SHOP)
    assert first.exit_code == 0, first.output
    before = newest(paths.var)
    assert run("rates", rates_file(tmp_path, "2026-03-01,USD,151", "2026-03-02,USD,152"), "--shop", SHOP).exit_code == 0
    with open_lake(newest(paths.var)) as connection:
        rows = connection.execute("select currency, rate_date, rate, rate_units, rate_scale from bronze_fx_rates order by all")
        assert rows.fetchall() == [
            ("KWD", date(2026, 3, 1), "490.5", 4905, 1),
            ("USD", date(2026, 3, 1), "151", 151, 0),
            ("USD", date(2026, 3, 2), "152", 152, 0),
        ]
    with open_lake(before) as connection:  # an earlier version keeps its own
        assert ("150.25",) in connection.execute("select rate from bronze_fx_rates").fetchall()
    rates = load_rates(paths.fx_rates, SHOP, "JPY")
    known = rates.at("USD", date(2026, 3, 9))
    assert known is not None
    assert (known.rate_date, known.rate) == (date(2026, 3, 2), Decimal(152))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2026-03-32,USD,1", "2026-03-32"),
        ("03/01/2026,USD,1", "write it as"),
        ("2026-03-01,usd,1", "ISO 4217"),
        ("2026-03-01,ZZZ,1", "ISO 4217"),
        ("2026-03-01,JPY,1", "own"),
        ("2026-03-01,USD,0", "above 0"),
        ("2026-03-01,USD,-1", "above 0"),
        ("2026-03-01,USD,", "decimal point"),
        ("2026-03-01,USD,many", "decimal point"),
        ('2026-03-01,USD,"150,25"', "decimal point"),
        ("2026-03-01,USD,1e999999", "digits"),
        ("2026-03-01,EUR,161", "two rates"),
        ("2026-03-01,USD,1,2", "row 3"),
    ],
)
def test_a_row_that_is_no_rate_refuses_the_file_and_is_named(tmp_path: Path, row: str, problem: str) -> None:
    with pytest.raises(LandingError, match="row 3") as error:
        read_rates(rates_file(tmp_path, "2026-03-01,EUR,160", row), "JPY")
    assert problem in str(error.value)


def test_a_dry_run_shows_a_table_or_json_and_writes_nothing(paths: Paths, tmp_path: Path) -> None:
    file = rates_file(tmp_path, "2026-03-02,USD,151", "2026-03-01,USD,150.250", "2026-03-09,USD,1500", "2026-03-01,KWD,490.5")
    done = run("rates", file, "--shop", SHOP, "--dry-run")
    assert f"{SHOP}: nothing was written" in done.output
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in done.output.splitlines() if line.startswith("│")]
    assert cells == [
        ["KWD", "1", "2026-03-01 – 2026-03-01", "490.5", "490.5"],
        ["USD", "3", "2026-03-01 – 2026-03-09", "150.25", "1500"],
    ]
    assert "is that right? USD is 151 on 2026-03-02 and 1500 on 2026-03-09" in done.output
    known = orjson.loads(run("rates", file, "--shop", SHOP, "--dry-run", "--json").output)
    assert known["counts"] == {"USD": 3, "KWD": 1}
    assert known["first"][1] == {"date": "2026-03-01", "currency": "USD", "rate": "150.25"}
    assert not paths.fx_rates.exists()


def test_a_file_without_rates_and_an_unknown_shop_are_refused(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(LandingError, match="no rate"):
        read_rates(rates_file(tmp_path), "JPY")
    refused = run("rates", rates_file(tmp_path, "2026-03-01,USD,1"), "--shop", "nobody")
    assert isinstance(refused.exception, LandingError)
    assert "unknown shop 'nobody'" in str(refused.exception)


def test_imported_orders_keep_their_currency_and_are_stamped_by_the_rate_of_their_day(paths: Paths, tmp_path: Path) -> None:
    run("rates", rates_file(tmp_path, "2026-03-01,USD,150.25", "2026-03-01,KWD,490.5"), "--shop", SHOP)
    export = tmp_path / "orders.csv"
    export.write_text(
        "order,sku,qty,price,at,user,cur\n"
        "M1,X,1,1980,2026-03-01T10:00:00+09:00,u1,JPY\n"
        "M2,X,1,10.00,2026-03-01T10:01:00+09:00,u2,USD\n"
        "M3,X,1,1.500,2026-03-01T10:02:00+09:00,u3,KWD\n"
        "M4,X,1,100.00,2026-03-01T10:03:00+09:00,u4,EUR\n"
        "M5,X,1,100.00,2026-02-28T23:59:00+09:00,u5,USD\n"
    )
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "currency: JPY\ntime_zone: Asia/Tokyo\ncolumns: {order_id: order, item_id: sku, quantity: qty, unit_price: price, "
        "occurred_at: at, user_id: user, currency: cur}\n"
    )
    assert run("orders", export, "--shop", SHOP, "--map", mapping).exit_code == 0
    assert run("history", "--shop", SHOP, "--processes", "1").exit_code == 0
    with open_lake(newest(paths.var)) as connection:
        lines = connection.execute("select line from bronze_history").fetchall()
    imported = {}
    for (line,) in lines:
        order = orjson.loads(line)["properties"]
        [sold] = order["lines"]
        imported[order["order_id"]] = (
            *(order["currency"], sold["unit_price_minor"], order.get("home_currency"), order.get("fx_rate_date")),
            sold.get("home_net_minor"),
        )
    assert imported == {
        "M1": ("JPY", 1980, None, None, None),
        "M2": ("USD", 1000, "JPY", "2026-03-01", 1502),
        "M3": ("KWD", 1500, "JPY", "2026-03-01", 736),
        "M4": ("EUR", 10000, "JPY", None, None),
        "M5": ("USD", 10000, "JPY", None, None),
    }


def test_a_rate_that_leaps_is_asked_about(paths: Paths, tmp_path: Path) -> None:
    """AppSales-Mobile 283: a feed lost a digit, and a day's sales were ten times as much."""
    rows = ("2026-03-01,USD,150.25", "2026-03-02,USD,15.03", "2026-03-03,USD,150.4", "2026-03-01,KWD,490", "2026-03-02,KWD,500")
    result = run("rates", rates_file(tmp_path, *rows), "--shop", SHOP)
    assert result.exit_code == 0, "it may be right: currencies have lost their noughts"
    asked = [line for line in result.output.splitlines() if line.startswith("is that right?")]
    assert asked == [
        "is that right? USD is 150.25 on 2026-03-01 and 15.03 on 2026-03-02; import the wrong date again",
        "is that right? USD is 15.03 on 2026-03-02 and 150.4 on 2026-03-03; import the wrong date again",
    ]
