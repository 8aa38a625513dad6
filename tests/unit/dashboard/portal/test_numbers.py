"""What the pages show is what stands in the published marts; files are what spreadsheets take and do not compute."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from python_calamine import CalamineWorkbook

from dashboard.portal.columns import COLUMNS, column_named
from dashboard.portal.datasets import DATASETS
from dashboard.portal.exports import Sheet
from dashboard.portal.formats import Formats
from dashboard.portal.pages.numbers import year_before
from dashboard.portal.shop_marts import open_shop_marts
from dashboard.spreadsheet_cells import guarded
from jishi.held_back import GateFinding, hold, release
from jishi.metrics import metrics_of
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from tests.unit.dashboard.portal import twins as twin_shops
from tests.unit.dashboard.portal.twins import NEWEST, NOW, PLAIN, TwinShops

CHINESE, JAPANESE = Formats("zh", "CNY", "Asia/Shanghai"), Formats("en", "JPY", "Asia/Tokyo")


@pytest.fixture(autouse=True)
def _clock(twins: TwinShops) -> None:
    twins.now = NOW


def tiles_of(text: str) -> dict[str, list[str]]:
    """Each tile's title with its value and the values of other days, as a person reads them."""
    tiles = {}
    for tile in re.findall(r'<article class="tile">(.*?)</article>', text, re.S):
        heading = words_of(re.sub(r'<a class="why".*?</a>', "", re.findall(r"<h2>(.*?)</h2>", tile, re.S)[0], flags=re.S))
        shown = re.findall(r'<p class="big">(.*?)</p>', tile, re.S) + re.findall(r"<dd>(.*?)</dd>", tile, re.S)
        tiles[heading] = [
            words_of(re.sub(r'<span class="direction".*?</span></span>', "", value, flags=re.S)) for value in shown
        ]
    return tiles


