"""What a factorisation by Spark is asked for; its person factors follow from these again wherever they are solved for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parameters:
    """Of MLlib's implicit ALS.

    ``regularization`` is MLlib's: it grows with the number of preferences of a person or an item (ALS-WR), and is not the one
    of ``models.algorithms.als``. ``blocks`` splits persons and items; the same number gives the same factors, to rounding.
    """

    factors: int = 48
    iterations: int = 12
    regularization: float = 0.05
    alpha: float = 10.0
    seed: int = 7
    blocks: int = 4
