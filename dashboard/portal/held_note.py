"""Why a shop's newer numbers are not shown: a gate refused them, and the build before stays (``jishi.held_back``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.portal.visit import PageVisit
from jishi.held_back import held_back

# What a check looks at, as a merchant reads it; rows and commands are for operators (``jishi gates``).
_TEXTS = {
    "volume": "far more or far fewer events than this weekday explains",
    "mix": "other kinds of events than usual",
    "repeats": "acts that came twice",
    "currency": "orders in another currency than usual",
    "prices": "prices of another size than usual",
    "build": "the build failed",
}
_OTHERS = "tables that do not add up"


@dataclass(frozen=True)
class HeldReason:
    """A text of words, and the UTC day that it is about, where it is about one."""

    text: str
    day: str | None


@dataclass(frozen=True)
class HeldNote:
    """Since when (the shop's clock), and why."""

    since: str
    reasons: Sequence[HeldReason]


def held_note(visit: PageVisit) -> HeldNote | None:
    """What holds the shop of a page back; None when nothing does."""
    held = held_back(visit.portal.paths, visit.shop.shop.shop_id)
    if held is None:
        return None
    reasons = [HeldReason(_TEXTS.get(finding.check, _OTHERS), _day(finding.batch)) for finding in held.findings]
    return HeldNote(visit.local(held.since), list(dict.fromkeys(reasons)))


def _day(batch: str | None) -> str | None:
    return batch.removeprefix("live-") if batch and batch.startswith("live-") else None
