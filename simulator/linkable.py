"""What the events of a shop can tell of persons and visits: the truth as far as somebody can know who sees ids and times only.

A visit in which a shopper logged in is that user's. Another visit is the user's who is the only one ever to log in on its
device; else it is the device's own, though it was a shopper's. Visits of one person on one device with no pause of more than
half an hour between them look like one. What remains between this and the whole truth is the gap that no rule can close.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from jishi.tables import VISIT_PAUSE_S
from simulator.journal import Happening


class PlayedVisit(NamedTuple):
    """One visit as it was played; times are epoch milliseconds. ``user_id`` is None when nobody logged in.

    An order depends on its visit alone, so that what is paid in the visits of a channel would be lost without it.
    """

    shopper: int
    anonymous_id: str
    user_id: str | None
    first_ms: int
    last_ms: int
    is_paid: bool
    channel: str | None = None


def played_visits(happenings: Iterable[Happening], bots: frozenset[str]) -> list[PlayedVisit]:
    """The visits of shoppers; a refund is the shop's act and bots are nobody's customers."""
    by_session: dict[str, PlayedVisit] = {}
    for happening in happenings:
        session_id, anonymous_id = happening.session_id, happening.anonymous_id
        if session_id is None or anonymous_id is None or anonymous_id in bots or happening.type == "order_refunded":
            continue
        new = PlayedVisit(
            happening.shopper,
            anonymous_id,
            happening.user_id,
            happening.at_ms,
            happening.at_ms,
            happening.type == "order_paid",
            happening.context.get("channel"),
        )
        old = by_session.get(session_id, new)
        by_session[session_id] = PlayedVisit(
            old.shopper,
            old.anonymous_id,
            old.user_id or new.user_id,
            min(old.first_ms, new.first_ms),
            max(old.last_ms, new.last_ms),
            old.is_paid or new.is_paid,
            old.channel,
        )
    return list(by_session.values())


def channel_truth(visits: Iterable[PlayedVisit]) -> dict[str, dict[str, int]]:
    """Visits of each channel and those with an order, which would be lost without the channel, as JSON."""
    played = [visit for visit in visits if visit.channel is not None]
    with_order = Counter(visit.channel for visit in played if visit.is_paid)
    return {
        str(channel): {"visits": number, "visits_with_order": with_order[channel]}
        for channel, number in sorted(Counter(visit.channel for visit in played).items())
    }


def linkable_truth(visits: list[PlayedVisit]) -> dict[str, Any]:
    """Persons, visits and conversion as events can tell them, and what they cannot, as JSON."""
    users: dict[str, set[str]] = {}
    for visit in visits:
        users.setdefault(visit.anonymous_id, set()).update([visit.user_id] if visit.user_id else [])
    person_of = {visit: _person(visit, users[visit.anonymous_id]) for visit in visits}
    seen: list[tuple[str, str, int, bool]] = []  # device, person, last instant, whether an order was paid
    for visit in sorted(visits, key=lambda v: (v.anonymous_id, v.first_ms, v.last_ms)):
        here = (visit.anonymous_id, person_of[visit])
        if seen and seen[-1][:2] == here and visit.first_ms - seen[-1][2] <= VISIT_PAUSE_S * 1000:
            seen[-1] = (*here, max(seen[-1][2], visit.last_ms), seen[-1][3] or visit.is_paid)
        else:
            seen.append((*here, visit.last_ms, visit.is_paid))
    paid = sum(is_paid for _, _, _, is_paid in seen)
    return {
        "persons": len(set(person_of.values())),
        "visits": len(seen),
        "visits_with_order": paid,
        "conversion": round(paid / len(seen), 6) if seen else None,
        "gap": {
            "persons": len({visit.shopper for visit in visits}),  # of the whole truth
            "devices": len(users),
            "devices_that_never_log_in": sum(not known for known in users.values()),
            "shared_devices": sum(len(known) > 1 for known in users.values()),
            "visits_of_nobody_known": sum(person_of[visit] == visit.anonymous_id for visit in visits),
        },
    }


def _person(visit: PlayedVisit, users_of_device: set[str]) -> str:
    if visit.user_id is not None:
        return visit.user_id
    return next(iter(users_of_device)) if len(users_of_device) == 1 else visit.anonymous_id
