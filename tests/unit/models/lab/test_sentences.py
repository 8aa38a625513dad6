"""The sentence model against the similarities that its authors publish."""

from __future__ import annotations

import numpy as np
import pytest

from models.algorithms.item_text import ItemText
from models.lab.sentences import Sentences

PUBLISHED = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]  # documentation of sentence-transformers
TITLES = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]


def test_similarities_are_the_published_ones() -> None:
    items = [ItemText(title) for title in TITLES]
    encoder = Sentences().fit(items)
    array = encoder.transform(items).toarray()
    np.testing.assert_allclose(array @ array.T, PUBLISHED, atol=1e-3)
    nothing = encoder.transform([ItemText(), ItemText("🎉", {"c": ""}), ItemText("tea", {"kind": ("green", "loose")})])
    assert np.diff(nothing.indptr).tolist() == [0, 384, 384]
    alone = encoder.transform(items[2:]).toarray()
    np.testing.assert_allclose(alone[0], array[2], atol=1e-5)  # padding beside longer sentences changes nothing
    with pytest.raises(ValueError, match="no item has"):
        encoder.fit([ItemText()])
