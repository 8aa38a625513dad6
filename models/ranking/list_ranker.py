"""The ranker over lists: symmetric trees order what the other models of persons list, fitted on the week before the cut.

``models.lab.feature_ranker`` ranks on the feature store's values and a request's context, too; this one sees what a release
can know ahead of any request, so that its lists can be made with the release.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.recommender import Scores
from models.algorithms.symmetric_trees import SymmetricTrees
from models.candidates.pairs import Candidates, best_of_rows, look_up
from models.candidates.person_lists import LENGTH, PersonLists
from models.candidates.training_context import TrainingContext
from models.data.interactions import Interactions
from models.data.sequences import Numbers, evenly_spaced
from models.data.split import SplitWindow
from models.ranking.growth import Examples, Growth, NoRankingExamples, grow
from models.ranking.labels import relevance_within
from models.ranking.pair_facts import pair_facts

# Of equal places the first one gives the reason.
SOURCES = ("item_knn", "personal_frequency", "tifu_knn", "buy_again", "als")
PLACES = 30  # of each list
COLUMNS = (
    *(f"{source}{suffix}" for source in SOURCES for suffix in ("", "_of_best", "_place")),
    *("sources", "views", "adds", "payments", "recency", "paid_recency", "sales", "sales_14d", "orders", "acts"),
)
TAUGHT_DAYS, GAP_DAYS = 7, 1
MOST_ITEMS = 20_000  # a larger shop has the ranker at the request alone: the columns of every list of a person fill its memory
MOST_TEACHERS = 1_500  # persons, evenly spaced
Models = tuple[ItemKNN, ALS]
GROWTH = Growth(trees=100, depth=4, learning_rate=0.08, misses=20)


@dataclass(frozen=True)
class ListRanker:
    """Orders the entries of several lists by trees over ``COLUMNS``; ``importances`` are percent by column."""

    trees: SymmetricTrees
    importances: dict[str, float]

    def lists(self, training_context: TrainingContext, lists: dict[str, PersonLists]) -> PersonLists:
        """The lists of all persons; an entry's origin is that of the source that placed it best."""
        candidates = _candidates(lists, training_context.items)
        places = _places_of(lists, candidates)
        scores = self.trees.predict(_columns(training_context, lists, candidates, places))
        best, place = best_of_rows(candidates, scores, LENGTH)
        kept = np.full((candidates.rows, LENGTH), -1, dtype=np.int64)
        kept[candidates.row[best], place] = best
        row, filled = np.nonzero(kept >= 0)
        items, weights = np.full(kept.shape, -1, dtype=np.int64), np.zeros(kept.shape, dtype=np.float32)
        items[row, filled] = candidates.item[kept[row, filled]]
        weights[row, filled] = 1 / (1 + np.exp(-scores[kept[row, filled]]))  # above zero, and in the same order
        origins, because = np.zeros(kept.shape, dtype=np.int64), np.full(kept.shape, -1, dtype=np.int64)
        origins[row, filled], because[row, filled] = _origins(lists, row, places[:, kept[row, filled]])
        return PersonLists.of(items, weights, origins, because)


def learn(earlier: TrainingContext, lists: dict[str, PersonLists], acts: Interactions, window: SplitWindow) -> ListRanker:
    """Trees fitted on the candidates of an ``earlier`` training set, labelled by the acts of ``window``'s test interval.

    Raises NoRankingExamples.
    """
    relevance = relevance_within(acts, window)
    persons = np.flatnonzero(np.diff(relevance.indptr) > 0)
    persons = persons[evenly_spaced(len(persons), MOST_TEACHERS)]
    candidates = _candidates(lists, earlier.items)
    candidates = candidates.where(np.isin(candidates.row, persons))
    label = look_up(relevance, candidates)[0]
    columns = _columns(earlier, lists, candidates, _places_of(lists, candidates))
    trees, importances = grow(Examples(candidates.row, columns, label, label > 0).with_a_hit(), COLUMNS, GROWTH)
    return ListRanker(trees, importances)


def earlier_context(
    acts: Interactions, as_of: np.datetime64, fit_matrix_models: Callable[[Interactions], Models]
) -> TrainingContext | None:
    """What was known a week before ``as_of``; None for a shop that knew nothing to learn from."""
    window = taught_window(as_of)
    known = acts.where(window.is_training(acts.occurred_at, acts.known_at))
    if not (known.kind == "pay").any():
        return None
    return TrainingContext.of(known, window.cut, *fit_matrix_models(known))


