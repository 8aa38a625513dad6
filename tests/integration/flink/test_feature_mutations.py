"""Deleting one operator from a compiled query makes Flink's values differ from the oracle's: the proof would see it.

All mutants of all views run in one job, each under a name of its own, beside the queries as they are compiled.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jishi.features import FEATURES, views
from jishi.features.event_log import read_log
from jishi.features.oracle import good_acts, values
from jishi.settings import PROJECT_ROOT, Settings
from jishi.tables import BRONZE_EVENTS

pytestmark = pytest.mark.integration
GOLDEN = PROJECT_ROOT / "tests" / "golden" / "features" / "edges"
LATENESS_S, FUTURE_S = 30, 5
ZONES = {"lanting": "America/New_York", "shanhai": "Asia/Shanghai"}

# (view, what is in the query, what is left of it)
MUTANTS = [
    ("person_3600s_60s", "outcome = 'good' AND ", ""),
    ("person_3600s_60s", "outcome = 'good'", "outcome IN ('good', 'late')"),
    ("person_3600s_60s", " FILTER (WHERE type IN ('item_added_to_cart'))", ""),
    ("person_3600s_60s", "window_end_ms + 30000 + 60000", "window_end_ms + 60000"),
    (
        "person_3600s_60s",
        '"as_of_ms":\', COALESCE(CAST(window_end_ms + 30000 AS',
        '"as_of_ms":\', COALESCE(CAST(window_end_ms AS',
    ),
    ("person_86400s_3600s", "COUNT(DISTINCT `item_id`)", "COUNT(`item_id`)"),
    ("person_86400s_3600s", " AND `unit_price_minor` IS NOT NULL", ""),
    ("person_86400s_3600s", "ARRAY_AGG(DISTINCT `item_id`)", "ARRAY_AGG(`item_id`)"),
    ("person_last_20", "CAST(received_at_ms AS STRING)", "CAST(received_at_ms + 1 AS STRING)"),
    ("person_86400s_3600s", "MIN(", "MAX("),
    ("item_21600s_3600s_86400s_ago", "window_end - INTERVAL '1 00:00:00.000'", "window_end - INTERVAL '0 23:00:00.000'"),
    ("item_21600s_3600s_86400s_ago", " FILTER (WHERE CAST(slide_at", " FILTER (WHERE TRUE OR CAST(slide_at"),
    ("share_86400s_3600s", " AND `is_own_share` IN (0)", ""),
    ("share_86400s_3600s", "CONCAT('u:', user_id)", "CONCAT('a:', user_id)"),
    ("shop_86400s_3600s", "COALESCE(ARRAY_CONCAT(ARRAY[CAST(NULL AS STRING)], ", "COALESCE(("),
    ("item_2592000s_86400s", "GREATEST(CAST(0 AS DECIMAL(38, 0)), ", "LEAST(CAST(0 AS DECIMAL(38, 0)), "),
    (
        "item_2592000s_86400s",
        "LEAST(CAST(9007199254740991 AS DECIMAL(38, 0)), ",
        "GREATEST(CAST(9007199254740991 AS DECIMAL(38, 0)), ",
    ),
    ("person_2592000s_86400s", " AND `hour_local` IN (22, 23, 0, 1, 2, 3, 4, 5)", ""),
    ("person_2592000s_86400s", "THEN -14400000", "THEN -18000000"),
    ("person_2592000s_86400s", "('order_paid', 'line_paid')", "('order_paid')"),
    ("shop_86400s_3600s", " - COALESCE(TRY_CAST(JSON_VALUE(line, '$.properties.discount_minor') AS BIGINT), 0)", ""),
    ("person_category_86400s_3600s", "REPLACE(`category`, '%', '%25')", "`category`"),
    ("person_last_20", "MOD(`last_items__kept`, 20) = 1 ", "MOD(`last_items__kept`, 20) = 2 "),
    ("person_last_5_category", "], 5 - MOD(`last_categories__kept`, 5), ", "], 1, "),
    ("person_last_5_category", " + 4), ',')", " + 5), ',')"),
    ("person_first_seen_at_ms", "MIN(", "MAX("),
]


def messages_of(folder: Path) -> dict[str, dict[tuple[Any, ...], Any]]:
    """Values that are not defaults, by the view's name in the message."""
    by_key: dict[str, dict[tuple[Any, ...], Any]] = defaultdict(dict)
    by_view = views()
    for file in sorted(folder.glob("part-*"), key=lambda file: int(file.name.rsplit("-", 1)[1])):
        for line in file.read_text(encoding="utf-8").split("\n")[:-1]:
            message = json.loads(json.loads(line)["message"])
            for feature in by_view[message["view"].split("__")[0]]:
                value = message["values"].get(feature.name, "missing")
                default = list(feature.default) if isinstance(feature.default, tuple) else feature.default
                key = (feature.name, message["shop_id"], message["entity_id"], message["as_of_ms"])
                by_key[message["view"]].pop(key, None)
                if value != default:
                    by_key[message["view"]][key] = (value, message["valid_until_ms"])
    return by_key


