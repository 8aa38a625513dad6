"""Is one run better than another on the same persons?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.intervals import Estimate, bootstrap_all
from models.metrics import Values

FLIPS = 10_000
_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Paired:
    """The mean difference of second and first run with its 95 % interval, and the p-value of no difference."""

    difference: Estimate
    p_value: float


def paired_difference(first: Values, second: Values, seed: int = 7) -> Paired:
    """Paired bootstrap of the difference, and a two-sided randomisation test that flips signs (Fisher 1935).

    The p-value is (1 + flips at least as extreme) / (1 + flips), so it is never 0. Raises ValueError for runs over different or
    no persons.
    """
    if len(first) != len(second):
        raise ValueError(f"the runs are over {len(first)} and {len(second)} persons; compare the same persons")
    gain = np.asarray(second, dtype=np.float64) - first
    estimate = bootstrap_all({"gain": gain}, seed)["gain"]
    nonzero = gain[gain != 0]  # a person without a difference changes nothing, whatever the sign
    if len(nonzero) == 0:
        return Paired(estimate, 1.0)
    rng, bar = np.random.default_rng(seed), abs(nonzero.sum()) * (1 - 1e-12)
    extreme, at_once = 0, max(1, _AT_ONCE // len(nonzero))
    for start in range(0, FLIPS, at_once):
        signs = rng.integers(0, 2, size=(min(at_once, FLIPS - start), len(nonzero)), dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ nonzero) >= bar).sum())
    return Paired(estimate, (1 + extreme) / (1 + FLIPS))
