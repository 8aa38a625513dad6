"""What the customers' marts should say, in plain Python over orders and refunds: one month, one person after another."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

LEAST = 30


@dataclass
class Order:
    """``paid`` is null without a rate; ``refunds`` are days and amounts; ``as_it_came`` is both in the order's own currency."""

    person: str
    day: date
    paid: int | None
    refunds: list[tuple[date, int]] = field(default_factory=list)
    as_it_came: tuple[int, list[tuple[date, int]]] | None = None

    def is_kept(self, on: date) -> bool:
        paid, refunds = self.as_it_came or (self.paid, self.refunds)
        back = sum(amount for day, amount in refunds if max(day, self.day) <= on)
        return self.day <= on and not (paid and back >= paid)

    def net(self, on: date) -> int:
        return (self.paid or 0) * (self.day <= on) - sum(amount for day, amount in self.refunds if max(day, self.day) <= on)


class State(NamedTuple):
    recency_days: int
    orders: int
    spent: int | None
    first_day: date


class Named(NamedTuple):
    scores: tuple[int, int, int] | None
    segment: str | None
    classic: str | None
    layer: str


def months_between(first: date, last: date) -> list[date]:
    months = []
    month = first.replace(day=1)
    while month <= last:
        months.append(month)
        month = (month + timedelta(days=31)).replace(day=1)
    return months