def words_of(html: str) -> str:
    """Text without marks."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def row_of(
    twins: TwinShops, day: date, mart: str = "fct_shop_days", column: str = "shop_date", **values: str
) -> dict[str, Any]:
    """A row of a mart, read without the portal."""
    [file] = Paths.of(twins.settings).marts_files.glob("*.duckdb")
    where = "".join(f" and {name} = '{value}'" for name, value in values.items())
    with duckdb.connect(str(file), read_only=True) as connection:
        cursor = connection.execute(f"from {mart} where shop_id = '{PLAIN}' and {column} = date '{day}'{where}")
        return dict(zip([name for name, *_ in cursor.description or ()], cursor.fetchone() or (), strict=True))


def test_a_day_stands_beside_the_day_and_week_before_by_calendar(twins: TwinShops) -> None:
    day = NEWEST - timedelta(days=3)
    tiles = tiles_of(twins.client(language="zh").get(f"/shops/{PLAIN}/today?date={day}").text)
    of_day = row_of(twins, day)
    # These marts compare with the day before; the week before is a day like others.
    others = row_of(twins, day, "fct_shop_day_comparisons", compared_with="day_before"), row_of(twins, day - timedelta(days=7))
    assert tiles["访客"][:3] == [f"{row['visitors']:,} 人" for row in (of_day, *others)]
    assert tiles["支付订单"][:3] == [f"{row['orders']:,} 单" for row in (of_day, *others)]
    assert tiles["支付转化率"][:3] == [f"{100 * row['conversion']:.2f} %" for row in (of_day, *others)]
    assert all(len(value.split()) == 2 or value.startswith("–") for values in tiles.values() for value in values), tiles


def test_a_day_that_is_not_over_says_so_and_is_compared_with_the_same_hours_alone(twins: TwinShops) -> None:
    client = twins.client()
    text = client.get(f"/shops/{PLAIN}/today").text
    assert "Not over yet" in text
    assert "compared with the same hours of other days" in text
    assert "Not over yet" not in client.get(f"/shops/{PLAIN}/today?date={NEWEST - timedelta(days=1)}").text
    for title in ("Orders", "Visitors", "Conversion", "Value per order"):
        assert len(tiles_of(text)[title]) > 1, title


def charts_of(text: str) -> list[dict[str, Any]]:
    """What a page gives its script to draw."""
    return [json.loads(script) for script in re.findall(r'<script type="application/json">(.*?)</script>', text, re.S)]


@pytest.mark.parametrize("page", ["today", "traffic", "items/i1", "recommendations", "channels", "boards/1"])
def test_a_day_that_is_not_over_is_marked_in_the_heading_and_on_each_line(twins: TwinShops, page: str) -> None:
    text = twins.client().get(f"/shops/{PLAIN}/{page}").text
    assert any("Not over yet" in words_of(heading) for heading in re.findall(r"<h[12].*?</h[12]>", text, re.S))
    assert charts_of(text)
    for chart in charts_of(text):
        assert chart["open_from"] == len(chart["days"]) - 1, chart["title"]
        assert text.count(chart["open_text"]) > len(charts_of(text))


def test_a_period_with_a_day_that_is_not_over_says_that_it_stands_beside_whole_days(twins: TwinShops) -> None:
    day = NEWEST - timedelta(days=1)
    for page in ("items?days=7", "recommendations", "channels"):
        text = twins.client().get(f"/shops/{PLAIN}/{page}").text
        assert "The last of these days is not over" in text, page
        if "?" not in page:
            over = twins.client().get(f"/shops/{PLAIN}/{page}?from={day}&to={day}").text
            assert "not over" not in over.lower(), page
            assert [chart["open_from"] for chart in charts_of(over)] == [None] * len(charts_of(over))


def test_one_comparison_can_be_chosen_and_runs_beside_each_chart(twins: TwinShops) -> None:
    day, client = NEWEST - timedelta(days=3), twins.client()
    text = client.get(f"/shops/{PLAIN}/today?date={day}&compare=week_before").text
    assert tiles_of(text)["Visitors"] == [
        f"{row_of(twins, day - timedelta(days=back))['visitors']:,} people" for back in (0, 7)
    ]
    charts = {chart["title"]: chart for chart in map(json.loads, re.findall(r'application/json">(.*?)</script>', text, re.S))}
    visitors = charts["Visitors by day"]
    assert [line["label"] for line in visitors["compared"]] == ["Week before"]
    known = [value for value in visitors["series"][0]["values"] if value is not None]
    assert visitors["compared"][0]["values"][-1] == visitors["series"][0]["values"][-8]
    assert len(known) == len(visitors["days"])
    of_year = client.get(f"/shops/{PLAIN}/today?date={day}&compare=year_before").text
    lines = [chart["compared"] for chart in map(json.loads, re.findall(r'application/json">(.*?)</script>', of_year, re.S))]
    assert all(lines)
    assert client.get(f"/shops/{PLAIN}/today?compare=nothing").status_code == 400
    assert f"?date={day - timedelta(days=1)}&amp;compare=week_before" in text


def test_repurchase_is_of_the_last_whole_day_and_stands_beside_days_before(twins: TwinShops) -> None:
    client = twins.client()
    for address, day in (("", NEWEST - timedelta(days=1)), (f"?date={NEWEST - timedelta(days=3)}", NEWEST - timedelta(days=3))):
        text = client.get(f"/shops/{PLAIN}/customers{address}").text
        rates = [row_of(twins, day - timedelta(days=back))["repurchase_rate_90d"] for back in (0, 1, 7)]
        assert tiles_of(text)["Repurchase 90 days"][:3] == [f"{100 * rate:.2f} %" for rate in rates]
        assert len(tiles_of(text)["Repurchase 90 days"]) == 4  # the year before, of which nothing is known
        assert f"Up to {day}" in words_of(text)
    assert "Not over yet" in words_of(client.get(f"/shops/{PLAIN}/customers?date={NEWEST}").text)
    for day in ("0001-01-01", "9999-12-31"):
        for page in (f"customers?date={day}", f"today?date={day}", f"channels?from={day}&to={day}"):
            assert client.get(f"/shops/{PLAIN}/{page}").status_code == 400, page


def test_the_same_days_of_last_year_stand_beside_a_day_and_a_period(
    tmp_path: Path, semantic_manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shop that has each of these days twice, 365 days apart."""
    fill = twin_shops._fill

    def fill_two_years(connection: Any, mart: str) -> None:
        fill(connection, mart)
        if mart in ("fct_shop_days", "fct_recommendation_days", "fct_channel_days"):
            earlier = "cast(shop_date - interval 1 year as date) as shop_date"
            connection.execute(f"insert into {mart} select * replace ({earlier}) from {mart}")

    monkeypatch.setattr(twin_shops, "_fill", fill_two_years)
    shops = TwinShops(tmp_path, semantic_manifest)
    client, day = shops.client(), NEWEST - timedelta(days=2)
    rate = row_of(shops, year_before(day))["repurchase_rate_30d"]
    assert tiles_of(client.get(f"/shops/{PLAIN}/customers?date={day}").text)["Repurchase 30 days"][-1] == f"{100 * rate:.2f} %"
    for page, title in (("recommendations", "Recommended items shown"), ("channels", "New customers")):
        text = client.get(f"/shops/{PLAIN}/{page}?from={day}&to={day}").text
        assert re.findall(r"<dt[^>]*>(.*?)</dt>", text)[:2] == ["Period before", "Year before"]
        assert tiles_of(text)[title][0] == tiles_of(text)[title][2], page


