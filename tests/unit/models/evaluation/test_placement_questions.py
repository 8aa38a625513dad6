"""Visits, orders and the questions of placements, against what one reads off a few acts by eye."""

from __future__ import annotations

import numpy as np
import pytest

from models.data.interactions import Interactions
from models.data.split import SplitWindow
from models.data.visits import orders, purchases, visits
from models.evaluation.placement_questions import QUESTIONS, after_payment_cases, cart_cases, cases_of, home_cases, item_cases

ITEMS = np.array(["a", "b", "c", "d", "e"])
DAY = "2026-09-{:02}T{}"
WINDOW = SplitWindow(np.datetime64("2026-09-10"), np.datetime64("2026-09-11"), np.datetime64("2026-09-20"))


def acts(*rows: tuple[str, str, str, int, str] | tuple[str, str, str, int, str, int]) -> Interactions:
    """Rows of person, item, kind, day, time and, where it was known later, the day of that; ordered as silver is."""
    people = sorted({row[0] for row in rows})
    result = sorted(
        (
            np.datetime64(DAY.format(day, at)),
            people.index(person),
            list(ITEMS).index(item),
            kind,
            np.datetime64(DAY.format(*known, at) if known else DAY.format(day, at)),
        )
        for person, item, kind, day, at, *known in rows
    )
    at, person, item, kind, known_at = zip(*result, strict=True)
    times = (np.array(at, dtype="datetime64[us]"), np.array(known_at, dtype="datetime64[us]"))
    return Interactions(np.array(people), ITEMS, np.array(person), np.array(item), np.array(kind), *times)


def names(numbers: np.ndarray) -> str:
    return "".join(ITEMS[number] for number in numbers)


def entries_of(cases) -> list[tuple[int, str, str, str]]:  # type: ignore[no-untyped-def]
    """Person, given, right and masked items of each case."""
    sets = [
        ["".join(sorted(names(row.indices))) for row in map(matrix.getrow, range(len(cases)))]
        for matrix in (cases.truth, cases.masked)
    ]
    return [(int(person), names(given), *rest) for person, given, *rest in zip(cases.person, cases.given, *sets, strict=True)]


def test_a_pause_of_more_than_half_an_hour_ends_a_visit_and_repeats_are_one_entry() -> None:
    result = visits(
        acts(
            ("p", "a", "view", 1, "10:00"),
            ("p", "a", "add", 1, "10:01"),
            ("p", "b", "view", 1, "10:31"),  # exactly 30 minutes later: the same visit
            ("p", "a", "view", 1, "10:32"),
            ("p", "c", "view", 1, "11:02:01"),  # a second more than 30 minutes: the next one
            ("q", "d", "pay", 1, "10:30"),
        )
    )
    assert [names(row) for row in result.items] == ["aba", "d", "c"]
    assert result.person.tolist() == [0, 1, 0]
    assert result.is_view.tolist() == [True, True, True, False, True]


def test_an_order_is_what_one_person_paid_in_one_instant() -> None:
    result = orders(
        acts(
            ("p", "b", "pay", 1, "10:00"),
            ("p", "a", "pay", 1, "10:00"),
            ("p", "a", "pay", 1, "10:00"),  # two lines of one item
            ("p", "c", "pay", 1, "10:01"),
            ("q", "d", "pay", 1, "10:00"),
            ("q", "e", "view", 1, "10:00"),
        )
    )
    assert [names(row) for row in result.items] == ["ab", "d", "c"]
    assert result.person.tolist() == [0, 1, 0]
    baskets = purchases(result, persons=3, as_of=np.datetime64("2026-09-02T10:00"))
    assert baskets.baskets.tolist() == [2, 1, 0]
    assert list(zip(baskets.user.tolist(), names(baskets.item), baskets.back.tolist(), strict=True)) == [
        (0, "a", 1),
        (0, "b", 1),
        (0, "c", 0),
        (1, "d", 0),
    ]
    assert baskets.at == pytest.approx([-1.0, -1.0, -1.0 + 1 / 1440, -1.0])


def test_the_item_page_asks_for_the_next_other_item_of_a_visit() -> None:
    cases = item_cases(
        acts(
            ("p", "e", "view", 1, "10:00"),  # before the cut: nobody's business
            ("p", "a", "view", 12, "10:00"),
            ("p", "b", "view", 12, "10:01"),
            ("p", "b", "add", 12, "10:02"),
            ("p", "c", "pay", 12, "10:03"),  # no page of an item leads on from a payment
            ("p", "d", "view", 12, "10:04"),
            ("q", "d", "view", 12, "10:00"),  # alone in its visit
        ),
        WINDOW,
    )
    assert entries_of(cases) == [(0, "a", "b", "a"), (0, "ab", "c", "b")]


