"""What would another way to choose new items have earned in the places that explore?

Only there chance decided, with logged chances, so only there a log says something of what was not shown. Estimated is the
click rate of an exploring place, given that it explores and the other places as they were: not the ranking, of which every
other place has one action with propensity 1 and which is judged by ``models.release.served_judgement``. A policy draws by its
own chances among the items that could be drawn then. What it knows that the log never could draw has no support: its share is
told, nothing is made up for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import sparse

from models.algorithms.exploration import Belief, Budget, Explorer
from models.data.explored import ExploredLog
from models.evaluation.intervals import Estimate
from models.evaluation.metrics import Values
from models.evaluation.off_policy import (
    Diagnostics,
    Terms,
    diagnose,
    dr_terms,
    estimate_difference,
    estimate_ratio,
    ips_terms,
    snips_terms,
    weights,
)

# An interval is believed from so many effective decisions, persons and clicks on, where no decision has more than a tenth of
# the weight and of the chances of each policy all but a fifth are on what the log could draw.
LEAST_EFFECTIVE, LEAST_PERSONS, LEAST_CLICKS, LARGEST_SHARE, MOST_UNSUPPORTED = 200, 20, 20, 0.1, 0.2
MEAN_WEIGHT = (0.8, 1.25)  # 1 where the log covers the policy
FOLDS = 5
PRIOR_IMPRESSIONS = 50.0  # that the mean rate counts for in an item's


def chances_of(item_ids: Sequence[str], items: np.ndarray, belief: Belief) -> dict[str, float]:
    """Chance of each new item, by id, where all of them may be drawn; ``items`` are their numbers."""
    explorer = Explorer(Budget(1.0, 1), slot=0)
    explorer.update(belief)
    chances = explorer.probabilities(np.ones(len(items), dtype=np.bool_))
    return {item_ids[number]: float(chance) for number, chance in zip(items.tolist(), chances, strict=True)}


@dataclass(frozen=True)
class PolicyValue:
    """Clicks a place by each estimator. ``unsupported``: mean share of the policy's chances on what the log never drew from."""

    ips: Estimate
    snips: Estimate
    dr: Estimate
    diagnostics: Diagnostics
    largest_share: float  # of the sum of weights that one decision has
    unsupported: float

    def lacks(self) -> str | None:
        """What is too little to believe an interval, if anything is."""
        facts = self.diagnostics
        if self.unsupported > MOST_UNSUPPORTED:
            return f"{self.unsupported:.0%} of its chances are on items that were never eligible"
        if facts.effective < LEAST_EFFECTIVE:
            return f"{facts.effective:.0f} effective decisions, at least {LEAST_EFFECTIVE} are needed"
        if self.largest_share > LARGEST_SHARE:
            return f"one decision has {self.largest_share:.0%} of the weight"
        if not MEAN_WEIGHT[0] <= facts.mean_weight <= MEAN_WEIGHT[1]:
            return f"its weights have the mean {facts.mean_weight:.2f} instead of 1"
        return None

    def as_json(self) -> dict[str, Any]:
        """As it stands in ``gate.json``."""
        estimates = {name: getattr(self, name).as_json() for name in ("ips", "snips", "dr")}
        facts = {name: round(value, 6) for name, value in asdict(self.diagnostics).items()}
        shares = {"largest_share": round(self.largest_share, 6), "unsupported": round(self.unsupported, 6)}
        return estimates | {"diagnostics": facts | shares}


@dataclass(frozen=True)
class PolicyComparison:
    """A candidate's policy beside that of the release in use, on the same log. Differences are candidate less release."""

    decisions: int
    persons: int
    clicks: int
    candidate: PolicyValue | None = None
    release: PolicyValue | None = None
    differences: Mapping[str, Estimate] | None = None
    lacks: str | None = None

    @property
    def is_surely_worse(self) -> bool:
        """Whether both estimators that hold with few decisions say so, and are to be believed."""
        return (
            self.lacks is None
            and self.differences is not None
            and all(self.differences[name].high < 0 for name in ("snips", "dr"))
        )

    @property
    def sentence(self) -> str:
        """In words."""
        log = f"{self.decisions} explored places that were shown, {self.clicks} clicked"
        if self.lacks is not None or self.differences is None or self.candidate is None or self.release is None:
            return f"exploring: too little support to say ({log}): {self.lacks}"
        difference = self.differences["dr"]
        figures = (
            f"clicks a place {self.candidate.dr.mean:.4f} against {self.release.dr.mean:.4f} (DR, {log}), "
            f"difference {difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
        )
        if self.is_surely_worse:
            return f"exploring: worse than the release in use: {figures}"
        return f"exploring: not surely worse than the release in use: {figures}"

    def as_json(self) -> dict[str, Any]:
        """As it stands in ``gate.json`` and in the facts of a release."""
        facts: dict[str, Any] = {"decisions": self.decisions, "persons": self.persons, "clicks": self.clicks}
        for name in ("candidate", "release"):
            value: PolicyValue | None = getattr(self, name)
            facts[name] = None if value is None else value.as_json()
        named = None if self.differences is None else {name: each.as_json() for name, each in self.differences.items()}
        return facts | {
            "differences": named,
            "is_supported": self.lacks is None,
            "is_surely_worse": self.is_surely_worse,
            "sentence": self.sentence,
        }