def test_a_year_before_a_leap_day_is_the_last_day_of_its_month() -> None:
    assert [f"{year_before(date(*day))}" for day in ((2024, 2, 29), (2025, 2, 28), (2024, 3, 1))] == [
        *("2023-02-28", "2024-02-28", "2023-03-01")
    ]


def test_old_numbers_say_so(twins: TwinShops) -> None:
    twins.now = NOW + timedelta(days=1)
    assert "These numbers may be old" not in twins.client().get(f"/shops/{PLAIN}/today").text
    twins.now = NOW + timedelta(days=2)
    for page in ("today", "traffic", "customers", "items"):
        assert "These numbers may be old" in twins.client().get(f"/shops/{PLAIN}/{page}").text


def test_a_platform_without_marts_and_a_day_without_rows_say_what_to_do(
    twins: TwinShops,
) -> None:
    client = twins.client()
    empty = client.get(f"/shops/{PLAIN}/today?date=2020-02-29")
    assert (empty.status_code, "Nothing here" in empty.text) == (200, True)
    wrong = client.get(f"/shops/{PLAIN}/today?date=2026-02-30")
    assert (wrong.status_code, "date is not a date; write it as 2026-11-30" in wrong.text) == (400, True)
    assert "lies after the last" in client.get(f"/shops/{PLAIN}/traffic?from=2026-11-02&to=2026-11-01").text
    assert client.get(f"/shops/{PLAIN}/rows/orders?shop_id=twin").status_code == 400
    [file] = Paths.of(twins.settings).marts_files.glob("*.duckdb")
    aside = file.rename(file.with_suffix(".aside"))
    try:
        for page in ("today", "traffic", "customers", "items", "rows/orders", "export/orders.csv"):
            answer = client.get(f"/shops/{PLAIN}/{page}")
            assert (answer.status_code, "No numbers yet" in answer.text) == (200, True), page
    finally:
        aside.rename(file)


def test_the_rows_behind_a_number_are_those_of_its_day(twins: TwinShops) -> None:
    client = twins.client()
    text = client.get(f"/shops/{PLAIN}/today?date={NEWEST - timedelta(days=3)}").text
    links = {unescape(link) for link in re.findall(r'class="behind" href="([^"]+)"', text)}
    assert len(links) >= 3
    for link in links:
        assert client.get(link).text.count("<tr>") == 2, link  # the heading and the one row of the day


