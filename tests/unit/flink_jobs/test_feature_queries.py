"""Every declared feature compiles; what one record cannot carry is refused."""

from __future__ import annotations

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
        assert f"KEY '{feature.name}' VALUE " in statement
    assert statement.count("\nUNION ALL\n") == len(views()) - 1


def test_a_count_is_a_hop_over_good_events_known_after_the_lateness() -> None:
    assert (
        view_query(COUNT.view, [COUNT], allowed_lateness_s=30)
        == """\
SELECT 'item_600s_300s|' || shop_id || '|' || entity_id AS message_key,
  JSON_OBJECT(
    KEY 'view' VALUE 'item_600s_300s', KEY 'shop_id' VALUE shop_id, KEY 'entity_id' VALUE entity_id,
    KEY 'as_of_ms' VALUE window_end_ms + 30000, KEY 'valid_until_ms' VALUE window_end_ms + 30000 + 300000,
    KEY 'values' VALUE JSON_OBJECT(KEY 'carts_10m' VALUE `carts_10m`)
  ) AS message
FROM (
  SELECT shop_id, `item_id` AS entity_id, 1000 * EXTRACT(EPOCH FROM window_end) AS window_end_ms,
    COUNT(*) FILTER (WHERE type IN ('item_added_to_cart')) AS `carts_10m`
  FROM TABLE(HOP(
    (SELECT shop_id, `item_id`, type, occurred_at FROM events \
WHERE fate = 'good' AND type IN ('item_added_to_cart') AND `item_id` IS NOT NULL),
    DESCRIPTOR(occurred_at), INTERVAL '0 00:05:00.000' DAY TO SECOND, INTERVAL '0 00:10:00.000' DAY TO SECOND))
  GROUP BY shop_id, `item_id`, window_start, window_end
)"""
    )


def test_last_n_follows_each_event_in_the_order_of_the_log_newest_first() -> None:
    assert (
        view_query(LAST.view, [LAST], allowed_lateness_s=30)
        == """\
SELECT 'person_last_3|' || shop_id || '|' || entity_id AS message_key,
  JSON_OBJECT(
    KEY 'view' VALUE 'person_last_3', KEY 'shop_id' VALUE shop_id, KEY 'entity_id' VALUE entity_id,
    KEY 'as_of_ms' VALUE received_at_ms, KEY 'valid_until_ms' VALUE CAST(NULL AS BIGINT),
    KEY 'values' VALUE JSON_OBJECT(KEY 'last_three' VALUE `last_three`)
  ) AS message
FROM (
  SELECT shop_id, `person_id` AS entity_id, received_at_ms,
    ARRAY_REVERSE(ARRAY_AGG(`item_id`) OVER (
      PARTITION BY shop_id, `person_id` ORDER BY decided_at ROWS BETWEEN 2 PRECEDING AND CURRENT ROW
    )) AS `last_three`
  FROM (SELECT shop_id, `person_id`, type, `item_id`, received_at_ms, decided_at FROM events \
WHERE fate = 'good' AND type IN ('item_viewed') AND `person_id` IS NOT NULL) WHERE `item_id` IS NOT NULL
)"""
    )


def test_the_acts_of_a_view_never_come_through_a_union() -> None:
    """Inside a window function a bare union loses all but its first branch, and any union wakes up unevenly."""
    for view, members in views().items():
        assert "UNION" not in view_query(view, members, allowed_lateness_s=30)


def test_a_last_n_feature_needs_a_view_of_its_own() -> None:
    with pytest.raises(ValueError, match=r"person_last_3.*last_three, carts_10m"):
        view_query("person_last_3", [LAST, COUNT], allowed_lateness_s=30)
