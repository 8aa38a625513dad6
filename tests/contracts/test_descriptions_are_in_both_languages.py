"""What a number is can be read in Chinese and in English: each mart and each of its columns is described in both."""

from __future__ import annotations

import re

import pytest
import yaml

from dashboard.portal.meanings import in_language
from jishi.settings import PROJECT_ROOT

MARTS = {
    model["name"]: model
    for file in sorted((PROJECT_ROOT / "dbt" / "models" / "marts").rglob("*.yml"))
    for model in yaml.safe_load(file.read_text("utf-8")).get("models", ())
}


def test_there_are_marts() -> None:
    assert len(MARTS) > 35


@pytest.mark.parametrize("name", MARTS)
def test_a_mart_and_its_columns_are_described_in_both_languages(name: str) -> None:
    described = {name: MARTS[name]} | {f"{name}.{column['name']}": column for column in MARTS[name]["columns"]}
    for place, element in described.items():
        english, chinese = (in_language(element["description"], language) for language in ("en", "zh"))
        assert english, place
        assert not re.search("[一-鿿]", english), f"{place}: write the English sentences first, then the Chinese ones"
        assert re.search("[一-鿿]", chinese), f"{place} has no Chinese"
        assert english not in chinese, place
