"""Faults of one day that no key and no identity shows, each with the check that flags it; another mutant is another entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from tests.integration.dbt.made_shops import FAULTY, Frames

DATES = {"events": "occurred_date", "sessions": "started_date", "orders": "paid_date", "order_lines": "paid_date"}
TIMES = {"events": "occurred_at", "sessions": "started_at", "orders": "paid_at", "order_lines": "paid_at"}


@dataclass(frozen=True)
class DayMutant:
    """``plant`` changes a shop's rows of the faulty day; ``flagged_by`` are the checks that have to name that day."""

    name: str
    plant: Callable[[Frames], None]
    flagged_by: frozenset[str]


def _of_day(frames: Frames, name: str) -> pd.Series:
    return frames[name][DATES[name]] == FAULTY


def _keep(frames: Frames, is_kept: Callable[[pd.DataFrame, str], pd.Series]) -> None:
    """Drop the rows of the day that are not kept."""
    for name, time in TIMES.items():
        rows = frames[name]
        frames[name] = rows[~_of_day(frames, name) | is_kept(rows, time)]


def zeros(frames: Frames) -> None:
    _keep(frames, lambda rows, time: pd.Series(False, index=rows.index))


def missing_hour(frames: Frames) -> None:
    _keep(frames, lambda rows, time: rows[time].dt.hour != 20)


def truncated_file(frames: Frames) -> None:
    _keep(frames, lambda rows, time: rows[time].dt.hour < 16)


def half_the_visitors(frames: Frames) -> None:
    _keep(frames, lambda rows, time: rows["person_id"].str[-1].isin(list("02468")))


def no_orders(frames: Frames) -> None:
    for name in ("orders", "order_lines"):
        frames[name] = frames[name][~_of_day(frames, name)]
    events = frames["events"]
    frames["events"] = events[~(_of_day(frames, "events") & (events["type"] == "order_paid"))]
    frames["sessions"].loc[_of_day(frames, "sessions"), "orders"] = 0


def prices_times_100(frames: Frames) -> None:
    for name, amounts in (("orders", ["gross_minor", "paid_minor"]), ("order_lines", ["unit_price_minor", "net_minor"])):
        frames[name].loc[_of_day(frames, name), amounts] *= 100


def prices_over_100(frames: Frames) -> None:
    for name, amounts in (("orders", ["gross_minor", "paid_minor"]), ("order_lines", ["unit_price_minor", "net_minor"])):
        is_day = _of_day(frames, name)
        frames[name].loc[is_day, amounts] = frames[name].loc[is_day, amounts] // 100


def eight_hours_later(frames: Frames) -> None:
    """Times and dates together, so that they agree with each other."""
    for name, time in TIMES.items():
        rows, is_day = frames[name], _of_day(frames, name)
        for column in {time, "ended_at", "received_at"} & set(rows.columns):
            rows.loc[is_day, column] += pd.Timedelta(hours=8)
        rows.loc[is_day, DATES[name]] = rows.loc[is_day, time].dt.date


def flood_of_bots(frames: Frames) -> None:
    """Sixty programs of forty views each."""
    at = pd.Timestamp(FAULTY) + pd.Timedelta(hours=9)
    bots = pd.DataFrame({"shop_id": frames["shops"]["shop_id"][0], "person_id": [f"a:bot{n}" for n in range(60)]})
    bots["anonymous_id"] = bots["person_id"].str[2:]
    bots["session_key"] = bots["person_id"]
    ended = at + pd.Timedelta(seconds=39)
    visits = bots.assign(started_at=at, ended_at=ended, started_date=FAULTY, channel="search", device="ios", views=40)
    visits = visits.assign(events=40, searches=0, adds=0, checkouts=0, orders=0, shares=0)
    frames["sessions"] = pd.concat([frames["sessions"], visits], ignore_index=True)
    views = bots.loc[bots.index.repeat(40)].drop(columns="session_key")
    place = views.groupby(level=0).cumcount()
    views["event_id"] = views["person_id"] + "-" + place.astype(str)
    views["occurred_at"] = views["received_at"] = at + pd.to_timedelta(place, unit="s")
    views = views.assign(type="item_viewed", item_id="i1", occurred_date=FAULTY, is_late=False)
    frames["events"] = pd.concat([frames["events"], views], ignore_index=True)


