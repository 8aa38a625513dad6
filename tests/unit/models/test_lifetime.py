"""BG/NBD and Gamma-Gamma: PyPI's lifetimes on the same customers, the models' own process, and a held-out third."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, gamma

from models.lifetime import bg_nbd, gamma_gamma
from models.lifetime.fitting import NotIdentified
from models.lifetime.predicting import Predicted, widening
from models.lifetime.values import Purchase, calibration, shop_values, summarise

GOLDEN = Path(__file__).parents[2] / "golden" / "lifetimes"
CDNOW = np.array([0.243, 4.414, 0.793, 2.426])
START = date(2026, 1, 1)


@pytest.fixture(scope="module")
def answers() -> dict[str, list[float]]:
    known: dict[str, list[float]] = json.loads((GOLDEN / "lifetimes.json").read_text())
    return known


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "customers.csv")


def purchases_of(data: pd.DataFrame) -> bg_nbd.PurchaseTimes:
    return bg_nbd.PurchaseTimes(*(data[name].to_numpy(float) for name in ("frequency", "recency", "age")))


def test_bg_nbd_is_what_lifetimes_says(answers: dict[str, list[float]], data: pd.DataFrame) -> None:
    times = purchases_of(data)
    fitted = bg_nbd.fit_bg_nbd(times)
    assert dict(zip(bg_nbd.NAMES, fitted.parameters, strict=True)) == pytest.approx(answers["bg_nbd"], rel=1e-4)
    low, high = fitted.interval()
    assert ((low < CDNOW) & (high > CDNOW)).all()
    parameters = np.array([answers["bg_nbd"][name] for name in bg_nbd.NAMES])  # type: ignore[call-overload]
    assert bg_nbd.probability_alive(parameters, times)[:200] == pytest.approx(answers["probability_alive"], rel=1e-9)
    expected = bg_nbd.expected_purchases(parameters, times, answers["horizon"])[:200]  # type: ignore[arg-type]
    assert expected == pytest.approx(answers["expected_purchases"], rel=1e-9)


def test_gamma_gamma_is_what_lifetimes_says(answers: dict[str, list[float]], data: pd.DataFrame) -> None:
    again = data[data["frequency"] > 0]
    fitted = gamma_gamma.fit_gamma_gamma(again["frequency"].to_numpy(float), again["mean_amount"].to_numpy())
    assert dict(zip(gamma_gamma.NAMES, fitted.parameters, strict=True)) == pytest.approx(answers["gamma_gamma"], rel=1e-4)
    parameters = np.array([answers["gamma_gamma"][name] for name in gamma_gamma.NAMES])  # type: ignore[call-overload]
    amounts = gamma_gamma.expected_amount(parameters, data["frequency"].to_numpy(float), data["mean_amount"].to_numpy())
    assert amounts[:200] == pytest.approx(answers["expected_amount"], rel=1e-9)


def test_the_likelihood_and_the_forecast_are_integrals_over_rate_and_dropout() -> None:
    """The mixture itself, by quadrature: Poisson purchases, a coin after each, over Gamma and Beta."""
    r, alpha, a, b = parameters = np.array([1.3, 2.0, 1.6, 2.2])
    x, t_x, age, horizon = 2.0, 1.5, 4.0, 3.0
    customer = bg_nbd.PurchaseTimes(np.array([x]), np.array([t_x]), np.array([age]))
    nodes, weights = np.polynomial.legendre.leggauss(400)
    rate, leave = np.meshgrid(15 * (nodes + 1), (nodes + 1) / 2)
    weight = 7.5 * np.outer(weights, weights) * gamma.pdf(rate, r, scale=1 / alpha) * beta.pdf(leave, a, b)
    alive = (1 - leave) ** x * rate**x * np.exp(-rate * age)
    left = leave * (1 - leave) ** (x - 1) * rate**x * np.exp(-rate * t_x)
    to_come = alive * (1 - np.exp(-rate * leave * horizon)) / leave
    total, future = (weight * (alive + left)).sum(), (weight * to_come).sum()
    likelihood = np.exp(bg_nbd._log_likelihood(parameters, customer.frequency, customer.recency, customer.age))
    assert likelihood == pytest.approx(total, rel=1e-4)
    assert bg_nbd.expected_purchases(parameters, customer, horizon) == pytest.approx(future / total, rel=1e-4)


def simulate(
    parameters: np.ndarray, ages: np.ndarray, horizon: float, random: np.random.Generator
) -> list[tuple[np.ndarray, int]]:
    """Customers of the model itself: times of the repeat purchases of each before its age, and how many follow."""
    r, alpha, a, b = parameters
    customers = []
    for age, rate, leave in zip(ages, random.gamma(r, 1 / alpha, len(ages)), random.beta(a, b, len(ages)), strict=True):
        times, now = [], 0.0
        while True:
            now += random.exponential(1 / rate) if rate > 0 else np.inf
            if now > age + horizon:
                break
            times.append(now)
            if random.random() < leave:
                break
        before = np.array([time for time in times if time <= age])
        customers.append((before, len(times) - len(before)))
    return customers


def made_shop(seed: int, customers: int = 700, days: int = 420, to_come: int = 0) -> list[Purchase]:
    """Days on which customers of the model's own process bought, with amounts of Gamma-Gamma; ``to_come`` days follow."""
    luck = np.random.default_rng(seed)
    joined = luck.integers(0, days // 2, customers)
    parameters = np.array([0.8, 6.0, 0.9, 3.0])
    times = simulate(parameters, (days + to_come - joined) / 7, 0.0, luck)
    scales = luck.gamma(4.0, 1 / 3_000.0, customers)
    purchases = []
    for number, (begin, (weeks, _)) in enumerate(zip(joined, times, strict=True)):
        bought = sorted({int(begin), *(int(begin + 7 * week) for week in weeks)})
        for day in bought:
            purchases.append(Purchase(f"u:{number}", START + timedelta(days=day), int(luck.gamma(6.0, 1 / scales[number]))))
    return purchases


def test_a_held_out_third_is_forecast() -> None:
    """Group by group the forecast's mean is near what happened; its size is within four standard errors of a Poisson sum."""
    rows = calibration("s", made_shop(1), START + timedelta(days=420))
    assert [row["repeat_purchases"] for row in rows] == list(range(8))
    assert {row["held_out_days"] for row in rows} == {140}
    for row in rows:
        expected = row["expected_purchases"] * row["customers"]
        assert abs(row["actual_purchases"] * row["customers"] - expected) < 4 * (2 * expected) ** 0.5 + 1, row
        assert row["expected_purchases_low"] < row["expected_purchases"] < row["expected_purchases_high"]
    assert sum(row["expected_purchases_low"] <= row["actual_purchases"] <= row["expected_purchases_high"] for row in rows) >= 7
    means = [row["expected_purchases"] for row in rows]
    assert means[0] < means[3] < means[7]


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """95 % intervals of 20 shops of the model hold the true parameters in about that share: in at least 72 of 80 trials."""
    truth, luck = np.array([0.8, 6.0, 0.9, 3.0]), np.random.default_rng(7)
    inside, trials = 0, 0
    for _ in range(20):
        ages = luck.uniform(30, 60, 400)
        rows = [
            (len(times), times[-1] if len(times) else 0.0, age)
            for (times, _), age in zip(simulate(truth, ages, 0.0, luck), ages, strict=True)
        ]
        low, high = bg_nbd.fit_bg_nbd(bg_nbd.PurchaseTimes(*np.array(rows, dtype=float).T)).interval()
        inside += int(((low < truth) & (truth < high)).sum())
        trials += 4
    assert inside >= 0.9 * trials


def test_intervals_of_a_customer_hold_what_follows_as_often_as_they_say() -> None:
    """95 % intervals of customers of the model itself, over two shops; counts are whole, so theirs hold a little more."""
    inside: dict[str, list[bool]] = {"expected_purchases": [], "expected_value_minor": []}
    as_of = START + timedelta(days=420)
    for seed in (0, 1):
        purchases = made_shop(seed, to_come=140)
        values, _ = shop_values("s", "CNY", [each for each in purchases if each.day <= as_of], as_of, 140)
        later = [each for each in purchases if each.day > as_of]
        for name, truth in (
            ("expected_purchases", Counter(each.person_id for each in later)),
            ("expected_value_minor", sum((Counter({each.person_id: each.net_minor or 0}) for each in later), Counter())),
        ):
            inside[name] += [row[f"{name}_low"] <= truth[row["person_id"]] <= row[f"{name}_high"] for row in values]
    assert 0.93 <= np.mean(inside["expected_value_minor"]) <= 0.97
    assert 0.93 <= np.mean(inside["expected_purchases"]) <= 0.98


def test_intervals_that_a_held_out_window_finds_too_narrow_are_widened() -> None:
    """95 of 99 are inside after widening, whatever the interval was; nothing is narrowed, unknown ones are left out."""
    random = np.random.default_rng(3)
    actual = random.gamma(2.0, 3.0, 99)
    narrow = Predicted(np.full(99, 5.0), np.full(99, 7.0), np.full(99, 0.5))
    wider = narrow.widened(widening(narrow, actual))
    assert ((wider.low <= actual) & (actual <= wider.high)).sum() == 95
    assert widening(Predicted(np.zeros(99), np.full(99, 1e3), np.ones(99)), actual) == 0
    unknown = np.where(np.arange(99) < 80, np.nan, actual)
    assert widening(narrow, unknown) == widening(Predicted(*(each[80:] for each in narrow)), actual[80:])
    assert (Predicted(np.array([1.0]), np.array([2.0]), np.array([9.0])).widened(1).low == 0).all()
    # Ten of a hundred came back of whom no draw had said so: no width holds them, and nobody else's becomes endless for it.
    lost = np.arange(100) < 30
    gone = Predicted(np.zeros(100), np.where(lost, 0.0, 4.0), np.where(lost, 0.0, 2.0))
    assert widening(gone, np.where(np.arange(100) < 10, 1.0, np.where(lost, 0.0, 3.0))) == 0
    assert widening(gone, np.where(np.arange(100) < 10, 1.0, np.where(lost, 0.0, 6.0))) == 1


def test_values_of_a_shop() -> None:
    purchases = made_shop(2)
    unknown = Purchase("u:dollar", START + timedelta(days=20), 500), Purchase("u:dollar", START + timedelta(days=50), None)
    values, parameters = shop_values("s", "CNY", [*purchases, *unknown], START + timedelta(days=420))
    by_person = {row["person_id"]: row for row in values}
    assert len(by_person) == len(values) == 701
    assert by_person["u:dollar"]["expected_purchases"] > 0
    assert by_person["u:dollar"]["expected_value_minor"] is None
    assert by_person["u:dollar"]["expected_amount_minor"] is None
    for row in values:
        if row["person_id"] != "u:dollar":
            assert row["expected_value_minor"] == pytest.approx(row["expected_purchases"] * row["expected_amount_minor"])
            assert row["expected_value_minor_low"] <= row["expected_value_minor"] <= row["expected_value_minor_high"]
        assert 0 <= row["probability_alive"] <= 1
    true = dict(zip((*bg_nbd.NAMES, *gamma_gamma.NAMES), (0.8, 6.0, 0.9, 3.0, 6.0, 4.0, 3_000.0), strict=True))
    assert {row["parameter"] for row in parameters} == true.keys()
    assert sum(row["low"] < true[row["parameter"]] < row["high"] for row in parameters) >= 6


def test_purchases_are_summed_up_from_the_first_one_on() -> None:
    days = [(3, 100), (10, 300), (24, 500), (40, 900)]
    purchases = [Purchase("u:1", START + timedelta(days=day), amount) for day, amount in reversed(days)]
    customers = summarise([*purchases, Purchase("u:0", START, 7)], START + timedelta(days=31))
    assert customers.person_ids == ["u:0", "u:1"]
    assert customers.times.frequency.tolist() == [0, 2]
    assert customers.times.recency.tolist() == [0, 3]
    assert customers.times.age.tolist() == [31 / 7, 4]
    assert customers.mean_minor.tolist() == [0, 400]


def test_without_repeat_purchases_nothing_is_claimed() -> None:
    once = [Purchase(f"u:{n}", START + timedelta(days=n % 9), 100) for n in range(50)]
    with pytest.raises(NotIdentified, match="0 customers came back; a forecast needs 20"):
        shop_values("s", "CNY", once, START + timedelta(days=90))


@pytest.mark.parametrize("days", [1, 2])
def test_the_first_days_of_a_shop_hold_nothing_out(days: int) -> None:
    """They were held against no day at all, of which the marts say that it cannot be."""
    purchases = [
        Purchase(f"u:{n}", START + timedelta(days=day), 1000) for n in range(200) for day in range(days + 1 if n < 50 else 1)
    ]
    with pytest.raises(NotIdentified, match="not one whole day"):
        calibration("s", purchases, START + timedelta(days=days))


@pytest.mark.parametrize("days", [1, 3, 4, 27, 28])
def test_a_year_is_not_forecast_from_the_first_days_of_a_shop(days: int) -> None:
    """50 customers who come each day of a shop's first four were forecast to come on each day of a year."""
    purchases = [
        Purchase(f"u:{n}", START + timedelta(days=day), 1000) for n in range(200) for day in range(days if n < 50 else 1)
    ]
    as_of = START + timedelta(days=days - 1)
    if days >= 28:
        assert len(shop_values("s", "CNY", purchases, as_of)[0]) == 200
        return
    with pytest.raises(NotIdentified, match=f"^{days} days of purchases; a forecast needs 28$"):
        shop_values("s", "CNY", purchases, as_of)


def test_customers_who_never_leave_are_forecast_at_their_rate() -> None:
    """Everybody buys every ten days on average and stays: the parameters of leaving say little, the forecast is the rate."""
    luck, purchases = np.random.default_rng(4), []
    for number in range(200):
        days = np.flatnonzero(luck.random(180) < 0.1)
        purchases += [Purchase(f"u:{number}", START + timedelta(days=int(day)), 1000) for day in days]
    values, _ = shop_values("s", "CNY", purchases, START + timedelta(days=180))
    expected = [row["expected_purchases"] for row in values]
    assert np.mean(expected) == pytest.approx(36.5, rel=0.1)
    assert min(row["probability_alive"] for row in values) > 0.9
