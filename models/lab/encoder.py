"""The protocol of encoders: items to vectors.

It does not serve: the release's texts have one encoder, TF-IDF; the bench of cold items compares others with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

from scipy import sparse

from models.algorithms.item_text import ItemText
from models.algorithms.recommender import State


class Encoder(Protocol):
    """Learn from a catalogue, then turn any items into rows of one length, or of zeros when nothing is known of an item."""

    name: str

    def fit(self, items: Sequence[ItemText]) -> Self:
        """Learn what the catalogue's items have in common. Raises ValueError when no item has any text."""

    def transform(self, items: Sequence[ItemText]) -> sparse.csr_matrix:
        """Vectors of items, float32, shape (items, features); each of length 1 or 0. Needs ``fit`` or ``from_state``."""

    def state(self) -> State:
        """Fitted arrays by name."""

    def ids(self) -> dict[str, list[str]]:
        """Fitted lists of text by name, for ``models.release.artefact.save``; empty when there are none."""

    def from_state(self, state: State, ids: dict[str, list[str]]) -> Self:
        """Take over fitted arrays and lists."""
