"""The decision log: one line for every answer, without a person's id.

Each line has the request, the list, the versions behind it, what was left out and why, and how likely what was done was. For a
sample by hash of the request's id, which says nothing of the time, the person or the answer, ``inputs`` are added: the
candidates of each source, the last acts that were read, the state of the catalogue. From them ``serving.replay`` makes the
answer again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from zlib import crc32

import orjson

from models.algorithms.exploration import Decision
from serving.catalogue import Catalogue
from serving.exploring import chances_by_id
from serving.kept_catalogues import JoinedItems
from serving.recommend import Answer
from serving.request import Request
from serving.rules.active import ActiveRules
from serving.shelf import Shelf
from serving.suppressions import suppressed
from serving.trials import arm_of

EXPLORED, RANKED = "explored", "ranked"  # arms beside those of ``serving.trials``: whether the exploring slot holds a new item
_DAY_MS = 86_400_000
SAMPLE = ".sample"  # the files of answers with their inputs, whose size the others do not count against


@lru_cache(maxsize=8)
def _day_of(days: int) -> date:
    """The UTC date so many days after that of epoch 0."""
    return datetime.fromtimestamp(days * _DAY_MS / 1000, UTC).date()


def is_sampled(request_id: str, rate: float) -> bool:
    """Whether an answer is logged with its inputs: the same for the same id, and true for a share ``rate`` of all ids."""
    return crc32(request_id.encode()) < rate * 2**32


@dataclass(frozen=True)
class Inputs:
    """What an answer was made of beside the request and its workings: so many ``changes`` of the shelf's joined items.
    ``is_settled``: no change came while it was made. ``pseudonym`` takes the place of a person's id.
    """

    changes: int
    is_settled: bool
    pseudonym: Callable[[str], str]


@dataclass(frozen=True)
class LoggedDecision:
    """An answer as it is logged: its line, and where it goes. ``joined``: the items behind it, for one with its inputs."""

    shop_id: str
    read_on: date
    part: str
    key: bytes
    joined: JoinedItems | None
    _line: bytes

    @classmethod
    def of(
        cls,
        request: Request,
        request_id: str,
        answer: Answer,
        decision: Decision | None,
        shelf: Shelf,
        catalogue: Catalogue,
        answered_at_ms: int,
        inputs: Inputs | None = None,
    ) -> LoggedDecision:
        """Made at once, so that nothing large waits in the queue of the log."""
        items, scores, reasons, _ = zip(*answer.items, strict=True) if answer.items else ((),) * 4
        line = {
            "request_id": request_id,
            "answered_at_ms": answered_at_ms,
            **_asked(request),
            "served_by": answer.served_by,
            "model": answer.model,
            "model_version": answer.model_version,
            "items": [item.item_id for item in items],
            "scores": scores,
            "reasons": [reason.code for reason in reasons],
            "suppressed": suppressed(answer, request, shelf, catalogue),
            **_ruled(answer),
            **_explored(decision, shelf, has_inputs=inputs is not None),
            **({} if answer.tried is None else {"arm": arm_of(answer.tried)}),
            "inputs": None if inputs is None else _made_of(inputs, request, answer, shelf),
        }
        return cls(
            shop_id=request.shop_id,
            read_on=_day_of(answered_at_ms // _DAY_MS),
            part="" if inputs is None else SAMPLE,
            key=f"{request.shop_id}|{request_id}".encode(),
            joined=None if inputs is None else shelf.joined,
            _line=orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE),
        )

    def line(self) -> bytes:
        """The line that stands in the log."""
        return self._line


def _asked(request: Request) -> dict[str, Any]:
    return {
        "shop_id": request.shop_id,
        "placement": request.placement,
        "limit": request.limit,
        "is_person_named": bool(request.persons),
        "is_opted_out": request.is_opted_out,
        "item_id": request.item_id,
        "cart": request.cart,
        "order": request.order,
        "exclude_purchased": request.excludes_purchased,
        "only": None if request.only is None else request.only.stated,
        "excluded": request.excluded,
        "category": request.category,
        "visit": request.visit._asdict(),
    }


def _ruled(answer: Answer) -> dict[str, Any]:
    """The version of the shop's rules that held, and the rules that touched an item of the list, by item."""
    here = answer.rules
    if here is None:
        return {"rules_version": None, "touched_by_rules": {}}
    touched = sorted(answer.touches(answer.items).items())
    by_item = {answer.items[at].item.item_id: [touch.rule for touch in touches] for at, touches in touched}
    return {"rules_version": here.shop.version, "touched_by_rules": by_item}


def _explored(decision: Decision | None, shelf: Shelf, *, has_inputs: bool) -> dict[str, Any]:
    """The arm and its propensity; ``eligible`` items with their chance in a slot that explores, for one that did explore and
    one with inputs.
    """
    if decision is None:
        return {"arm": RANKED, "propensity": 1.0, "exploration": None}
    is_explored = decision.item is not None
    return {
        "arm": EXPLORED if is_explored else RANKED,
        "propensity": decision.propensity,
        "exploration": {
            "policy": decision.policy,
            "slot": decision.slot,
            "probability": decision.explore_probability,
            "eligible": chances_by_id(decision, shelf) if is_explored or has_inputs else None,
        },
    }


def _made_of(inputs: Inputs, request: Request, answer: Answer, shelf: Shelf) -> dict[str, Any]:
    return {
        "persons": [inputs.pseudonym(person) for person in request.persons],
        "last_acts": [[act.item_id, act.age_s] for act in ([] if answer.workings is None else answer.workings.last)],
        "bought": sorted(request.bought),
        "features": None if answer.workings is None or answer.workings.ranked is None else answer.workings.ranked.used,
        "candidates": answer.candidates,
        "because": [one.reason.because_item_id for one in answer.items],
        "catalogue": None if shelf.joined is None else shelf.joined.id,
        "changes": inputs.changes,
        "is_settled": inputs.is_settled,
        "rules": None if answer.rules is None else _context(answer.rules),
    }


def _context(here: ActiveRules) -> dict[str, Any]:
    ignored = {str(days): dict(counts) for days, counts in sorted(here.ignored_within.items())}
    return {"today": here.context.today, "now_ms": here.context.now_ms, "ignored": ignored}
