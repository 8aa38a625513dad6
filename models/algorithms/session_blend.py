"""A blend of session models: trees over what each says of a candidate, learnt on sessions that none of them has seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.part_states import joined, restore
from models.algorithms.recommender import Items, NotFitted, Scores, State
from models.algorithms.repeats import BACK, COUNT, Repeats
from models.algorithms.sequential_rules import SequentialRules
from models.algorithms.session_blend_query import BlendQuery, ClickFacts, OfRules, OfSessions, column_names
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_model import SessionModel, check_item_range, check_sessions
from models.algorithms.session_vectors import SessionVectors
from models.algorithms.slist import Slist
from models.algorithms.swalk import SWalk
from models.algorithms.symmetric_trees import SymmetricTrees
from models.algorithms.together import Together
from models.data.sequences import Numbers, Sequences

RULES: dict[str, Callable[[], SequentialRules | Together | Slist | SWalk]] = {
    "rules": SequentialRules,
    "together": Together,
    "slist": Slist,
    "swalk": SWalk,
}
REPEATS, VECTORS = "repeats", "vectors"
# What the trees listen to; several sources read the same arrays.
SOURCES: dict[str, OfRules | OfSessions | None] = {
    "knn": OfSessions(neighbours=1000, decay=2.0, length_power=0.5),
    "knn_last": OfSessions(neighbours=500, decay=0.7, length_power=1.0),
    "rules": OfRules("rules", decay=2.0),
    "rules_last": OfRules("rules", decay=0.0),
    "together": OfRules("together", decay=2.0),
    "slist": OfRules("slist", decay=4.0),
    "swalk": OfRules("swalk", decay=4.0),
    REPEATS: None,
}
# How much each source says in choosing candidates; the trees decide on their order.
SHARES = {"knn": 1.0, "knn_last": 0.5, "rules": 1.0, "together": 1.0, "slist": 1.0, "swalk": 0.5, REPEATS: 1.0}
COLUMNS = column_names(tuple(SOURCES))


class SessionBlend:
    """``fit`` fits the sources; the trees are given (``use``), learnt where sources of earlier sessions met later ones
    (``models.training.session_trees``).

    How much a repeat counts, or a rare item's only neighbour, is thus learnt from the shop itself. Session vectors name no
    candidates, which would take a look at every item; the trees read how near each candidate is. A weight is the chance that
    the trees see for a candidate.
    """

    name = "blend"

    def __init__(self, candidates: int = 120) -> None:
        self.candidates = candidates
        self.rules_ = {name: make() for name, make in RULES.items()}
        self.sessions_ = SessionKNN()
        self.repeats_ = Repeats()
        self.vectors_ = SessionVectors()
        self.trees_: SymmetricTrees | None = None
        self.facts_: ClickFacts | None = None

    def use(self, trees: SymmetricTrees) -> Self:
        """Take over trees over ``COLUMNS``."""
        self.trees_ = trees
        return self

    def fit(self, sessions: Sequences) -> Self:
        """Fit the sources."""
        check_sessions(sessions)
        parts: list[SessionModel] = [*self.rules_.values(), self.sessions_, self.repeats_, self.vectors_]
        for part in parts:
            part.fit(sessions)
        newest = sessions.take(slice(int(len(sessions) * 0.9), None))
        counts = (np.bincount(each.flat, minlength=sessions.items) for each in (sessions, newest))
        self.facts_ = ClickFacts(*(np.log1p(each).astype(np.float32) for each in counts))
        return self

    @property
    def items(self) -> int:
        """Items of the sessions."""
        return len(self._facts().popularity)

    def query(self) -> BlendQuery:
        """Candidates and columns, for one prefix at a time."""
        rules = {name: model.rules() for name, model in self.rules_.items()}
        rates = self.repeats_.state()["rates"].astype(np.float32).reshape(BACK, COUNT)
        return BlendQuery(SOURCES, SHARES, rules, self.sessions_, rates, self.vectors_, self._facts(), self.candidates)

    def ask(self, query: BlendQuery, prefix: Items) -> tuple[Items, Scores]:
        """Candidates after one prefix (oldest item first), in no order, and the chance of each."""
        if self.trees_ is None:
            raise NotFitted("give the blend its trees first")
        items, columns = query.ask(prefix)
        return items, (1 / (1 + np.exp(-self.trees_.predict_columns(columns)))).astype(np.float32)

    def score(self, prefixes: Sequences) -> sparse.csr_matrix:
        """The chances of the candidates of each prefix, asked one by one as serving asks."""
        if self.trees_ is None:
            raise NotFitted("give the blend its trees first")
        query = self.query()
        answers = [self.ask(query, prefix) for prefix in check_item_range(prefixes)]
        shape = (len(prefixes), prefixes.items)
        if not answers:
            return sparse.csr_matrix(shape, dtype=np.float32)
        starts = np.concatenate([[0], np.cumsum([len(items) for items, _ in answers])])
        parts = np.concatenate([chances for _, chances in answers]), np.concatenate([items for items, _ in answers]), starts
        return sparse.csr_matrix(parts, shape=shape)

    def table(self, prefixes: Sequences) -> tuple[Numbers, Numbers, Scores]:
        """What trees learn from: row and item of each candidate, and its columns, shape (candidates, ``COLUMNS``)."""
        query = self.query()
        answers = [query.ask(prefix) for prefix in check_item_range(prefixes)]
        row = np.repeat(np.arange(len(prefixes)), [len(items) for items, _ in answers])
        items = np.concatenate([items for items, _ in answers]) if answers else np.empty(0, dtype=np.int64)
        columns = [columns for _, columns in answers]
        return row, items, np.concatenate(columns, axis=1).T if columns else np.empty((0, len(COLUMNS)), dtype=np.float32)

    def _facts(self) -> ClickFacts:
        if self.facts_ is None:
            raise NotFitted("fit the blend first")
        return self.facts_

    def state(self) -> State:
        """Arrays of sources and trees; sessions have their own names, others ``<part>/<array>``."""
        if self.trees_ is None:
            raise NotFitted("give the blend its trees first")
        parts = joined({**self.rules_, REPEATS: self.repeats_, VECTORS: self.vectors_, "trees": self.trees_})
        return {**self.sessions_.state(), **parts, **self._facts()._asdict()}

    def from_state(self, state: State) -> Self:
        """Take over sources and trees. Raises ValueError for arrays that are of different items or not whole."""
        self.sessions_.from_state(state)
        restore({**self.rules_, REPEATS: self.repeats_, VECTORS: self.vectors_}, state)
        trees = {key.removeprefix("trees/"): array for key, array in state.items() if key.startswith("trees/")}
        self.trees_ = SymmetricTrees.checked(trees, len(COLUMNS))
        self.facts_ = ClickFacts(*(state[name].astype(np.float32, copy=False) for name in ClickFacts._fields))
        sizes = {name: model.rules().shape for name, model in self.rules_.items()}
        assert self.sessions_.idf_ is not None
        items = len(self.sessions_.idf_)
        sizes = {name: shape for name, shape in sizes.items() if shape != (items, items)}
        sizes |= {name: each.shape for name, each in self.facts_._asdict().items() if each.shape != (items,)}
        vectors = state[f"{VECTORS}/vectors"].shape
        sizes |= {VECTORS: vectors} if vectors[0] != items else {}
        if sizes:
            raise ValueError(f"its sessions have {items} items, and other arrays have the shapes {sizes}")
        if state[f"{REPEATS}/rates"].shape != (BACK * COUNT,):
            raise ValueError(f"it needs {BACK * COUNT} rates of repeats")
        return self
