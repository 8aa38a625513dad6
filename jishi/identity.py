"""Who a person is: the links between devices and users that events show, and the person of each act.

A person is a user (``u:`` and the user id) or a device of nobody known (``a:`` and the anonymous id); the prefix keeps a user
"x" and a visitor "x" apart. Two users are never one person, so nothing merges transitively.

- An act with a user id is the user's, whatever else is known.
- An event with both ids is *evidence* that the user had the device. Evidence of one pair that is at most two horizons apart is
  one *link*, which is active from one horizon before its first evidence to one after its last.
- An act of a device without a user id goes to the device's user when exactly one has an active link at that time. With several
  (a shared device) it goes to who logs in next within the visit, else to who was there before in the visit; a visit without a
  login stays the device's own. So does an act without an active link.
- Links are capped, with a reason: a device on which more than ``most_users`` users became known within a horizon is public, and
  a user who became known on more than ``most_devices`` devices within a horizon is no single person's account.
- An unlink takes back the evidence of a pair that was known before it; later evidence links again.

``occurred_at`` says when a link is active, ``received_at`` since when it is known: with ``known_before_ms`` the answer is the
one of that instant. Everything here is of one shop, in epoch milliseconds, and depends on no order. Spark computes the same
(``spark_jobs.silver.identity``) and is compared with this module.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

USER, DEVICE = "u:", "a:"
DAY_MS = 86_400_000


class LinkReason(StrEnum):
    """Why a link stands, or why it joins nothing."""

    LOGIN = "login"
    PUBLIC_DEVICE = "device_with_too_many_users"
    SHARED_ACCOUNT = "user_on_too_many_devices"


@dataclass(frozen=True)
class IdentityRules:
    """Limits of linking: the horizon in milliseconds, and how many users or devices may become known within one."""

    horizon_ms: int = 90 * DAY_MS
    most_users: int = 4
    most_devices: int = 50
    pause_ms: int = 30 * 60 * 1000  # VISIT_PAUSE_S of jishi.tables


RULES = IdentityRules()


class Act(NamedTuple):
    """One event as far as identity goes. At least one of the two ids is there."""

    event_id: str
    anonymous_id: str | None
    user_id: str | None
    occurred_at_ms: int
    received_at_ms: int


class Unlink(NamedTuple):
    """A pair's evidence that was known up to ``known_at_ms`` no longer counts."""

    anonymous_id: str
    user_id: str
    known_at_ms: int


class Link(NamedTuple):
    """A device and its user, active within ``[valid_from_ms, valid_to_ms]``, known since ``known_at_ms`` by one event."""

    anonymous_id: str
    user_id: str
    valid_from_ms: int
    valid_to_ms: int
    first_at_ms: int
    last_at_ms: int
    known_at_ms: int
    first_event_id: str
    events: int
    reason: LinkReason

    def is_active(self, at_ms: int) -> bool:
        """Whether the link says something about acts at this time."""
        return self.valid_from_ms <= at_ms <= self.valid_to_ms


def user_person(user_id: str) -> str:
    """The person id of a user."""
    return USER + user_id


def device_person(anonymous_id: str) -> str:
    """The person id of a device of nobody known."""
    return DEVICE + anonymous_id


def named_person(user_id: str | None, anonymous_id: str | None) -> str | None:
    """The person that an event names by itself: its user, else its device. Each event names one, so rows of both ids add up."""
    if user_id is not None:
        return user_person(user_id)
    return None if anonymous_id is None else device_person(anonymous_id)


def user_of(person_id: str) -> str | None:
    """The user id of a person who is a user; None for a device."""
    return person_id.removeprefix(USER) if person_id.startswith(USER) else None


def plain_id(person_id: str) -> str:
    """The user id or anonymous id behind a person id, as events write it."""
    return person_id.removeprefix(USER) if person_id.startswith(USER) else person_id.removeprefix(DEVICE)


def named_elsewhere(text: str) -> str:
    """The person that a property such as ``shared_by`` names: a person id, or else the id of a user."""
    return text if text.startswith((USER, DEVICE)) else user_person(text)


