"""A small share of the requests is answered from a lower rung of the ladder, so that it is known what each rung is worth.

Which rung, if any, follows from the request's id alone: not from the person, the answer or the hour. The decision log names it
as the arm, from which a replay takes it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal, get_args

Rung = Literal["session", "segment", "popular", "bundled"]
RUNGS: tuple[Rung, ...] = get_args(Rung)
_ARM = "tried_"
ARMS = tuple(_ARM + rung for rung in RUNGS)


def rung_to_try(request_id: str, share: float) -> Rung | None:
    """The rung that answers a request instead of the best one: each for an equal part of a ``share`` of all ids."""
    if share <= 0:
        return None
    # Another hash than that of the logged sample, so that of either the other is a part like any.
    drawn = int.from_bytes(blake2b(request_id.encode(), digest_size=8, person=b"ladder").digest()) / 2**64
    return RUNGS[min(int(drawn / share * len(RUNGS)), len(RUNGS) - 1)] if drawn < share else None


def arm_of(rung: Rung) -> str:
    """The arm of the decision log."""
    return _ARM + rung


def rung_of(arm: str) -> Rung | None:
    """The rung that an arm of the decision log tried; None for any other arm."""
    return next((rung for rung in RUNGS if arm_of(rung) == arm), None)
