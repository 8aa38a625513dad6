"""Columns beside keys and features of a row of a view, in messages, lake tables and the online store alike."""

from __future__ import annotations

EVENT_TIMESTAMP = "event_timestamp"  # from when the values hold
CREATED_TIMESTAMP = "created_timestamp"  # when they could first be known
VALID_UNTIL = "valid_until_ms"  # epoch ms after which the defaults hold; null: until the next value
LOG_OFFSET = "log_offset"  # position in the feature topic, which orders values of one instant