def compare_policies(log: ExploredLog, candidate: Mapping[str, float], release: Mapping[str, float]) -> PolicyComparison:
    """Both policies, given as chances by item id, on a log."""
    facts = (len(log), len(np.unique(log.person)), int(log.reward.sum()))
    if len(log) < LEAST_EFFECTIVE:
        return PolicyComparison(*facts, lacks=f"at least {LEAST_EFFECTIVE} places are needed")
    if facts[1] < LEAST_PERSONS:
        return PolicyComparison(*facts, lacks=f"{facts[1]} persons, at least {LEAST_PERSONS} are needed")
    if log.reward.sum() < LEAST_CLICKS:
        return PolicyComparison(*facts, lacks=f"at least {LEAST_CLICKS} clicks are needed")
    rates = _rates(log)
    judged = {name: _Judged.of(log, policy) for name, policy in (("the candidate", candidate), ("the release in use", release))}
    for name, policy in judged.items():
        if not policy.importance.any():
            return PolicyComparison(*facts, lacks=f"{name} knows none of the items that were drawn")
    terms = [policy.terms(rates) for policy in judged.values()]
    mine, theirs = (policy.value(each) for policy, each in zip(judged.values(), terms, strict=True))
    differences = {name: estimate_difference(terms[0][name], terms[1][name], log.person) for name in terms[0]}
    named = zip(judged, (mine, theirs), strict=True)
    lacks = next((f"of {name} {problem}" for name, value in named if (problem := value.lacks()) is not None), None)
    return PolicyComparison(*facts, mine, theirs, differences, lacks)


@dataclass(frozen=True)
class _Judged:
    """A policy on a log: ``targets`` (decisions, items) are its chances among what could be drawn, 0 where it knows none."""

    log: ExploredLog
    targets: sparse.csr_matrix
    importance: Values
    unsupported: float

    @classmethod
    def of(cls, log: ExploredLog, policy: Mapping[str, float]) -> _Judged:
        known = np.array([policy.get(item_id, 0.0) for item_id in log.item_ids])
        targets = log.chances.copy()
        targets.data = np.where(targets.data > 0, known[targets.indices], 0.0)
        here = np.asarray(targets.sum(axis=1)).ravel()
        targets.data *= np.repeat(np.divide(1.0, here, out=np.zeros_like(here), where=here > 0), np.diff(targets.indptr))
        # What could never be drawn may have been eligible everywhere: the most that can be without support.
        never = max(0.0, sum(policy.values()) - float(known.sum()))
        share = np.where(here > 0, never / np.maximum(here + never, 1e-300), 1.0)
        target = np.asarray(targets[np.arange(len(log)), log.item]).ravel()
        return cls(log, targets, weights(log.logged, np.minimum(target, 1.0)), float(share.mean()))

    def terms(self, rates: np.ndarray) -> dict[str, Terms]:
        """Of each estimator; ``rates`` as of ``_rates``."""
        fold, reward = _folds(self.log), self.log.reward
        of_place = rates[np.repeat(fold, np.diff(self.targets.indptr)), self.targets.indices]
        decision = np.repeat(np.arange(len(self.log)), np.diff(self.targets.indptr))
        weighed = self.targets.data * of_place
        expected = np.bincount(decision, weights=weighed, minlength=len(self.log)).astype(np.float64)
        return {
            "ips": ips_terms(reward, self.importance),
            "snips": snips_terms(reward, self.importance),
            "dr": dr_terms(reward, self.importance, rates[fold, self.log.item], expected),
        }

    def value(self, terms: Mapping[str, Terms]) -> PolicyValue:
        """With intervals and diagnostics."""
        return PolicyValue(
            **{name: estimate_ratio(each, self.log.person) for name, each in terms.items()},
            diagnostics=diagnose(self.log.logged, self.importance * self.log.logged),
            largest_share=float(self.importance.max() / self.importance.sum()),
            unsupported=self.unsupported,
        )


def _folds(log: ExploredLog) -> np.ndarray:
    return log.person % FOLDS


def _rates(log: ExploredLog) -> np.ndarray:
    """By fold (folds, items) the click rate of each item in the decisions of the other folds, drawn towards the mean: what a
    decision was rewarded with is not in the rate that it is held against.
    """
    folds = _folds(log)
    rates = np.empty((FOLDS, len(log.item_ids)))
    for fold in range(FOLDS):
        others = folds != fold
        shown = np.bincount(log.item[others], minlength=len(log.item_ids))
        clicked = np.bincount(log.item[others], weights=log.reward[others], minlength=len(log.item_ids))
        mean = log.reward[others].mean() if others.any() else 0.0
        rates[fold] = (clicked + PRIOR_IMPRESSIONS * mean) / (shown + PRIOR_IMPRESSIONS)
    return rates
