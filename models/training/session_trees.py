"""Teach a blend of session models its trees: sources of earlier sessions, asked for the newest ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.algorithms.session_blend import SessionBlend
from models.algorithms.symmetric_trees import SymmetricTrees
from models.candidates.pairs import Candidates, sample_for_training
from models.data.sequences import Numbers, Sequences
from models.ranking.growth import Growth, grow_for_chances

HELD_OUT = 0.06  # of the sessions, at most MOST_SESSIONS
MOST_SESSIONS = 12_000
MOST_PREFIXES = 20_000
LEAST_TARGETS = 100  # next items among the candidates
# A blend fits more sources than any other model of visits, and does so three times; a larger shop is served by the others.
MOST_ITEMS, MOST_CLICKS = 50_000, 1_000_000
TOP, OTHERS = 20, 15  # candidates of a prefix that teach: the strongest, and some of the rest
GROWTH = Growth(trees=400, depth=6, learning_rate=0.1, ridge=3.0, loss="Logloss")


class TooFewToLearn(ValueError):
    """The held-out sessions hold too few next items to learn from."""


def asked_of(sessions: Sequences) -> tuple[Sequences, Numbers]:
    """Prefixes and what followed, for learning and judging.

    A prefix has at least one item less than the shortest session: data of which short sessions were taken out asks no shorter
    prefixes in its tests either.
    """
    prefixes, following = sessions.split_everywhere()
    shortest = int(sessions.lengths[sessions.lengths > 1].min()) if (sessions.lengths > 1).any() else 2
    rows = np.flatnonzero(prefixes.lengths >= shortest - 1)
    return prefixes.take(rows), following[rows]


def newest_apart(sessions: Sequences) -> tuple[Sequences, Sequences]:
    """The sessions without the newest ones, and those, which teach or judge."""
    held = min(MOST_SESSIONS, int(len(sessions) * HELD_OUT))
    return sessions.take(slice(0, len(sessions) - held)), sessions.take(slice(len(sessions) - held, None))


def teach_blend(earlier: Sequences, later: Sequences, seed: int) -> SessionBlend:
    """A blend of the ``earlier`` sessions whose trees learnt from the ``later`` ones. Raises TooFewToLearn."""
    if len(earlier.flat) == 0 or len(later.flat) == 0:
        raise TooFewToLearn(f"{len(earlier) + len(later)} sessions are too few to hold some out")
    prefixes, following = asked_of(later)
    if len(prefixes) > MOST_PREFIXES:
        rows = np.sort(np.random.default_rng(seed).permutation(len(prefixes))[:MOST_PREFIXES])
        prefixes, following = prefixes.take(rows), following[rows]
    if len(prefixes) < LEAST_TARGETS:
        raise TooFewToLearn(f"only {len(prefixes)} clicks follow another; {LEAST_TARGETS} are needed")
    blend = SessionBlend().fit(earlier)
    row, item, columns = blend.table(prefixes)
    is_target = item == following[row]
    if is_target.sum() < LEAST_TARGETS:
        raise TooFewToLearn(f"only {int(is_target.sum())} next items are among the candidates; {LEAST_TARGETS} are needed")
    candidates = Candidates(row, item, columns[:, 0], len(prefixes), prefixes.items)
    kept, weight = sample_for_training(candidates, is_target, top=TOP, others=OTHERS, seed=seed)
    if is_target[kept].all():
        raise TooFewToLearn("every candidate came next: there is no order to learn")
    return blend.use(grow_for_chances(columns[kept], is_target[kept], weight[kept], replace(GROWTH, seed=seed)))


def session_trees(sessions: Sequences, seed: int = 7) -> SymmetricTrees | None:
    """The trees of a shop's blend, taught by its newest sessions; None for a shop with too few, or too large for it."""
    if sessions.items > MOST_ITEMS or len(sessions.flat) > MOST_CLICKS:
        return None
    try:
        return teach_blend(*newest_apart(sessions), seed).trees_
    except TooFewToLearn:
        return None