@pytest.fixture(scope="module")
def replayed(flink: Path) -> tuple[dict[tuple[Any, ...], Any], dict[str, dict[tuple[Any, ...], Any]]]:
    """The oracle's values, and Flink's by view and mutant."""
    from flink_jobs.feature_queries import view_query
    from flink_jobs.job import features_job
    from flink_jobs.replay import run_bounded

    log = read_log(GOLDEN)
    acts = good_acts(log, allowed_lateness_s=LATENESS_S, future_tolerance_s=FUTURE_S, zones=ZONES)
    expected = {
        (value.feature, value.shop_id, value.entity_id, value.as_of_ms): (value.value, value.valid_until_ms)
        for value in values(FEATURES, acts, allowed_lateness_s=LATENESS_S)
    }
    source, target = flink / "mutants-log", flink / "mutants"
    source.mkdir()
    records = [json.dumps({column: row[column] for column in BRONZE_EVENTS.columns}, ensure_ascii=False) for row in log]
    (source / "part-0.jsonl").write_text("\n".join(records) + "\n", encoding="utf-8")
    queries = []
    for view in sorted({view for view, _, _ in MUTANTS}):
        query = view_query(view, views()[view], allowed_lateness_s=LATENESS_S, zones=ZONES)
        queries.append(query)
        for number, (of_view, operator, rest) in enumerate(MUTANTS):
            if of_view == view:
                assert operator in query, f"{view} has no {operator}"
                mutant = query.replace(operator, rest)
                queries.append(mutant.replace(f"'{view}|", f"'{view}__{number}|").replace(f'"{view}"', f'"{view}__{number}"'))
    settings = Settings(allowed_lateness_s=LATENESS_S, future_tolerance_s=FUTURE_S)
    whole = features_job(settings, views(), source=source, target=target)
    insert = "INSERT INTO features\n" + "\nUNION ALL\n".join(queries)
    run_bounded(replace(whole, inserts=(insert,)), flink / "checkpoints")
    return expected, messages_of(target / "features")


def of_view(expected: dict[tuple[Any, ...], Any], view: str) -> dict[tuple[Any, ...], Any]:
    names = {feature.name for feature in views()[view]}
    return {key: value for key, value in expected.items() if key[0] in names}


@pytest.mark.parametrize("view", sorted({view for view, _, _ in MUTANTS}))
def test_what_is_compiled_equals_the_oracle(replayed: Any, view: str) -> None:
    expected, result = replayed
    assert result[view] == of_view(expected, view)


@pytest.mark.parametrize("number", range(len(MUTANTS)), ids=[f"{view}: {operator[:40]}" for view, operator, _ in MUTANTS])
def test_a_deleted_operator_is_seen(replayed: Any, number: int) -> None:
    expected, result = replayed
    view = MUTANTS[number][0]
    assert result[f"{view}__{number}"] != of_view(expected, view)
