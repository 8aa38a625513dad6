"""What a shop's customers will buy in a year, from the days on which they bought, and how well such a forecast did before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np

from models.lifetime import bg_nbd, gamma_gamma
from models.lifetime.fitting import Fit, Floats, NotIdentified
from models.lifetime.predicting import LEVEL, Future, Predicted, widening

WEEK = 7.0
HORIZON_DAYS = 365
LEAST = 20  # customers who came back
# In a shop's first days it is known who comes often and not yet how often: of simulated shops the forecast of the next 50 days
# was 0.5 to 1.2 of what then happened after 7 to 14 days, and 0.9 to 1.2 of it after 28.
LEAST_DAYS = 28
MOST_FREQUENT = 7  # the last group of the calibration holds everybody who came back as often or more often


class Purchase(NamedTuple):
    """A day on which a customer bought; ``net_minor`` is None where an amount is unknown."""

    person_id: str
    day: date
    net_minor: int | None


@dataclass(frozen=True)
class Customers:
    """Customers up to a day: ``times`` in weeks since the first purchase, ``mean_minor`` of the later ones (NaN: unknown)."""

    person_ids: list[str]
    times: bg_nbd.PurchaseTimes
    mean_minor: Floats


def summarise(purchases: list[Purchase], until: date) -> Customers:
    """The customers who bought up to a day, by id."""
    of_person: dict[str, list[Purchase]] = {}
    for purchase in purchases:
        if purchase.day <= until:
            of_person.setdefault(purchase.person_id, []).append(purchase)
    ids, rows = sorted(of_person), []
    for person_id in ids:
        days = sorted(of_person[person_id], key=lambda purchase: purchase.day)
        first, later = days[0].day, days[1:]
        amounts = [purchase.net_minor for purchase in later]
        known = [amount for amount in amounts if amount is not None]
        mean = 0.0 if not later else sum(known) / len(known) if len(known) == len(later) else float("nan")
        rows.append((len(later), (days[-1].day - first).days / WEEK, (until - first).days / WEEK, mean))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return Customers(ids, bg_nbd.PurchaseTimes(*columns[:3]), columns[3])


def shop_values(
    shop_id: str, currency: str, purchases: list[Purchase], as_of: date, horizon_days: int = HORIZON_DAYS
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of customers/values, for the ``horizon_days`` after ``as_of``, and of customers/value_parameters.

    Raises NotIdentified without enough repeat purchases, and before the shop has sold for ``LEAST_DAYS``.

    An expected amount is null where the amounts do not tell the Gamma-Gamma parameters, or the customer's are unknown.
    """
    known_days = (as_of - min(purchase.day for purchase in purchases)).days + 1
    if known_days < LEAST_DAYS:
        raise NotIdentified(f"{known_days} days of purchases; a forecast needs {LEAST_DAYS}")
    customers = summarise(purchases, as_of)
    times, future = customers.times, _future(customers, horizon_days)
    of_times, of_amounts = future.of_times, future.of_amounts
    alive = bg_nbd.probability_alive(of_times.parameters, times)
    expected = bg_nbd.expected_purchases(of_times.parameters, times, future.horizon)
    if not (np.isfinite(alive).all() and np.isfinite(expected).all()):
        raise NotIdentified("the parameters are too extreme to forecast with")
    nothing = np.full(len(times), np.nan)
    amount = nothing
    if of_amounts:
        amount = gamma_gamma.expected_amount(of_amounts.parameters, times.frequency, future.mean_amount)
    (bought, worth), by = future.intervals(), _held_out_widening(purchases, as_of)
    no_interval = Predicted(nothing, nothing, nothing)
    columns = {
        "probability_alive": alive,
        "expected_purchases": expected,
        **_bounds("expected_purchases", expected, bought.widened(by[0])),
        "expected_amount_minor": amount,
        "expected_value_minor": expected * amount,
        **_bounds("expected_value_minor", expected * amount, worth.widened(by[1]) if worth else no_interval),
    }
    values = [
        {"shop_id": shop_id, "person_id": person_id, "as_of_date": as_of, "currency": currency, "horizon_days": horizon_days}
        | {"repeat_purchases": int(times.frequency[place])}
        | {name: _known(column[place]) for name, column in columns.items()}
        for place, person_id in enumerate(customers.person_ids)
    ]
    fits = [(of_times, bg_nbd.NAMES), *([(of_amounts, gamma_gamma.NAMES)] if of_amounts else [])]
    parameters = [
        {"shop_id": shop_id, "parameter": name, "as_of_date": as_of, "currency": currency}
        | {"estimate": float(value), "low": float(low), "high": float(high)}
        for fitted, names in fits
        for name, value, low, high in zip(names, fitted.parameters, *fitted.interval(LEVEL), strict=True)
    ]
    return values, parameters


