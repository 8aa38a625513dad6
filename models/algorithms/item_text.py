"""Tokens of an item: words and character n-grams of its title, and its labels (category, brand, attributes)."""

from __future__ import annotations

import logging
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jieba

_RUN = re.compile(r"(?P<han>[\u3400-\u4dbf\u4e00-\u9fff]+)|(?P<other>[^\W_\u3400-\u4dbf\u4e00-\u9fff]+)")
HAN_GRAMS, OTHER_GRAMS = (1, 2), (3, 4)  # lengths of n-grams; other scripts get word boundaries, "<tea>"


@dataclass(frozen=True)
class ItemText:
    """What is known of an item before anybody saw it; all of it may be missing.

    ``labels`` are named values, one or several each, such as ``{"category": "裙装", "colour": ("red", "blue")}``. An empty
    value says nothing.
    """

    title: str = ""
    labels: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


def title_words(title: str) -> list[str]:
    """Words in lower case, compatibility forms unified; Chinese runs are cut by jieba. Signs and emoji are no words."""
    return [word for run, is_han in _runs(title) for word in (_cut(run) if is_han else [run])]


def title_grams(title: str) -> list[str]:
    """Character n-grams: one and two characters of a Chinese run, three and four of any other word with its boundaries."""
    grams = []
    for run, is_han in _runs(title):
        text, (low, high) = (run, HAN_GRAMS) if is_han else (f"<{run}>", OTHER_GRAMS)
        grams += [text[at : at + size] for size in range(low, high + 1) for at in range(len(text) - size + 1)]
    return grams


def label_tokens(labels: Mapping[str, str | tuple[str, ...]]) -> list[str]:
    """``name=value`` of each label's values, in the order of names."""
    pairs = ((name, _unified(value)) for name in sorted(labels) for value in _values(labels[name]))
    return [f"{name}={value}" for name, value in pairs if value]


def _values(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _runs(title: str) -> Iterator[tuple[str, bool]]:
    for match in _RUN.finditer(_unified(title)):
        yield match.group(), match.lastgroup == "han"


def _unified(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _cut(run: str) -> list[str]:
    words: list[str] = _segmenter().lcut(run)
    return words


@lru_cache(maxsize=1)
def _segmenter() -> jieba.Tokenizer:
    """jieba with its own dictionary. Its cache is written to a folder of this process, because it would read (with marshal)
    whatever lies under a fixed name in the shared temporary folder.
    """
    import jieba

    jieba.setLogLevel(logging.WARNING)
    tokenizer = jieba.Tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.tmp_dir = folder
        tokenizer.initialize()
    return tokenizer
