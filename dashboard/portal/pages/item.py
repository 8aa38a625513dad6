"""One item: its stock, what it sold, with what it is bought, and why it comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from dashboard.portal.columns import column_named
from dashboard.portal.datasets import DATASETS
from dashboard.portal.open_days import open_day
from dashboard.portal.pages.items import shown_in
from dashboard.portal.pages.numbers import chart, freshness, newest_day, tiles
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from dashboard.portal.visit import NoSuchPage, PageVisit

_SHOWN_DAYS = 90
_STOCK = ("stock", "days_of_stock", "units_30d", "units_per_day")
_PERIODS = (
    *("period_days", "net_revenue_minor", "units", "orders", "views", "view_to_pay_rate", "return_rate"),
    "sell_through_rate",
)
_PAIRS = ("title", "title_en", "orders_together", "confidence", "lift", "support")
_REASONS = ("reason", "refunds", "returned_units")
_CHARTS = {"Item views by day": "views", "Pieces by day": "units"}


def item(visit: PageVisit) -> Response:
    """The item of the address, in the catalogue or outside of it. Raises NoSuchPage for one that nobody saw or sold."""
    item_id = str(visit.request.path_params["item_id"])
    where = [Condition("item_id", "=", item_id)]
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest or not marts.has("fct_item_periods"):
            return visit.page("unpublished.html")
        formats = visit.formats(marts)
        about = _first(marts, "dim_items", where)
        stock = _first(marts, "fct_item_stock", where)
        periods = marts.select("fct_item_periods", _PERIODS, where, [SortKey("period_days")])
        if not (about or periods):
            raise NoSuchPage
        visit.audit("saw", page="item", item=item_id)
        pairs = marts.select("fct_item_pairs", [*_PAIRS, "partner_item_id"], where, [SortKey("partner_rank")])
        reasons = marts.select(
            "fct_item_return_reasons",
            _REASONS,
            [*where, Condition("period_days", "=", _SHOWN_DAYS)],
            [SortKey("refunds", is_descending=True), SortKey("reason")],
        )
        facts = [
            (column_named(name), formats.cell(column_named(name), about))
            for name in ("item_id", "category", "brand", "status", "unit_price_minor")
            if about
        ]
        facts += [
            (column_named(name), formats.cell(column_named(name), stock))
            for name in ("listed_date", "is_restock_candidate", "is_slow_mover")
            if stock
        ]
        return visit.page(
            "item.html",
            title=(about.get("title_en") if visit.language == "en" else None) or about.get("title") or item_id,
            facts=facts,
            tiles=tiles(marts, formats, stock, dict.fromkeys(_STOCK), "fct_item_stock") if stock else [],
            charts=_charts(visit, marts, where, newest["shop_date"]),
            is_open=newest.get("is_complete") is False,
            tables=[
                ("7, 30 and 90 days", "item-periods", shown_in(visit, _PERIODS), periods),
                ("Bought together", "item-pairs", shown_in(visit, _PAIRS), pairs),
                ("Reasons of returns, 90 days", "return-reasons", shown_in(visit, _REASONS), reasons),
            ],
            rows_of=lambda name: visit.path("rows", name, item_id=item_id),
            mart_of=lambda name: DATASETS[name].mart,
            address_of_row=lambda row: visit.path("items", quote(row["partner_item_id"], safe="")),
            fresh=freshness(visit, marts, newest),
            formats=formats,
        )


def _first(marts: ShopMarts, mart: str, where: list[Condition]) -> dict[str, Any]:
    rows = marts.select(mart, marts.columns[mart], where, limit=1)
    return rows[0] if rows else {}


def _charts(visit: PageVisit, marts: ShopMarts, where: list[Condition], last: Any) -> list[dict[str, Any]]:
    """Views and pieces of each day; a day without any is zero, as the item's days hold only those with some.

    Views are unknown before the shop's first act in its pages, also where a till sold the item.
    """
    formats = visit.formats(marts)
    first = last - timedelta(days=_SHOWN_DAYS - 1)
    names = list(_CHARTS.values())
    known = {
        row["shop_date"]: row
        for row in marts.select("fct_item_days", ["shop_date", *names], [*where, Condition("shop_date", ">=", first)])
    }
    days = marts.select(
        "fct_shop_days", ["shop_date", "item_views"], [Condition("shop_date", ">=", first)], [SortKey("shop_date")]
    )
    unseen = {day["shop_date"] for day in days if day["item_views"] is None}
    not_over = open_day(marts)
    history = [
        {"shop_date": day["shop_date"]}
        | known.get(day["shop_date"], dict.fromkeys(names, 0))
        | ({"views": None} if day["shop_date"] in unseen else {})
        for day in days
    ]
    return [
        chart(formats, visit.text(title), history, [name], not_over=not_over)
        for title, name in _CHARTS.items()
        if any(d[name] for d in history)
    ]
