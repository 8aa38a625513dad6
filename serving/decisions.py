"""A sample of answers with what could have been in them: the request, the list, and the best eligible items of each source.

Whether a request belongs to the sample follows from its id alone, which says nothing of the time, the person or the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zlib import crc32

import orjson

from serving.recommend import Answer
from serving.request import Request


def is_sampled(request_id: str, rate: float) -> bool:
    """Whether an answer is logged: the same for the same id, and true for a share ``rate`` of all ids."""
    return crc32(request_id.encode()) < rate * 2**32


@dataclass(frozen=True)
class LoggedAnswer:
    """An answer of the sample as it is logged."""

    request: Request
    request_id: str
    answer: Answer
    answered_at_ms: int

    @property
    def read_on(self) -> date:
        """UTC date of the answer."""
        return datetime.fromtimestamp(self.answered_at_ms / 1000, UTC).date()

    def line(self) -> bytes:
        """The line that stands in the log. It names no person."""
        request, answer = self.request, self.answer
        entry = {
            "request_id": self.request_id,
            "shop_id": request.shop_id,
            "placement": request.placement,
            "limit": request.limit,
            "is_person_named": bool(request.persons),
            "item_id": request.item_id,
            "cart": request.cart,
            "order": request.order,
            "exclude_purchased": request.excludes_purchased,
            "only": None if request.only is None else request.only.stated,
            "excluded": request.excluded,
            "served_by": answer.served_by,
            "model": answer.model,
            "model_version": answer.model_version,
            "rules_version": None if answer.rules is None else answer.rules.shop.version,
            "items": [{"item_id": one.item.item_id, "score": one.score, "reason": one.reason.code} for one in answer.items],
            "candidates": answer.candidates,
            "answered_at_ms": self.answered_at_ms,
        }
        return orjson.dumps(entry) + b"\n"
