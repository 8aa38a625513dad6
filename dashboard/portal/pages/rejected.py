"""What was accepted and then kept out of the numbers: where it stands, what is wrong and what to do."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC
from typing import Any

from starlette.responses import Response

from dashboard.portal.fixes import fix_of
from dashboard.portal.visit import PageVisit
from jishi.lake.quarantine import Quarantined

_SHOWN = 50


def rejected(visit: PageVisit) -> Response:
    """The newest rejected events of this shop, and the reasons of all that are read."""
    rows = [_placed(visit, row) for row in visit.portal.quarantine.rows(visit.shop.shop.shop_id)]
    visit.audit("saw", page="rejected", count=len(rows))
    reasons = Counter((row["reason"], row["field"]) for row in rows)
    return visit.page("rejected.html", rows=rows[:_SHOWN], reasons=reasons.most_common(), most=_SHOWN, fix_of=fix_of)


def _placed(visit: PageVisit, row: Quarantined) -> dict[str, Any]:
    """A row with the place in the file that it came from, where its line says so."""
    try:
        event = json.loads(row.line)
    except json.JSONDecodeError:
        event = None
    source = event.get("source") if isinstance(event, dict) else None
    place = source if isinstance(source, dict) else {}
    when = visit.local(row.received_at.replace(tzinfo=UTC))
    return asdict(row) | {"field": row.field or "", "file": place.get("file"), "row": place.get("row"), "when": when}
