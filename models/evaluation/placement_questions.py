"""The question of each placement, asked of acts after the cut: what was given, and what came of it.

``Cases`` come from the test interval of the shop's time split; models may have learnt from training acts alone. Nothing of the
answer is in what is given, the whole catalogue is ranked, and an item that nobody could have known counts as relevant all the
same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.data.interactions import Interactions
from models.data.sequences import Mask, Numbers, Sequences, distinct, evenly_spaced, places_in_rows
from models.data.split import Instants, SplitWindow
from models.data.visits import LOOKED_BACK, orders, visits

MOST_CASES = 2_000  # evenly spaced; enough to tell models apart, few enough to judge them in a second


@dataclass(frozen=True)
class Cases:
    """One row a case: whose it is, when it is asked, the items given (oldest first), and the right ones (cases × items, 1 or
    nothing).

    ``masked`` are items that the list may not hold: the page's, those in the cart, those just paid.
    """

    person: Numbers
    given: Sequences
    truth: sparse.csr_matrix
    masked: sparse.csr_matrix
    asked_at: Instants

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: Numbers | slice) -> Cases:
        """Some cases, in that order."""
        return Cases(self.person[rows], self.given.take(rows), self.truth[rows], self.masked[rows], self.asked_at[rows])

    def sampled(self, most: int) -> Cases:
        """Evenly spaced cases, at most ``most``."""
        if len(self) <= most:
            return self
        return self.take(evenly_spaced(len(self), most))


def item_cases(acts: Interactions, window: SplitWindow) -> Cases:
    """Item page: after looking at an item, which other one does the person act upon next in the visit?

    One case a view that was followed; given are the entries of the visit up to the page's item, which comes last.
    """
    test_visits = visits(acts.where(window.is_test(acts.occurred_at)))
    given, following = test_visits.items.split_everywhere(window=LOOKED_BACK)
    row = test_visits.items.row()
    asked = np.flatnonzero(np.arange(len(row)) > test_visits.items.starts[row])
    rows = np.flatnonzero(test_visits.is_view[asked - 1])
    given, owner = given.take(rows), test_visits.person[row[asked[rows]]]
    at = test_visits.at[asked[rows] - 1]
    return Cases(owner, given, _one_each(following[rows], given.items), _as_matrix(given.tail(1)), at)


def cart_cases(acts: Interactions, window: SplitWindow) -> Cases:
    """Cart: given all lines of an order but one, which is that one? One case a line of an order of two items or more."""
    test_orders = orders(acts.where(window.is_test(acts.occurred_at)))
    test_orders = test_orders.take(np.flatnonzero(test_orders.items.lengths > 1))
    given = _without_each(test_orders.items)
    owner = test_orders.person[test_orders.items.row()]
    at = test_orders.started_at[test_orders.items.row()]
    return Cases(owner, given, _one_each(test_orders.items.flat, given.items), _as_matrix(given), at)


def after_payment_cases(acts: Interactions, window: SplitWindow) -> Cases:
    """After payment: what is in the person's next order? One case an order of the test interval that follows another one.

    Given are the lines of the order before it, the one just paid, which the list leaves out.
    """
    every = orders(acts.where(acts.occurred_at < window.end))
    every = every.take(np.lexsort((every.started_at, every.person)))
    follows = np.concatenate([[False], every.person[1:] == every.person[:-1]])[: len(every)]
    asked = np.flatnonzero(follows & window.is_test(every.started_at))
    paid = every.items.take(asked - 1)
    truth, paid_at = _as_matrix(every.items.take(asked)), every.started_at[asked - 1]
    return Cases(every.person[asked], paid, truth, _as_matrix(paid), paid_at)


def home_cases(acts: Interactions, window: SplitWindow) -> Cases:
    """Home: what does a known person buy in the test interval? Given are the last items acted upon before the cut."""
    training = acts.where(window.is_training(acts.occurred_at, acts.known_at))
    coming = orders(acts.where(window.is_test(acts.occurred_at)))
    people = np.intersect1d(distinct(coming.person), distinct(training.person), assume_unique=True)
    owner = np.repeat(coming.person, coming.items.lengths)
    known = np.isin(owner, people)
    places = (np.searchsorted(people, owner[known]), coming.items.flat[known])
    truth = sparse.csr_matrix((np.ones(int(known.sum()), dtype=np.float32), places), shape=(len(people), coming.items.items))
    truth.data[:] = 1
    nothing = sparse.csr_matrix(truth.shape, dtype=np.float32)
    return Cases(people, last_items(training, people), truth, nothing, np.full(len(people), window.cut, dtype="datetime64[us]"))


def cases_of(placement: str, acts: Interactions, window: SplitWindow, is_bought_again: Mask) -> Cases:
    """The cases of a placement. After payment the list may hold what was just paid where it is soon bought again:
    ``is_bought_again`` marks these items (``models.candidates.repurchase``).
    """
    cases = QUESTIONS[placement](acts, window)
    if placement != "after_payment":
        return cases
    masked = sparse.csr_matrix(cases.masked @ sparse.diags((~is_bought_again).astype(np.float32)))
    masked.eliminate_zeros()
    return replace(cases, masked=masked)


QUESTIONS: dict[str, Callable[[Interactions, SplitWindow], Cases]] = {
    "home": home_cases,
    "item": item_cases,
    "cart": cart_cases,
    "after_payment": after_payment_cases,
}


def last_items(acts: Interactions, people: Numbers) -> Sequences:
    """The last ``LOOKED_BACK`` entries of all visits of each of ``people`` (rising), oldest first; none for a stranger."""
    past_visits = visits(acts)
    past_visits = past_visits.take(np.lexsort((past_visits.started_at, past_visits.person)))
    entries = np.bincount(past_visits.person, weights=past_visits.items.lengths, minlength=len(acts.person_ids)).astype(
        np.int64
    )
    whole = Sequences(
        past_visits.items.flat, np.concatenate([[0], np.cumsum(entries)]).astype(np.int64), past_visits.items.items
    )
    return whole.take(people).tail(LOOKED_BACK)


def _without_each(rows: Sequences) -> Sequences:
    """For each entry, the other entries of its row."""
    size = rows.lengths[rows.row()]
    case = np.repeat(np.arange(len(rows.flat)), size)
    place = places_in_rows(size)
    entry = rows.starts[:-1][rows.row()][case] + place
    starts = np.concatenate([[0], np.cumsum(size - 1)]).astype(np.int64)
    return Sequences(rows.flat[entry[entry != case]], starts, rows.items)


def _one_each(item: Numbers, items: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(len(item), dtype=np.float32), item, np.arange(len(item) + 1)), shape=(len(item), items))


def _as_matrix(rows: Sequences) -> sparse.csr_matrix:
    """Rows × items, 1 for an item of the row."""
    ones: npt.NDArray[np.float32] = np.ones(len(rows.flat), dtype=np.float32)
    return rows.latest(ones)
