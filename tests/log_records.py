"""Records of the event log, as the collector makes them."""

from __future__ import annotations

import json
import time

from jishi.contract.record import Record


def view_of(seq: int) -> Record:
    now_ms = int(time.time() * 1000)
    return Record(
        collector_id="c1",
        seq=seq,
        shop_id="a",
        event_id=f"e{seq}",
        type="item_viewed",
        schema_version=1,
        occurred_at_ms=now_ms,
        collected_at_ms=now_ms,
        anonymous_id=None,
        user_id=None,
        person_id=f"p{seq % 5}",
        session_id=None,
        item_id=f"项{seq}",
        category=None,
        unit_price_minor=100,
        quantity=None,
        invalid_reason=None,
        invalid_field=None,
        invalid_detail=None,
        line=json.dumps({"n": seq}),
    )