@pytest.mark.parametrize("name", DATASETS)
def test_a_file_holds_all_rows_exactly(twins: TwinShops, name: str) -> None:
    client = twins.client()
    [heading, *lines] = csv.reader(io.StringIO(client.get(f"/shops/{PLAIN}/export/{name}.csv").content.decode("utf-8-sig")))
    book = CalamineWorkbook.from_filelike(io.BytesIO(client.get(f"/shops/{PLAIN}/export/{name}.xlsx").content))
    [sheet_heading, *sheet_lines] = book.get_sheet_by_index(0).to_python()
    assert heading == sheet_heading
    assert len(lines) == len(sheet_lines) > 0
    for place, title in enumerate(heading):
        if "(CNY)" in title:
            assert [float(line[place] or 0) for line in lines] == [float(line[place] or 0) for line in sheet_lines]
            is_average = " per " in title
            assert is_average or all(re.fullmatch(r"-?\d+\.\d{2}", line[place]) or line[place] == "" for line in lines), title


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "　=1", "＝1", '=HYPERLINK("http://x")', "%0A=1", "{=1+1}"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_customers_words_are_no_formula(text: str) -> None:
    columns = [column_named("title"), column_named("refunds_minor")]
    sheet = Sheet("Items", columns, [{"title": text, "refunds_minor": -1250}], CHINESE)
    [_, [cell, amount]] = csv.reader(io.StringIO(sheet.as_csv().decode("utf-8-sig"), newline=""))
    assert (cell, amount) == (f"'{text}", "-12.50")
    held = CalamineWorkbook.from_filelike(io.BytesIO(sheet.as_xlsx())).get_sheet_by_index(0).to_python()[1]
    assert isinstance(held[0], str)
    assert held[0].strip() == text.strip()
    assert held[1] == -12.5
    assert b"<f" not in _sheet_xml(sheet)


def _sheet_xml(sheet: Sheet) -> bytes:
    with zipfile.ZipFile(io.BytesIO(sheet.as_xlsx())) as book:
        return book.read("xl/worksheets/sheet1.xml")


def test_money_of_three_digits_or_none_keeps_them_in_files() -> None:
    """A thousandth is neither rounded nor shown as another (Metabase #71299), a yen has no cents (Calypso #45415)."""
    column = column_named("refunds_minor")
    for currency, minor, text, number in (
        ("KWD", 1001, "1.001", 1.001),
        ("KWD", -6, "-0.006", -0.006),
        ("JPY", 47040, "47040", 47040),
    ):
        formats = Formats("en", currency, "Asia/Kuwait")
        sheet = Sheet("Days", [column], [{"refunds_minor": minor}], formats)
        assert sheet.as_csv().decode("utf-8-sig").split() == ["Refunds", f"({currency})", text]
        assert CalamineWorkbook.from_filelike(io.BytesIO(sheet.as_xlsx())).get_sheet_by_index(0).to_python()[1] == [number]
        assert formats.value(column, minor).text.replace(",", "") == text


@pytest.mark.parametrize(
    ("currency", "minor", "written"),
    [("CNY", 12345.678901, "123.46"), ("JPY", 100.5, "101"), ("KWD", 1 / 3, "0.000"), ("CNY", 198000, "1980.00")],
)
def test_an_average_of_money_is_written_with_the_digits_of_its_currency(currency: str, minor: float, written: str) -> None:
    sheet = Sheet("Days", [column_named("order_value_minor")], [{"order_value_minor": minor}], Formats("en", currency, "UTC"))
    assert sheet.as_csv().decode("utf-8-sig").splitlines()[1] == written
    [[_], [cell]] = CalamineWorkbook.from_filelike(io.BytesIO(sheet.as_xlsx())).get_sheet_by_index(0).to_python()
    assert str(cell) == str(float(written))


@pytest.mark.parametrize("minor", [1234567890123456789, -(10**25) - 1])
def test_a_workbook_has_all_digits_of_a_sum(minor: int) -> None:
    """tablib #650, dbeaver #36423: a spreadsheet's number has 15 digits, so the others became zeros."""
    sheet = Sheet("Days", [column_named("refunds_minor")], [{"refunds_minor": minor}], Formats("en", "JPY", "UTC"))
    assert CalamineWorkbook.from_filelike(io.BytesIO(sheet.as_xlsx())).get_sheet_by_index(0).to_python()[1] == [str(minor)]
    assert sheet.as_csv().decode("utf-8-sig").splitlines()[1] == str(minor)


