"""``--model auto`` for sessions: which model, decided on the latest training sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.algorithms.repeats import Repeats
from models.algorithms.sequential_rules import SequentialRules
from models.algorithms.session_blend import SessionBlend
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_mix import SessionMix
from models.algorithms.session_model import SessionModel
from models.algorithms.session_vectors import SessionVectors
from models.algorithms.slist import Slist
from models.algorithms.sparse_rows import top_of
from models.algorithms.swalk import SWalk
from models.algorithms.together import Together
from models.data.sequences import Numbers, Sequences
from models.evaluation.metrics import Values, measure
from models.lab.link import LinkModel
from models.lab.markov import Markov, SecondOrderMarkov
from models.lab.popularity_order import PopularityOrder
from models.training.session_trees import TooFewToLearn, asked_of, newest_apart, teach_blend

SESSION_MODELS: dict[str, type[Any]] = {
    model.name: model
    for model in (
        *(PopularityOrder, SessionKNN, SequentialRules, Markov, SecondOrderMarkov),
        *(Together, Repeats, Slist, SWalk, SessionVectors, LinkModel, SessionMix),
    )
}
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


def apart(sessions: Sequences) -> tuple[Sequences, Sequences, Sequences]:
    """What models learn from; of the newest sessions, held out, five sixths that teach a blend; and the sixth that judges."""
    earlier, later = newest_apart(sessions)
    return earlier, later.take(slice(0, len(later) * 5 // 6)), later.take(slice(len(later) * 5 // 6, None))


def choose_session_model(sessions: Sequences, k: int, seed: int, progress: Callable[[str], None]) -> SessionChoice:
    """Judge every model on the latest sessions, and the blend that learnt on those just before; the best one wins."""
    earlier, taught, judged = apart(sessions)
    prefixes, following = asked_of(judged)
    if len(prefixes) == 0 or len(earlier.flat) == 0:
        progress("too few sessions to validate on, so session kNN")
        return SessionChoice(SessionKNN().fit(sessions), "knn")
    candidates: dict[str, SessionModel] = {name: make() for name, make in SESSION_MODELS.items()}
    for model in candidates.values():
        model.fit(earlier)
    try:
        candidates["blend"] = teach_blend(earlier, taught, seed)
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
    return teach_blend(*newest_apart(sessions), seed).fit(sessions)


def next_item_metrics(lists: Numbers, following: Numbers, k: int) -> dict[str, Values]:
    """``hit_rate@k`` and ``mrr@k`` of each row; −1 as the next item is one that nobody could have listed."""
    hits = (lists[:, :k] == following[:, None]) & (following[:, None] >= 0)
    return measure(hits, np.ones(len(lists), dtype=np.int64), [k], ("hit_rate", "mrr"))
