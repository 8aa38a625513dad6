"""The rows behind the numbers: which columns of which mart a member may page through, filter and export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from dashboard.portal.columns import Column, column_named
from dashboard.portal.shop_marts import Among, Condition, ShopMarts, SortKey


@dataclass(frozen=True)
class Dataset:
    """Rows of one mart. ``title`` is a text of words; ``date_column`` is what from and to mean.

    ``order_by`` names columns, a minus the greatest first.
    ``filters_elsewhere`` are filters by rows of other marts, or of other months.
    ``persons`` are columns that name persons, for members with that right alone; with ``is_of_persons`` the whole set is.
    """

    name: str
    title: str
    mart: str
    columns: tuple[str, ...]
    order_by: tuple[str, ...]
    date_column: str | None = None
    filters: tuple[str, ...] = ()
    persons: tuple[str, ...] = ("person_id",)
    is_of_persons: bool = False
    filters_elsewhere: Mapping[str, Callable[[str, RowChoice], Condition]] = field(default_factory=dict)

    def shown_columns(self, marts: ShopMarts, sees_persons: bool) -> list[Column]:
        """The columns that this build has and this member may see."""
        hidden = () if sees_persons else self.persons
        return [column_named(name) for name in self.columns if marts.has(self.mart, name) and name not in hidden]

    def may_filter(self, column: str, sees_persons: bool) -> bool:
        """Whether rows may be asked for by this column."""
        return (column in self.filters or column in self.filters_elsewhere) and (sees_persons or column not in self.persons)

    def rows(
        self, marts: ShopMarts, shown: list[Column], where: list[Condition], limit: int, offset: int = 0
    ) -> list[dict[str, Any]]:
        """Rows in the order that people expect, with what the shown columns need beside them."""
        names = [column.name for column in shown]
        sort_keys = [SortKey(name.removeprefix("-"), name.startswith("-")) for name in self.order_by]
        beside = [name for name in ("title", "currency") if name in self.columns and name not in names]
        return marts.select(self.mart, [*names, *beside], where, sort_keys, limit, offset)


@dataclass(frozen=True)
class RowChoice:
    """What rows were asked for: days, and values of columns."""

    first: date | None
    last: date | None
    values: Mapping[str, str]

    def conditions(self, dataset: Dataset) -> list[Condition]:
        """As conditions of the dataset's mart."""
        elsewhere = dataset.filters_elsewhere
        conditions = [
            elsewhere[column](value, self) if column in elsewhere else Condition(column, "=", value)
            for column, value in self.values.items()
        ]
        if dataset.date_column and self.first:
            conditions.append(Condition(dataset.date_column, ">=", self.first))
        if dataset.date_column and self.last:
            conditions.append(Condition(dataset.date_column, "<=", self.last))
        return conditions

    def as_query(self) -> dict[str, str]:
        """As parameters of an address."""
        days = {"from": self.first, "to": self.last}
        return {name: f"{day}" for name, day in days.items() if day} | dict(self.values)


def who_ordered(column: str, value: str) -> Condition:
    """Persons with a paid order of which the column has the value."""
    return Condition("person_id", "in", Among("fct_orders", "person_id", (Condition(column, "=", value),)))


def _month_beside(column: str, months: int) -> Callable[[str, RowChoice], Condition]:
    """Customers by their segment a month before (-1) or after (1) the choice's first day; NOBODY: those without one."""

    def condition(value: str, choice: RowChoice) -> Condition:
        beside = choice.first and (choice.first.replace(day=1) + timedelta(days=31 if months > 0 else -1)).replace(day=1)
        had = Condition(column, "is not null", None) if value == NOBODY else Condition(column, "=", value)
        among = Among(_MONTHS, "person_id", (Condition("month", "=", beside), had))
        return Condition("person_id", "not in" if value == NOBODY else "in", among)

    return condition


