"""What Spark published becomes arrays that ``ItemKNN`` and ``ALS`` score with, by the formula of the tables."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from jishi.factorisation import Parameters
from jishi.settings import get_settings
from jishi.tables import ALS_ITEM_FACTORS, ALS_PERSON_FACTORS
from models import from_tables
from models.__main__ import main
from models.als import ALS
from models.artefact import load_ids, load_state, read_manifest
from models.from_tables import TablesMissing
from models.item_knn import ItemKNN
from spark_jobs.recommendations.job import build_factors, build_neighbours
from tests.integration.spark.made_acts import cosine, histories_of, made_acts, publish_acts

pytestmark = pytest.mark.integration
SMALL = Parameters(factors=3, iterations=2, blocks=1)


def run_command(monkeypatch: pytest.MonkeyPatch, platform: Any, shop_id: str, folder: Path) -> int:
    """Exit code of ``python -m models from-tables`` over the lake of the test."""
    with monkeypatch.context() as patched:
        patched.setenv("JISHI_VAR", str(platform.settings.var))
        patched.setattr(sys, "argv", ["models", "from-tables", "--shop", shop_id, "--out", str(folder)])
        get_settings.cache_clear()
        code = main()
    get_settings.cache_clear()
    return code


def test_scores_are_the_brute_force_ones(platform: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_acts(platform, made_acts())
    build_neighbours(platform.session, platform.lake, "a", "person")
    build_factors(platform.session, platform.lake, "a", SMALL)
    told = from_tables.write(platform.lake, "a", tmp_path / "made")
    manifest = read_manifest(tmp_path / "made")
    items, persons = (load_ids(tmp_path / "made", manifest, name) for name in ("items", "persons"))
    histories = histories_of(made_acts())
    assert persons == sorted(histories)
    assert items == sorted({item for own in histories.values() for item in own})
    assert told == {"items": len(items), "persons": len(persons)}

    x = np.array([[histories[person].get(item, 0.0) for item in items] for person in persons])
    similarity = np.eye(len(items))
    for (row, item), (column, other) in product(enumerate(items), repeat=2):
        similarity[row, column] = 1.0 if item == other else cosine(histories, item, other)
    knn = ItemKNN().from_state(load_state(tmp_path / "made", manifest, "item_knn"))
    assert np.allclose(knn.score(sparse.csr_matrix(x)), x @ similarity, rtol=1e-5)

    state = load_state(tmp_path / "made", manifest, "als")
    for key, schema, ids in (("item_factors", ALS_ITEM_FACTORS, items), ("person_factors", ALS_PERSON_FACTORS, persons)):
        by_id = {row[schema.key[1]]: row["factors"] for row in platform.rows(schema)}
        assert np.array_equal(state[key], np.array([by_id[each] for each in ids], dtype=np.float32))
    als = ALS(factors=3).from_state(state)
    # Folding in takes the preferences of models/, so it is not the factorisation of MLlib, but it sees the same tastes.
    scores, predicted = als.score(sparse.csr_matrix(x)), state["person_factors"] @ state["item_factors"].T
    assert scores.shape == predicted.shape == x.shape
    assert np.corrcoef(scores.ravel(), predicted.ravel())[0, 1] > 0.8

    assert run_command(monkeypatch, platform, "a", tmp_path / "again") == 0
    files = sorted(file.name for file in (tmp_path / "made").iterdir())
    assert files == ["als.npz", "item_knn.npz", "items.json", "manifest.json", "persons.json"]
    assert all((tmp_path / "made" / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in files)


def test_what_is_missing_is_told_with_its_command(
    platform: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_acts(platform, made_acts())
    build_neighbours(platform.session, platform.lake, "a", "person")
    with pytest.raises(TablesMissing, match="als_item_factors; run: python -m spark_jobs als --shop a"):
        from_tables.write(platform.lake, "a", tmp_path / "made")
    assert run_command(monkeypatch, platform, "b", tmp_path / "made") == 1
    expected = "models from-tables: shop 'b' has no rows in recommendations/item_neighbours; "
    assert capsys.readouterr().err == expected + "run: python -m spark_jobs cooccurrence --within person --shop b\n"
    assert not (tmp_path / "made").exists()
