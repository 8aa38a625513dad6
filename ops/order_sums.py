"""A shop's orders, discounts and refunds by month, to hold against the reports of the system that they came from."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.money import CURRENCY_DIGITS
from jishi.settings import Settings
from jishi.tables import SILVER_ORDERS, SILVER_REFUNDS

if TYPE_CHECKING:
    from rich.console import Console

    from jishi.text_tables import TextTable

_MONTHS = """
with paid as (
    select strftime(paid_date, '%Y-%m') as month, currency, count(*) as orders, sum(gross_minor) as gross,
        sum(discount_minor) as discounts, sum(shipping_minor) as shipping, sum(paid_minor) as paid
    from silver_orders where shop_id = $shop group by all
), back as (
    select strftime(refunded_date, '%Y-%m') as month, currency, sum(amount_minor) as refunds
    from silver_refunds where shop_id = $shop group by all
)
select month, currency, coalesce(orders, 0), coalesce(gross, 0), coalesce(discounts, 0), coalesce(shipping, 0),
    coalesce(paid, 0), coalesce(refunds, 0)
from paid full join back using (month, currency) order by currency, month
"""


@dataclass(frozen=True)
class MonthSums:
    """What a shop sold and took back in a month of its own time zone, in minor units of one currency.

    ``gross`` is before discounts, ``paid`` is gross − discounts + shipping; refunds are in the month in which they were given.
    """

    month: str
    currency: str
    orders: int
    gross_minor: int
    discounts_minor: int
    shipping_minor: int
    paid_minor: int
    refunds_minor: int


def month_sums(settings: Settings, shop_id: str) -> list[MonthSums]:
    """Months with an order or a refund, by currency, of the newest version; none before a first build."""
    lake = open_version(settings)
    if not (lake.has(SILVER_ORDERS.name) and lake.has(SILVER_REFUNDS.name)):
        return []
    with open_lake(lake) as connection:
        rows = connection.execute(_MONTHS, {"shop": shop_id}).fetchall()
    return [MonthSums(month, currency, *map(int, numbers)) for month, currency, *numbers in rows]


def sums_table(shop_id: str, months: list[MonthSums]) -> TextTable:
    """The sums in major units, with a row for all months of each currency."""
    from rich.box import SIMPLE_HEAD

    from jishi.text_tables import TextTable

    table = TextTable(title=f"{shop_id}: to compare with the old system", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("month", "currency", "orders", "gross", "discounts", "shipping", "paid", "refunds"):
        table.add_column(heading, justify="left" if heading in ("month", "currency") else "right")
    for currency in sorted({month.currency for month in months}):
        of_currency = [month for month in months if month.currency == currency]
        for month in of_currency:
            table.add_row(month.month, currency, *_numbers([month]))
        table.add_row("all", currency, *_numbers(of_currency), style="bold", end_section=True)
    return table


def print_sums(console: Console, shop_id: str, months: list[MonthSums]) -> None:
    """Print the sums, or why there are none. No number is cut: a row wider than the terminal goes on in its next line."""
    if not months:
        how = "jishi import … --work-up puts history there, the DAG daily each day's live orders"
        console.print(f"{shop_id}: no orders in the tables yet; {how}", highlight=False, soft_wrap=True)
        return
    table = sums_table(shop_id, months)
    console.width = max(console.width, console.measure(table, options=console.options.update(width=1000)).maximum)
    console.print(table)


def _numbers(months: list[MonthSums]) -> list[str]:
    digits = CURRENCY_DIGITS.get(months[0].currency, 2)
    names = ("gross_minor", "discounts_minor", "shipping_minor", "paid_minor", "refunds_minor")
    sums = [Decimal(sum(getattr(month, name) for month in months)).scaleb(-digits) for name in names]
    return [f"{sum(month.orders for month in months):,}", *(f"{amount:,.{digits}f}" for amount in sums)]
