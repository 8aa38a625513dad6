"""Ten weeks of a shop that is busy at the usual hours, as frames of silver's staging rows, for planting faults into one day.

Everything is random and nothing is wrong: visits and orders are Poisson around their weekday, prices have a long tail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

START, DAYS = date(2026, 8, 3), 70  # a Monday
FAULTY = START + timedelta(days=66)  # a Thursday, with nine weeks before it
_WEEKDAYS = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.4, 1.3])
_HOURS = np.array([1, 0, 0, 0, 0, 0, 1, 3, 5, 6, 7, 8, 9, 7, 7, 7, 8, 8, 9, 10, 20, 11, 7, 3], dtype=float)
CHANNELS = ("wechat", "app", "search")
Frames = dict[str, pd.DataFrame]
"""By name of the staging model, without its prefix."""


@dataclass(frozen=True)
class ShopShape:
    """Visits on a usual Monday, the share that pays, the growth a week, and weekdays (Monday is 0) on which it is closed."""

    visits: float = 200
    paid_share: float = 0.25
    growth: float = 0.0
    closed: tuple[int, ...] = ()
    first_day: int = 0
    items: int = 20


def make_shop(shop_id: str, seed: int, shape: ShopShape = ShopShape()) -> Frames:
    """The shop's days up to the noon of the last one."""
    luck = np.random.default_rng(seed)
    number = np.arange(shape.first_day, DAYS)
    expected = shape.visits * _WEEKDAYS[number % 7] * (1 + shape.growth) ** (number / 7)
    expected[np.isin(number % 7, shape.closed)] = 0
    day = np.repeat(number, luck.poisson(expected))
    second = luck.choice(24, len(day), p=_HOURS / _HOURS.sum()) * 3600 + luck.integers(0, 3500, len(day))
    is_known = (day < DAYS - 1) | (second < 12 * 3600)
    day, second = day[is_known], second[is_known]
    visits = pd.DataFrame({"shop_id": shop_id, "n": np.arange(len(day))})
    visits["started_at"] = pd.Timestamp(START) + pd.to_timedelta(day * 86_400 + second, unit="s")
    visits["started_date"] = visits["started_at"].dt.date
    visits["user_id"] = visits["n"].astype(str)
    visits["person_id"] = "u:" + visits["user_id"]
    visits["anonymous_id"] = "d" + visits["user_id"]
    visits["session_key"] = visits["person_id"] + "@1"
    visits["channel"] = luck.choice(CHANNELS, len(visits), p=[0.6, 0.3, 0.1])
    visits["device"] = luck.choice(("ios", "android"), len(visits))
    visits["views"] = 1 + luck.poisson(2, len(visits))
    visits["orders"] = (luck.random(len(visits)) < shape.paid_share).astype(int)
    visits["events"] = visits["views"] + visits["orders"]
    visits["ended_at"] = visits["started_at"] + pd.to_timedelta(visits["events"] - 1, unit="s")
    orders = _orders(visits[visits["orders"] == 1], luck)
    items = pd.DataFrame({"shop_id": shop_id, "item_id": [f"i{n}" for n in range(shape.items)]})
    items = items.assign(title="连衣裙 Müller’s", category="裙装", unit_price_minor=100, currency="CNY", status="active")
    zone = pd.DataFrame([{"shop_id": shop_id, "name": shop_id, "time_zone": "UTC", "currency": "CNY"}])
    lines = _lines(orders, shape, luck)
    return {
        "shops": zone,
        "items": items,
        "sessions": visits.drop(columns="n").assign(searches=0, adds=0, checkouts=0, shares=0),
        "events": _events(visits, shape, luck),
        "orders": orders,
        "order_lines": lines,
        "fx_rates": pd.DataFrame(),
    }


def _orders(paying: pd.DataFrame, luck: np.random.Generator) -> pd.DataFrame:
    orders = paying[["shop_id", "person_id", "channel"]].copy()
    orders["order_id"] = "o" + paying["user_id"]
    orders["event_id"] = orders["order_id"]
    orders["paid_at"] = orders["received_at"] = paying["ended_at"]
    orders["paid_date"] = paying["started_date"]
    orders["gross_minor"] = (1000 * luck.lognormal(2, 0.8, len(orders))).astype("int64") + 1
    money = {"discount_minor": 0, "shipping_minor": 0, "coupons": 0, "lines": 1, "units": 1, "currency": "CNY"}
    return orders.assign(paid_minor=orders["gross_minor"], **money)


def _lines(orders: pd.DataFrame, shape: ShopShape, luck: np.random.Generator) -> pd.DataFrame:
    lines = orders[["shop_id", "order_id", "person_id", "paid_at", "paid_date"]].copy()
    lines["item_id"] = "i" + pd.Series(luck.integers(0, shape.items, len(orders)), index=orders.index).astype(str)
    lines["unit_price_minor"] = lines["net_minor"] = orders["gross_minor"]
    return lines.assign(line_number=1, quantity=1, discount_minor=0)


def _events(visits: pd.DataFrame, shape: ShopShape, luck: np.random.Generator) -> pd.DataFrame:
    events = visits.loc[visits.index.repeat(visits["events"]), ["shop_id", "person_id", "user_id", "anonymous_id"]].copy()
    place = events.groupby(level=0).cumcount()
    whole = visits.loc[events.index]
    is_order = (place == whole["events"] - 1) & (whole["orders"] == 1)
    events["event_id"] = np.where(is_order, "o" + events["user_id"], "e" + events["user_id"] + "-" + place.astype(str))
    events["type"] = np.where(is_order, "order_paid", "item_viewed")
    events["item_id"] = np.where(is_order, None, "i" + pd.Series(luck.integers(0, shape.items, len(events))).astype(str))
    events["occurred_at"] = events["received_at"] = whole["started_at"] + pd.to_timedelta(place, unit="s")
    events["occurred_date"] = whole["started_date"]
    return events.assign(is_late=False).reset_index(drop=True)


def insert_made(shops: list[Frames], folder: Path) -> str:
    """Statements that add the shops to the staging models; ``folder`` keeps the rows while they run."""
    statements = []
    for name in shops[0]:
        frames = [frames[name] for frames in shops if len(frames[name])]
        if frames:
            file = folder / f"{name}.parquet"
            with duckdb.connect() as connection:
                connection.from_df(pd.concat(frames, ignore_index=True)).write_parquet(str(file))
            statements.append(f"insert into stg_lake__{name} by name select * from read_parquet('{file}');")
    return "".join(statements)
