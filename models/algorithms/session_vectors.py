"""Session vectors: each item is a vector, a session the fading sum of its items', and what comes next lies near it."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numba
import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.algorithms.recommender import NotFitted, Scores, State
from models.algorithms.session_model import check_item_range, check_sessions
from models.data.sequences import Numbers, Sequences

BATCH = 500  # prefixes whose similarities to all items are held at once
FIRST, SECOND, TINY = np.float32(0.9), np.float32(0.999), np.float32(1e-8)  # of Adam
SLOWEST = 0.1  # of the learning rate is left at the end


class SessionVectors:
    """A log-bilinear model of the next item with vectors of length one on both sides, as in CORE (Hou et al., SIGIR 2022).

    h = Σ e^(a_back) v_item over the last ``window`` items of a prefix; item j comes next with a chance in proportion to
    e^(cos(h, v_j) / ``temperature``). Vectors v and the place weights a are learnt together, by Adam on the rows that a batch
    touches, from every prefix of the sessions. Of a shop with more items than ``negatives`` so many are drawn for each batch
    (by clicks to the power of ``sampling_power``) and their log-odds corrected by how often they are drawn; otherwise the sum
    is over all items. A share ``dropout`` of a prefix's items is left out at random, so that none of them is needed. Unlike
    rules and past sessions, vectors also join items that no session has joined.
    """

    name = "vectors"

    def __init__(
        self,
        factors: int = 64,
        epochs: int = 4,
        batch: int = 512,
        negatives: int = 4096,
        temperature: float = 0.07,
        learning_rate: float = 0.002,
        dropout: float = 0.2,
        sampling_power: float = 0.5,
        window: int = 20,
        most: int = 100,
        most_clicks: int = 1_000_000,
        seed: int = 7,
    ) -> None:
        self.factors = factors
        self.epochs = epochs
        self.batch = batch
        self.negatives = negatives
        self.temperature = temperature
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.sampling_power = sampling_power
        self.window = window
        self.most = most
        self.most_clicks = most_clicks
        self.seed = seed
        self.vectors_: Scores | None = None
        self.place_weights_: Scores | None = None

    def fit(self, sessions: Sequences) -> Self:
        """Learn from every item that has one before it, in the newest sessions of at most ``most_clicks`` clicks."""
        sessions = check_sessions(sessions).newest(self.most_clicks)
        luck = np.random.default_rng(self.seed)
        prefixes, following = sessions.split_everywhere(self.window)
        shape = (sessions.items, self.factors)
        vectors = _Learnt.begin((luck.standard_normal(shape) / np.sqrt(self.factors)).astype(np.float32))
        places = _Learnt.begin((-0.3 * np.arange(self.window, dtype=np.float32))[:, None])
        clicks = np.bincount(sessions.flat, minlength=sessions.items) + 1.0
        chances = np.cumsum(clicks**self.sampling_power)
        chances /= chances[-1]
        every = np.arange(sessions.items)
        steps, step = self.epochs * -(-len(following) // self.batch), 0
        for _ in range(self.epochs):
            order = luck.permutation(len(following))
            for at in range(0, len(order), self.batch):
                step += 1
                rows = order[at : at + self.batch]
                asked = prefixes.take(rows)
                if sessions.items <= self.negatives:
                    drawn, often = every, np.zeros(sessions.items, dtype=np.float32)
                else:
                    drawn = np.searchsorted(chances, luck.random(self.negatives)).clip(max=sessions.items - 1)
                    often = np.log(self.negatives * np.diff(chances, prepend=0.0)).astype(np.float32)
                kept = luck.random(len(asked.flat)) >= self.dropout
                alive = np.bincount(asked.row()[kept], minlength=len(asked)) > 0
                kept |= ~alive[asked.row()]
                slope = gradient(
                    vectors.values, places.values[:, 0], asked, kept, following[rows], drawn, often, self.temperature
                )
                rate = np.float32(self.learning_rate * (1 - (1 - SLOWEST) * step / steps))
                vectors.descend(slope.items, slope.of_items, step, rate)
                places.descend(np.arange(self.window), slope.of_places[:, None], step, rate)
        self.vectors_, self.place_weights_ = vectors.values, np.exp(places.values[:, 0])
        return self

    def encode(self, prefixes: Sequences) -> Scores:
        """h of each prefix at length one; zeros for an empty prefix."""
        vectors, weights = self._learnt()
        last = check_item_range(prefixes).tail(len(weights))
        return unit(last.summed(weights[last.back()]) @ vectors)[0]

    def chances(self, prefixes: Sequences) -> Scores:
        """e^((cos − 1) / temperature) of all items after each prefix, shape (prefixes, items): in proportion to the chances."""
        similar = self.encode(prefixes) @ unit(self._learnt()[0])[0].T
        return np.asarray(np.exp((similar - 1) / np.float32(self.temperature)))

    def score(self, prefixes: Sequences) -> sparse.csr_matrix:
        """The ``most`` largest of ``chances`` of each prefix."""
        parts = []
        for at in range(0, len(prefixes), BATCH):
            some = prefixes.take(slice(at, at + BATCH))
            parts.append(largest_of(self.chances(some) * (some.lengths > 0)[:, None], self.most))
        if not parts:
            return sparse.csr_matrix((0, prefixes.items), dtype=np.float32)
        return sparse.csr_matrix(sparse.vstack(parts, format="csr"), dtype=np.float32)

    def _learnt(self) -> tuple[Scores, Scores]:
        if self.vectors_ is None or self.place_weights_ is None:
            raise NotFitted("fit the session vectors first")
        return self.vectors_, self.place_weights_

    def lengths(self) -> Scores:
        """The length of each item's vector, above zero."""
        return unit(self._learnt()[0])[1][:, 0]

    def state(self) -> State:
        """Vectors, items × factors, and the weights of places, newest first."""
        vectors, weights = self._learnt()
        return {"vectors": vectors, "place_weights": weights}

    def from_state(self, state: State) -> Self:
        """Take over vectors and weights. Raises ValueError for arrays that are not whole."""
        vectors, weights = (state[name].astype(np.float32, copy=False) for name in ("vectors", "place_weights"))
        if vectors.ndim != 2 or weights.ndim != 1 or len(weights) == 0:
            raise ValueError(f"vectors {vectors.shape} and weights of places {weights.shape} are not those of session vectors")
        self.vectors_, self.place_weights_ = vectors, weights
        return self