NOBODY = "not_a_customer"  # what moves between segments begin and end with
_MONTHS = "fct_customer_months"
_SEGMENTS = ("segment", "classic_segment", "layer")
# What the numbers of visits count: neither a till's payment nor a program.
COUNTED_VISITS = {"is_visit": "true", "is_bot": "false"}
_NEWEST = "-shop_date"
DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "days", "Days", "fct_shop_days",
            ("shop_date", "is_complete", "net_gmv_minor", "gmv_minor", "refunds_minor", "orders", "paying_customers", "units",
             "visitors", "sessions", "paying_sessions", "page_views", "item_views", "conversion", "order_value_minor",
            
             "customer_value_minor", "discount_minor", "shipping_minor", "repurchase_rate_30d", "bot_visitors"),
            (_NEWEST,), "shop_date",
        ),
        Dataset(
            "funnel", "Funnel by day", "fct_funnel_days",
            ("shop_date", "channel", "device", "visitor_type", "sessions", "viewed_sessions", "cart_sessions",
             "checkout_sessions",
             "paid_sessions", "paid_without_cart_sessions", "paid_otherwise_sessions", "paying_sessions"),
            (_NEWEST, "-sessions"), "shop_date", ("channel", "device", "visitor_type"),
        ),
        Dataset(
            "visit-categories", "Visits by category", "fct_visit_categories",
            ("started_date", "category", "channel", "device", "visitor_type", "has_added", "has_checked_out", "has_paid",
             "is_bot"),
            ("-started_date", "session_key", "category"), "started_date",
            ("category", "channel", "device", "visitor_type", "is_bot"),
        ),
        Dataset(
            "orders", "Orders", "fct_orders",
            ("paid_at", "order_id", "person_id", "paid_minor", "refunded_minor", "net_minor", "gross_minor", "discount_minor",
             "shipping_minor", "units", "lines", "coupons", "order_number", "is_repeat", "is_wholly_refunded",
             "channel", "campaign",
             "group_buy_id", "share_id"),
            ("-paid_at", "order_id"), "paid_date", ("order_id", "person_id",
             "channel", "campaign"),
        ),
        Dataset(
            "order-lines", "Lines of orders", "fct_order_items",
            ("order_id", "item_id", "units", "gross_minor", "line_discount_minor", "order_discount_minor", "revenue_minor",
             "refunded_minor", "net_revenue_minor", "refunded_units"),
            ("order_id", "item_id"), None, ("order_id", "item_id"),
        ),
        Dataset(
            "refunds", "Refunds", "fct_refunds",
            ("refunded_at", "refund_id", "order_id", "counted_minor", "amount_in_currency_minor", "currency", "outcome"),
            ("-refunded_at", "refund_id"), "refunded_date", ("order_id", "outcome"),
        ),
        Dataset(
            "visits", "Visits", "fct_sessions",
            ("started_at", "ended_at", "person_id", "channel", "campaign", "device", "city", "visitor_type", "events",
             "views", "adds",
             "orders", "has_viewed", "has_added", "has_checked_out", "has_paid", "is_visit", "is_bot"),
            ("-started_at", "session_key"), "started_date", ("person_id", "channel",
             "device", "is_visit", "is_bot"),
        ),
        Dataset(
            "customers", "Customers", "dim_customers",
            ("person_id", "segment", "layer", "orders", "kept_orders", "spent_minor",
             "first_paid_date",
             "last_paid_date", "recency_days", "recency_score", "frequency_score", "monetary_score", "excluded_reason"),
            ("-spent_minor", "person_id"), "last_paid_date", ("person_id", "segment",
             "layer"),
            is_of_persons=True,
            filters_elsewhere={"channel": lambda value, _: who_ordered("channel", value)},
        ),
        Dataset(
            "customers-by-month", "Customers by month", _MONTHS,
            ("month", "person_id", *_SEGMENTS, "orders", "spent_minor", "recency_days", "is_over"),
            ("-month", "-spent_minor", "person_id"), "month", ("person_id", *_SEGMENTS),
            is_of_persons=True,
            filters_elsewhere={f"{column}_{when}": _month_beside(column, months)
                               for column in _SEGMENTS for when, months in (("before", -1), ("after", 1))},
        ),
        Dataset(
            "items", "Items", "dim_items",
            ("title", "title_en", "net_revenue_minor", "revenue_minor", "refunded_minor", "units", "orders", "views", "stock",
             "unit_price_minor", "currency", "category", "brand", "status", "item_id"),
            ("-net_revenue_minor", "-revenue_minor", "item_id"),
            None, ("item_id", "category", "brand", "status"),
        ),
        Dataset(
            "item-periods", "Items by period", "fct_item_periods",
            ("title", "title_en", "period_days", "net_revenue_minor", "revenue_minor", "refunded_minor", "units", "orders",
             "views", "viewed_visits", "paid_visits", "view_to_pay_rate", "adds", "returned_orders", "return_rate",
             "returned_units", "stock", "sell_through_rate", "unit_price_minor", "currency", "category", "brand", "status",
             "price_band", "item_id"),
            ("period_days", "-net_revenue_minor", "item_id"),
            None, ("period_days", "item_id", "category", "brand", "status", "price_band"),
        ),
        Dataset(
            "item-days", "Items by day", "fct_item_days",
            ("shop_date", "item_id", "category", "views", "viewed_visits", "paid_visits", "adds", "orders", "units",
             "revenue_minor", "refunded_minor", "net_revenue_minor", "returned_orders", "returned_units"),
            (_NEWEST, "-net_revenue_minor", "item_id"), "shop_date", ("item_id", "category"),
        ),
        Dataset(
            "item-stock", "Stock of items", "fct_item_stock",
            ("title", "title_en", "stock", "days_of_stock", "units_30d", "units_per_day", "is_restock_candidate",
             "is_slow_mover", "units_of_slow_days", "slow_days", "listed_date", "unit_price_minor", "currency", "category",
             "brand", "status", "item_id"),
            ("-units_30d", "days_of_stock", "item_id"),
            None, ("item_id", "is_restock_candidate", "is_slow_mover", "category", "brand", "status"),
        ),
        Dataset(
            "item-pairs", "Bought together", "fct_item_pairs",
            ("item_id", "partner_rank", "title", "title_en", "partner_item_id", "orders_together", "confidence", "lift",
             "support", "orders", "partner_orders", "all_orders", "category"),
            ("item_id", "partner_rank"), None, ("item_id", "partner_item_id", "category"),
        ),
        Dataset(
            "return-reasons", "Reasons of returns", "fct_item_return_reasons",
            ("period_days", "title", "title_en", "reason", "refunds", "returned_units", "category", "item_id"),
            ("period_days", "-refunds", "item_id"), None, ("period_days", "item_id", "reason", "category"),
        ),
        Dataset(
            "price-bands", "Price bands", "fct_price_bands",
            ("period_days", "price_band", "lowest_minor", "highest_minor", "items", "items_sold", "units",
             "net_revenue_minor", "views", "view_to_pay_rate", "return_rate"),
            ("period_days", "price_band"), None, ("period_days", "price_band"),
        ),
        Dataset(
            "categories", "Categories", "fct_category_periods",
            ("period_days", "category", "items", "items_sold", "units", "net_revenue_minor", "views", "view_to_pay_rate",
             "return_rate"),
            ("period_days", "-net_revenue_minor", "category"), None, ("period_days", "category"),
        ),
        Dataset(
            "recommendation-days", "Recommendations by day", "fct_recommendation_days",
            ("shop_date", "placement", "served_by", "model", "model_version", "reason", "person_kind", "rules_version", "arm",
             "impressions", "clicks", "click_through_rate", "clicks_added", "add_rate", "click_orders", "click_units",
             "click_net_revenue_minor", "shown_orders", "shown_units", "shown_net_revenue_minor", "is_settled"),
            (_NEWEST, "placement", "-impressions"), "shop_date",
            ("placement", "served_by", "model", "model_version", "reason", "person_kind", "rules_version", "arm"),
        ),
        Dataset(
            "recommendation-lists", "Lists of recommendations", "fct_recommendation_lists",
            ("shown_at", "request_id", "placement", "person_id", "person_kind", "served_by", "model", "model_version",
             "rules_version", "arm", "impressions", "clicks", "clicks_added", "click_orders", "click_net_revenue_minor",
             "shown_orders", "shown_net_revenue_minor"),
            ("-shown_at", "request_id"), "shown_date",
            ("placement", "served_by", "model", "model_version", "person_kind", "rules_version", "arm", "person_id"),
        ),
        Dataset(
            "segment-moves", "Moves between segments", "fct_segment_transitions",
            ("month", "scheme", "from_segment", "to_segment", "customers", "share_of_from", "is_over"),
            ("-month", "scheme", "-customers"), "month",
            ("scheme", "from_segment", "to_segment"),
        ),
        Dataset(
            "cohorts", "Cohorts", "fct_cohorts",
            ("period", "cohort_date", "period_number", "customers", "active_customers", "retention", "orders", "net_minor",
             "net_per_customer_minor"),
            ("period", "-cohort_date", "period_number"), "cohort_date", ("period",),
        ),
        Dataset(
            "channel-days", "Channels by day", "fct_channel_days",
            ("shop_date", "channel", "campaign", "sharer_id", "model", "net_minor", "credited_orders", "new_customers",
             "spend_minor", "roas", "roi", "acquisition_cost_minor"),
            (_NEWEST, "channel", "campaign", "model"), "shop_date", ("channel", "campaign", "sharer_id", "model"),
            persons=("sharer_id",),
        ),
        Dataset(
            "touchpoints", "Touchpoints", "fct_touchpoints",
            ("touched_at", "order_id", "touch_number", "touches", "origin", "channel", "campaign", "referrer", "share_id",
             "sharer_id", "person_id"),
            ("order_id", "touch_number"), None, ("order_id", "channel", "campaign", "sharer_id", "person_id"),
            persons=("person_id", "sharer_id"),
        ),
        Dataset(
            "credits", "Credits", "fct_attribution_credits",
            ("paid_date", "order_id", "model", "touch_number", "touched_at", "channel", "campaign", "sharer_id",
             "credit_millionths", "net_minor", "is_first_kept_order"),
            ("-paid_date", "order_id", "model", "touch_number"), "paid_date",
            ("order_id", "model", "channel", "campaign", "sharer_id"), persons=("sharer_id",),
        ),
        Dataset(
            "spend", "Spend", "fct_spend",
            ("spend_date", "channel", "campaign", "spend_minor", "clicks", "impressions"),
            ("-spend_date", "channel", "campaign"), "spend_date", ("channel", "campaign"),
        ),
        Dataset(
            "sharers", "Sharers", "dim_sharers",
            ("sharer_id", "kind", "links", "visits", "visitors", "first_shared_at", "last_shared_at"),
            ("-visits", "sharer_id"), None, ("sharer_id", "kind"), persons=("sharer_id",), is_of_persons=True,
        ),
        Dataset(
            "flags", "Unusual days", "fct_quality_flags",
            ("shop_date", "severity", "sentence", "sentence_zh", "observed", "usual", "detail", "check_name"),
            (_NEWEST, "-severity", "check_name"), "shop_date", ("check_name", "severity"),
        ),
    )
}  # fmt: skip
