"""``--model auto`` for baskets: which model, decided on the last training basket of some users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from models.algorithms.personal_frequency import BasketModel, PersonalFrequency
from models.algorithms.sparse_rows import top_of
from models.algorithms.succession import Succession
from models.algorithms.tifu_knn import TIFUKNN
from models.data.baskets import Purchases
from models.data.sequences import Numbers
from models.evaluation.metrics import Values, hits_of, measure
from models.lab.basket_blend import BasketBlend, TooFewBaskets
from models.lab.popularity_order import PopularityOrder
from models.lab.time_aware_weighting import TAIW, TAIWI

BASKET_MODELS: dict[str, type[Any]] = {
    model.name: model for model in (PopularityOrder, PersonalFrequency, TIFUKNN, Succession, TAIWI, TAIW)
}
# Tried by auto beside the blend: each family with a few of its parameters.
TRIALS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("popularity", {}),
    ("personal_frequency", {}),
    ("personal_frequency", {"fade": 0.95}),
    ("personal_frequency", {"fade": 0.9}),
    ("tifu_knn", {}),
    ("tifu_knn", {"alpha": 0.5}),
    ("tifu_knn", {"alpha": 0.5, "fade_across": 0.8}),
    ("tifu_knn", {"alpha": 0.3, "fade_across": 0.8}),
    ("tifu_knn", {"alpha": 0.9, "fade_in_group": 1.0, "fade_across": 0.9}),
    ("succession", {}),
    ("taiwi", {}),
    ("taiwi", {"own_share": 0.5}),
    ("taiwi", {"unit": 2.0}),
    ("taiw", {}),
    ("taiw", {"rate": 0.003}),
)
JUDGES = 0.25  # share of the users whose last basket judges; the others teach
MOST_JUDGES = 3000
BATCH = 1000


@dataclass
class BasketChoice:
    """What was chosen, fitted on all baskets, and every trial."""

    model: BasketModel
    name: str
    parameters: dict[str, Any]
    trials: list[dict[str, Any]] = field(default_factory=list)


def rank_baskets(model: BasketModel, histories: Purchases, k: int) -> Numbers:
    """Lists of ``k`` items for each user."""
    batches = (np.arange(at, min(at + BATCH, histories.users)) for at in range(0, histories.users, BATCH))
    parts = [top_of(model.score(histories.of(users)), k) for users in batches]
    return np.concatenate(parts) if parts else np.empty((0, k), dtype=np.int64)


def basket_metrics(lists: Numbers, bought: sparse.csr_matrix, counts: Numbers, ks: list[int]) -> dict[str, Values]:
    """Recall and NDCG at each k of each basket; ``counts`` are the items of each, unknown ones among them."""
    return measure(hits_of(lists, bought), counts, ks, ("recall", "ndcg"))


def choose_basket_model(purchases: Purchases, k: int, seed: int, progress: Callable[[str], None]) -> BasketChoice:
    """Judge each trial and the blend on last baskets that no one learnt from; the best one wins."""
    able = np.flatnonzero(purchases.baskets >= 2)
    if len(able) == 0:
        progress("nobody has two baskets to validate on, so personal frequency")
        return BasketChoice(PersonalFrequency().fit(purchases), "personal_frequency", {})
    shuffled = np.random.default_rng(seed).permutation(able)
    cut = max(1, min(MOST_JUDGES, int(len(able) * JUDGES)))
    judges, teachers = np.sort(shuffled[:cut]), np.sort(shuffled[cut:])
    known = purchases.before_last(1)
    histories, truth = known.of(judges), sparse.csr_matrix(purchases.basket(0)[judges])
    candidates: list[tuple[str, dict[str, Any], BasketModel]] = [
        (name, parameters, BASKET_MODELS[name](**parameters).fit(known)) for name, parameters in TRIALS
    ]
    try:
        # The judges' last baskets are hidden from the sources in every round, because all users' last baskets are.
        candidates.append(("blend", {}, BasketBlend(seed=seed).learn(_hide_last(purchases, judges), teachers).fit(known)))
    except TooFewBaskets as error:
        progress(f"no blend: {error}")
    trials: list[dict[str, Any]] = []
    for name, parameters, model in candidates:
        values = basket_metrics(rank_baskets(model, histories, k), truth, np.diff(truth.indptr).astype(np.int64), [k])
        means = {metric: round(float(each.mean()), 6) for metric, each in values.items()}
        trials.append({"model": name, "parameters": parameters, **means, "users": len(judges)})
        progress(f"{name} {parameters or ''}: " + ", ".join(f"{metric} {mean:.4f}" for metric, mean in means.items()))
    best = max(range(len(trials)), key=lambda each: trials[each][f"recall@{k}"] + trials[each][f"ndcg@{k}"])
    name, parameters, model = candidates[best]
    progress(f"chosen: {name} {parameters or ''}")
    return BasketChoice(model.fit(purchases), name, parameters, trials)


def learn_basket_blend(purchases: Purchases, seed: int) -> BasketBlend:
    """A blend taught by everybody's last baskets, fitted on all. Raises TooFewBaskets."""
    return BasketBlend(seed=seed).learn(purchases, np.flatnonzero(purchases.baskets >= 2)).fit(purchases)


def _hide_last(purchases: Purchases, users: Numbers) -> Purchases:
    """Without the last basket of these users, whose earlier baskets keep their ``back``."""
    is_hidden = np.zeros(purchases.users, dtype=np.bool_)
    is_hidden[users] = True
    kept = ~(is_hidden[purchases.user] & (purchases.back == 0))
    return purchases.where(kept)