def test_plain_text_and_numbers_stay_as_they_are() -> None:
    assert [guarded(value) for value in ("裙 1=1", "", "a-b", -3, None)] == ["裙 1=1", "", "a-b", -3, None]


def test_values_are_written_with_their_unit() -> None:
    def written(name: str, value: Any, formats: Formats = CHINESE) -> str:
        return str(formats.value(column_named(name), value))

    assert written("net_gmv_minor", -123456) == "-1,234.56 CNY"
    assert written("net_gmv_minor", 123456, JAPANESE) == "123,456 JPY"
    assert written("conversion", 0.12345) == "12.35 %" or written("conversion", 0.12345) == "12.34 %"
    assert written("visitors", 1) == "1 人"
    assert written("units_per_order", 1.5, JAPANESE) == "1.50 pieces"
    assert written("conversion", None) == "–"
    assert written("is_repeat", False) == "否"
    assert written("shop_date", date(2026, 11, 30)) == "2026-11-30 周一"
    assert str(JAPANESE.value(column_named("unit_price_minor"), 990, "EUR")) == "9.90 EUR"


def test_every_named_metric_is_defined(semantic_manifest: dict[str, Any]) -> None:
    named = {column.metric for column in COLUMNS.values() if column.metric}
    assert named <= metrics_of(semantic_manifest).keys()
    assert {"net_gmv", "orders", "visitors", "conversion", "refunds"} <= named


def test_a_number_says_what_it_is_in_the_readers_language(twins: TwinShops) -> None:
    address = f"/shops/{PLAIN}/meaning/fct_shop_days/net_gmv_minor"
    english, chinese = twins.client().get(address).text, twins.client(language="zh").get(address).text
    assert "less the refunds of the period" in english
    assert "减去期间退款" in chinese
    part = twins.client().get(address, headers={"hx-request": "true"}).text
    assert "<html" not in part
    assert "fct_shop_days.net_gmv_minor" in part
    assert twins.client().get(f"/shops/{PLAIN}/meaning/build/version").status_code == 404


def test_the_rows_behind_a_tile_are_what_it_counts(twins: TwinShops) -> None:
    client, behind = twins.client(), {}
    for page in ("today", "traffic"):
        for tile in re.findall(r'class="tile">(.*?)</article>', client.get(f"/shops/{PLAIN}/{page}").text, re.S):
            link = re.search(r'class="behind" href="([^"]+)"', tile)
            behind[words_of(tile.partition("<a")[0])] = unescape(link[1]) if link else ""
    assert all(behind.values()), behind
    row = row_of(twins, NEWEST)
    text = client.get(behind["Net sales"].replace("rows/days", "export/days.csv")).content.decode("utf-8-sig")
    [line] = csv.DictReader(io.StringIO(text))
    assert float(line["Sales (CNY)"]) == row["gmv_minor"] / 100
    assert float(line["Refunds (CNY)"]) == row["refunds_minor"] / 100
    assert "is_bot=true" in behind["Bots"]
    assert client.get(behind["Bots"]).status_code == 200


def test_every_column_that_pages_name_is_in_the_marts(twins: TwinShops) -> None:
    with open_shop_marts(twins.settings, PLAIN) as marts:
        for dataset in DATASETS.values():
            sorted_by = [name.removeprefix("-") for name in dataset.order_by]
            wanted = {*dataset.columns, *dataset.filters, *sorted_by, *filter(None, [dataset.date_column])}
            assert marts.has(dataset.mart, *wanted), (dataset.name, wanted - {*marts.columns[dataset.mart]})
            assert {*dataset.columns, *dataset.filters} <= COLUMNS.keys(), {*dataset.columns, *dataset.filters} - COLUMNS.keys()
    exposures = yaml.safe_load((PROJECT_ROOT / "dbt/models/marts/_exposures.yml").read_text())["exposures"]
    [portal] = [exposure for exposure in exposures if exposure["name"] == "portal"]
    assert {f"ref('{dataset.mart}')" for dataset in DATASETS.values()} <= {*portal["depends_on"]}


