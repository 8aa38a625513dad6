"""MLlib factors: a checkerboard whose answer is known, stable numbering, published tables, audit."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from jishi.factorisation import Parameters
from jishi.preference import WEIGHTS
from jishi.tables import ALS_ITEM_FACTORS, ALS_PERSON_FACTORS, SILVER_INTERACTIONS, SILVER_ITEMS
from spark_jobs.audits import AuditFailed
from spark_jobs.recommendations.als import numbered, preferences
from spark_jobs.recommendations.audit import audit_factors
from spark_jobs.recommendations.job import NothingToLearn, build_factors

pytestmark = pytest.mark.integration
PERSONS, ITEMS = 12, 8
SMALL = Parameters(factors=2, iterations=4, blocks=1)  # two colours, two factors


def checkerboard() -> list[dict[str, Any]]:
    """Even persons like even items, odd ones odd items; each leaves out one item of its colour."""
    liked = [
        (f"p{person:02}", f"i{item}")
        for person in range(PERSONS)
        for item in range(ITEMS)
        if person % 2 == item % 2 and item // 2 != person // 2 % 4
    ]
    blank = {"shop_id": "a", "line_number": 0, "kind": "pay", "quantity": 1}
    return [blank | {"event_id": str(n), "person_id": p, "item_id": i} for n, (p, i) in enumerate(liked)]


def test_the_left_out_item_of_its_colour_comes_first(platform: Any) -> None:
    platform.publish(SILVER_INTERACTIONS, [*checkerboard(), checkerboard()[0] | {"shop_id": "b", "item_id": "i1"}])
    catalogue = [{"shop_id": "a", "item_id": f"i{item}"} for item in range(ITEMS)]
    platform.publish(SILVER_ITEMS, [*catalogue, {"shop_id": "b", "item_id": "i1"}])
    rows = build_factors(platform.session, platform.settings, "a", SMALL)
    assert rows == {ALS_ITEM_FACTORS.name: ITEMS, ALS_PERSON_FACTORS.name: PERSONS}
    items = {row["item_id"]: np.array(row["factors"]) for row in platform.rows(ALS_ITEM_FACTORS)}
    persons = {row["person_id"]: np.array(row["factors"]) for row in platform.rows(ALS_PERSON_FACTORS)}
    for number, person in enumerate(sorted(persons)):
        scores = {item: float(persons[person] @ items[item]) for item in items}
        left_out = f"i{number // 2 % 4 * 2 + number % 2}"
        others = [score for item, score in scores.items() if int(item[1:]) % 2 != number % 2]
        assert scores[left_out] > max(others) + 0.3
    # Again: the same factors, and another shop's are added beside them.
    build_factors(platform.session, platform.settings, "a", SMALL)
    again = {row["item_id"]: np.array(row["factors"]) for row in platform.rows(ALS_ITEM_FACTORS)}
    assert all(np.allclose(again[item], items[item], atol=1e-5) for item in items)
    with pytest.raises(NothingToLearn, match="shop 'c'"):
        build_factors(platform.session, platform.settings, "c", SMALL)


def test_strength_and_numbers_follow_from_the_acts_alone(spark: SparkSession) -> None:
    acts = [("a", "p2", "i2", "view"), ("a", "p2", "i2", "pay"), ("a", "p1", "i1", "add"), ("a", None, "i1", "pay")]
    columns = "shop_id string, person_id string, item_id string, kind string"
    strengths = preferences(spark.createDataFrame([*acts, ("b", "p1", "i9", "share")], columns))
    by_key = {(row.shop_id, row.person_id, row.item_id): row.strength for row in strengths.collect()}
    assert by_key == {
        ("a", "p2", "i2"): pytest.approx(log(1 + WEIGHTS["view"] + WEIGHTS["pay"])),
        ("a", "p1", "i1"): pytest.approx(log(1 + WEIGHTS["add"])),
        ("b", "p1", "i9"): pytest.approx(log(1 + WEIGHTS["share"])),
    }
    numbers = {(row.shop_id, row.person_id): row.number for row in numbered(strengths, "person_id").collect()}
    assert numbers == {("a", "p1"): 0, ("a", "p2"): 1, ("b", "p1"): 0}


@pytest.mark.parametrize(
    ("factors", "expected", "fault"),
    [
        ([1.0, float("nan")], 1, "not finite"),
        ([1.0], 1, "wrong length"),
        (None, 1, "wrong length"),
        ([1.0, 2.0], 2, "1 rows of shop a, but 2"),
    ],
)
def test_the_audit_refuses(platform: Any, factors: Any, expected: int, fault: str) -> None:
    written = platform.unpublished(ALS_ITEM_FACTORS, [{"shop_id": "a", "item_id": "i", "factors": factors}])
    with pytest.raises(AuditFailed, match=fault):
        audit_factors(written, ALS_ITEM_FACTORS, "a", expected, 2)
