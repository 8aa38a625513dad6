"""A graph filter of any shape in closed form: recommendation as a Chebyshev polynomial of the item graph's Laplacian.

It does not serve: a filtered score touches every item of the shop, and no placement's gate has tried it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.polynomial import chebyshev
from scipy import sparse

from models.algorithms.recommender import Scores
from models.lab.graph_filter import GFCF


class ChebyCF(GFCF):
    """Plateau filter by Chebyshev interpolation, and an ideal low-pass filter (Kim et al., Graph Spectral Filtering with
    Chebyshev Interpolation for Recommendation, SIGIR 2025).

    s = x D_i^(−power) (Σ_k c_k T_k(I − 2P) + ideal · V Vᵀ) D_i^power. I − 2P is the Laplacian I − P of the item graph moved
    onto [−1, 1]; c interpolates the plateau h(t) = ½ (1 − sign(t) |t|^flatness) at the Chebyshev nodes: the smoothest signals
    pass, the roughest are dropped, those between are halved. ``order`` is the polynomial's degree, ``factors`` the number of
    singular vectors in V.
    """

    name = "chebycf"

    def __init__(
        self,
        factors: int = 256,
        ideal: float = 0.2,
        order: int = 8,
        flatness: float = 1.5,
        power: float = 0.4,
        dense_items: int = 6000,
        seed: int = 7,
    ) -> None:
        super().__init__(factors, ideal, dense_items, seed)
        self.order = order
        self.flatness = flatness
        self.power = power

    def coefficients(self) -> npt.NDArray[np.float64]:
        """c_0 … c_order."""
        return np.asarray(chebyshev.chebinterpolate(self._plateau, self.order), dtype=np.float64)

    def _plateau(self, at: Any) -> Any:
        return 0.5 * (1 - np.sign(at) * np.abs(at) ** self.flatness)

    def _powers(self, degrees: Scores) -> Scores:
        """D_i^power; 1 for an item that nobody has, whose row and column of P are empty. ``degrees`` are roots."""
        return np.where(degrees > 0, np.maximum(degrees, 1e-12) ** (2 * self.power), 1).astype(np.float32)

    def _dense(self, smoothing: Scores, basis: Scores, degrees: Scores) -> Scores:
        """Clenshaw's recurrence over whole matrices."""
        c = self.coefficients().astype(np.float32)
        one = np.eye(len(smoothing), dtype=np.float32)
        later, latest = np.zeros_like(one), np.zeros_like(one)
        for each in c[:0:-1]:
            later, latest = latest, each * one + 2 * (latest - 2 * (smoothing @ latest)) - later
        result = c[0] * one + (latest - 2 * (smoothing @ latest)) - later + self.ideal * (basis @ basis.T)
        scale = self._powers(degrees)
        return np.asarray(result / scale[:, None] * scale[None, :], dtype=np.float32)

    def _filtered(self, x: sparse.csr_matrix) -> Scores:
        """The same for a few histories, shape (items, rows), without P."""
        graph, basis, degrees = self._factors()
        scale = self._powers(degrees)
        signal = np.ascontiguousarray((x @ sparse.diags(1 / scale)).T.toarray(), dtype=np.float32)
        c = self.coefficients().astype(np.float32)
        later, latest = np.zeros_like(signal), np.zeros_like(signal)
        for each in c[:0:-1]:
            later, latest = latest, each * signal + 2 * self._shifted(graph, latest) - later
        result = c[0] * signal + self._shifted(graph, latest) - later + self.ideal * (basis @ (basis.T @ signal))
        return np.asarray(result * scale[:, None], dtype=np.float32)

    @staticmethod
    def _shifted(graph: sparse.csr_matrix, signal: Scores) -> Scores:
        """(I − 2P) times a signal."""
        return np.asarray(signal - 2 * (graph.T @ (graph @ signal)), dtype=np.float32)
