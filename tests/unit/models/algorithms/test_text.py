"""Words of titles, and TF-IDF without pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.algorithms.item_text import ItemText, label_tokens, title_grams, title_words
from models.algorithms.recommender import NotFitted
from models.algorithms.tfidf import TfIdf
from models.release.artefact import load_ids, load_state, read_manifest, save

TEXTS = st.builds(
    ItemText,
    st.text(max_size=30),
    st.dictionaries(st.sampled_from(["category", "brand", "颜色"]), st.text(max_size=8), max_size=3),
)


def test_words_of_chinese_english_and_mixed_titles() -> None:
    assert title_words("复古连衣裙 482") == ["复古", "连衣裙", "482"]
    assert title_words("Ｔ恤 T-Shirt 🎉") == ["t", "恤", "t", "shirt"]
    assert title_words("🎉 — !") == title_words("") == []


def test_grams_by_hand() -> None:
    assert title_grams("连衣裙") == ["连", "衣", "裙", "连衣", "衣裙"]
    assert title_grams("Tea") == ["<te", "tea", "ea>", "<tea", "tea>"]
    assert title_grams("🎉") == []


def test_labels_by_hand() -> None:
    labels = {"colour": ("Red", "blue"), "brand": " 云归 ", "size": ""}
    assert label_tokens(labels) == ["brand=云归", "colour=red", "colour=blue"]


def test_tfidf_by_hand() -> None:
    """Two of three items share the category: idf = ln(4 / 3) + 1 and, for the brand of one, ln(4 / 2) + 1."""
    items = [ItemText(labels={"c": "a", "b": "x"}), ItemText(labels={"c": "a"}), ItemText(labels={"c": "z"})]
    array = TfIdf({"labels": 1.0}, least_items=1).fit(items).transform(items).toarray()
    common, rare = np.log(4 / 3) + 1, np.log(4 / 2) + 1
    length = np.hypot(common, rare)
    np.testing.assert_allclose(np.sort(array[0]), [0, common / length, rare / length], rtol=1e-6)
    np.testing.assert_allclose(np.sort(array[1]), [0, 0, 1])


def test_each_kind_of_token_weighs_as_asked() -> None:
    items = [ItemText("long title of many words", {"c": "a"}), ItemText("long title", {"c": "b"})]
    encoder = TfIdf({"words": 1.0, "labels": 2.0}, least_items=1).fit(items)
    result = encoder.transform(items[:1]).toarray()[0]
    words = len(encoder.ids()["words"])
    assert np.linalg.norm(result[words:]) == pytest.approx(2 * np.linalg.norm(result[:words]))


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_whatever_the_texts_rows_have_length_one_or_zero(items: list[ItemText]) -> None:
    known = [*items, ItemText("tea"), ItemText("tea")]
    result = TfIdf().fit(known).transform(known)
    assert result.shape[0] == len(known)
    assert np.isfinite(result.data).all()
    lengths = np.asarray(result.multiply(result).sum(axis=1)).ravel()
    assert all(length == 0 or length == pytest.approx(1, abs=1e-5) for length in lengths)


@pytest.mark.parametrize(("least_items", "kept"), [(1, 3), (2, 1), (3, 3)])
def test_rare_tokens_are_left_out_unless_all_are_rare(least_items: int, kept: int) -> None:
    items = [ItemText("red tea"), ItemText("green tea")]
    assert TfIdf({"words": 1.0}, least_items).fit(items).transform(items).shape == (2, kept)


def test_a_saved_encoder_gives_the_same_vectors(tmp_path: Path) -> None:
    items = [ItemText("复古连衣裙", {"c": "裙装"}), ItemText("红茶 tea", {"c": "茶"}), ItemText("绿茶 tea", {"c": "茶"})]
    encoder = TfIdf().fit(items)
    save(tmp_path, {"tfidf": encoder.state()}, encoder.ids(), {})
    manifest = read_manifest(tmp_path)
    state = load_state(tmp_path, manifest, "tfidf")
    ids = {name: load_ids(tmp_path, manifest, name) for name in state}
    restored = TfIdf().from_state(state, ids).transform(items)
    assert (restored != encoder.transform(items)).nnz == 0
    with pytest.raises(ValueError, match="tokens"):
        TfIdf().from_state(state, ids | {"words": []})


def test_a_catalogue_without_any_text_is_refused() -> None:
    for items in ([], [ItemText()], [ItemText("🎉", {"c": " "})]):
        with pytest.raises(ValueError, match="no item has"):
            TfIdf().fit(items)
    with pytest.raises(NotFitted):
        TfIdf().transform([ItemText("tea")])
    with pytest.raises(ValueError, match="weights"):
        TfIdf({"titles": 1.0})
