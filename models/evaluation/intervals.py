"""Bootstrap intervals of means over persons (Efron 1979, percentile method), alone and of paired differences."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from models.evaluation.metrics import Values

RESAMPLES = 1000
NORMAL_FROM = 20_000  # persons
NORMAL_DRAWS = 10_000


@dataclass(frozen=True)
class Estimate:
    """A mean over persons with the bounds of its interval, of 95 % where nothing else is said."""

    mean: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """Rounded to six places."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def bootstrap(values: npt.NDArray[np.float64], seed: int = 7, level: float = 0.95) -> Estimate:
    """Mean and interval; for a paired difference pass the persons' differences. Raises ValueError without a person."""
    return estimate(float(values.mean()) if len(values) else 0.0, resampled_means({"": values}, seed)[""], level)


def bootstrap_all(values: dict[str, npt.NDArray[np.float64]], seed: int = 7) -> dict[str, Estimate]:
    """Mean and 95 % interval of several metrics over the same persons, from the same resamples of them."""
    drawn = resampled_means(values, seed)
    return {name: estimate(float(each.mean()), drawn[name]) for name, each in values.items()}


def estimate(mean: float, drawn: npt.NDArray[np.float64], level: float = 0.95) -> Estimate:
    """A mean with the interval that its resamples give."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(mean, float(low), float(high))


def resampled_means(values: dict[str, npt.NDArray[np.float64]], seed: int = 7) -> dict[str, npt.NDArray[np.float64]]:
    """Means of several metrics over the same resamples of persons: the difference of two is the mean of the differences.

    Resamples are drawn a few at a time, so that memory stays small. Above 20,000 persons their means are all but normal and
    come from the normal distribution that they have in the limit, with the metrics' covariance over persons: so many of these
    cost nothing that bounds of 99 % do not hang on the seed.
    """
    table = np.column_stack(list(values.values()))
    persons = len(table)
    if persons == 0:
        raise ValueError("no person to average over")
    rng = np.random.default_rng(seed)
    if persons > NORMAL_FROM:
        covariance = np.atleast_2d(np.cov(table, rowvar=False, ddof=0)) / persons
        means = rng.multivariate_normal(table.mean(axis=0), covariance, NORMAL_DRAWS, check_valid="ignore", method="eigh")
    else:
        shares, at_once = np.full(persons, 1 / persons), max(1, 4_000_000 // persons)
        drawn = [
            rng.multinomial(persons, shares, size=min(at_once, RESAMPLES - start)) @ table / persons
            for start in range(0, RESAMPLES, at_once)
        ]
        means = np.concatenate(drawn)
    return {name: means[:, column] for column, name in enumerate(values)}


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
