"""The search index of item factors: it finds nearly what exact products find, and only the one that was written is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.algorithms import nearest_items
from models.algorithms.nearest_items import NearestItems, index_bytes
from models.candidates.taste import Taste
from models.release import taste_index
from models.release.artefact import CorruptArtefact
from models.release.release_files import ReleaseFiles

ITEMS, FACTORS = 3000, 16


@pytest.fixture(scope="module")
def factors() -> Any:
    return np.random.default_rng(5).standard_normal((ITEMS, FACTORS)).astype(np.float32)


@pytest.fixture
def written(factors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReleaseFiles:
    monkeypatch.setattr(taste_index, "LEAST_ITEMS", ITEMS)
    return ReleaseFiles(tmp_path, {"sha256": taste_index.write(tmp_path, factors), "shapes": {}})


def test_it_finds_nearly_what_exact_products_find(factors: Any, written: ReleaseFiles) -> None:
    nearest = taste_index.read(written, factors)
    assert nearest is not None
    persons = np.random.default_rng(6).standard_normal((60, FACTORS)).astype(np.float32)
    hits = 0
    for person in persons:
        exact = Taste(factors, person).best(20)
        assert set(exact.tolist()) == set(np.argsort(-(factors @ person))[:20].tolist())
        hits += len(np.intersect1d(exact, Taste(factors, person, nearest).best(20)))
    assert hits / (20 * len(persons)) >= 0.95


def test_all_items_are_asked_for_without_an_index(factors: Any, written: ReleaseFiles) -> None:
    taste = Taste(factors, factors[0], taste_index.read(written, factors))
    assert taste.best(ITEMS + 1).tolist() == list(range(ITEMS))


def test_the_same_factors_give_the_same_bytes(factors: Any) -> None:
    assert index_bytes(factors[:500]) == index_bytes(factors[:500])


def test_a_small_shop_has_none(factors: Any, tmp_path: Path) -> None:
    assert ITEMS < nearest_items.LEAST_ITEMS
    assert taste_index.write(tmp_path, factors) == {}
    assert taste_index.read(ReleaseFiles(tmp_path, {"sha256": {}, "shapes": {}}), factors) is None


@pytest.mark.parametrize("content", [b"", b"no index at all", None])
def test_another_file_in_its_place_is_refused(factors: Any, written: ReleaseFiles, content: bytes | None) -> None:
    file = written.folder / taste_index.FILE
    file.write_bytes(file.read_bytes()[:-1] if content is None else content)
    with pytest.raises(CorruptArtefact, match=taste_index.FILE):
        taste_index.read(written, factors)


def test_an_index_of_other_items_is_refused(factors: Any, written: ReleaseFiles) -> None:
    with pytest.raises(CorruptArtefact, match=r"als\.npz has"):
        taste_index.read(written, np.concatenate([factors, factors[:100]]))


def test_a_file_that_is_no_index_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"x" * 1000)
    with pytest.raises(ValueError, match="index"):
        NearestItems.view(tmp_path / "index")
