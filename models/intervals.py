"""Bootstrap intervals of means over persons (Efron 1979, percentile method), alone and of paired differences."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A mean over persons with the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """Rounded to six places."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def bootstrap(values: npt.NDArray[np.float64], seed: int = 7) -> Estimate:
    """Mean and 95 % interval; for a paired difference pass the persons' differences. Needs at least one person."""
    if len(values) == 0:
        raise ValueError("no person to average over")
    counts = np.random.default_rng(seed).multinomial(len(values), np.full(len(values), 1 / len(values)), size=RESAMPLES)
    means = counts @ values / len(values)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high))