def teach(
    earlier: TrainingContext, lists: dict[str, PersonLists], acts: Interactions, as_of: np.datetime64
) -> ListRanker | None:
    """A ranker of ``SOURCES`` fitted on the week before ``as_of``; None where that holds nothing to learn, and for more than
    ``MOST_ITEMS``.
    """
    if earlier.items > MOST_ITEMS:
        return None
    window = taught_window(as_of)
    try:
        return learn(earlier, lists, acts, window)
    except NoRankingExamples:
        return None


def taught_window(as_of: np.datetime64) -> SplitWindow:
    """The week of the labels: it ends at ``as_of``, with a gap before it as before the test."""
    day = np.timedelta64(1, "D")
    return SplitWindow(as_of - (TAUGHT_DAYS + GAP_DAYS) * day, as_of - TAUGHT_DAYS * day, as_of)


def _candidates(lists: dict[str, PersonLists], items: int) -> Candidates:
    """What any source lists for a person; the strength is the number of sources that do."""
    persons = np.arange(len(lists[SOURCES[0]].items))
    named = sparse.csr_matrix((len(persons), items), dtype=np.float32)
    for source in SOURCES:
        listed = lists[source].head(PLACES).matrix(persons, items)
        listed.data[:] = 1
        named = named + listed
    named.sort_indices()
    row = np.repeat(persons, np.diff(named.indptr))
    return Candidates(row, named.indices.astype(np.int64), named.data, *named.shape)


def _columns(
    training_context: TrainingContext, lists: dict[str, PersonLists], candidates: Candidates, places: Numbers
) -> Scores:
    """The table, shape (candidates, ``COLUMNS``)."""
    persons = np.arange(candidates.rows)
    columns: list[Scores] = []
    for source, place in zip(SOURCES, places, strict=True):
        columns += look_up(lists[source].matrix(persons, candidates.items), candidates)
        columns.append(np.log1p(np.where(place > 0, place, LENGTH + 1)).astype(np.float32))
    columns += [candidates.strength, *pair_facts(training_context.moment, candidates)]
    recent = training_context.acts.where(training_context.moment.age_days() <= 14).sales()
    columns += [np.log1p(sales)[candidates.item] for sales in (training_context.acts.sales(), recent)]
    acts = np.bincount(training_context.acts.person, minlength=candidates.rows)
    columns += [np.log1p(counts)[candidates.row] for counts in (training_context.baskets.baskets, acts)]
    return np.column_stack(columns).astype(np.float32)


def _places_of(lists: dict[str, PersonLists], candidates: Candidates) -> Numbers:
    """Sources × candidates: the place in the list of each source."""
    return np.stack([_places(lists[source], candidates.row, candidates.item, candidates.items) for source in SOURCES])


def _places(lists: PersonLists, row: Numbers, item: Numbers, items: int) -> Numbers:
    """The place of each pair in its person's list, from 1; 0 for a pair that is not in it."""
    key = np.arange(len(lists.items), dtype=np.int64)[:, None] * items + lists.items
    known = lists.items >= 0
    place = np.broadcast_to(np.arange(1, lists.items.shape[1] + 1), lists.items.shape)[known]
    order = np.argsort(key[known])
    keys, place = key[known][order], place[order]
    if len(keys) == 0:
        return np.zeros(len(row), dtype=np.int64)
    asked = row * items + item
    at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[at] == asked, place[at], 0)


def _origins(lists: dict[str, PersonLists], row: Numbers, places: Numbers) -> tuple[Numbers, Numbers]:
    """Origin and cause of each pair, from the source that placed it best; ``places``: sources × pairs."""
    best = np.where(places > 0, places, LENGTH + 1).argmin(axis=0)
    origins, because = np.zeros(len(row), dtype=np.int64), np.full(len(row), -1, dtype=np.int64)
    for number, source in enumerate(SOURCES):
        here = best == number
        at = (row[here], places[number][here] - 1)
        origins[here], because[here] = lists[source].origins[at], lists[source].because[at]
    return origins, because
