"""The outcome of every bronze row: a truth table, and equality with the Python twin on generated batches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jishi.outcomes import Outcome, outcome_without_history
from jishi.tables import BRONZE_EVENTS
from spark_jobs.silver.outcomes import classify
from spark_jobs.silver.repairs import apply_repairs

pytestmark = pytest.mark.integration
NOW = 1_788_220_800_000
LATENESS_S, TOLERANCE_S = 30, 5

# event, seq, occurred_at, received_at (ms around NOW), log_offset, invalid_reason, outcome; None: not a row of its own.
# Shop a; earlier batches knew the event "known". Each event id is a case of its own.
TRUTH = [
    ("alone", 1, 0, 0, 1, None, "good"),
    ("at the allowed lateness", 2, 0, 30_000, 2, None, "good"),
    ("a millisecond later", 3, 0, 30_001, 3, None, "late"),
    ("at the tolerance", 4, 5_000, 0, 4, None, "good"),
    ("a millisecond ahead of it", 5, 5_001, 0, 5, None, "future"),
    ("refused by the contract", 6, 0, 0, 6, "missing_field", "invalid"),
    ("refused, whatever its clocks say", 7, 99_000, 0, 7, "bad_value", "invalid"),
    ("without a clock", 8, None, 0, 8, None, "invalid"),
    ("sent twice", 9, 0, 1_000, 9, None, "good"),
    ("sent twice", 10, 0, 2_000, 10, None, "duplicate"),
    ("sent again late", 11, 0, 1_000, 11, None, "good"),
    ("sent again late", 12, 0, 90_000, 12, None, "duplicate"),  # duplicate before late
    ("known at one instant", 13, 0, 1_000, 14, None, "duplicate"),  # the position in the log decides
    ("known at one instant", 14, 0, 1_000, 13, None, "good"),
    ("first from the future", 15, 6_000, 0, 15, None, "future"),
    ("first from the future", 16, 6_000, 8_000, 16, None, "good"),  # a future delivery made nothing known
    ("first invalid", 17, 0, 0, 17, "bad_value", "invalid"),
    ("first invalid", 18, 0, 1_000, 18, None, "good"),
    ("first late", 19, 0, 40_000, 19, None, "late"),
    ("first late", 20, 0, 41_000, 20, None, "duplicate"),  # a late event is known
    ("known", 21, 0, 0, 21, None, "duplicate"),
    ("known", 22, 9_000, 0, 22, None, "future"),  # future before duplicate
    ("forwarded twice", 23, 0, 1_000, 23, None, "good"),
    ("forwarded twice", 23, 0, 5_000, 24, None, None),  # the same acknowledgement: no second row
    (None, 25, None, 0, 25, "not_an_object", "invalid"),  # events without id are not one event
    (None, 26, None, 0, 26, "not_an_object", "invalid"),
]


def bronze_row(shop_id: str, event_id: str | None, seq: int, **columns: Any) -> dict[str, Any]:
    blank = dict.fromkeys(BRONZE_EVENTS.columns)
    return blank | {"collector_id": "c", "seq": seq, "shop_id": shop_id, "event_id": event_id, "line": "{}"} | columns


def outcomes(spark: SparkSession, rows: list[dict[str, Any]], known: list[tuple[str, str]]) -> dict[tuple[str, str, int], str]:
    bronze = spark.createDataFrame([tuple(row.values()) for row in rows], BRONZE_EVENTS.spark_ddl)
    earlier = spark.createDataFrame(known, "shop_id string, event_id string") if known else None
    decided = classify(apply_repairs(bronze, None), earlier, allowed_lateness_s=LATENESS_S, future_tolerance_s=TOLERANCE_S)
    entries = [(row.shop_id, row.collector_id, row.seq, row.outcome) for row in decided.collect()]
    assert len({row[:3] for row in entries}) == len(entries)
    return {row[:3]: row[3] for row in entries}


def test_the_truth_table(spark: SparkSession) -> None:
    rows, expected = [], {}
    for event_id, seq, occurred, received, offset, reason, outcome in TRUTH:
        times = {"occurred_at_ms": None if occurred is None else NOW + occurred, "received_at_ms": NOW + received}
        rows.append(bronze_row("a", event_id, seq, invalid_reason=reason, log_partition=0, log_offset=offset, **times))
        if outcome is not None:
            expected[("a", "c", seq)] = outcome
    # The same ids in another shop, which knew nothing before, are other events.
    rows.append(bronze_row("b", "known", 21, occurred_at_ms=NOW, received_at_ms=NOW, log_partition=0, log_offset=90))
    expected[("b", "c", 21)] = "good"
    decided = outcomes(spark, rows[::-1], [("a", "known"), ("b", "alone")])
    assert decided == expected


def twin(rows: list[dict[str, Any]], known: list[tuple[str, str]]) -> dict[tuple[str, str, int], str]:
    """The rule in plain Python: rows one by one in the order of knowing."""

    def order(row: dict[str, Any]) -> tuple[Any, ...]:
        nullable = [(row[name] is not None, row[name] or 0) for name in ("log_partition", "log_offset")]
        return (row["received_at_ms"], *nullable, row["collector_id"], row["seq"])

    seen, decided = set(known), {}
    for row in sorted(rows, key=order):
        name = (row["shop_id"], row["collector_id"], row["seq"])
        if name in decided:
            continue
        outcome = outcome_without_history(
            invalid_reason=row["invalid_reason"],
            occurred_at_ms=row["occurred_at_ms"],
            received_at_ms=row["received_at_ms"],
            allowed_lateness_s=LATENESS_S,
            future_tolerance_s=TOLERANCE_S,
        )
        event = (row["shop_id"], row["event_id"])
        if outcome in (Outcome.GOOD, Outcome.LATE):
            outcome = Outcome.DUPLICATE if event in seen else outcome
            seen.add(event)
        decided[name] = outcome.value
    return decided


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Few shops, events, instants and names, so that everything collides; a name always means the same event."""
    ids = st.tuples(st.sampled_from("ab"), st.sampled_from(["e1", "e2", "e3", "e4"]))
    events = draw(st.lists(ids, min_size=20, max_size=60))
    rows = []
    for seq, (shop_id, event_id) in enumerate(events):
        occurred = NOW + draw(st.sampled_from([-30_001, -30_000, -1, 0, 5_000, 5_001, 60_000]))
        reason = draw(st.sampled_from([None, None, None, "bad_value"]))
        history = draw(st.booleans())
        for _ in range(draw(st.integers(1, 2))):  # an acknowledgement may be delivered twice
            position = (None, None) if history else (draw(st.integers(0, 1)), draw(st.integers(0, 50)))
            row = {
                "collector_id": draw(st.sampled_from(["c"])) if history else "d",
                "occurred_at_ms": None if reason and draw(st.booleans()) else occurred,
                "received_at_ms": NOW + draw(st.sampled_from([0, 1_000, 40_000])),
                "invalid_reason": reason,
                "log_partition": position[0],
                "log_offset": position[1],
            }
            rows.append(bronze_row(shop_id, event_id, seq, **row))
    return rows, sorted(set(draw(st.lists(ids, max_size=2))))


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(batch=batches())
def test_spark_decides_as_the_python_twin(
    spark: SparkSession, batch: tuple[list[dict[str, Any]], list[tuple[str, str]]]
) -> None:
    rows, known = batch
    assert outcomes(spark, rows, known) == twin(rows, known)
