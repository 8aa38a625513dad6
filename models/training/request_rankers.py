"""Grow the rankers of placements on the week before the cut: past requests, answered by models of before that week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from jishi.catalogue import KNOWN_AT, NEWEST
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from models.candidates.pairs import Candidates, look_up
from models.candidates.recipes import Recipe
from models.candidates.training_context import TrainingContext
from models.data.interactions import Interactions, instant
from models.data.sequences import Numbers, Sequences, distinct, evenly_spaced
from models.data.split import SplitWindow
from models.evaluation.placement_questions import Cases, cases_of
from models.ranking.growth import Examples, Growth, NoRankingExamples, grow, join_examples
from models.ranking.known_facts import KnownFacts
from models.ranking.labels import relevance_within
from models.ranking.past_requests import PastRequests
from models.ranking.request_columns import names
from models.ranking.request_ranker import RequestRanker

MOST_QUESTIONS = 800  # of a placement, evenly spaced
LEAST_QUESTIONS = 50  # fewer teach nothing that a gate would let through
GROWTH = Growth(trees=100, depth=4, learning_rate=0.08, misses=20)


@dataclass(frozen=True)
class Learnt:
    """Rankers by placement, and the share of each column in each, percent."""

    rankers: Mapping[str, RequestRanker]
    importances: Mapping[str, Mapping[str, float]]


# As each item was known at an instant; of one that became known later, what it was at first.
_THEN = f"""
    with states as (
        select *, greatest(occurred_at, {KNOWN_AT}) as counts_from,
            json_extract_string(line, '$.properties.category') as category_then
        from silver_events where shop_id = $shop and type = 'item_changed'
    )
    select distinct on (item_id) item_id, category_then from states where category_then is not null
    order by item_id, counts_from > $as_of, case when counts_from > $as_of then counts_from end, {NEWEST}
"""


def categories_of(lake: LakeVersion, shop_id: str, as_of: np.datetime64 | None = None) -> dict[str, str | None]:
    """The category of each item of the catalogue, as it was known at an instant (None: now)."""
    with open_lake(lake) as connection:
        now = connection.execute("select item_id, category from silver_items where shop_id = ?", [shop_id]).fetchall()
        values = {"shop": shop_id, "as_of": None if as_of is None else instant(as_of)}
        return dict(now) | ({} if as_of is None else dict(connection.execute(_THEN, values).fetchall()))


def numbered(category_of: Mapping[str, str | None], item_ids: list[str]) -> Numbers:
    """The number of each item's category, −1 for none."""
    numbers: dict[str, int] = {}
    named = [category_of.get(item_id) for item_id in item_ids]
    return np.array([-1 if each is None else numbers.setdefault(each, len(numbers)) for each in named], dtype=np.int64)


def facts_of(context: TrainingContext, category_of: Mapping[str, str | None]) -> KnownFacts:
    """What is known of items, persons and pairs at the cut of a training set."""
    category = numbered(category_of, context.acts.item_ids.tolist())
    return KnownFacts.of(context.acts, context.as_of, category, context.baskets.baskets)


def learn_rankers(
    earlier: PastRequests, acts: Interactions, window: SplitWindow, is_bought_again: np.ndarray, recipes: list[Recipe]
) -> Learnt:
    """Rankers of the recipes' placements, grown on the questions of ``window``'s test interval; none for a placement with too
    few of them.
    """
    rankers, importances = {}, {}
    for placement in dict.fromkeys(recipe.ranker for recipe in recipes if recipe.ranker is not None):
        cases, label = _questions(placement, acts, window, is_bought_again)
        if len(cases) < LEAST_QUESTIONS:
            continue
        sources = RequestRanker.sources_of(placement)
        try:
            trees, importances[placement] = grow(_examples(earlier, placement, cases, label), names(sources), GROWTH)
        except NoRankingExamples:
            continue
        rankers[placement] = RequestRanker(placement, trees)
    return Learnt(rankers, importances)


def _questions(
    placement: str, acts: Interactions, window: SplitWindow, is_bought_again: np.ndarray
) -> tuple[Cases, sparse.csr_matrix]:
    """Questions of the placement and what came of each: right items, or at home all acts by their strength."""
    if placement != "home":
        cases = cases_of(placement, acts, window, is_bought_again).sampled(MOST_QUESTIONS)
        return cases, cases.truth
    relevance = relevance_within(acts, window)
    training = acts.where(window.is_training(acts.occurred_at, acts.known_at))
    persons = np.intersect1d(np.flatnonzero(np.diff(relevance.indptr) > 0), distinct(training.person), assume_unique=True)
    persons = persons[evenly_spaced(len(persons), MOST_QUESTIONS)]
    truth = sparse.csr_matrix(relevance[persons])
    given = Sequences(np.empty(0, dtype=np.int64), np.zeros(len(persons) + 1, dtype=np.int64), truth.shape[1])
    at = np.full(len(persons), window.cut, dtype="datetime64[us]")
    return Cases(persons, given, truth, sparse.csr_matrix(truth.shape, dtype=np.float32), at), truth


def _examples(earlier: PastRequests, placement: str, cases: Cases, label: sparse.csr_matrix) -> Examples:
    parts, first = [], 0
    tables = earlier.tables(RequestRanker.sources_of(placement), cases.given, cases.person, cases.asked_at, cases.masked)
    for asked, pairs, table in tables:
        here = sparse.csr_matrix(label[first : first + len(asked)])
        first += len(asked)
        candidates = Candidates(pairs.row, pairs.items, np.empty(0, np.float32), len(asked), label.shape[1])
        worth = look_up(here, candidates)[0]
        parts.append(Examples(pairs.row, table, worth, worth > 0))
    return join_examples(parts).with_a_hit()
