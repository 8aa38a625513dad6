"""Maximum likelihood of positive parameters, with the uncertainty that the curvature of the likelihood gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

Floats = npt.NDArray[np.float64]
_STARTS = (0.0, 1.0, -1.0)  # logarithms: one value for all parameters
_FARTHEST = 7.0  # time and amounts are scaled to a mean of 1
_STEP = 1e-3
_WIDEST = 3.0


class NotIdentified(ValueError):
    """The data do not say what the parameters are."""


@dataclass(frozen=True)
class Fit:
    """Logarithms of the parameters at the maximum and their covariance (the inverse of the observed information)."""

    logs: Floats
    covariance: Floats

    @property
    def parameters(self) -> Floats:
        """The parameters."""
        return np.exp(self.logs)

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Lowest and highest value of each parameter, symmetric in logarithms."""
        from scipy.stats import norm

        width = norm.ppf((1 + level) / 2) * np.sqrt(np.diag(self.covariance))
        return np.exp(self.logs - width), np.exp(self.logs + width)

    def draws(self, count: int, random: np.random.Generator) -> Floats:
        """Parameters as uncertain as they are: an array of ``count`` rows."""
        return np.exp(random.multivariate_normal(self.logs, self.covariance, count))


def fit(loss: Callable[[Floats], float], parameters: int) -> Fit:
    """Minimise a negative log-likelihood of the logarithms of ``parameters`` positive numbers. Raises NotIdentified.

    Where the likelihood hardly bends, as along the parameters of leaving when nobody left, the covariance is that of a weak
    Gaussian prior: such a parameter may be e³ times as large or small.
    """
    bounds = [(-_FARTHEST, _FARTHEST)] * parameters
    runs = [minimize(loss, np.full(parameters, start), method="L-BFGS-B", bounds=bounds) for start in _STARTS]
    best = min(runs, key=lambda run: float(run.fun) if np.isfinite(run.fun) else np.inf)
    # L-BFGS-B stops where its differences get too small; the simplex goes on from there.
    simplex = {"xatol": 1e-6, "fatol": 1e-8, "maxiter": 2_000}
    best = minimize(loss, best.x, method="Nelder-Mead", bounds=bounds, options=simplex)
    if not np.isfinite(best.fun):
        raise NotIdentified("the likelihood has no finite value")
    bends, directions = np.linalg.eigh(_curvature(loss, best.x))
    covariance = directions / np.maximum(bends, 1 / _WIDEST**2) @ directions.T
    return Fit(np.asarray(best.x, dtype=np.float64), np.asarray(covariance, dtype=np.float64))


def _curvature(loss: Callable[[Floats], float], at: Floats) -> Floats:
    """Second derivatives by central differences."""
    steps = np.eye(len(at)) * _STEP
    hessian = np.empty((len(at), len(at)))
    for i, one in enumerate(steps):
        for j, other in enumerate(steps[: i + 1]):
            corners = loss(at + one + other) - loss(at + one - other) - loss(at - one + other) + loss(at - one - other)
            hessian[i, j] = hessian[j, i] = corners / (4 * _STEP**2)
    return hessian
