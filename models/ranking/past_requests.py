"""Past requests of a shop: what several sources would have listed for each, and everything that was known at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Scores
from models.algorithms.session_model import SessionModel
from models.candidates.person_lists import PersonLists
from models.candidates.request_sources import DECAY, HALF_LIFE_S, LISTED, PLACES, RequestSources
from models.data.interactions import Interactions
from models.data.last_acts import LastActs
from models.data.sequences import Numbers, Sequences
from models.data.stored_features import ITEM_VIEWS, PERSON_VIEWS, StoredFeatures
from models.ranking.known_facts import KnownFacts
from models.ranking.listed import Listed, RequestPairs, union
from models.ranking.request_columns import Questions, clock, columns, nothing_stored
from models.ranking.request_ranker import RequestRanker

Stored = Callable[[Questions, RequestPairs], tuple[Scores, Scores]]  # features of each pair's item and each row's person
BATCH = 500


@dataclass(frozen=True)
class PastRequests:
    """The sources as they were fitted before some requests, and what was known at each: who asked, when, what was given.

    ``neighbours``: items × items, how near they are; an item is not near itself.
    """

    contexts: Mapping[str, SessionModel]
    lists: Mapping[str, PersonLists]
    neighbours: sparse.csr_matrix
    facts: KnownFacts
    last_acts: LastActs
    zone: ZoneInfo
    stored: Stored = nothing_stored

    def score(
        self, ranker: RequestRanker, given: Sequences, person: Numbers, asked_at: np.ndarray, masked: sparse.csr_matrix
    ) -> sparse.csr_matrix:
        """Requests × items: the score of each candidate, none for others and for ``masked`` ones."""
        rows = [
            sparse.csr_matrix((ranker.score(table), pairs.items, pairs.starts), shape=(len(asked), masked.shape[1]))
            for asked, pairs, table in self.tables(ranker.sources, given, person, asked_at, masked)
        ]
        return sparse.csr_matrix(sparse.vstack(rows, format="csr") if rows else sparse.csr_matrix(masked.shape))

    def tables(
        self, sources: RequestSources, given: Sequences, person: Numbers, asked_at: np.ndarray, masked: sparse.csr_matrix
    ) -> Iterator[tuple[Questions, RequestPairs, Scores]]:
        """Questions, candidates and columns of some requests at a time, in their order."""
        for start in range(0, len(person), BATCH):
            part = slice(start, start + BATCH)
            here = given.take(part) if sources.contexts else _nothing_given(given.take(part))
            asked = self._questions(here, person[part], asked_at[part], looks_back=sources.recent)
            lists = self._listed(sources, here, asked, masked[part])
            pairs = union(lists, PLACES, masked.shape[1])
            yield asked, pairs, columns(lists, asked, self.facts, pairs, self.stored(asked, pairs))

    def _questions(self, given: Sequences, person: Numbers, asked_at: np.ndarray, *, looks_back: bool) -> Questions:
        last = [self.last_acts.at(int(who), at) for who, at in zip(person, asked_at, strict=True)] if looks_back else []
        starts = np.concatenate([[0], np.cumsum([len(items) for items, _ in last])]) if last else np.zeros(len(person) + 1)
        newest = np.full(len(person), -1, dtype=np.int64)
        some = given.lengths > 0
        newest[some] = given.flat[given.starts[1:][some] - 1]
        asked_ms = asked_at.astype("datetime64[ms]").astype(np.int64)
        return Questions(
            person,
            asked_ms,
            newest,
            given.lengths,
            starts.astype(np.int64),
            np.concatenate([np.empty(0, dtype=np.int64), *(items for items, _ in last)]),
            np.concatenate([np.empty(0), *(ages for _, ages in last)]).astype(np.float32),
            clock(asked_ms, self.zone),
            self._contexts(person, asked_at),
        )

    def _contexts(self, person: Numbers, asked_at: np.ndarray) -> Numbers:
        numbers = self.last_acts.contexts_at(person, asked_at)
        columns = self.facts.contexts.columns_of((*self.last_acts.context_values, None))  # −1 is the last row
        return columns[numbers, np.arange(numbers.shape[1])]

    def _listed(self, sources: RequestSources, given: Sequences, asked: Questions, masked: sparse.csr_matrix) -> list[Listed]:
        weights = [self.contexts[name].score(given) for name in sources.contexts]
        weights += [self.lists[name].matrix(asked.person, masked.shape[1]) for name in sources.lists]
        if sources.recent:
            fade = fading(asked.last_starts, asked.last_ages_s)
            shape = (len(asked), masked.shape[1])
            recent = sparse.csr_matrix((fade, asked.last_items, asked.last_starts), shape=shape)
            weights.append(sparse.csr_matrix(recent @ self.neighbours))
        return [Listed.of(sparse.csr_matrix(each - each.multiply(masked)), LISTED) for each in weights]


def fading(starts: Numbers, ages_s: Scores) -> Scores:
    """The weight of each last item: DECAY^place · 2^(−age / half-life)."""
    place = np.arange(len(ages_s)) - np.repeat(starts[:-1], np.diff(starts))
    return np.asarray(DECAY**place * 0.5 ** (ages_s / HALF_LIFE_S), dtype=np.float32)


_DECAYS = DECAY ** np.arange(1_000)


def fading_of_one(ages_s: Scores) -> Scores:
    """``fading`` of one row."""
    decays = _DECAYS[: len(ages_s)] if len(ages_s) <= len(_DECAYS) else DECAY ** np.arange(len(ages_s))
    return np.asarray(decays * 0.5 ** (ages_s / HALF_LIFE_S), dtype=np.float32)


def _nothing_given(given: Sequences) -> Sequences:
    """A placement whose question starts from no items: its cases give the person's last ones, which a request has beside."""
    return Sequences(given.flat[:0], np.zeros(len(given) + 1, dtype=np.int64), given.items)


def neighbours_of(similarities: sparse.csr_matrix) -> sparse.csr_matrix:
    """How near items are; an item is not near itself."""
    return sparse.csr_matrix(similarities - sparse.diags(similarities.diagonal()), dtype=np.float32)


def stored_in(features: StoredFeatures, acts: Interactions) -> Stored:
    """Reads the features of past requests from the lake, by the numbers of persons and items."""

    def stored(asked: Questions, pairs: RequestPairs) -> tuple[Scores, Scores]:
        of_person = features.at(PERSON_VIEWS, acts.person_ids[asked.person].tolist(), asked.asked_ms)
        of_person[asked.person < 0] = np.nan
        return features.at(ITEM_VIEWS, acts.item_ids[pairs.items].tolist(), asked.asked_ms[pairs.row]), of_person

    return stored
