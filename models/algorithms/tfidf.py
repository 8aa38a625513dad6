"""TF-IDF over three kinds of tokens: words and n-grams of the title, and labels. Nothing of it is pickled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from models.algorithms.item_text import ItemText, label_tokens, title_grams, title_words
from models.algorithms.recommender import NotFitted, State

TOKENS: dict[str, Callable[[ItemText], list[str]]] = {
    "words": lambda item: title_words(item.title),
    "grams": lambda item: title_grams(item.title),
    "labels": lambda item: label_tokens(item.labels),
}


class TfIdf:
    """Each kind of token is a block of its own length 1, then blocks are weighed and joined to length 1.

    Blocks keep a long title from drowning the category. A token counts 1 + log(times) × (log((1 + items) / (1 + items with it))
    + 1), as scikit-learn does; one that fewer than ``least_items`` items have, or that is beyond the ``most_tokens`` commonest
    of its block, is left out, unless the block would be empty.
    """

    name = "tfidf"

    def __init__(self, weights: Mapping[str, float] | None = None, least_items: int = 2, most_tokens: int = 2000) -> None:
        self.weights = dict(weights or {"words": 1.0, "grams": 1.0, "labels": 1.0})
        if set(self.weights) - set(TOKENS) or not any(weight > 0 for weight in self.weights.values()):
            raise ValueError(f"weights are of {', '.join(TOKENS)}, at least one above 0, got {self.weights}")
        self.least_items = least_items
        self.most_tokens = most_tokens
        self.blocks_: dict[str, TfidfVectorizer] | None = None

    def fit(self, items: Sequence[ItemText]) -> Self:
        """Learn vocabulary and idf. Raises ValueError when no item has a token."""
        blocks = {}
        for name, weight in self.weights.items():
            lists = [TOKENS[name](item) for item in items]
            if weight <= 0 or not any(lists):
                continue
            commonest = Counter(token for tokens in lists for token in set(tokens)).most_common(1)[0][1]
            least = self.least_items if commonest >= self.least_items else 1
            blocks[name] = _vectorizer(least, self.most_tokens).fit(lists)
        if not blocks:
            raise ValueError("no item has a title or a label; there is nothing to learn from")
        self.blocks_ = blocks
        return self

    def transform(self, items: Sequence[ItemText]) -> sparse.csr_matrix:
        """Vectors of items; unknown tokens say nothing."""
        parts = [
            np.float32(self.weights[name]) * block.transform([TOKENS[name](item) for item in items])
            for name, block in self._fitted().items()
        ]
        return sparse.csr_matrix(normalize(sparse.hstack(parts, format="csr")), dtype=np.float32)

    def _fitted(self) -> dict[str, TfidfVectorizer]:
        if self.blocks_ is None:
            raise NotFitted("fit the TF-IDF encoder first")
        return self.blocks_

    def state(self) -> State:
        """Inverse document frequencies of each block."""
        return {name: block.idf_.astype(np.float64) for name, block in self._fitted().items()}

    def ids(self) -> dict[str, list[str]]:
        """Tokens of each block, in the order of the columns."""
        return {name: block.get_feature_names_out().tolist() for name, block in self._fitted().items()}

    def from_state(self, state: State, ids: dict[str, list[str]]) -> Self:
        """Take over vocabulary and idf. Raises ValueError when they do not belong together."""
        blocks = {}
        for name in self.weights:
            if name not in state:
                continue
            if len(state[name]) != len(ids.get(name, [])):
                raise ValueError(f"{name}: {len(ids.get(name, []))} tokens and {len(state[name])} frequencies")
            blocks[name] = _vectorizer(1, None, vocabulary=ids[name])
            blocks[name].idf_ = state[name]
        self.blocks_ = blocks
        return self


def _vectorizer(least_items: int, most_tokens: int | None, vocabulary: list[str] | None = None) -> TfidfVectorizer:
    return TfidfVectorizer(
        analyzer=_itself,
        min_df=least_items,
        max_features=most_tokens,
        vocabulary=vocabulary,
        sublinear_tf=True,
        dtype=np.float32,
    )


def _itself(tokens: list[str]) -> list[str]:
    return tokens