def links(
    acts: Iterable[Act],
    unlinks: Iterable[Unlink] = (),
    *,
    known_before_ms: int | None = None,
    rules: IdentityRules = RULES,
) -> list[Link]:
    """All links, capped ones too, ordered by device, user and time; of ``acts`` and ``unlinks`` known before the instant."""
    taken_back: dict[tuple[str, str], int] = {}
    for unlink in unlinks:
        if known_before_ms is None or unlink.known_at_ms < known_before_ms:
            pair = (unlink.anonymous_id, unlink.user_id)
            taken_back[pair] = max(unlink.known_at_ms, taken_back.get(pair, unlink.known_at_ms))
    evidence: dict[tuple[str, str], dict[str, Act]] = {}
    for act in acts:
        if act.anonymous_id is None or act.user_id is None:
            continue
        if known_before_ms is not None and act.received_at_ms >= known_before_ms:
            continue
        pair = (act.anonymous_id, act.user_id)
        if pair not in taken_back or act.received_at_ms > taken_back[pair]:
            evidence.setdefault(pair, {})[act.event_id] = act
    plain = [link for pair in sorted(evidence) for link in _links_of_pair(list(evidence[pair].values()), rules)]
    return _capped(plain, rules)


def persons(
    acts: Iterable[Act],
    known_links: Sequence[Link],
    *,
    known_before_ms: int | None = None,
    rules: IdentityRules = RULES,
) -> dict[str, str]:
    """The person of each act by event id. ``acts`` are all acts of the devices, since visits of shared ones decide."""
    of_device: dict[str, list[Link]] = {}
    for link in known_links:
        if link.reason is not LinkReason.SHARED_ACCOUNT:
            of_device.setdefault(link.anonymous_id, []).append(link)
    answer: dict[str, str] = {}
    by_device: dict[str, list[Act]] = {}
    for act in acts:
        if known_before_ms is not None and act.received_at_ms >= known_before_ms:
            continue
        if act.user_id is not None:
            answer[act.event_id] = user_person(act.user_id)
        if act.anonymous_id is not None:
            by_device.setdefault(act.anonymous_id, []).append(act)
    for anonymous_id, of_one in by_device.items():
        in_visit = _users_in_visit(of_one, rules.pause_ms)
        for act in of_one:
            if act.user_id is None:
                active = [link for link in of_device.get(anonymous_id, ()) if link.is_active(act.occurred_at_ms)]
                user_id = _user_of(active, in_visit[act.event_id])
                answer[act.event_id] = device_person(anonymous_id) if user_id is None else user_person(user_id)
    return answer


class Visit(NamedTuple):
    """What names a visit; ``anonymous_id`` is empty for one of a user without a device."""

    person_id: str
    anonymous_id: str
    started_at_ms: int


def visits(acts: Iterable[Act], person_of: Mapping[str, str], *, rules: IdentityRules = RULES) -> dict[str, Visit]:
    """The visit of each act by event id.

    A visit is of one device and one person, without a pause of more than half an hour between two acts of the device. A
    user-only act belongs to the device on which its user acted last, up to the pause before it; without one to a visit of the
    user's own.
    """
    everything = sorted(acts, key=_in_time)
    last_seen: dict[str, Act] = {}
    streams: dict[str, list[Act]] = {}
    for act in everything:
        if act.anonymous_id is not None:
            streams.setdefault(device_person(act.anonymous_id), []).append(act)
            if act.user_id is not None:
                last_seen[act.user_id] = act
            continue
        assert act.user_id is not None
        before = last_seen.get(act.user_id)
        is_near = before is not None and act.occurred_at_ms - before.occurred_at_ms <= rules.pause_ms
        stream = device_person(before.anonymous_id or "") if is_near and before is not None else user_person(act.user_id)
        streams.setdefault(stream, []).append(act)
    answer: dict[str, Visit] = {}
    for stream, members in streams.items():
        device = stream.removeprefix(DEVICE) if stream.startswith(DEVICE) else ""
        members.sort(key=lambda act: (act.occurred_at_ms, person_of[act.event_id], act.received_at_ms, act.event_id))
        start, before = members[0], None
        for act in members:
            is_new = before is not None and (
                act.occurred_at_ms - before.occurred_at_ms > rules.pause_ms
                or person_of[act.event_id] != person_of[before.event_id]
            )
            start = act if is_new else start
            answer[act.event_id] = Visit(person_of[act.event_id], device, start.occurred_at_ms)
            before = act
    return answer


