"""SLIST: a linear item-item model of sessions in closed form, and the cuts of sessions that it learns from."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.item_rules import RulesOfItems
from models.algorithms.neighbourhood_regression import regress_on_neighbours
from models.algorithms.session_model import check_sessions
from models.data.sequences import Sequences, places_in_rows


class Slist(RulesOfItems):
    """Session-aware linear similarity and transition (Choi et al., WWW 2021), on the neighbourhood of each item.

    B minimises α ‖X − X B‖² + (1 − α) ‖T − S B‖² + λ ‖B‖². X has whole sessions. S and T have a row for each cut of a session:
    the past, an item ``k`` clicks before the cut weighing e^(−k / train_decay), and the future, likewise. An item may predict
    itself, because people go back. The paper inverts one matrix of items²; here each item has the ``neighbours`` strongest
    unknowns, solved exactly. Rules below zero are left out.
    """

    name = "slist"

    def __init__(
        self,
        alpha: float = 0.5,
        penalty: float = 10.0,
        train_decay: float = 1.0,
        decay: float = 4.0,
        neighbours: int = 100,
        most_clicks: int = 2_000_000,
    ) -> None:
        super().__init__(decay)
        self.alpha = alpha
        self.penalty = penalty
        self.train_decay = train_decay
        self.neighbours = neighbours
        self.most_clicks = most_clicks

    def fit(self, sessions: Sequences) -> Self:
        """Solve B on the newest sessions of at most ``most_clicks`` clicks."""
        inputs, outputs = self._rows(check_sessions(sessions).newest(self.most_clicks))
        penalty = np.full(sessions.items, self.penalty, dtype=np.float32)
        weights = regress_on_neighbours(inputs, penalty, self.neighbours, targets=outputs)
        weights.data[weights.data < 0] = 0
        weights.eliminate_zeros()
        self.rules_ = weights
        return self

    def _rows(self, sessions: Sequences) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """What B reads and what it is to give: the rows of X and S, and of X and T, each with the root of its share."""
        inputs, outputs = [], []
        if self.alpha > 0:
            whole = sessions.latest(np.full(len(sessions.flat), np.sqrt(self.alpha)))
            inputs, outputs = [whole], [whole]
        if self.alpha < 1:
            share = np.float32(np.sqrt(1 - self.alpha))
            past, future = cuts(sessions, self.train_decay)
            inputs, outputs = [*inputs, past * share], [*outputs, future * share]
        return sparse.vstack(inputs, format="csr"), sparse.vstack(outputs, format="csr")


def cuts(sessions: Sequences, decay: float, window: int = 20) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """S and T (cuts × items): for each place where a session can be cut, the up to ``window`` items before and after it.

    An item ``k`` clicks from the cut weighs e^(−k / decay), the nearest on either side 1; more than one occurrence adds up.
    """
    lengths = sessions.lengths
    cuts_of = np.maximum(lengths - 1, 0)
    first = np.repeat(np.cumsum(cuts_of) - cuts_of, lengths)
    place = places_in_rows(lengths)
    before = np.minimum(sessions.back(), window), first + place, 1
    after = np.minimum(place, window), first + place - 1, -1
    sides = []
    for reach, nearest, step in (before, after):
        entry, distance = np.repeat(np.arange(len(place)), reach), places_in_rows(reach)
        weight = np.exp(-distance / decay).astype(np.float32)
        cells = nearest[entry] + step * distance, sessions.flat[entry]
        sides.append(sparse.csr_matrix((weight, cells), shape=(int(cuts_of.sum()), sessions.items)))
    return sides[0], sides[1]
