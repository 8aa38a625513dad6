"""Deleting one operator from what is compiled for Spark makes its values differ from the oracle's: the proof would see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import DataFrame

from jishi.features import FEATURES, views
from jishi.features.event_log import read_log
from jishi.features.oracle import good_acts, values
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.tables import BRONZE_EVENTS
from spark_jobs.features import job
from spark_jobs.features import views as compiler
from spark_jobs.session import open_session

pytestmark = pytest.mark.integration
GOLDEN = PROJECT_ROOT / "tests" / "golden" / "features" / "edges"
SETTINGS = Settings(allowed_lateness_s=30, future_tolerance_s=5, _env_file=None)  # type: ignore[call-arg]

ZONES = {"lanting": "America/New_York", "shanhai": "Asia/Shanghai"}

# (view, function of the compiler, what is in its SQL, what is left of it)
MUTANTS = [
    ("person_3600s_60s", "sums_of", " FILTER (WHERE kind IN ('item_added_to_cart'))", ""),
    ("item_21600s_3600s_86400s_ago", "_struct", "-item_views_6h_day_before", "0L"),
    ("share_86400s_3600s", "sums_of", " AND is_own_share IN (0)", ""),
    ("item_86400s_3600s", "_struct", "at_ms + 86400000", "at_ms + 82800000"),
    ("item_86400s_3600s", "_struct", "IF(before_ms + 86400000 >= at_ms, 0L, 1L)", "1L"),
    ("item_86400s_3600s", "_struct", "IF(after_ms <= at_ms + 86400000, 0L, -1L)", "-1L"),
    ("person_86400s_3600s", "extreme_of", "min(", "max("),
]
VIEWS = sorted({mutant[0] for mutant in MUTANTS})


@pytest.fixture(scope="module")
def acts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataFrame]:
    folder = tmp_path_factory.mktemp("spark")
    log = read_log(GOLDEN)
    records = [json.dumps({column: row[column] for column in BRONZE_EVENTS.columns}, ensure_ascii=False) for row in log]
    (folder / "log").mkdir()
    (folder / "log" / "part-0.jsonl").write_text("\n".join(records) + "\n", encoding="utf-8")
    session = open_session(SETTINGS, Paths(var=folder, envs=SETTINGS.envs), "mutations", is_short=True)
    events = session.read.schema(BRONZE_EVENTS.spark_ddl).json(str(folder / "log"))
    yield job.good_acts(events, SETTINGS, ZONES).persist()
    session.stop()


@pytest.fixture(scope="module")
def expected() -> dict[tuple[Any, ...], Any]:
    acts = good_acts(read_log(GOLDEN), allowed_lateness_s=30, future_tolerance_s=5, zones=ZONES)
    return {
        (value.feature, value.shop_id, value.entity_id, value.as_of_ms): value.value
        for value in values(FEATURES, acts, allowed_lateness_s=30)
    }


def computed(acts: DataFrame, view: str) -> dict[tuple[Any, ...], Any]:
    by_key = {}
    for row in compiler.view_rows(acts, views()[view], allowed_lateness_s=30).collect():
        for feature in views()[view]:
            default = list(feature.default) if isinstance(feature.default, tuple) else feature.default
            if row[feature.name] != default:
                by_key[feature.name, row["shop_id"], row["entity_id"], row["as_of_ms"]] = row[feature.name]
    return by_key


def of_view(expected: dict[tuple[Any, ...], Any], view: str) -> dict[tuple[Any, ...], Any]:
    names = {feature.name for feature in views()[view]}
    return {key: value for key, value in expected.items() if key[0] in names}


@pytest.mark.parametrize("view", VIEWS)
def test_what_is_compiled_equals_the_oracle(acts: DataFrame, expected: dict[tuple[Any, ...], Any], view: str) -> None:
    assert computed(acts, view) == of_view(expected, view)


@pytest.mark.parametrize(("view", "function", "operator", "rest"), MUTANTS)
def test_a_deleted_operator_is_seen(
    acts: DataFrame,
    expected: dict[tuple[Any, ...], Any],
    monkeypatch: pytest.MonkeyPatch,
    view: str,
    function: str,
    operator: str,
    rest: str,
) -> None:
    compiled, seen = getattr(compiler, function), []

    def mutated(feature: Any) -> Any:
        result = compiled(feature)
        texts = result if isinstance(result, dict) else {"": result}
        seen.extend(text for text in texts.values() if operator in text)
        changed = {name: text.replace(operator, rest) for name, text in texts.items()}
        return changed if isinstance(result, dict) else changed[""]

    monkeypatch.setattr(compiler, function, mutated)
    assert computed(acts, view) != of_view(expected, view)
    assert seen, f"nothing in {view} has {operator}"
