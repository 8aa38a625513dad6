"""What sells: items of the newest 7, 30 or 90 days or of any others, what to restock, what lies too long, price bands and
categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from dashboard.portal.columns import Column, column_named, column_of_metric
from dashboard.portal.datasets import DATASETS
from dashboard.portal.open_days import open_day
from dashboard.portal.pages.day_parts import OF_CATEGORY_VISITS, choices_of_parts
from dashboard.portal.pages.funnel import FunnelChoice, category_funnels
from dashboard.portal.pages.item_choice import PERIODS, ItemChoice, categories_of_days, items_of_days
from dashboard.portal.pages.numbers import freshness, newest_day
from dashboard.portal.pages.periods import period_tiles
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from dashboard.portal.visit import BadRequest, PageVisit
from jishi.metrics import equals

_PAGE, _SHORT, _MOST_CATEGORIES = 30, 8, 200
TILES = ("item_net_revenue", "item_units", "view_to_pay_rate", "return_rate")
_SHOWN = (
    *("title", "title_en", "net_revenue_minor", "units", "orders", "views", "view_to_pay_rate", "return_rate"),
    *("stock", "sell_through_rate", "category"),
)
_SHOWN_OF_DAYS = (
    *("title", "title_en", "net_revenue_minor", "units", "orders", "viewed_visits", "view_to_pay_rate", "return_rate"),
    *("stock", "category"),
)
_SORTED_BY = ("net_revenue_minor", "units", "views", "view_to_pay_rate", "return_rate", "sell_through_rate")
_SORTED_BY_OF_DAYS = ("net_revenue_minor", "units", "viewed_visits", "view_to_pay_rate", "return_rate")
_RESTOCK = ("title", "title_en", "units_30d", "stock", "days_of_stock")
_SLOW = ("title", "title_en", "stock", "units_of_slow_days", "listed_date")
_BANDS = ("lowest_minor", "highest_minor", "items", "items_sold", "units", "net_revenue_minor", "view_to_pay_rate")
_CATEGORIES = ("category", "items", "items_sold", "units", "net_revenue_minor", "view_to_pay_rate", "return_rate")
_CATEGORIES_OF_DAYS = ("category", "units", "net_revenue_minor", "view_to_pay_rate", "return_rate")
_BANDS_TITLE, _CATEGORIES_TITLE = "Price bands", "Categories"
_LISTS = (
    ("To restock", "is_restock_candidate", _RESTOCK, SortKey("days_of_stock")),
    ("Lies too long", "is_slow_mover", _SLOW, SortKey("stock", is_descending=True)),
)


def items(visit: PageVisit) -> Response:
    """A page of items, filtered and sorted by what the address says, with what there is to do about them.

    Of a channel it is known who looked at a category and paid, not what sold of an item: the rest is left out by name.
    """
    number = visit.number_of("page")
    dataset = DATASETS["item-periods"]
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest or not marts.has(dataset.mart):
            return visit.page("unpublished.html")
        choice = ItemChoice.of(visit, newest["shop_date"])
        sorted_by = _SORTED_BY if choice.period else _SORTED_BY_OF_DAYS
        by = visit.query.get("by", sorted_by[0])
        if by not in (*_SORTED_BY, *_SORTED_BY_OF_DAYS):
            raise BadRequest("{field} is not one of {choices}.", field="by", choices=", ".join(sorted_by))
        by = by if by in sorted_by else sorted_by[0]
        formats = visit.formats(marts)
        rows = [] if choice.channel else _rows(visit, marts, choice, by, _PAGE + 1, (number - 1) * _PAGE)
        not_over = open_day(marts)
        visit.audit("saw", page="items", **{k: f"{v}" for k, v in choice.as_query().items()}, name=choice.name)
        kept = {name: visit.query[name] for name in ("by", "name", "category", "channel") if name in visit.query}
        of_visits = FunnelChoice(*choice.days, {"channel": choice.channel or ""}, choice.category)
        funnel_columns, funnels = category_funnels(visit, marts, formats, of_visits) if choice.channel else ([], [])
        return visit.page(
            "items.html",
            tiles=_tiles(marts, visit, choice),
            choice=choice,
            is_open=not_over is not None and not_over <= choice.last,
            periods={days: visit.path("items", **kept | {"days": days}) for days in PERIODS},
            by=by,
            sorted_by=shown_in(visit, sorted_by),
            shown=shown_in(visit, _SHOWN if choice.period else _SHOWN_OF_DAYS),
            rows=rows[:_PAGE],
            has_next=len(rows) > _PAGE,
            number=number,
            first_row=(number - 1) * _PAGE + 1,
            categories=marts.distinct(dataset.mart, "category", _MOST_CATEGORIES),
            channels=choices_of_parts(marts, ("channel",))["channel"],
            left_out=_left_out(marts, choice),
            titles_left_out=_titles_left_out(choice),
            funnel_columns=funnel_columns,
            funnels=[each for each in funnels if choice.category in (None, each.category)],
            lists=[] if choice.channel else _lists(visit, marts, choice.category),
            groups=[] if choice.channel else _groups(visit, marts, choice),
            behind=_behind(visit, choice),
            address_of_row=lambda row: visit.path("items", quote(row["item_id"], safe="")),
            of_category=lambda text: visit.path("items", **{**visit.query, "category": text, "page": 1}),
            page_of=lambda page: visit.path("items", **({**visit.query, "page": page})),
            fresh=freshness(visit, marts, newest),
            formats=formats,
            dataset=dataset,
            column_named=column_named,
        )


def shown_in(visit: PageVisit, names: Sequence[str]) -> list[Column]:
    """Columns with their labels, those of the reader's language alone."""
    return [column_named(name) for name in names if name not in visit.other_language]


