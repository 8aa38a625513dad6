"""Explore new items in a placement, within a budget, so that off-policy estimators can use the log.

The item of an exploring slot is drawn by Thompson sampling (Chapelle & Li, NIPS 2011) as probability matching: the probability
that each item has the highest click rate is computed from the Beta posteriors by quadrature, and the item is drawn from exactly
these numbers, a uniform share mixed in. So the logged propensity is the probability that was used, not an estimate of it. Its
floor bounds importance weights.

What to log with every decision: ``policy``, ``slot`` (position in the list, from 0), ``item`` (None: the slot kept the ranked
item), ``propensity`` (of what was done), ``explore_probability``; ``models.evaluation.off_policy`` takes the propensity.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse, special

from models.algorithms.attribute_mapping import solve_ridge

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
NODES = 1025


@dataclass(frozen=True)
class Belief:
    """Beta posteriors of the click rates of new items: Beta(``a``, ``b``), both above 0, one entry an item."""

    a: Values
    b: Values

    def __post_init__(self) -> None:
        """Refuse what is no posterior."""
        if len(self.a) != len(self.b) or not (np.isfinite(self.a) & np.isfinite(self.b) & (self.a > 0) & (self.b > 0)).all():
            raise ValueError("a belief needs as many a as b, all above 0")

    @classmethod
    def of(cls, prior_rate: Values, strength: float, clicks: Values, impressions: Values) -> Belief:
        """After ``clicks`` in ``impressions``; the prior weighs as much as ``strength`` impressions with ``prior_rate``."""
        if not ((prior_rate > 0) & (prior_rate < 1)).all() or strength <= 0:
            raise ValueError("a prior rate lies between 0 and 1, its strength above 0")
        return cls(strength * prior_rate, strength * (1 - prior_rate)).after(clicks, impressions)

    def after(self, clicks: Values, impressions: Values) -> Belief:
        """The belief after ``clicks`` in ``impressions`` more of each item."""
        if not ((clicks >= 0) & (clicks <= impressions)).all():
            raise ValueError("clicks lie between 0 and the impressions")
        return Belief(self.a + clicks, self.b + impressions - clicks)

    def best_probabilities(self) -> Values:
        """P(item has the highest rate), sums to 1.

        ∫ Π_{j≠i} F_j dF_i, by Stieltjes sums over ``NODES`` points between the rates where the maximum can lie.
        """
        low = float(special.betaincinv(self.a, self.b, 1e-7).max())
        high = float(special.betaincinv(self.a, self.b, 1 - 1e-9).max())
        points = np.linspace(low, max(high, low + 1e-12), NODES)
        cdf = np.maximum(special.betainc(self.a[:, None], self.b[:, None], points[None, :]), 1e-300)
        others = np.exp(np.log(cdf).sum(axis=0) - np.log(cdf))  # Π_{j≠i} F_j at each point
        mass = np.concatenate([cdf[:, :1], np.diff(cdf, axis=1)], axis=1)
        middle = np.concatenate([others[:, :1], (others[:, 1:] + others[:, :-1]) / 2], axis=1)
        probabilities = (mass * middle).sum(axis=1)
        return np.asarray(probabilities / probabilities.sum())


@dataclass
class Budget:
    """At most ``share`` of any ``window`` consecutive slots of a placement explore, to the slot."""

    share: float
    window: int
    _served: int = 0
    _explored: deque[int] = field(default_factory=deque)

    def __post_init__(self) -> None:
        """Refuse a budget that is none."""
        if not 0 <= self.share <= 1 or self.window < 1:
            raise ValueError(
                f"a budget needs a share between 0 and 1 and a window of at least 1, got {self.share}, {self.window}"
            )

    def has_room(self, slots: int, slot: int) -> bool:
        """Whether ``slot`` (from 0) of the next list of ``slots`` may explore."""
        if not 0 <= slot < slots:
            raise ValueError(f"slot {slot} is not within a list of {slots}")
        place = self._served + slot
        recent = sum(place - each < self.window for each in self._explored)
        return recent + 1 <= int(self.share * self.window + 1e-9)

    def spend(self, slots: int, slot: int | None) -> None:
        """Count a served list of ``slots``, of which ``slot`` explored (None: none did)."""
        if slot is not None:
            self._explored.append(self._served + slot)
        self._served += slots
        while self._explored and self._served - self._explored[0] >= self.window:
            self._explored.popleft()


@dataclass(frozen=True)
class Decision:
    """What was done with the slot; the fields of the log. ``chances``: probability of each new item in a slot that explores, 0
    for what is not eligible.
    """

    policy: str
    slot: int
    item: int | None
    propensity: float
    explore_probability: float
    chances: Values = field(default_factory=lambda: np.empty(0), compare=False)


def allows_any(_: int) -> bool:
    """A last look that turns no item away."""
    return True


@dataclass
class Explorer:
    """Decides for one placement, list by list.

    With room in the budget the slot explores with probability ``rate``; the item is drawn among the eligible new ones by
    (1 − ``floor``) × P(best) + ``floor`` / new items, divided by the sum over the eligible. ``update`` is called when the
    belief has changed, every minute or so, not for every request.
    """

    budget: Budget
    slot: int
    rate: float = 0.5
    floor: float = 0.1
    policy: str = "thompson"
    _chances: Values = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        """Refuse probabilities that give no propensity for each action."""
        if not 0 < self.rate < 1 or not 0 < self.floor <= 1:
            raise ValueError(f"rate lies between 0 and 1 and floor above 0, got {self.rate}, {self.floor}")

    def update(self, belief: Belief) -> None:
        """Take over a belief on the new items; none is fine."""
        items = len(belief.a)
        self._chances = (1 - self.floor) * belief.best_probabilities() + self.floor / items if items else np.empty(0)

    def take_over(self, other: Explorer) -> None:
        """Take over what another explorer has computed from a belief."""
        self._chances = other._chances

    def probabilities(self, eligible: Mask) -> Values:
        """Which eligible item an exploring slot gets; all 0 when none is eligible."""
        if len(eligible) != len(self._chances):
            raise ValueError(f"{len(eligible)} items are asked about, the belief is on {len(self._chances)}")
        chances = np.where(eligible, self._chances, 0)
        total = chances.sum()
        return chances / total if total > 0 else chances

    def decide(
        self, slots: int, eligible: Mask, rng: np.random.Generator, allows: Callable[[int], bool] = allows_any
    ) -> Decision:
        """Decide on one list of ``slots`` and count it; ``eligible`` marks new items that this person may be shown.

        ``allows`` looks once more at the item that was drawn: where it says no, the item is not eligible, and the same luck
        draws again.
        """
        luck = rng.bit_generator.state
        while True:
            chances = self.probabilities(eligible)
            is_possible = bool(chances.any()) and self.slot < slots and self.budget.has_room(slots, self.slot)
            rate = self.rate if is_possible else 0.0
            item = drawn_item(rate, chances, rng)
            if item is None or allows(item):
                break
            eligible = eligible & (np.arange(len(eligible)) != item)
            rng.bit_generator.state = luck
        self.budget.spend(slots, None if item is None else self.slot)
        propensity = 1 - rate if item is None else rate * float(chances[item])
        return Decision(self.policy, self.slot, item, propensity, rate, chances)


def drawn_item(rate: float, chances: Values, rng: np.random.Generator) -> int | None:
    """The item that a slot explores with probability ``rate``; None: it keeps the ranked one."""
    return int(rng.choice(len(chances), p=chances)) if rng.random() < rate else None


def prior_rates(
    features: sparse.csr_matrix, clicks: Values, impressions: Values, new_features: sparse.csr_matrix, ridge: float = 500.0
) -> Values:
    """Click rates to expect of new items, from old ones like them: a ridge regression weighed by impressions.

    With one-hot categories it is the category's rate, counting half against the rate of all at ``ridge`` impressions; with
    rows of a text encoder it is the text model's. Kept within the rates that old items with impressions reach, and above 0.
    """
    if impressions.sum() <= 0 or clicks.sum() <= 0:
        raise ValueError("old items have no clicks; give the prior rate of the shop instead")
    overall = clicks.sum() / impressions.sum()
    rates = clicks / np.maximum(impressions, 1)
    factor = solve_ridge(features, impressions, ridge)
    learnt = linalg.cho_solve((factor, False), features.T @ (impressions * (rates - overall)))
    seen = rates[impressions > 0]
    return np.asarray(np.clip(overall + new_features @ learnt, max(seen.min(), overall / 100), seen.max()))