def calibration(shop_id: str, purchases: list[Purchase], as_of: date) -> list[dict[str, Any]]:
    """Rows of customers/value_calibration: fitted to the first two thirds of the shop's days, compared with the last third.

    Customers are grouped by the repeat purchases that they had made by then. Raises NotIdentified.
    """
    cut = _cut(purchases, as_of)
    customers = summarise(purchases, cut)
    times, held_out_days = customers.times, (as_of - cut).days
    if not held_out_days:
        raise NotIdentified("a third of the days since the first purchase is not one whole day")
    future = _future(customers, held_out_days)
    actual, _ = _happened(purchases, customers, cut)
    group = np.minimum(times.frequency, MOST_FREQUENT)
    forecast = bg_nbd.expected_purchases(future.of_times.parameters, times, future.horizon)
    expected = np.array([forecast[group == each].mean() for each in np.unique(group)])
    if not np.isfinite(expected).all():
        raise NotIdentified("the parameters are too extreme to forecast with")
    bounds = _bounds("expected_purchases", expected, Predicted(*future.group_means(group), expected))
    return [
        {"shop_id": shop_id, "as_of_date": as_of, "cut_date": cut, "held_out_days": held_out_days}
        | {"repeat_purchases": int(each), "customers": int((group == each).sum())}
        | {"expected_purchases": float(expected[place]), "actual_purchases": float(actual[group == each].mean())}
        | {name: _known(column[place]) for name, column in bounds.items()}
        for place, each in enumerate(np.unique(group))
    ]


def _future(customers: Customers, days: int) -> Future:
    """The models fitted to customers. Raises NotIdentified."""
    times, paid = customers.times, (customers.times.frequency > 0) & (customers.mean_minor > 0)
    of_times = _fit_times(times)
    try:
        _refuse_few(int(paid.sum()))
        of_amounts = gamma_gamma.fit_gamma_gamma(times.frequency[paid], customers.mean_minor[paid])
    except NotIdentified:
        of_amounts = None
    # A mean below zero, after refunds, is no amount that the model knows.
    return Future(times, np.maximum(customers.mean_minor, 0), of_times, of_amounts, days / WEEK)


def _cut(purchases: list[Purchase], as_of: date) -> date:
    first = min(purchase.day for purchase in purchases)
    return as_of - timedelta(days=(as_of - first).days // 3)


def _happened(purchases: list[Purchase], customers: Customers, cut: date) -> tuple[Floats, Floats]:
    """Days on which each customer bought after the cut, and what they were worth (NaN: unknown)."""
    places = {person_id: place for place, person_id in enumerate(customers.person_ids)}
    days, worth = np.zeros(len(places)), np.zeros(len(places))
    for purchase in purchases:
        if purchase.day > cut and purchase.person_id in places:
            days[places[purchase.person_id]] += 1
            worth[places[purchase.person_id]] += np.nan if purchase.net_minor is None else purchase.net_minor
    return days, worth


def _held_out_widening(purchases: list[Purchase], as_of: date) -> tuple[float, float]:
    """``widening`` of the intervals of purchases and of value in the held-out third; 0 where that cannot be held out."""
    cut = _cut(purchases, as_of)
    customers = summarise(purchases, cut)
    try:
        bought, worth = _future(customers, (as_of - cut).days).intervals()
    except NotIdentified:
        return 0.0, 0.0
    days, values = _happened(purchases, customers, cut)
    return widening(bought, days), widening(worth, values) if worth else 0.0


def _fit_times(times: bg_nbd.PurchaseTimes) -> Fit:
    _refuse_few(int((times.frequency > 0).sum()))
    return bg_nbd.fit_bg_nbd(times)


def _refuse_few(customers: int) -> None:
    if customers < LEAST:
        raise NotIdentified(f"{customers} customers came back; a forecast needs {LEAST}")


def _bounds(name: str, value: Floats, predicted: Predicted) -> dict[str, Floats]:
    """Ends by name. Of what is seldom and then much, the mean may lie above all but 5 % of the cases: it is held too."""
    return {f"{name}_low": np.minimum(predicted.low, value), f"{name}_high": np.maximum(predicted.high, value)}


def _known(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