def test_the_cart_asks_for_each_line_given_the_others() -> None:
    cases = cart_cases(
        acts(
            ("p", "a", "pay", 9, "10:00"),
            ("p", "b", "pay", 9, "10:00"),
            ("p", "a", "pay", 12, "10:00"),
            ("p", "c", "pay", 12, "10:00"),
            ("p", "e", "pay", 12, "10:00"),
            ("q", "d", "pay", 12, "10:00"),  # nothing is left when one line is taken out
        ),
        WINDOW,
    )
    assert entries_of(cases) == [(0, "ce", "a", "ce"), (0, "ae", "c", "ae"), (0, "ac", "e", "ac")]


def test_after_payment_asks_for_the_next_order_given_the_one_just_paid() -> None:
    rows = acts(
        ("p", "a", "pay", 1, "10:00"),
        ("p", "b", "pay", 10, "10:00"),  # in the gap: the storefront knows what was just paid
        ("p", "c", "pay", 10, "10:00"),
        ("p", "d", "pay", 12, "10:00"),
        ("p", "b", "pay", 12, "10:00"),
        ("p", "e", "pay", 13, "10:00"),  # after an order of the test days
        ("q", "d", "pay", 12, "10:00"),  # never bought before
        ("r", "a", "pay", 2, "10:00"),  # never came back
        ("s", "a", "pay", 2, "10:00"),
        ("s", "b", "pay", 21, "10:00"),  # after the test days
    )
    cases = after_payment_cases(rows, WINDOW)
    assert entries_of(cases) == [(0, "bc", "bd", "bc"), (0, "bd", "e", "bd")]
    is_bought_again = ITEMS == "b"
    assert entries_of(cases_of("after_payment", rows, WINDOW, is_bought_again)) == [(0, "bc", "bd", "c"), (0, "bd", "e", "d")]
    assert entries_of(cases_of("home", rows, WINDOW, is_bought_again)) == entries_of(home_cases(rows, WINDOW))


def test_home_asks_what_a_known_person_buys_in_the_test_days() -> None:
    cases = home_cases(
        acts(
            ("p", "a", "view", 1, "10:00"),
            ("p", "b", "view", 2, "10:00"),
            ("p", "d", "pay", 12, "10:00"),
            ("p", "e", "pay", 13, "10:00"),
            ("p", "c", "view", 12, "10:00"),  # looked at only
            ("q", "d", "pay", 12, "10:00"),  # unknown before the cut
        ),
        WINDOW,
    )
    assert entries_of(cases) == [(0, "ab", "de", "")]


@pytest.mark.parametrize("placement", QUESTIONS)
def test_without_test_acts_there_are_no_cases(placement: str) -> None:
    cases = QUESTIONS[placement](acts(("p", "a", "view", 1, "10:00"), ("p", "b", "pay", 1, "10:00")), WINDOW)
    assert len(cases) == 0
    assert cases.truth.shape == (0, len(ITEMS))


@pytest.mark.parametrize("placement", QUESTIONS)
def test_what_happens_after_the_cut_changes_nothing_that_is_given_but_on_page_and_in_cart(placement: str) -> None:
    """The same past with another future: persons and cases differ, what is known of a person does not."""
    past = [("p", "a", "view", 1, "10:00"), ("p", "b", "pay", 2, "10:00"), ("p", "c", "add", 3, "10:00")]
    futures = [
        [("p", "d", "view", 12, "10:00"), ("p", "e", "pay", 12, "10:01"), ("p", "a", "pay", 12, "10:01")],
        [("p", "a", "view", 12, "10:00"), ("p", "b", "pay", 12, "10:01"), ("p", "c", "pay", 12, "10:01")],
    ]
    rows = [entries_of(QUESTIONS[placement](acts(*past, *future), WINDOW)) for future in futures]  # type: ignore[arg-type]
    assert rows[0]
    assert rows[0] != rows[1]
    if placement in ("home", "after_payment"):
        assert [case[1] for case in rows[0]] == [case[1] for case in rows[1]]
    for cases in rows:
        for _, given, right, masked in cases:
            assert placement == "after_payment" or not set(right) & set(masked)  # what was just paid may be bought again
            assert placement not in ("item", "cart") or not set(right) & set(given[-1:])


def test_cases_are_sampled_evenly() -> None:
    cases = cart_cases(acts(*(("p", item, "pay", 12, "10:00") for item in "abcde")), WINDOW)
    assert [case[2] for case in entries_of(cases.sampled(3))] == ["a", "c", "e"]
    assert len(cases.sampled(5)) == 5
