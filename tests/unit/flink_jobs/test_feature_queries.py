"""Every declared feature compiles; what one record cannot carry is refused."""

from __future__ import annotations

import re

import pytest

from flink_jobs.feature_queries import view_query
from flink_jobs.feature_topic import features_insert
from jishi.features import FEATURES, Feature, views

COUNT = Feature(
    name="carts_10m",
    meaning="Carts.",
    entity="item",
    acts=("item_added_to_cart",),
    aggregation="count",
    size_s=600,
    slide_s=300,
)
LAST = Feature(
    name="last_three",
    meaning="Last.",
    entity="person",
    acts=("item_viewed",),
    aggregation="last_n",
    column="item_id",
    n=3,
    default=(),
)


def test_every_declared_feature_has_its_query_and_no_other_name_is_needed() -> None:
    statement = features_insert(views(), allowed_lateness_s=30)
    for feature in FEATURES:
        assert (f'"{feature.name}":' in statement) is not feature.is_derived
    assert statement.count("\nUNION ALL\n") == len(views()) - 1


def test_a_count_hops_over_good_events_and_says_from_when_to_when_it_holds() -> None:
    """A window of ten minutes every five is known 30 s after its end and holds for five minutes from then."""
    query = view_query(COUNT.view, [COUNT], allowed_lateness_s=30)
    slide, size = "INTERVAL '0 00:05:00.000'", "INTERVAL '0 00:10:00.000'"
    assert query.index("HOP(") < query.index(slide) < query.index(size)
    assert "outcome = 'good'" in query
    assert re.search(r"GROUP BY shop_id, `item_id`, window_start, window_end", query)
    known, holds = re.findall(r"CAST\(window_end_ms ([+ 0-9]+) AS STRING\)", query)
    assert (sum(map(int, known.split("+")[1:])), sum(map(int, holds.split("+")[1:]))) == (30_000, 330_000)


def test_last_n_keeps_the_values_in_slots_that_are_written_in_turn() -> None:
    query = view_query(LAST.view, [LAST], allowed_lateness_s=30)
    taken = "type IN ('item_viewed') AND `item_id` IS NOT NULL"
    over = "OVER (PARTITION BY shop_id, `person_id` ORDER BY decided_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    assert f"COUNT(CASE WHEN {taken} THEN 1 END) {over} AS `last_three__kept`" in query
    for slot in range(3):
        assert f"LAST_VALUE(CASE WHEN {taken} AND MOD(`last_three__kept`, 3) = {slot} THEN " in query
    newest = "3 - MOD(`last_three__kept`, 3)"
    slots = ", ".join(2 * ["`last_three__2`", "`last_three__1`", "`last_three__0`"])
    assert f"'[' || ARRAY_JOIN(ARRAY_SLICE(ARRAY[{slots}], {newest}, {newest} + 2), ',') || ']'" in query


def test_running_features_of_an_entity_share_their_state() -> None:
    """Flink computes a subquery once when its text is the same."""
    by_view = views()
    queries = [view_query(view, by_view[view], allowed_lateness_s=30) for view in ("person_last_20", "person_last_5_category")]
    states = [query[query.index("(SELECT *,") : query.rindex("WHERE")] for query in queries]
    assert states[0] == states[1]


def test_the_acts_of_a_view_never_come_through_a_union() -> None:
    """Inside a window function a bare union loses all but its first branch, and any union wakes up unevenly."""
    for view, members in views().items():
        assert "UNION" not in view_query(view, members, allowed_lateness_s=30)


def test_a_last_n_feature_needs_a_view_of_its_own() -> None:
    with pytest.raises(ValueError, match=r"person_last_3.*last_three, carts_10m"):
        view_query("person_last_3", [LAST, COUNT], allowed_lateness_s=30)
