"""Values of columns with few of them have a name in each language, on every page and in every file."""

from __future__ import annotations

import re
from typing import get_args

import pytest
import yaml

from dashboard.portal.columns import COLUMNS, column_named
from dashboard.portal.datasets import DATASETS
from dashboard.portal.exports import Sheet
from dashboard.portal.formats import Formats
from dashboard.portal.values import CHINESE_VALUES
from jishi.contract.properties import ItemChanged
from jishi.placements import Placement
from jishi.settings import PROJECT_ROOT
from serving.reasons import CODES
from serving.sources import ServedBy
from tests.unit.dashboard.portal.twins import PLAIN, TwinShops

DBT = PROJECT_ROOT / "dbt"
CHINESE, ENGLISH = Formats("zh", "CNY", "UTC"), Formats("en", "CNY", "UTC")
SCHEMES = {"rfm": "segment", "classic": "classic_segment", "layer": "layer"}
SEGMENTS = re.findall(r"\('(\w+)', '(\w+)', '([^']+)'", (DBT / "macros" / "segments.sql").read_text("utf-8"))


def accepted_values() -> set[tuple[str, str]]:
    """Each text that a mart accepts in a column that the portal shows."""
    models = [
        model
        for file in (DBT / "models" / "marts").rglob("*.yml")
        for model in yaml.safe_load(file.read_text("utf-8")).get("models", ())
    ]
    shown = COLUMNS.keys() | {name for dataset in DATASETS.values() for name in dataset.columns}
    return {
        (column["name"], value)
        for model in models
        for column in model["columns"]
        for test in column.get("data_tests", ())
        if isinstance(test, dict) and column["name"] in shown
        for value in test.get("accepted_values", {}).get("arguments", {}).get("values", ())
        if isinstance(value, str)
    }


ACCEPTED = sorted(accepted_values())


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_a_value_that_a_mart_accepts_has_a_name_in_each_language(name: str, value: str) -> None:
    column = column_named(name)
    assert re.search("[一-鿿]", CHINESE.value(column, value).text), "add it to dashboard/portal/values.csv"
    assert CHINESE.chosen(column, value) == CHINESE.cell(column, {name: value}).text
    assert Sheet("", [column], [], CHINESE).values({name: value}) == [CHINESE.value(column, value).text]
    assert ENGLISH.value(column, value).text == value.replace("_", " ")


def test_closed_sets_of_other_parts_have_names_and_what_a_shop_wrote_stays_as_it_is() -> None:
    assert len(ACCEPTED) > 100
    closed = {
        "served_by": get_args(ServedBy),
        "placement": get_args(get_args(Placement)[0]) or get_args(Placement),
        "reason": CODES,
        "status": get_args(ItemChanged.model_fields["status"].annotation),
        "channel": ("direct", "share", "referral", "unknown"),
    }
    for name, values in closed.items():
        for value in values:
            assert re.search("[一-鿿]", CHINESE.value(column_named(name), value).text), (name, value)
    for name, value in (("channel", "wechat_moments"), ("reason", "too_small"), ("title", "new"), ("person_id", "u:a_b")):
        assert {str(formats.value(column_named(name), value)) for formats in (CHINESE, ENGLISH)} == {value}
    assert [formats.chosen(column_named("is_bot"), "false") for formats in (CHINESE, ENGLISH)] == ["否", "no"]
    assert CHINESE.chosen(column_named("period_days"), "30") == "30"


@pytest.mark.parametrize(("scheme", "segment", "chinese"), SEGMENTS)
def test_segments_are_called_as_the_marts_call_them(scheme: str, segment: str, chinese: str) -> None:
    assert CHINESE_VALUES[SCHEMES[scheme], segment] == chinese
    for column in ("from_segment", "to_segment"):
        row = {"scheme": scheme, column: segment}
        assert CHINESE.cell(column_named(column), row).text == chinese
        assert Sheet("", [column_named(column)], [], CHINESE).values(row) == [chinese]


def test_no_rows_and_no_file_show_a_reader_of_chinese_what_a_mart_calls_a_value(twins: TwinShops) -> None:
    client, values = twins.client(language="zh"), {value for _, value in ACCEPTED} | {"active"}
    for name in DATASETS:
        page = client.get(f"/shops/{PLAIN}/rows/{name}").text
        cells = re.findall(r">([^<>]+)<", page.partition("<tbody>")[2].partition("</tbody>")[0])
        assert not values.intersection(cells), name
        lines = client.get(f"/shops/{PLAIN}/export/{name}.csv").text.splitlines()
        assert not values.intersection(",".join(lines[1:]).split(",")), name


def test_a_chosen_value_is_called_in_the_language_of_the_reader(twins: TwinShops) -> None:
    for path in ("customers", "rows/customers"):
        texts = {
            language: twins.client(language=language).get(f"/shops/{PLAIN}/{path}?segment=cannot_lose").text
            for language in ("zh", "en")
        }
        assert ("不能流失" in texts["zh"], "cannot lose" in texts["zh"]) == (True, False), path
        assert "cannot lose" in texts["en"], path


def test_the_audit_log_is_in_the_readers_words(twins: TwinShops) -> None:
    client = twins.client(language="zh")
    for page in ("today?date=2026-11-20", "customers?segment=champions", "items?from=2026-11-20&to=2026-11-22", "settings"):
        client.get(f"/shops/{PLAIN}/{page}")
    client.get(f"/shops/{PLAIN}/export/orders.csv?channel=direct")
    chips = re.findall(r'<span class="chip">(.*?)</span>', client.get(f"/shops/{PLAIN}/audit").text)
    assert {"页面: 今日", "页面: 顾客", "页面: 商品", "页面: 设置", "明细: 订单", "渠道: 直接访问", "格式: csv"} <= set(chips)
    assert [chip for chip in chips if re.match("[A-Za-z]", chip)] == []
    english = re.findall(r'<span class="chip">(.*?)</span>', twins.client().get(f"/shops/{PLAIN}/audit").text)
    assert {"Page: Today", "Rows: Orders", "Channel: direct"} <= set(english)


def test_a_heading_says_its_unit_once(twins: TwinShops) -> None:
    """Pieces, and not Pieces (pieces); the unit stays where the label does not say it."""
    shown = {
        name: ENGLISH.unit_beside_label(column_named(name)) for name in ("units", "units_per_day", "units_30d", "net_minor")
    }
    assert shown == {"units": "", "units_per_day": "", "units_30d": "pieces", "net_minor": "CNY"}
    assert [CHINESE.unit_beside_label(column_named(name)) for name in ("units", "stock")] == ["", "件"]
    pages = [twins.client().get(f"/shops/{PLAIN}/{page}").text for page in ("items", "channels", "traffic", "customers")]
    headings = re.findall(r"<th scope=\"col\"[^>]*>([^<]*) <small>\(([^)]*)\)</small>", "".join(pages))
    assert headings
    assert [(label, unit) for label, unit in headings if unit.casefold() in label.casefold().split()] == []


def test_buttons_of_periods_stay_together(twins: TwinShops) -> None:
    text = twins.client().get(f"/shops/{PLAIN}/items").text
    [buttons] = re.findall(r'<span class="periods">(.*?)</span>', text)
    assert re.findall(r">([^<]+)</a>", buttons) == ["7 days", "30 days", "90 days"]
