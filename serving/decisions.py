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
from functools import cached_property
from typing import Any
from zlib import crc32

import orjson

from models.algorithms.exploration import Decision
from serving.exploring import chances_by_id
from serving.recent import LastAct
from serving.recommend import Answer, Request
from serving.shelf import Shelf

EXPLORED, RANKED = "explored", "ranked"  # arms: whether the exploring slot holds a new item
SAMPLE = ".sample"  # the files of answers with their inputs, whose size the others do not count against


def is_sampled(request_id: str, rate: float) -> bool:
    """Whether an answer is logged with its inputs: the same for the same id, and true for a share ``rate`` of all ids."""
    return crc32(request_id.encode()) < rate * 2**32


@dataclass(frozen=True)
class Inputs:
    """What an answer was made of beside the request. ``changes`` of the shelf's joined items; ``is_settled``: none came while
    the answer was made.
    """

    last_acts: list[LastAct]
    shelf: Shelf
    changes: int
    is_settled: bool

    def entry(self, request: Request, answer: Answer, pseudonym: Callable[[str], str]) -> dict[str, Any]:
        """As it is logged."""
        return {
            "persons": [pseudonym(person) for person in request.persons],
            "last_acts": self.last_acts,
            "bought": sorted(request.bought),
            "candidates": answer.candidates,
            "catalogue": None if self.shelf.joined is None else self.shelf.joined.id,
            "changes": self.changes,
            "is_settled": self.is_settled,
            "because": [one.reason.because_item_id for one in answer.items],
        }


@dataclass(frozen=True)
class LoggedDecision:
    """An answer as it is logged; ``inputs`` for one of the sample. ``pseudonym`` takes the place of a person's id."""

    request: Request
    request_id: str
    answer: Answer
    decision: Decision | None
    shelf: Shelf
    answered_at_ms: int
    inputs: Inputs | None
    pseudonym: Callable[[str], str]

    @property
    def read_on(self) -> date:
        """UTC date of the answer."""
        return datetime.fromtimestamp(self.answered_at_ms / 1000, UTC).date()

    @property
    def part(self) -> str:
        """Which files of the log it belongs to."""
        return "" if self.inputs is None else SAMPLE

    @property
    def key(self) -> bytes:
        """Key in the topic of decisions."""
        return f"{self.request.shop_id}|{self.request_id}".encode()

    def line(self) -> bytes:
        """The line that stands in the log."""
        return self._line

    @cached_property
    def _line(self) -> bytes:
        request, answer, inputs = self.request, self.answer, self.inputs
        entry = {
            "request_id": self.request_id,
            "shop_id": request.shop_id,
            "answered_at_ms": self.answered_at_ms,
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
            "served_by": answer.served_by,
            "model": answer.model,
            "model_version": answer.model_version,
            "items": [one.item.item_id for one in answer.items],
            "scores": [one.score for one in answer.items],
            "reasons": [one.reason.code for one in answer.items],
            "suppressed": answer.suppressed,
            **self._exploration(),
            "inputs": None if inputs is None else inputs.entry(request, answer, self.pseudonym),
        }
        return orjson.dumps(entry) + b"\n"

    def _exploration(self) -> dict[str, Any]:
        """The arm and its propensity; ``eligible`` items with their chance in a slot that explores, for one that explored and
        one of the sample.
        """
        done = self.decision
        if done is None:
            return {"arm": RANKED, "propensity": 1.0, "exploration": None}
        is_explored = done.item is not None
        return {
            "arm": EXPLORED if is_explored else RANKED,
            "propensity": done.propensity,
            "exploration": {
                "policy": done.policy,
                "slot": done.slot,
                "probability": done.explore_probability,
                "eligible": chances_by_id(done, self.shelf) if is_explored or self.inputs is not None else None,
            },
        }
