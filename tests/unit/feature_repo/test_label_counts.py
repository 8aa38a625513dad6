"""Parts of shops whose training sets are joined at once: rows that cannot be read are the matter of their shop."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from feature_repo import training_set
from feature_repo.training_set import count_labels, in_parts
from jishi.tables import SILVER_INTERACTIONS
from tests.lake import newest, record


def test_where_labels_cannot_be_counted_each_shop_is_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pay = {"kind": "pay", "quantity": 1, "item_id": "i", "person_id": "p"}
    record(tmp_path, {SILVER_INTERACTIONS: [pay | {"shop_id": "a"}, pay | {"shop_id": "b"}]})
    lake, shops = newest(tmp_path), ["a", "b"]
    assert in_parts(count_labels(lake, shops), shops) == [shops]

    def damaged(_: object) -> None:
        raise duckdb.IOException("a file is damaged")

    monkeypatch.setattr(training_set, "open_lake", damaged)
    assert in_parts(count_labels(lake, shops), shops) == [["a"], ["b"]]