def _in_time(act: Act) -> tuple[int, int, str]:
    return act.occurred_at_ms, act.received_at_ms, act.event_id


def _links_of_pair(evidence: list[Act], rules: IdentityRules) -> Iterable[Link]:
    evidence.sort(key=_in_time)
    runs: list[list[Act]] = []
    for act in evidence:
        if runs and act.occurred_at_ms - runs[-1][-1].occurred_at_ms <= 2 * rules.horizon_ms:
            runs[-1].append(act)
        else:
            runs.append([act])
    for run in runs:
        first = min(run, key=lambda act: (act.received_at_ms, act.event_id))
        assert first.anonymous_id is not None
        assert first.user_id is not None
        yield Link(
            anonymous_id=first.anonymous_id,
            user_id=first.user_id,
            valid_from_ms=run[0].occurred_at_ms - rules.horizon_ms,
            valid_to_ms=run[-1].occurred_at_ms + rules.horizon_ms,
            first_at_ms=run[0].occurred_at_ms,
            last_at_ms=run[-1].occurred_at_ms,
            known_at_ms=first.received_at_ms,
            first_event_id=first.event_id,
            events=len(run),
            reason=LinkReason.LOGIN,
        )


def _capped(plain: list[Link], rules: IdentityRules) -> list[Link]:
    """Links with their reasons, by how many devices of the user and users of the device became known up to a horizon before."""
    of_user: dict[str, list[tuple[int, str]]] = {}
    of_device: dict[str, list[tuple[int, str]]] = {}
    for link in sorted(plain, key=lambda link: link.known_at_ms):
        of_user.setdefault(link.user_id, []).append((link.known_at_ms, link.anonymous_id))
        of_device.setdefault(link.anonymous_id, []).append((link.known_at_ms, link.user_id))
    judged = []
    for link in plain:
        if _distinct_up_to(of_user[link.user_id], link.known_at_ms, rules.horizon_ms) > rules.most_devices:
            judged.append(link._replace(reason=LinkReason.SHARED_ACCOUNT))
        elif _distinct_up_to(of_device[link.anonymous_id], link.known_at_ms, rules.horizon_ms) > rules.most_users:
            judged.append(link._replace(reason=LinkReason.PUBLIC_DEVICE))
        else:
            judged.append(link)
    return judged


def _distinct_up_to(known: list[tuple[int, str]], at_ms: int, horizon_ms: int) -> int:
    """How many ids became known within ``[at − horizon, at]``; ``known`` is sorted by its instants."""
    first = bisect_left(known, at_ms - horizon_ms, key=lambda pair: pair[0])
    last = bisect_right(known, at_ms, key=lambda pair: pair[0])
    return len({name for _, name in known[first:last]})


def _user_of(active: list[Link], in_visit: str | None) -> str | None:
    """The user of an anonymous act from the links active at its time and who logs in within its visit."""
    users = {link.user_id for link in active}
    chosen = next(iter(users)) if len(users) == 1 else in_visit
    is_joined = any(link.user_id == chosen and link.reason is LinkReason.LOGIN for link in active)
    return chosen if is_joined else None


def _users_in_visit(of_device: list[Act], pause_ms: int) -> dict[str, str | None]:
    """For each act of one device who logs in next within its visit, else who was logged in before; None without either."""
    in_time = sorted(of_device, key=_in_time)
    visit, numbered, before = 0, [], None
    for act in in_time:
        visit += before is not None and act.occurred_at_ms - before.occurred_at_ms > pause_ms
        numbered.append((visit, act))
        before = act
    answer: dict[str, str | None] = {}
    for _, group in groupby(numbered, key=lambda pair: pair[0]):
        members = [act for _, act in group]
        following: str | None = None
        for act in reversed(members):
            following = act.user_id or following
            answer[act.event_id] = following
        previous: str | None = None
        for act in members:
            previous = act.user_id or previous
            answer[act.event_id] = answer[act.event_id] or previous
    return answer
