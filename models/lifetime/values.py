"""What a shop's customers will buy in a year, from the days on which they bought, and how well such a forecast did before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm

from models.lifetime import bg_nbd, gamma_gamma
from models.lifetime.fitting import Fit, Floats, NotIdentified

WEEK = 7.0
HORIZON_DAYS = 365
LEVEL = 0.95
LEAST = 20  # customers who came back
MOST_FREQUENT = 7  # the last group of the calibration holds everybody who came back as often or more often
_STEP = 1e-3


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

    Raises NotIdentified without enough repeat purchases.

    An expected amount is null where the amounts do not tell the Gamma-Gamma parameters, or the customer's are unknown.
    """
    customers = summarise(purchases, as_of)
    times, horizon = customers.times, horizon_days / WEEK
    of_times = _fit_times(times)
    paid = (times.frequency > 0) & (customers.mean_minor > 0)
    try:
        _refuse_few(int(paid.sum()))
        of_amounts = gamma_gamma.fit_gamma_gamma(times.frequency[paid], customers.mean_minor[paid])
    except NotIdentified:
        of_amounts = None

    def bought(parameters: Floats) -> Floats:
        return bg_nbd.expected_purchases(parameters, times, horizon)

    def worth(parameters: Floats) -> Floats:
        # A mean below zero, after refunds, is no amount that the model knows.
        return gamma_gamma.expected_amount(parameters, times.frequency, np.maximum(customers.mean_minor, 0))

    alive, expected, of_expected = bg_nbd.probability_alive(of_times.parameters, times), *with_variance(bought, of_times)
    if not (np.isfinite(alive).all() and np.isfinite(expected).all()):
        raise NotIdentified("the parameters are too extreme to forecast with")
    nothing = np.full(len(times), np.nan)
    amount, of_amount = with_variance(worth, of_amounts) if of_amounts else (nothing, nothing)
    columns = {
        "probability_alive": alive,
        "expected_purchases": expected,
        **_bounds("expected_purchases", expected, of_expected),
        "expected_amount_minor": amount,
        "expected_value_minor": expected * amount,
        **_bounds("expected_value_minor", expected * amount, of_expected + of_amount),
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
    first = min(purchase.day for purchase in purchases)
    cut = as_of - timedelta(days=(as_of - first).days // 3)
    customers = summarise(purchases, cut)
    times, held_out_days = customers.times, (as_of - cut).days
    fitted = _fit_times(times)
    places = {person_id: place for place, person_id in enumerate(customers.person_ids)}
    actual = np.zeros(len(times))
    for purchase in purchases:
        if purchase.day > cut and purchase.person_id in places:
            actual[places[purchase.person_id]] += 1
    group = np.minimum(times.frequency, MOST_FREQUENT)

    def means(parameters: Floats) -> Floats:
        expected = bg_nbd.expected_purchases(parameters, times, held_out_days / WEEK)
        return np.array([expected[group == each].mean() for each in np.unique(group)])

    expected, variance = with_variance(means, fitted)
    if not np.isfinite(expected).all():
        raise NotIdentified("the parameters are too extreme to forecast with")
    bounds = _bounds("expected_purchases", expected, variance)
    return [
        {"shop_id": shop_id, "as_of_date": as_of, "cut_date": cut, "held_out_days": held_out_days}
        | {"repeat_purchases": int(each), "customers": int((group == each).sum())}
        | {"expected_purchases": float(expected[place]), "actual_purchases": float(actual[group == each].mean())}
        | {name: _known(column[place]) for name, column in bounds.items()}
        for place, each in enumerate(np.unique(group))
    ]


def _fit_times(times: bg_nbd.PurchaseTimes) -> Fit:
    _refuse_few(int((times.frequency > 0).sum()))
    return bg_nbd.fit_bg_nbd(times)


def _refuse_few(customers: int) -> None:
    if customers < LEAST:
        raise NotIdentified(f"{customers} customers came back; a forecast needs {LEAST}")


def with_variance(function: Callable[[Floats], Floats], fitted: Fit) -> tuple[Floats, Floats]:
    """A positive function of the parameters and the variance of its logarithm, by the delta method."""
    value = function(fitted.parameters)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.stack(
            [
                (np.log(function(np.exp(fitted.logs + step))) - np.log(function(np.exp(fitted.logs - step)))) / (2 * _STEP)
                for step in np.eye(len(fitted.logs)) * _STEP
            ]
        )
    return value, np.einsum("ik,ij,jk->k", slopes, fitted.covariance, slopes)


def _bounds(name: str, value: Floats, variance: Floats) -> dict[str, Floats]:
    width = np.exp(norm.ppf((1 + LEVEL) / 2) * np.sqrt(variance))
    return {f"{name}_low": value / width, f"{name}_high": value * width}


def _known(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
