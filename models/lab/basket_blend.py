"""Ours: personal frequency, neighbours, time, succession and the person's rhythm, weighed by what held-out baskets teach.

It does not serve: a release keeps fifty items a person, which the ranker over lists orders already.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.part_states import joined, restore
from models.algorithms.personal_frequency import BasketModel, PersonalFrequency
from models.algorithms.recommender import NotFitted, Scores, State
from models.algorithms.succession import Succession
from models.algorithms.tifu_knn import TIFUKNN
from models.candidates.pairs import Candidates, gather, look_up, sample_for_training
from models.data.baskets import Purchases, check_purchases, check_range
from models.lab.basket_rhythm import rhythm
from models.lab.boosted_trees import BoostedTrees
from models.lab.time_aware_weighting import TAIWI

SHARES = {"often": 1.0, "lately": 1.0, "tifu": 1.0, "taiwi": 1.0, "alike": 0.3, "succession": 0.3}


class TooFewBaskets(ValueError):
    """Too few baskets were held out to learn from."""


def basket_sources() -> dict[str, BasketModel]:
    """Fresh models that the blend listens to."""
    return {
        "often": PersonalFrequency(),
        "lately": PersonalFrequency(fade=0.9),
        "just_now": PersonalFrequency(fade=0.6),
        "tifu": TIFUKNN(),
        "alike": TIFUKNN(alpha=0.0),
        "taiwi": TAIWI(),
        "succession": Succession(),
    }


class BasketBlend:
    """Trees over what each source says of a candidate, the person's rhythm with it, and how items are bought in general.

    ``learn`` holds the last ``rounds`` baskets of the teaching users out one after the other, newest first: what a user bought
    in a basket against candidates from the baskets before it. ``fit`` fits the sources on everything and keeps the trees.
    """

    name = "blend"

    def __init__(self, candidates: int = 200, rounds: int = 3, learn_from: int = 6000, trees: int = 150, seed: int = 7) -> None:
        self.candidates = candidates
        self.rounds = rounds
        self.learn_from = learn_from
        self.trees = trees
        self.seed = seed
        self.sources_ = basket_sources()
        self.trees_: BoostedTrees | None = None
        self.habits_: Scores | None = None

    def learn(self, purchases: Purchases, teachers: np.ndarray) -> Self:
        """Learn from the last baskets of some users (numbers, rising). Raises TooFewBaskets."""
        check_purchases(purchases)
        if len(teachers) > self.learn_from:
            teachers = np.sort(np.random.default_rng(self.seed).permutation(teachers)[: self.learn_from])
        tables, targets, weights = [], [], []
        for turn in range(self.rounds):
            known = purchases.before_last(turn + 1)
            if len(known) == 0:
                break
            able = teachers[known.baskets[teachers] > 0]
            self._fit_sources(known)
            candidates, features = self._table(known.of(able))
            truth = purchases.basket(turn)[able]
            is_target = look_up(truth, candidates)[0] > 0
            kept, weight = sample_for_training(candidates, is_target, top=40, others=20, seed=self.seed + turn)
            tables.append(features[kept])
            targets.append(is_target[kept])
            weights.append(weight[kept])
        if not targets or sum(int(target.sum()) for target in targets) < 100:
            raise TooFewBaskets("fewer than 100 items of held-out baskets are among the candidates")
        trees = BoostedTrees(self.trees, seed=self.seed)
        self.trees_ = trees.fit(np.concatenate(tables), np.concatenate(targets), np.concatenate(weights))
        return self

    def fit(self, purchases: Purchases) -> Self:
        """Fit the sources; the trees are learnt before, by ``learn``."""
        if self.trees_ is None:
            raise NotFitted("let the blend learn its trees first")
        self._fit_sources(check_purchases(purchases))
        return self

    def _fit_sources(self, purchases: Purchases) -> None:
        for model in self.sources_.values():
            model.fit(purchases)
        self.habits_ = habits(purchases)

    def score(self, histories: Purchases) -> sparse.csr_matrix:
        """Log-odds of the candidates, lifted above zero."""
        if self.trees_ is None:
            raise NotFitted("let the blend learn first")
        candidates, features = self._table(check_range(histories))
        return candidates.matrix(self.trees_.predict(features))

    def _table(self, histories: Purchases) -> tuple[Candidates, Scores]:
        if self.habits_ is None:
            raise NotFitted("let the blend learn first")
        scores = {name: model.score(histories) for name, model in self.sources_.items()}
        candidates = gather(scores, SHARES, self.candidates)
        columns = [candidates.strength, *(habit[candidates.item] for habit in self.habits_), *rhythm(histories, candidates)]
        for name in sorted(scores):
            columns.extend(look_up(scores[name], candidates))
        return candidates, np.column_stack(columns).astype(np.float32)

    def state(self) -> State:
        """States of sources and trees, each array under ``<part>/<array>``."""
        if self.trees_ is None or self.habits_ is None:
            raise NotFitted("let the blend learn first")
        return {**joined({**self.sources_, "trees": self.trees_}), "habits": self.habits_}

    def from_state(self, state: State) -> Self:
        """Take over sources and trees."""
        self.trees_ = BoostedTrees(self.trees, seed=self.seed)
        restore({**self.sources_, "trees": self.trees_}, state)
        self.habits_ = state["habits"].astype(np.float32)
        return self


def habits(purchases: Purchases) -> Scores:
    """Of each item, shape (3, items): log of its buyers, log of its purchases in last baskets, purchases a buyer."""
    count = purchases.summed(np.ones(len(purchases)))
    buyers = np.bincount(count.indices, minlength=purchases.items)
    bought = np.bincount(purchases.item, minlength=purchases.items)
    lately = np.bincount(purchases.item[purchases.back < 5], minlength=purchases.items)
    return np.stack([np.log1p(buyers), np.log1p(lately), bought / np.maximum(buyers, 1)]).astype(np.float32)