def test_the_funnel_is_of_the_visits_that_the_address_chooses(twins: TwinShops) -> None:
    """The twins have a visit a day, which went through every step and saw one category."""

    def steps(**query: str) -> list[str]:
        days = {"from": f"{NEWEST - timedelta(days=4)}", "to": f"{NEWEST}"}
        text = twins.client().get(f"/shops/{PLAIN}/traffic", params=days | query).text
        bars = re.findall(r'<table class="bars">(.*?)</table>', text, re.S)
        return [words_of(cell) for cell in re.findall(r'<td class="number">(.*?)</td>', "".join(bars), re.S)]

    assert steps() == ["5 visits"] * 4
    assert steps(**{"from": f"{NEWEST}"}) == ["1 visits"] * 4
    assert steps(channel="plain-channel", device="plain-device", visitor_type="plain-visitor_type") == ["5 visits"] * 4
    assert steps(category="plain-category", channel="plain-channel") == ["5 visits"] * 4
    for other in ({"channel": "it's"}, {"category": "CANARY-category"}, {"category": "plain-category", "device": "{{ x }}"}):
        assert steps(**other) == [], other


def test_each_category_has_its_funnel_and_leads_to_its_visits(twins: TwinShops) -> None:
    days = {"from": f"{NEWEST - timedelta(days=4)}", "to": f"{NEWEST}", "device": "plain-device"}
    text = twins.client().get(f"/shops/{PLAIN}/traffic", params=days).text
    [section] = [part for part in text.split("<section") if "<h2>Funnel by category</h2>" in part]
    [row] = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", section, re.S)
    cells = [words_of(cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", f"<th>{row}", re.S)]
    assert cells == ["plain-category", "5", "5", "5", "5", "100.00"]
    [path] = re.findall(r'href="(.*?)"', row)
    assert "category=plain-category" in path
    assert "device=plain-device" in path
    chosen = twins.client().get(unescape(path)).text
    assert row in chosen
    other = twins.client().get(f"/shops/{PLAIN}/traffic", params=days | {"category": "another"}).text
    assert "<h2>Funnel by category</h2>" not in other
    for behind in re.findall(r'href="([^"]*/rows/visit-categories[^"]*)"', chosen):
        assert "plain-category" in twins.client().get(unescape(behind)).text
    for language, meaning in (("en", "Second step of a category"), ("zh", "类目漏斗第二步")):
        assert meaning in twins.client(language=language).get(f"/shops/{PLAIN}/metrics/category_cart_sessions").text


def test_days_unlike_others_are_named_on_every_page_of_numbers(twins: TwinShops) -> None:
    flag = row_of(twins, NEWEST, "fct_quality_flags")
    for language, sentence in (("en", flag["sentence"]), ("zh", flag["sentence_zh"])):
        client = twins.client(language=language)
        for page in ("today", "traffic", "customers", "items"):
            text = client.get(f"/shops/{PLAIN}/{page}").text
            [notice] = re.findall(r'<details class="notice notice-flags".*?</details>', text, re.S)
            lines = [words_of(line) for line in re.findall(r"<li>(.*?)</li>", notice, re.S)]
            assert len(lines) == 7  # the newest week
            assert f"{NEWEST} · {sentence} ({flag['detail']}): 0.12" in lines[0]
            assert flag["check_name"] in lines[0]


def test_a_shop_that_a_gate_holds_back_says_so_in_its_words(twins: TwinShops) -> None:
    paths = Paths.of(twins.settings)
    finding = GateFinding(
        "prices", "silver/order_lines", "live-2026-11-20", "the middle one costs 7 times", ("i1 700",), "run it"
    )
    hold(paths, PLAIN, [finding, replace(finding, check="ids", batch=None)], NOW)
    try:
        page = words_of(twins.client().get(f"/shops/{PLAIN}/today").text)
        assert "Newer numbers are held back" in page
        assert "prices of another size than usual (2026-11-20); tables that do not add up." in page
        assert "run it" not in page, "commands are for operators"
    finally:
        release(paths, PLAIN)
    assert "held back" not in twins.client().get(f"/shops/{PLAIN}/today").text
