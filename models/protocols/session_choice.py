"""``--model auto`` for sessions: which model, decided on the latest training sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.algorithms.repeats import Repeats
from models.algorithms.sequential_rules import SequentialRules
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_mix import SessionMix
from models.algorithms.session_model import SessionModel
from models.algorithms.slist import Slist
from models.algorithms.sparse_rows import top_of
from models.algorithms.swalk import SWalk
from models.algorithms.together import Together
from models.data.sequences import Numbers, Sequences
from models.evaluation.metrics import Values, measure
from models.lab.markov import Markov, SecondOrderMarkov
from models.lab.popularity_order import PopularityOrder
from models.lab.session_blend import SessionBlend, TooFewToLearn

SESSION_MODELS: dict[str, type[Any]] = {
    model.name: model
    for model in (
        *(PopularityOrder, SessionKNN, SequentialRules, Markov, SecondOrderMarkov),
        *(Together, Repeats, Slist, SWalk, SessionMix),
    )
}
HELD_OUT = 0.06  # of the sessions, at most MOST_SESSIONS; five sixths of them teach the blend, one sixth judges
MOST_SESSIONS = 12_000
BATCH = 1000


@dataclass
class SessionChoice:
    """What was chosen, fitted on all sessions, and every trial."""

    model: SessionModel
    name: str
    trials: list[dict[str, Any]] = field(default_factory=list)


def rank_sessions(model: SessionModel, prefixes: Sequences, k: int) -> Numbers:
    """Lists of ``k`` items for each prefix."""
    parts = [top_of(model.score(prefixes.take(slice(at, at + BATCH))), k) for at in range(0, len(prefixes), BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, k), dtype=np.int64)


def asked_of(sessions: Sequences) -> tuple[Sequences, Numbers]:
    """Prefixes and what followed, for learning and judging.

    A prefix has at least one item less than the shortest session: data of which short sessions were taken out asks no shorter
    prefixes in its tests either.
    """
    prefixes, following = sessions.split_everywhere()
    shortest = int(sessions.lengths[sessions.lengths > 1].min()) if (sessions.lengths > 1).any() else 2
    rows = np.flatnonzero(prefixes.lengths >= shortest - 1)
    return prefixes.take(rows), following[rows]


def choose_session_model(sessions: Sequences, k: int, seed: int, progress: Callable[[str], None]) -> SessionChoice:
    """Judge every model on the latest sessions, and the blend that learnt on those just before; the best one wins."""
    held = min(MOST_SESSIONS, int(len(sessions) * HELD_OUT))
    earlier, later = sessions.take(slice(0, len(sessions) - held)), sessions.take(slice(len(sessions) - held, None))
    judged = later.take(slice(held * 5 // 6, None))
    prefixes, following = asked_of(judged)
    if len(prefixes) == 0 or len(earlier.flat) == 0:
        progress("too few sessions to validate on, so session kNN")
        return SessionChoice(SessionKNN().fit(sessions), "knn")
    candidates: dict[str, SessionModel] = {name: make() for name, make in SESSION_MODELS.items()}
    for model in candidates.values():
        model.fit(earlier)
    try:
        taught = later.take(slice(0, held * 5 // 6))
        candidates["blend"] = SessionBlend(seed=seed).learn(earlier, *asked_of(taught))
    except TooFewToLearn as error:
        progress(f"no blend: {error}")
    trials: list[dict[str, Any]] = []
    for name, model in candidates.items():
        lists = rank_sessions(model, prefixes, k)
        hr, mrr = (float(values.mean()) for values in next_item_metrics(lists, following, k).values())
        trials.append({"model": name, f"hit_rate@{k}": round(hr, 6), f"mrr@{k}": round(mrr, 6), "prefixes": len(prefixes)})
        progress(f"{name}: hit_rate@{k} {hr:.4f}, mrr@{k} {mrr:.4f}")
    best = max(trials, key=lambda trial: trial[f"hit_rate@{k}"] + trial[f"mrr@{k}"])["model"]
    progress(f"chosen: {best}")
    return SessionChoice(candidates[best].fit(sessions), best, trials)


def learn_session_blend(sessions: Sequences, seed: int) -> SessionBlend:
    """A blend taught by the latest sessions, fitted on all. Raises TooFewToLearn."""
    held = min(MOST_SESSIONS, int(len(sessions) * HELD_OUT))
    earlier, later = sessions.take(slice(0, len(sessions) - held)), sessions.take(slice(len(sessions) - held, None))
    if len(earlier.flat) == 0 or held == 0:
        raise TooFewToLearn(f"{len(sessions)} sessions are too few to hold some out")
    return SessionBlend(seed=seed).learn(earlier, *asked_of(later)).fit(sessions)


def next_item_metrics(lists: Numbers, following: Numbers, k: int) -> dict[str, Values]:
    """``hit_rate@k`` and ``mrr@k`` of each row; −1 as the next item is one that nobody could have listed."""
    hits = (lists[:, :k] == following[:, None]) & (following[:, None] >= 0)
    return measure(hits, np.ones(len(lists), dtype=np.int64), [k], ("hit_rate", "mrr"))
