"""The rule of identity once more, straight from its sentences and quadratic: for each act it looks at every other one."""

from __future__ import annotations

from collections.abc import Sequence

from jishi.identity import Act, IdentityRules, Unlink


def person_of(act: Act, acts: Sequence[Act], unlinks: Sequence[Unlink], rules: IdentityRules) -> str:
    """The person of one act of ``acts``."""
    if act.user_id is not None:
        return f"u:{act.user_id}"
    evidence = [other for other in acts if _counts(other, unlinks)]
    on_device = [e for e in evidence if e.anonymous_id == act.anonymous_id and _is_near(e, act, rules)]
    users = {e.user_id for e in on_device if e.user_id and not _is_shared_account(e, evidence, rules)}
    chosen = users.pop() if len(users) == 1 else _in_visit(act, acts, rules)
    witnesses = [e for e in on_device if e.user_id == chosen and not _is_capped(e, evidence, rules)]
    return f"u:{chosen}" if chosen and witnesses else f"a:{act.anonymous_id}"


def _counts(act: Act, unlinks: Sequence[Unlink]) -> bool:
    pair = (act.anonymous_id, act.user_id)
    return None not in pair and not any(
        (unlink.anonymous_id, unlink.user_id) == pair and act.received_at_ms <= unlink.known_at_ms for unlink in unlinks
    )


def _is_near(one: Act, other: Act, rules: IdentityRules) -> bool:
    return abs(one.occurred_at_ms - other.occurred_at_ms) <= rules.horizon_ms


def _chain(act: Act, evidence: Sequence[Act], rules: IdentityRules) -> list[Act]:
    """Evidence of the act's pair that is connected to it by steps of at most two horizons."""
    same = [e for e in evidence if (e.anonymous_id, e.user_id) == (act.anonymous_id, act.user_id)]
    chain, grown = [act], True
    while grown:
        near = [e for e in same if any(abs(e.occurred_at_ms - c.occurred_at_ms) <= 2 * rules.horizon_ms for c in chain)]
        grown, chain = len(near) > len(chain), near
    return chain


def _known(act: Act, evidence: Sequence[Act], rules: IdentityRules) -> int:
    return min(e.received_at_ms for e in _chain(act, evidence, rules))


def _pairs_beside(act: Act, others: Sequence[Act], evidence: Sequence[Act], rules: IdentityRules) -> int:
    """How many pairs among ``others`` became known up to a horizon before the act's own."""
    at_ms = _known(act, evidence, rules)
    near = [e for e in others if 0 <= at_ms - _known(e, evidence, rules) <= rules.horizon_ms]
    return len({(e.anonymous_id, e.user_id) for e in near})


def _is_capped(act: Act, evidence: Sequence[Act], rules: IdentityRules) -> bool:
    return _is_shared_account(act, evidence, rules) or _is_public(act, evidence, rules)


def _is_shared_account(act: Act, evidence: Sequence[Act], rules: IdentityRules) -> bool:
    of_user = [e for e in evidence if e.user_id == act.user_id]
    return _pairs_beside(act, of_user, evidence, rules) > rules.most_devices


def _is_public(act: Act, evidence: Sequence[Act], rules: IdentityRules) -> bool:
    of_device = [e for e in evidence if e.anonymous_id == act.anonymous_id]
    return _pairs_beside(act, of_device, evidence, rules) > rules.most_users


def _in_visit(act: Act, acts: Sequence[Act], rules: IdentityRules) -> str | None:
    """Who logs in next on the device without a pause in between, else who was there before."""
    line = sorted((a for a in acts if a.anonymous_id == act.anonymous_id), key=lambda a: (*a[3:5], a.event_id))
    place = line.index(act)
    for step in (1, -1):
        here = place
        while 0 <= here + step < len(line):
            if abs(line[here + step].occurred_at_ms - line[here].occurred_at_ms) > rules.pause_ms:
                break
            here += step
            if line[here].user_id is not None:
                return line[here].user_id
    return None
