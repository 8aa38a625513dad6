"""A blend of session models, learnt on sessions that none of them has seen.

It does not serve: it asks fourteen models for each click; those that win an item page alone serve alone.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.part_states import joined, restore
from models.algorithms.recommender import NotFitted, Scores, State
from models.algorithms.repeats import Repeats
from models.algorithms.sequential_rules import SequentialRules
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_model import SessionModel, check_item_range, check_sessions
from models.algorithms.slist import Slist
from models.algorithms.swalk import SWalk
from models.algorithms.together import Together
from models.candidates.pairs import Candidates, gather, look_up, sample_for_training
from models.data.sequences import Numbers, Sequences
from models.lab.boosted_trees import BoostedTrees
from models.lab.markov import Markov, SecondOrderMarkov

# How much each source says in choosing candidates; the trees decide on their order.
SHARES = {
    "knn": 1.0,
    "knn_long": 0.5,
    "knn_last": 0.5,
    "rules": 1.0,
    "markov": 1.0,
    "together": 1.0,
    "markov2": 0.5,
    "repeats": 1.0,
    "slist": 1.0,
    "swalk": 0.5,
}


class TooFewToLearn(ValueError):
    """The held-out sessions hold too few next items to learn weights from."""


def session_sources() -> dict[str, SessionModel]:
    """Fresh models that the blend listens to."""
    return {
        "knn": SessionKNN(),
        "knn_long": SessionKNN(neighbours=500, decay=8.0),
        "knn_last": SessionKNN(neighbours=500, decay=0.7, length_power=1.0),
        "knn_new": SessionKNN(neighbours=300, newest=0.25),
        "markov": Markov(),
        "markov2": SecondOrderMarkov(),
        "rules_last": SequentialRules(),
        "rules": SequentialRules(decay=2.0),
        "rules_back": SequentialRules(decay=2.0, backwards=True),
        "together": Together(),
        "together_long": Together(decay=10.0),
        "repeats": Repeats(),
        "slist": Slist(),
        "swalk": SWalk(),
    }


class SessionBlend:
    """Trees over what each source says of a candidate, where it stands in the session, and how the session goes.

    ``learn`` fits the sources on earlier sessions and the trees on later ones; ``fit`` fits the sources alone, on all sessions,
    and keeps the trees. How much a repeat counts, or a rare item's only neighbour, is thus learnt from the shop itself.
    """

    name = "blend"

    def __init__(self, candidates: int = 120, learn_from: int = 20_000, trees: int = 150, seed: int = 7) -> None:
        self.candidates = candidates
        self.learn_from = learn_from
        self.trees = trees
        self.seed = seed
        self.sources_ = session_sources()
        self.trees_: BoostedTrees | None = None
        self.popularity_: Scores | None = None
        self.recent_: Scores | None = None

    def learn(self, earlier: Sequences, prefixes: Sequences, following: Numbers) -> Self:
        """Learn the trees from prefixes of later sessions and what followed. Raises TooFewToLearn."""
        self._fit_sources(earlier)
        if len(prefixes) > self.learn_from:
            rows = np.sort(np.random.default_rng(self.seed).permutation(len(prefixes))[: self.learn_from])
            prefixes, following = prefixes.take(rows), following[rows]
        candidates, features = self._table(prefixes)
        is_target = candidates.item == following[candidates.row]
        kept, weight = sample_for_training(candidates, is_target, top=20, others=15, seed=self.seed)
        if is_target[kept].sum() < 100:
            raise TooFewToLearn(f"only {int(is_target[kept].sum())} next items are among the candidates; 100 are needed")
        self.trees_ = BoostedTrees(self.trees, seed=self.seed).fit(features[kept], is_target[kept], weight[kept])
        return self

    def fit(self, sessions: Sequences) -> Self:
        """Fit the sources; the trees are learnt before, by ``learn``."""
        if self.trees_ is None:
            raise NotFitted("let the blend learn its trees first")
        self._fit_sources(sessions)
        return self

    def _fit_sources(self, sessions: Sequences) -> None:
        check_sessions(sessions)
        for model in self.sources_.values():
            model.fit(sessions)
        newest = sessions.take(slice(int(len(sessions) * 0.9), None))
        self.popularity_ = np.log1p(np.bincount(sessions.flat, minlength=sessions.items)).astype(np.float32)
        self.recent_ = np.log1p(np.bincount(newest.flat, minlength=sessions.items)).astype(np.float32)

    def score(self, prefixes: Sequences) -> sparse.csr_matrix:
        """Log-odds of the candidates, lifted above zero."""
        if self.trees_ is None or self.popularity_ is None:
            raise NotFitted("let the blend learn first")
        candidates, features = self._table(check_item_range(prefixes))
        return candidates.matrix(self.trees_.predict(features))

    def _table(self, prefixes: Sequences) -> tuple[Candidates, Scores]:
        """Candidates and their features, one row each."""
        if self.popularity_ is None or self.recent_ is None:
            raise NotFitted("let the blend learn first")
        scores = {name: model.score(prefixes) for name, model in self.sources_.items()}
        candidates = gather(scores, SHARES, self.candidates)
        columns = [candidates.strength, self.popularity_[candidates.item], self.recent_[candidates.item]]
        columns.append(columns[2] - columns[1])
        for name in sorted(scores):
            columns.extend(look_up(scores[name], candidates))
        columns.extend(_places(prefixes, candidates))
        last = np.zeros(len(prefixes), dtype=np.float32)
        filled = prefixes.lengths > 0
        last[filled] = self.popularity_[prefixes.flat[prefixes.starts[1:][filled] - 1]]
        columns.append(last[candidates.row])
        return candidates, np.column_stack(columns).astype(np.float32)

    def state(self) -> State:
        """States of sources and trees, each array under ``<part>/<array>``."""
        if self.trees_ is None or self.popularity_ is None or self.recent_ is None:
            raise NotFitted("let the blend learn first")
        return {**joined({**self.sources_, "trees": self.trees_}), "popularity": self.popularity_, "recent": self.recent_}

    def from_state(self, state: State) -> Self:
        """Take over sources and trees."""
        self.trees_ = BoostedTrees(self.trees, seed=self.seed)
        restore({**self.sources_, "trees": self.trees_}, state)
        self.popularity_, self.recent_ = state["popularity"].astype(np.float32), state["recent"].astype(np.float32)
        return self


def _places(prefixes: Sequences, candidates: Candidates) -> list[Scores]:
    """Where a candidate stands in its session, and how the session goes: length, share of repeats, last two equal."""
    back, count = prefixes.latest(prefixes.back() + 1.0), prefixes.summed(np.ones(len(prefixes.flat)))
    lengths = prefixes.lengths
    distinct = np.diff(count.indptr)
    ends = prefixes.starts[1:]
    is_stuck = np.zeros(len(prefixes), dtype=np.float32)
    longer = lengths >= 2
    is_stuck[longer] = prefixes.flat[ends[longer] - 1] == prefixes.flat[ends[longer] - 2]
    repeated = 1 - distinct / np.maximum(lengths, 1)
    facts = (np.log1p(lengths), repeated, is_stuck)
    return [
        look_up(back, candidates)[0],
        look_up(count, candidates)[0],
        *(np.asarray(fact, dtype=np.float32)[candidates.row] for fact in facts),
    ]
