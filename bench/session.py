"""``jishi bench session``: time to answer one prefix among 6 million clicks on a million items, compiled and in numpy.

One thread. Both do the same over the same arrays: up to 500 latest sessions of each item of the prefix, the 100 nearest of
them, 20 items. The two take turns, prefix by prefix; their lists are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any

import numpy as np

from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_knn_query import LiveSessionKNN
from models.data.sequences import Sequences

FLOOR, GOAL = 3.0, 6.0
FLOOR_P99_US, GOAL_P99_US = 1000.0, 300.0
PER_ITEM, NEIGHBOURS, K = 500, 100, 20


def clicks(count: int, items: int, seed: int) -> Sequences:
    """Sessions of 1 to 20 clicks; within one, items of a topic, popular ones far ahead of others."""
    rng = np.random.default_rng(seed)
    lengths = np.minimum(20, 1 + rng.geometric(0.2, size=count // 4))
    lengths = lengths[np.cumsum(lengths) <= count]
    total = int(lengths.sum())
    topics = max(1, items // 500)
    topic = np.repeat(rng.integers(topics, size=len(lengths)), lengths)
    place = np.minimum((rng.pareto(0.9, total) * 3).astype(np.int64), items // topics - 1)
    flat = np.where(rng.random(total) < 0.9, topic * (items // topics) + place, rng.integers(items, size=total))
    return Sequences(flat, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), items)


class NumpySessionKNN:
    """The same answer in numpy."""

    def __init__(self, model: SessionKNN) -> None:
        assert model.sessions_ is not None
        assert model.index_ is not None
        assert model.idf_ is not None
        self.sessions, self.index, self.idf = model.sessions_, model.index_, model.idf_
        self.neighbours, self.decay = model.neighbours, model.decay

    def ask(self, prefix: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Best items and weights."""
        items, place = np.unique(prefix[::-1], return_index=True)
        weights = np.exp(-place / self.decay).astype(np.float32) * self.idf[items]
        spans = [slice(self.index.indptr[item], self.index.indptr[item + 1]) for item in items]
        session = np.concatenate([self.index.indices[span] for span in spans])
        value = np.concatenate([self.index.data[span] * weight for span, weight in zip(spans, weights, strict=True)])
        near, where = np.unique(session, return_inverse=True)
        similarity = np.bincount(where, weights=value)
        if len(near) > self.neighbours:
            best = np.lexsort((near, similarity))[-self.neighbours :]
            near, similarity = near[best], similarity[best]
        starts, ends = self.sessions.indptr[near], self.sessions.indptr[near + 1]
        lengths = ends - starts
        entries = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths) + np.arange(lengths.sum())
        followers, where = np.unique(self.sessions.indices[entries], return_inverse=True)
        score = np.bincount(where, weights=np.repeat(similarity, lengths)) * self.idf[followers]
        order = np.lexsort((followers, -score))[:k]
        return followers[order], score[order]


def main() -> int:
    """Measure, print, and exit with 1 below the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench session", description=__doc__)
    parser.add_argument("--clicks", type=int, default=6_000_000)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    past = clicks(chosen.clicks, chosen.items, 1)
    began = time.perf_counter()
    model = SessionKNN(neighbours=NEIGHBOURS, per_item=PER_ITEM).fit(past)
    fit_s = time.perf_counter() - began
    askers: dict[str, Any] = {"compiled": LiveSessionKNN(model), "numpy": NumpySessionKNN(model)}
    prefixes = list(clicks(chosen.queries * 8, chosen.items, 2))[: chosen.queries]
    taken: dict[str, list[float]] = {name: [] for name in askers}
    same = 0
    for number, prefix in enumerate(prefixes):
        answers = []
        for name, asker in askers.items():
            start = time.perf_counter()
            answers.append(asker.ask(prefix, K))
            if number >= 100:  # the first ones compile and warm
                taken[name].append((time.perf_counter() - start) * 1e6)
        same += np.allclose(answers[0][1], answers[1][1], rtol=1e-3)
    result: dict[str, Any] = {
        name: {f"p{int(share * 100)}_us": round(float(np.quantile(us, share)), 1) for share in (0.5, 0.95, 0.99)}
        for name, us in taken.items()
    }
    ratio = result["numpy"]["p50_us"] / result["compiled"]["p50_us"]
    result |= {"ratio": round(ratio, 1), "same_answers": f"{same} of {len(prefixes)}", "clicks": len(past.flat)}
    result |= {"sessions": len(past), "fit_s": round(fit_s, 1), "load_average": [round(value, 1) for value in os.getloadavg()]}
    print(json.dumps(result) if chosen.json else "\n".join(f"{name:14} {value}" for name, value in result.items()))
    print(f"floor {FLOOR:g}x and p99 {FLOOR_P99_US:g} µs; goal {GOAL:g}x and {GOAL_P99_US:g} µs", file=sys.stderr)
    return 0 if ratio >= FLOOR and result["compiled"]["p99_us"] <= FLOOR_P99_US else 1


if __name__ == "__main__":
    sys.exit(main())
