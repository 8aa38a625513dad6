"""What a person did with an item, as columns of a ranker."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Scores
from models.candidates.pairs import Candidates, look_up
from models.data.snapshot import Snapshot


def pair_facts(moment: Snapshot, candidates: Candidates) -> list[Scores]:
    """Of each pair: views, adds, payments of the person and item, and 1 / (1 + days) since the last act and payment."""
    acts, age = moment.acts, moment.age_days()
    shape = (moment.persons, moment.items)
    facts = []
    for kind in ("view", "add", "pay"):
        mine = acts.kind == kind
        counts = sparse.csr_matrix(
            (np.ones(int(mine.sum()), dtype=np.float32), (acts.person[mine], acts.item[mine])), shape=shape
        )
        facts.append(look_up(counts, candidates)[0])
    for mine in (np.ones(len(acts), dtype=np.bool_), acts.kind == "pay"):
        key, where = np.unique(acts.person[mine] * moment.items + acts.item[mine], return_inverse=True)
        youngest = np.full(len(key), np.inf)
        np.minimum.at(youngest, where, age[mine])
        recency = (1 / (1 + youngest)).astype(np.float32)
        table = sparse.csr_matrix((recency, (key // moment.items, key % moment.items)), shape=shape)
        facts.append(look_up(table, candidates)[0])
    return facts
