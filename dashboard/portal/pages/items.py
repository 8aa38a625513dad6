"""What sells: items of 7, 30 or 90 days, what to restock, what lies too long, price bands and categories."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from dashboard.portal.columns import Column, column_named
from dashboard.portal.datasets import DATASETS
from dashboard.portal.open_days import open_day
from dashboard.portal.pages.numbers import freshness, newest_day
from dashboard.portal.pages.periods import period_tiles
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from dashboard.portal.visit import BadRequest, PageVisit
from jishi.metrics import equals

PERIODS = ("7", "30", "90")
_PAGE, _SHORT, _MOST_CATEGORIES = 30, 8, 200
TILES = ("item_net_revenue", "item_units", "view_to_pay_rate", "return_rate")
_SHOWN = (
    *("title", "title_en", "net_revenue_minor", "units", "orders", "views", "view_to_pay_rate", "return_rate"),
    *("stock", "sell_through_rate", "category"),
)
_SORTED_BY = ("net_revenue_minor", "units", "views", "view_to_pay_rate", "return_rate", "sell_through_rate")
_RESTOCK = ("title", "title_en", "units_30d", "stock", "days_of_stock")
_SLOW = ("title", "title_en", "stock", "units_of_slow_days", "listed_date")
_BANDS = ("lowest_minor", "highest_minor", "items", "items_sold", "units", "net_revenue_minor", "view_to_pay_rate")
_CATEGORIES = ("category", "items", "items_sold", "units", "net_revenue_minor", "view_to_pay_rate", "return_rate")


def items(visit: PageVisit) -> Response:
    """A page of items, filtered and sorted by what the address says, with what there is to do about them."""
    number, days, by = visit.number_of("page"), visit.query.get("days", "30"), visit.query.get("by", _SORTED_BY[0])
    if days not in PERIODS:
        raise BadRequest("{field} is not one of {choices}.", field="days", choices=", ".join(PERIODS))
    if by not in _SORTED_BY:
        raise BadRequest("{field} is not one of {choices}.", field="by", choices=", ".join(_SORTED_BY))
    category, name = visit.query.get("category"), visit.query.get("name")
    of_category = [Condition("category", "=", category)] if category else []
    of_period = [Condition("period_days", "=", int(days))]
    named = [Condition("title" if visit.language == "zh" else "title_en", "contains", name)] if name else []
    dataset = DATASETS["item-periods"]
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest or not marts.has(dataset.mart):
            return visit.page("unpublished.html")
        formats = visit.formats(marts)
        where = [*of_period, *of_category, *named]
        order = [SortKey(by, is_descending=True), SortKey("net_revenue_minor", is_descending=True), SortKey("item_id")]
        wanted = [*_SHOWN, "item_id", "currency"]
        rows = marts.select(dataset.mart, wanted, where, order, _PAGE + 1, (number - 1) * _PAGE)
        bounds = marts.select(dataset.mart, ["first_date", "last_date"], of_period, limit=1)
        not_over = open_day(marts)
        visit.audit("saw", page="items", days=days, category=category, name=name)
        return visit.page(
            "items.html",
            tiles=_tiles(marts, visit, bounds, category),
            days=days,
            is_open=bool(bounds) and not_over is not None and not_over <= bounds[0]["last_date"],
            periods=PERIODS,
            by=by,
            sorted_by=shown_in(visit, _SORTED_BY),
            shown=shown_in(visit, _SHOWN),
            rows=rows[:_PAGE],
            has_next=len(rows) > _PAGE,
            number=number,
            first_row=(number - 1) * _PAGE + 1,
            category=category,
            categories=marts.distinct(dataset.mart, "category", _MOST_CATEGORIES),
            name=name,
            lists=_lists(visit, marts, category),
            groups=_groups(visit, marts, days),
            address_of_row=lambda row: visit.path("items", quote(row["item_id"], safe="")),
            of_category=lambda text: visit.path("items", category=text, days=days),
            page_of=lambda page: visit.path("items", **({**visit.query, "page": page})),
            fresh=freshness(visit, marts, newest),
            formats=formats,
            dataset=dataset,
        )


def shown_in(visit: PageVisit, names: Sequence[str]) -> list[Column]:
    """Columns with their labels, those of the reader's language alone."""
    return [column_named(name) for name in names if name not in visit.other_language]


def _tiles(marts: ShopMarts, visit: PageVisit, bounds: list[dict[str, date]], category: str | None) -> list[Any]:
    if not bounds:
        return []
    where = [equals("item_day__category", category)] if category else []
    days = (bounds[0]["first_date"], bounds[0]["last_date"])
    by_day = visit.path("rows", "item-days", **{"from": days[0], "to": days[1]}, **({"category": category} if category else {}))
    return period_tiles(marts, visit.formats(marts), TILES, days, where, dict.fromkeys(TILES, by_day))


def _lists(visit: PageVisit, marts: ShopMarts, category: str | None) -> list[dict[str, Any]]:
    """What to restock, the first to run out first, and what lies too long, most pieces first."""
    lists = (
        ("To restock", "is_restock_candidate", _RESTOCK, SortKey("days_of_stock")),
        ("Lies too long", "is_slow_mover", _SLOW, SortKey("stock", is_descending=True)),
    )
    chosen = {"category": category} if category else {}
    cards = []
    for title, flag, columns, sort in lists:
        conditions = [Condition(flag, "=", True), *(Condition(name, "=", value) for name, value in chosen.items())]
        order = [sort, SortKey("units_30d", is_descending=True), SortKey("item_id")]
        cards.append(
            {
                "title": title,
                "flag": flag,
                "columns": shown_in(visit, columns),
                "rows": marts.select("fct_item_stock", [*columns, "item_id"], conditions, order, _SHORT),
                "all": visit.path("rows", "item-stock", **{flag: "true"}, **chosen),
            }
        )
    return cards


def _groups(visit: PageVisit, marts: ShopMarts, days: str) -> list[dict[str, Any]]:
    """Price bands and categories of the period."""
    where = [Condition("period_days", "=", int(days))]
    bands = [*where, Condition("price_band", ">=", 1)]
    kinds = (
        ("Price bands", "price-bands", _BANDS, bands, [SortKey("price_band")]),
        ("Categories", "categories", _CATEGORIES, where, [SortKey("net_revenue_minor", is_descending=True)]),
    )
    return [
        {
            "title": title,
            "mart": DATASETS[name].mart,
            "columns": shown_in(visit, columns),
            "rows": marts.select(DATASETS[name].mart, columns, conditions, order, _PAGE),
            "all": visit.path("rows", name, period_days=days),
        }
        for title, name, columns, conditions, order in kinds
    ]
