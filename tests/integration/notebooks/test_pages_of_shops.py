"""Pages about a shop also open for one that has next to nothing yet."""

from __future__ import annotations

import re
from base64 import b64decode

import pytest
from typer.testing import CliRunner

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops
from notebooks.shop_numbers import open_shop
from ops.cli import app
from ops.notebook import NotebookFailed, names
from tests.integration.notebooks.conftest import Publish

pytestmark = pytest.mark.integration


def test_unknown_is_said_and_none_is_zero(page: Publish) -> None:
    """Orders without visits have no funnel; ten visits of which four viewed and none paid have one with zeros."""
    funnels = {}
    for shop_id in ("orders", "visits"):
        html = page("shop_overview", shop_id=shop_id)
        [funnels[shop_id]] = [re.findall(">([^<>]+)</text>", chart) for chart in charts(html) if "visits by the steps" in chart]
    assert "nothing yet 暂无数据" in funnels["orders"]
    assert funnels["visits"][-7:-2] == ["0", "0", "0", "4", "10"], "the labels of bars come before the title's two lines"
    assert "0.0%" in html


@pytest.mark.parametrize("name", sorted({*names("shop_id")} - {"shop_overview"}))
def test_what_is_not_known_yet_is_said_in_words(page: Publish, name: str) -> None:
    """Orders without visits: charts of visits, cohorts and forecasts have nothing, and say so."""
    html = page(name, shop_id="orders", since="2026-11-01", until="2026-11-30")
    drawn = charts(html)
    assert sum("nothing yet 暂无数据" in chart for chart in drawn) >= 2, name
    assert not re.search(r"""(src|href)=["']https?:""", html)  # it is read where there is no internet


def test_amounts_have_the_digits_of_their_currency(platform: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 yen are no 5, and a shop that keeps its books in another currency now still has the marts of the one before."""
    monkeypatch.setenv("JISHI_VAR", str(platform.var))
    get_settings.cache_clear()
    with Shops.edit(platform.shops_file) as shops:
        shops.add(shops.get("orders").model_copy(update={"currency": "JPY"}))
    try:
        numbers = open_shop("orders")
    finally:
        with Shops.edit(platform.shops_file) as shops:
            shops.add(shops.get("orders").model_copy(update={"currency": "CNY"}))
        get_settings.cache_clear()
    assert numbers.shop.currency == "CNY"
    assert numbers.whole(["gmv"]).tolist() == [50.0]
    assert numbers.mart("fct_orders", ["order_id", "paid_minor"])["paid"].tolist() == [20.0, 30.0]
    assert dict(numbers.mart("dim_items", ["item_id", "unit_price_minor"]).to_numpy().tolist()) == {
        "yen": 500,
        "yuan": 5,
        "dinar": 0.5,
        "mark": 5,  # withdrawn currencies, in which history may have been priced
        "lira": 500,
    }


def test_a_shop_without_a_day_is_told_what_to_do(page: Publish) -> None:
    for name in ("shop_overview", "funnel_and_cohorts"):
        with pytest.raises(NotebookFailed, match="jishi import orders FILE --shop none"):
            page(name, shop_id="none")


def test_a_wrong_name_is_answered_with_the_right_ones(page: Publish) -> None:
    with pytest.raises(NotebookFailed, match=r"no notebook 'funnel'; known: .*funnel_and_cohorts"):
        page("funnel")
    with pytest.raises(NotebookFailed, match=r"no parameter 'shop'; .* has shop_id, since, until"):
        page("funnel_and_cohorts", shop="orders")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--shop", "order"], "'order' is not registered; known: none, orders, visits"),
        (["--set", "model"], "'model' is no NAME=TEXT"),
        (["--since", "yesterday"], "yesterday"),
        (["--since", "2026-11-30", "--until", "2026-11-01"], "2026-11-30 lies after 2026-11-01; swap them"),
    ],
)
def test_the_command_refuses_before_it_starts_a_kernel(
    platform: Paths, monkeypatch: pytest.MonkeyPatch, arguments: list[str], problem: str
) -> None:
    monkeypatch.setenv("JISHI_VAR", str(platform.var))
    get_settings.cache_clear()
    refused = CliRunner().invoke(app, ["notebook", "publish", *arguments], env={"COLUMNS": "200"})
    get_settings.cache_clear()
    assert refused.exit_code == 2
    assert problem in " ".join(refused.output.replace("│", " ").split())


def charts(html: str) -> list[str]:
    return [b64decode(data).decode() for data in re.findall(r"image/svg\+xml;base64,([\w+/=]+)", html)]
