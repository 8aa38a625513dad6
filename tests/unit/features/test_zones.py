"""Local time by spans is what Python's own zones say, at any instant; an offset as SQL is the same one."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi.features.zones import offset_ms, offset_sql, spans

ZONES = (
    "UTC",
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
)
FROM_MS, UNTIL_MS = 631_152_000_000, 3_155_760_000_000


@settings(deadline=None)
@given(st.sampled_from(ZONES), st.integers(FROM_MS, UNTIL_MS - 1))
def test_an_offset_is_the_one_of_the_zone(zone: str, at_ms: int) -> None:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    offset = at.utcoffset()
    assert offset is not None
    assert offset_ms(zone, at_ms) == offset.total_seconds() * 1000


def test_clocks_change_to_the_minute() -> None:
    """Berlin's summer of 2026 begins on March 29 at 1:00 UTC."""
    begins = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp() * 1000)
    assert [offset_ms("Europe/Berlin", begins + more) for more in (-1, 0)] == [3_600_000, 7_200_000]


@pytest.mark.parametrize("zone", ZONES)
def test_the_offset_in_sql_is_the_same(zone: str) -> None:
    edges = sorted({span.from_ms + more for span in spans(zone) for more in (-1, 0, 1)})
    [*rows] = duckdb.sql(
        f"SELECT occurred_at_ms, {offset_sql({'s': zone, 'other': 'Asia/Tokyo'})} "
        f"FROM (SELECT 's' AS shop_id, unnest({edges}) AS occurred_at_ms) ORDER BY ALL"
    ).fetchall()
    assert rows == [(at_ms, offset_ms(zone, at_ms)) for at_ms in edges]


def test_a_shop_without_a_zone_lives_in_utc() -> None:
    assert offset_sql({}) == offset_sql({"s": "UTC"}) == "0"
