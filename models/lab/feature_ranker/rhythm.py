"""In what rhythm a person buys again: days of restocking, how far apart they are, how long ago the last one was.

A person runs out of usual goods together and takes most of them in one visit; a single pair of person and item has too few
payments to tell its rhythm. What went into the cart tells as much as what was paid for, even when nobody paid in the end.

It does not serve: the ranker of a release knows rhythm by the list ``buy_again``.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Scores
from models.candidates.pairs import Candidates, look_up
from models.data.sequences import Numbers
from models.data.snapshot import Snapshot

RHYTHM = ("restock_age_days", "restock_gap_days", "restock_age_over_gap", "pair_taken_days", "pair_share_of_restocks")
UNKNOWN = -1.0


def rhythm_facts(moment: Snapshot, candidates: Candidates) -> list[Scores]:
    """The columns ``RHYTHM`` of each candidate.

    Taken is what was put into the cart or paid for. A restock is a day (of 24 h back from the moment) on which a person took
    something that the person took on two days or more. ``restock_age_days`` counts from the latest one, ``restock_gap_days`` is
    the median distance of one to the next, both −1 where there is none. ``pair_share_of_restocks``: of the person's restocks
    since the item was first taken, the share on which it was taken; 0 for an item that was taken on one day only.
    """
    acts = moment.acts
    is_taken = (acts.kind == "add") | (acts.kind == "pay")
    age = np.floor(moment.age_days()[is_taken]).astype(np.int64)
    days = int(age.max(initial=0)) + 1
    taken = np.unique((acts.person[is_taken] * moment.items + acts.item[is_taken]) * days + age)
    pair, age = taken // days, taken % days
    key, first, taken_days = np.unique(pair, return_index=True, return_counts=True)
    oldest, person = age[first + taken_days - 1], key // moment.items
    is_usual = np.repeat(taken_days >= 2, taken_days)
    restocks = np.unique(pair[is_usual] // moment.items * days + age[is_usual])
    latest, gap = _distances(restocks // days, restocks % days, moment.persons)
    since = np.searchsorted(restocks, person * days + oldest, side="right") - np.searchsorted(restocks, person * days)
    share = np.where(taken_days >= 2, taken_days / np.maximum(since, 1), 0)
    shape = (moment.persons, moment.items)
    tables = [sparse.csr_matrix((each.astype(np.float32), (person, key % moment.items)), shape) for each in (taken_days, share)]
    over = np.where(gap > 0, latest / np.maximum(gap, 1e-9), UNKNOWN)
    of_person = [each[candidates.row].astype(np.float32) for each in (latest, gap, over)]
    return [*of_person, *(look_up(table, candidates)[0] for table in tables)]


def _distances(person: Numbers, age: Numbers, persons: int) -> tuple[Scores, Scores]:
    """Age of each person's youngest restock, and the median distance between neighbours; restocks sorted by person and age."""
    latest, gap = np.full(persons, UNKNOWN), np.full(persons, UNKNOWN)
    latest[person[::-1]] = age[::-1]
    is_next = person[1:] == person[:-1]
    apart, owner = np.diff(age)[is_next], person[1:][is_next]
    order = np.lexsort((apart, owner))
    apart, owner = apart[order], owner[order]
    distinct, start, count = np.unique(owner, return_index=True, return_counts=True)
    gap[distinct] = (apart[start + (count - 1) // 2] + apart[start + count // 2]) / 2
    return latest, gap