def _rows(visit: PageVisit, marts: ShopMarts, choice: ItemChoice, by: str, limit: int, offset: int) -> list[dict[str, Any]]:
    if choice.period is None:
        return items_of_days(marts, choice, visit.language, by, limit, offset)
    where = [Condition("period_days", "=", int(choice.period)), *choice.named(visit.language)]
    where += [Condition("category", "=", choice.category)] if choice.category else []
    order = [SortKey(by, is_descending=True), SortKey("net_revenue_minor", is_descending=True), SortKey("item_id")]
    return marts.select("fct_item_periods", [*_SHOWN, "item_id", "currency"], where, order, limit, offset)


def _behind(visit: PageVisit, choice: ItemChoice) -> str:
    """The rows of the list: of a period's items, or the days of items."""
    category = {"category": choice.category} if choice.category else {}
    if choice.period:
        return visit.path("rows", "item-periods", **{"period_days": choice.period}, **category)
    return visit.path("rows", "item-days", **{"from": choice.first, "to": choice.last}, **category)


def _left_out(marts: ShopMarts, choice: ItemChoice) -> list[Column]:
    """What is known of other days, or of all channels, alone."""
    if choice.channel:
        return [column_of_metric(marts.build.metrics[name]) for name in TILES if name in marts.build.metrics]
    return [] if choice.period else [column_named(name) for name in _SHOWN if name not in _SHOWN_OF_DAYS]


def _titles_left_out(choice: ItemChoice) -> list[str]:
    if choice.channel:
        return [*(title for title, *_ in _LISTS), _BANDS_TITLE, _CATEGORIES_TITLE]
    return [] if choice.period else [_BANDS_TITLE]


def _tiles(marts: ShopMarts, visit: PageVisit, choice: ItemChoice) -> list[Any]:
    formats, days = visit.formats(marts), {"from": choice.first, "to": choice.last}
    chosen = {name: value for name, value in (("channel", choice.channel), ("category", choice.category)) if value}
    if choice.channel:
        where = [equals(f"visit_category__{name}", value) for name, value in chosen.items()]
        behind = visit.path("rows", "visit-categories", **days, **chosen, is_bot="false")
        return period_tiles(marts, formats, OF_CATEGORY_VISITS, choice.days, where, dict.fromkeys(OF_CATEGORY_VISITS, behind))
    behind = visit.path("rows", "item-days", **days, **chosen)
    return period_tiles(marts, formats, TILES, choice.days, choice.where(), dict.fromkeys(TILES, behind))


def _lists(visit: PageVisit, marts: ShopMarts, category: str | None) -> list[dict[str, Any]]:
    """What to restock, the first to run out first, and what lies too long, most pieces first."""
    chosen = {"category": category} if category else {}
    cards = []
    for title, flag, columns, sort in _LISTS:
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


def _groups(visit: PageVisit, marts: ShopMarts, choice: ItemChoice) -> list[dict[str, Any]]:
    """Price bands and categories of the period, categories alone of other days."""
    if choice.period is None:
        return [
            {
                "title": _CATEGORIES_TITLE,
                "mart": DATASETS["categories"].mart,
                "columns": shown_in(visit, _CATEGORIES_OF_DAYS),
                "rows": categories_of_days(marts, choice, _PAGE),
                "all": _behind(visit, choice),
            }
        ]
    where = [Condition("period_days", "=", int(choice.period))]
    bands = [*where, Condition("price_band", ">=", 1)]
    kinds = (
        (_BANDS_TITLE, "price-bands", _BANDS, bands, [SortKey("price_band")]),
        (_CATEGORIES_TITLE, "categories", _CATEGORIES, where, [SortKey("net_revenue_minor", is_descending=True)]),
    )
    return [
        {
            "title": title,
            "mart": DATASETS[name].mart,
            "columns": shown_in(visit, columns),
            "rows": marts.select(DATASETS[name].mart, columns, conditions, order, _PAGE),
            "all": visit.path("rows", name, period_days=choice.period),
        }
        for title, name, columns, conditions, order in kinds
    ]