def largest_of(dense: Scores, most: int) -> sparse.csr_matrix:
    """The ``most`` largest entries above zero of each row."""
    count = min(most, dense.shape[1])
    items = np.sort(np.argpartition(-dense, count - 1, axis=1)[:, :count], axis=1)
    values = np.take_along_axis(dense, items, axis=1)
    starts = np.arange(len(dense) + 1) * count
    kept = sparse.csr_matrix((values.ravel(), items.ravel(), starts), shape=dense.shape, dtype=np.float32)
    kept.eliminate_zeros()
    return kept


def unit(rows: Scores) -> tuple[Scores, Scores]:
    """The rows at length one (zeros stay), and their lengths as a column."""
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY).astype(np.float32)
    return np.asarray(rows / lengths, dtype=np.float32), lengths


class Slope(NamedTuple):
    """Of the mean loss of a batch: by the vectors of ``items`` (rising numbers), and by the logarithms of the place weights."""

    loss: float
    items: Numbers
    of_items: Scores
    of_places: Scores


def gradient(
    vectors: Scores,
    places: Scores,
    asked: Sequences,
    kept: npt.NDArray[np.bool_],
    following: Numbers,
    drawn: Numbers,
    often: Scores,
    temperature: float,
) -> Slope:
    """Mean −log chance of what followed, among it and the ``drawn`` items, and its slope.

    ``kept`` marks the entries of the prefixes that are looked at; ``often`` is the logarithm of how often each item is drawn.
    """
    rows, back = len(asked), asked.back()
    weights = (np.exp(places[back]) * kept).astype(np.float32)
    items, number = np.unique(np.concatenate([asked.flat, following, drawn]), return_inverse=True)
    seen, next_one, other = np.split(number, [len(asked.flat), len(asked.flat) + rows])
    some = vectors[items]
    sums = sparse.csr_matrix((weights, seen, asked.starts), shape=(rows, len(items)))
    encoded, length = unit(sums @ some)
    near, size = unit(some)
    targets, misses = near[next_one], near[other]
    hit = np.einsum("ij,ij->i", encoded, targets) / temperature - often[following]
    odds = encoded @ misses.T
    odds *= np.float32(1 / temperature)
    odds -= often[drawn]
    odds[following[:, None] == drawn[None, :]] = -np.inf
    highest = np.maximum(odds.max(axis=1, initial=-np.inf), hit)
    odds -= highest[:, None]
    np.exp(odds, out=odds)
    of_hit = np.exp(hit - highest)
    total = odds.sum(axis=1) + of_hit
    odds /= total[:, None]
    missing = (of_hit / total - 1)[:, None].astype(np.float32)
    scale = np.float32(1 / (rows * temperature))
    by_encoded = (odds @ misses + missing * targets) * scale
    by_candidate = np.concatenate([missing * encoded, odds.T @ encoded]) * scale
    places_of = (np.ones(len(by_candidate), dtype=np.float32), (number[len(seen) :], np.arange(len(by_candidate))))
    by_near = sparse.csr_matrix(places_of, shape=(len(items), len(by_candidate))) @ by_candidate
    by_sum = (by_encoded - encoded * np.einsum("ij,ij->i", encoded, by_encoded)[:, None]) / length
    of_items = (by_near - near * np.einsum("ij,ij->i", near, by_near)[:, None]) / size + sums.T @ by_sum
    by_weight = weights * np.einsum("ij,ij->i", some[seen], by_sum[asked.row()])
    of_places = np.bincount(back, weights=by_weight, minlength=len(places)).astype(np.float32)
    loss = float(np.mean(np.log(total) + highest - hit))
    return Slope(loss, items, np.ascontiguousarray(of_items, dtype=np.float32), of_places)


class _Learnt(NamedTuple):
    """Rows that descend, and the running means of slopes and of their squares."""

    values: Scores
    mean: Scores
    square: Scores

    @classmethod
    def begin(cls, values: Scores) -> Self:
        return cls(values, np.zeros_like(values), np.zeros_like(values))

    def descend(self, rows: Numbers, slope: Scores, step: int, rate: np.float32) -> None:
        first, second = np.float32(1 - FIRST**step), np.float32(1 - SECOND**step)
        _descend(self.values, self.mean, self.square, rows, slope, first, second, rate)


@numba.njit(cache=True, nogil=True)
def _descend(values: Any, mean: Any, square: Any, rows: Any, slope: Any, first: Any, second: Any, rate: Any) -> None:
    """A step of Adam (Kingma & Ba, ICLR 2015) of some rows; the others rest."""
    for at in range(len(rows)):
        row = rows[at]
        for column in range(values.shape[1]):
            steep = slope[at, column]
            mean[row, column] = FIRST * mean[row, column] + (1 - FIRST) * steep
            square[row, column] = SECOND * square[row, column] + (1 - SECOND) * steep * steep
            values[row, column] -= rate * (mean[row, column] / first) / (np.sqrt(square[row, column] / second) + TINY)