def end_of(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def states_on(orders: Iterable[Order], on: date) -> dict[str, State]:
    of_person: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        of_person[order.person].append(order)
    states = {}
    for person, mine in of_person.items():
        kept = [order for order in mine if order.is_kept(on)]
        if kept:
            known = any(order.paid is not None and order.day <= on for order in mine)
            spent = sum(order.net(on) for order in mine if order.paid is not None) if known else None
            days = [order.day for order in kept]
            states[person] = State((on - max(days)).days, len(kept), spent, min(days))
    return states


def score(value: int, reference: list[int]) -> int:
    """The best fifth that the middle rank of some no better value of the reference reaches; 5 for more than all of them."""
    reference = sorted(reference)
    if value > reference[-1]:
        return 5
    best = 1
    for known in set(reference):
        if known <= value:
            middle = Fraction(bisect_left(reference, known) + bisect_right(reference, known), 2 * len(reference))
            best = max(best, min(5, 1 + int(5 * middle)))
    return best


def days_between(orders: Iterable[Order], on: date) -> list[int]:
    bought: dict[str, set[date]] = defaultdict(set)
    for order in orders:
        if order.is_kept(date.max):
            bought[order.person].add(order.day)
    pairs = [(a, b) for days in bought.values() for a, b in pairwise(sorted(days))]
    return sorted((b - a).days for a, b in pairs if b <= on)


def layer_days(orders: list[Order], on: date, before: date) -> tuple[int, int, int]:
    for until in (before, on):
        gaps = days_between(orders, until)
        if len(gaps) >= LEAST:
            active = next(d for d in gaps if Fraction(bisect_right(gaps, d), len(gaps)) >= Fraction(3, 4))
            silent = max(active + 1, next(d for d in gaps if Fraction(bisect_right(gaps, d), len(gaps)) >= Fraction(9, 10)))
            return active, silent, 2 * silent
    return 30, 60, 120


# Recency 1 to 5 across, the sum of the other scores down.
GRID = {
    (8, 10): ("cannot_lose", "at_risk", "loyal", "champions", "champions"),
    (6, 7): ("at_risk", "at_risk", "need_attention", "loyal", "loyal"),
    (4, 5): ("hibernating", "hibernating", "need_attention", "potential_loyalists", "potential_loyalists"),
    (2, 3): ("lost", "about_to_sleep", "about_to_sleep", "promising", "promising"),
}
CLASSIC = {
    "111": "important_value",
    "101": "important_development",
    "011": "important_keeping",
    "001": "important_winning_back",
    "110": "general_value",
    "100": "general_development",
    "010": "general_keeping",
    "000": "general_winning_back",
}


def described(state: State, scores: tuple[int, int, int] | None, days: tuple[int, int, int], on: date) -> Named:
    active, silent, asleep = days
    is_new = state.orders == 1 and (on - state.first_day).days < active
    limits = ((asleep, "lost"), (silent, "asleep"), (active, "silent"))
    layer = next((name for limit, name in limits if state.recency_days > limit), "active")
    if layer == "active" and scores and scores[2] == 5:
        layer = "high_value"
    if is_new:
        layer = "new"
    if scores is None:
        return Named(None, None, None, layer)
    recency, frequency, monetary = scores
    [row] = [row for (low, high), row in GRID.items() if low <= frequency + monetary <= high]
    segment = ("new_big_spenders" if monetary == 5 else "new_customers") if is_new else row[recency - 1]
    return Named(scores, segment, CLASSIC["".join(str(int(each >= 3)) for each in scores)], layer)


def shop_months(orders: list[Order], as_of: date) -> dict[date, dict[str, tuple[State, Named]]]:
    """Each month's customers, with states and names, by the thresholds that the months before it give."""
    answer = {}
    for month in months_between(min(order.day for order in orders), as_of):
        on, before = min(end_of(month), as_of), month - timedelta(days=1)
        states, earlier = states_on(orders, on), states_on(orders, before)
        if sum(state.spent is not None for state in earlier.values()) < LEAST:
            earlier = states
        peers = [(-state.recency_days, state.orders, state.spent) for state in earlier.values() if state.spent is not None]
        days = layer_days(orders, on, before)
        answer[month] = {}
        for person, state in states.items():
            scores = None
            if state.spent is not None:
                mine = (-state.recency_days, state.orders, state.spent)
                scores = tuple(score(mine[n], [peer[n] for peer in peers]) for n in range(3))  # type: ignore[misc]
            answer[month][person] = (state, described(state, scores, days, on))  # type: ignore[arg-type]
    return answer


def transitions(months: Mapping[date, Mapping[str, tuple[State, Named]]], scheme: str) -> Counter[tuple[date, str, str]]:
    """Customers by month, where they came from and where they are."""
    place = {"rfm": 1, "classic": 2, "layer": 3}[scheme]
    moves: Counter[tuple[date, str, str]] = Counter()
    ordered = sorted(months)
    for earlier, later in pairwise(ordered):
        for person in months[earlier].keys() | months[later].keys():
            source, target = (months[m][person][1][place] if person in months[m] else None for m in (earlier, later))
            if source or target:
                moves[later, source or "not_a_customer", target or "not_a_customer"] += 1
    return moves


class Cohort(NamedTuple):
    customers: int
    active: int
    orders: int
    paid: int | None
    refunded: int | None
    net: int | None


def total(amounts: list[int | None]) -> int | None:
    """Of the known ones; null where there are some and none is known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known or not amounts else None


def start_of(period: str, day: date) -> date:
    return day.replace(day=1) if period == "month" else day - timedelta(days=day.weekday())


def after(period: str, start: date) -> date:
    return end_of(start) + timedelta(days=1) if period == "month" else start + timedelta(days=7)


def cohorts(orders: Iterable[Order], period: str, as_of: date) -> dict[tuple[date, date], Cohort | None]:
    """By first days of cohort and period; None for a period that is not over."""
    of_person: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        if order.is_kept(date.max):
            of_person[order.person].append(order)
    persons: dict[date, list[list[Order]]] = defaultdict(list)
    for mine in of_person.values():
        persons[start_of(period, min(order.day for order in mine))].append(mine)
    table: dict[tuple[date, date], Cohort | None] = {}
    for cohort, members in persons.items():
        start = cohort
        while start <= as_of:
            end = after(period, start)
            bought = [[order for order in mine if start <= order.day < end] for mine in members]
            flat = [order for mine in bought for order in mine]
            paid = [order.paid for order in flat]
            back = [
                None if order.paid is None else amount
                for mine in members
                for order in mine
                for day, amount in order.refunds
                if start <= max(day, order.day) < end
            ]
            net = total([*paid, *(None if amount is None else -amount for amount in back)])
            row = Cohort(len(members), sum(map(bool, bought)), len(flat), total(paid), total(back), net)
            table[cohort, start] = row if end <= as_of else None
            start = end
    return table