def new_channel(frames: Frames) -> None:
    """A partner renames its channel."""
    for name in ("sessions", "orders"):
        rows = frames[name]
        rows.loc[_of_day(frames, name) & (rows["channel"] == "wechat"), "channel"] = "weixin-v2"


def new_device(frames: Frames) -> None:
    frames["sessions"].loc[_of_day(frames, "sessions"), "device"] = "2"


def currency_mix(frames: Frames) -> None:
    rows = frames["orders"]
    rows.loc[_of_day(frames, "orders") & (np.arange(len(rows)) % 2 == 0), "currency"] = "USD"


def stale_rates(frames: Frames) -> None:
    """Dollars all along, with a rate of each week until three weeks before the day."""
    rows = frames["orders"]
    rows.loc[np.arange(len(rows)) % 9 == 0, "currency"] = "USD"
    first = min(rows["paid_date"])
    days = [first + timedelta(days=n) for n in range(0, (FAULTY - first).days - 20, 7)]
    rates = pd.DataFrame({"rate_date": days, "shop_id": frames["shops"]["shop_id"][0]})
    frames["fx_rates"] = rates.assign(home_currency="CNY", currency="USD", rate_units=7, rate_scale=0)


def loaded_twice_under_new_ids(frames: Frames) -> None:
    for name, ids in (("orders", ["order_id", "event_id"]), ("order_lines", ["order_id"]), ("events", ["event_id"])):
        rows = frames[name]
        is_order = rows["type"] == "order_paid" if name == "events" else True
        again = rows[_of_day(frames, name) & is_order].copy()
        again[ids] = again[ids] + "-again"
        frames[name] = pd.concat([rows, again], ignore_index=True)


def ids_of_another_shop(frames: Frames) -> None:
    """The day's order lines name items as another shop's catalogue does."""
    rows, is_day = frames["order_lines"], _of_day(frames, "order_lines")
    rows.loc[is_day, "item_id"] = "sku-" + rows.loc[is_day, "item_id"]


def three_days_in_one(frames: Frames) -> None:
    """The two days before are dated as the day, as a load without its dates would."""
    for name, time in TIMES.items():
        rows = frames[name]
        for back in (1, 2):
            is_day = rows[DATES[name]] == FAULTY - timedelta(days=back)
            for column in {time, "ended_at", "received_at"} & set(rows.columns):
                rows.loc[is_day, column] += pd.Timedelta(days=back)
            rows.loc[is_day, DATES[name]] = FAULTY


def utf8_as_latin1(frames: Frames) -> None:
    rows = frames["items"]
    rows.loc[rows.index < 5, "title"] = rows["title"][0].encode("utf-8").decode("latin-1")


DAY_MUTANTS = (
    DayMutant("a day of zeros", zeros, frozenset({"visitors_low", "item_views_low", "orders_low", "hours_missing"})),
    DayMutant("a missing hour", missing_hour, frozenset({"hours_missing"})),
    DayMutant("a truncated file", truncated_file, frozenset({"hours_missing"})),
    DayMutant("half the visitors are gone", half_the_visitors, frozenset({"visitors_low", "item_views_low"})),
    DayMutant("payments are not sent", no_orders, frozenset({"orders_low"})),
    DayMutant("prices × 100", prices_times_100, frozenset({"order_value_high"})),
    DayMutant("prices in another unit", prices_over_100, frozenset({"order_value_low"})),
    DayMutant("a time-zone shift", eight_hours_later, frozenset({"visitors_low"})),
    DayMutant("a flood of bots", flood_of_bots, frozenset({"bot_visitors_high"})),
    DayMutant("a new enum value", new_channel, frozenset({"new_channel"})),
    DayMutant("codes for names", new_device, frozenset({"new_device"})),
    DayMutant("a currency mix", currency_mix, frozenset({"orders_without_rate"})),
    DayMutant("a stale rate table", stale_rates, frozenset({"rates_stale"})),
    DayMutant("a day loaded twice under new ids", loaded_twice_under_new_ids, frozenset({"orders_repeated"})),
    DayMutant("a shop id swapped", ids_of_another_shop, frozenset({"items_unknown"})),
    DayMutant("three days in one", three_days_in_one, frozenset({"visitors_high", "orders_high", "item_views_high"})),
    DayMutant("an encoding mix", utf8_as_latin1, frozenset({"texts_garbled"})),
)
