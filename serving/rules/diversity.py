"""Items of a list that are unlike each other: greedy inference for a determinantal point process (DPP).

Chen, Zhang and Zhou, Fast Greedy MAP Inference for Determinantal Point Process to Improve Recommendation Diversity, NeurIPS
2018, algorithm 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from serving.blend import Indices, Vector

_LEAST = 1e-10  # a gain below is rounding


def spread(score: Vector, similarity: npt.NDArray[np.float64], length: int) -> Indices:
    """Places of the items in their new order: first up to ``length`` that the DPP picks, then the rest as it was.

    The kernel is √score_i · similarity_ij · √score_j, so that an item that is like nothing chosen yet counts with its score,
    and one like others with what they leave of it. ``score`` (n,) is not negative; ``similarity`` (n, n) is positive
    semidefinite with ones on the diagonal.
    """
    count = len(score)
    quality = np.sqrt(np.maximum(score, 0).astype(np.float64))
    gain = quality**2
    factor = np.zeros((min(length, count), count))  # rows of the Cholesky factor
    chosen: list[int] = []
    for row in range(len(factor)):
        best = int(np.argmax(gain))
        if gain[best] < _LEAST:
            break
        kernel = quality[best] * quality * similarity[best]
        factor[row] = (kernel - factor[:row, best] @ factor[:row]) / np.sqrt(gain[best])
        gain -= factor[row] ** 2
        gain[chosen] = -np.inf
        gain[best] = -np.inf
        chosen.append(best)
    rest = np.ones(count, dtype=np.bool_)
    rest[chosen] = False
    return np.concatenate([np.array(chosen, dtype=np.int64), np.flatnonzero(rest)])


def group_similarity(groups: list[list[object]], strengths: list[float]) -> npt.NDArray[np.float64]:
    """Similarities (n, n) of items by their groups: the mean over ``groups`` of the strength where both are in one.

    After k items of a group an item of it counts for 1 − s²k / (1 + (k − 1)s) of its score. None is no group.
    """
    total = np.zeros((len(groups[0]), len(groups[0])))
    for values, strength in zip(groups, strengths, strict=True):
        code_of = {value: code for code, value in enumerate(dict.fromkeys(values)) if value is not None}
        codes = np.array([code_of.get(value, -1 - place) for place, value in enumerate(values)])
        total += strength * (codes[:, None] == codes[None, :])
    np.fill_diagonal(total, len(groups))
    return total / len(groups)
