"""Events of today are listed from the stream's bronze before any batch was built."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jishi.lake.quarantine import quarantined
from jishi.settings import Settings
from tests.live_events import append_live

NOON_MS = 1_790_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000


def test_what_the_stream_kept_out_is_listed_newest_first(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / "var", _env_file=None)  # type: ignore[call-arg]
    assert quarantined(settings) == []
    row = {"collector_id": "c", "shop_id": "a", "type": "item_viewed", "line": "{}", "log_partition": 0}
    rows = [
        row | {"seq": 1, "received_at_ms": NOON_MS, "outcome": "good"},
        row
        | {
            "seq": 2,
            "received_at_ms": NOON_MS + 1,
            "outcome": "invalid",
            "invalid_reason": "missing_field",
            "invalid_field": "f",
        },
        row | {"seq": 3, "received_at_ms": NOON_MS + 2, "outcome": "future", "event_id": "e"},
        row | {"seq": 3, "received_at_ms": NOON_MS + 2, "outcome": "future", "event_id": "e"},  # sent again
        row | {"seq": 4, "received_at_ms": NOON_MS + 3, "outcome": "duplicate"},
        row | {"seq": 5, "received_at_ms": NOON_MS + 4, "outcome": "late"},
    ]
    append_live(settings, rows)
    listed = quarantined(settings)
    assert [(one.seq, one.reason, one.field, one.batch, one.state) for one in listed] == [
        (3, "future", "occurred_at", None, "open"),
        (2, "missing_field", "f", None, "open"),
    ]
    assert listed[1].received_at.replace(tzinfo=UTC) == datetime.fromtimestamp(NOON_MS / 1000 + 0.001, UTC)
    assert [one.seq for one in quarantined(settings, reason="future", limit=1)] == [3]
