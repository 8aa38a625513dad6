"""Identity: cases worked out by hand, and properties against a quadratic reading of the same sentences."""

from __future__ import annotations

from itertools import count, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi.identity import (
    Act,
    IdentityRules,
    LinkReason,
    Unlink,
    Visit,
    device_person,
    links,
    named_person,
    persons,
    user_person,
    visits,
)
from jishi.tables import VISIT_PAUSE_S
from tests.unit.identity.brute_force import person_of

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# Short, so that a few acts reach across every limit.
SMALL = IdentityRules(horizon_ms=100, most_users=2, most_devices=2, pause_ms=10)
ids = st.sampled_from(["x", "y", "z"])


@st.composite
def shop_acts(draw: st.DrawFn) -> list[Act]:
    numbers = count()
    pairs = st.tuples(st.none() | ids, st.none() | ids).filter(lambda pair: pair != (None, None))
    acts = draw(st.lists(st.tuples(pairs, st.integers(0, 600), st.integers(0, 150)), max_size=14))
    return [Act(f"e{next(numbers)}", device, user, at, at + delay) for (device, user), at, delay in acts]


unlink_lists = st.lists(st.builds(Unlink, ids, ids, st.integers(0, 700)), max_size=3)


def resolved(acts: list[Act], unlinks: list[Unlink], rules: IdentityRules = SMALL) -> dict[str, str]:
    return persons(acts, links(acts, unlinks, rules=rules), rules=rules)


@settings(max_examples=300, deadline=None)
@given(shop_acts(), unlink_lists)
def test_the_person_is_the_one_of_the_sentences(acts: list[Act], unlinks: list[Unlink]) -> None:
    assert resolved(acts, unlinks) == {act.event_id: person_of(act, acts, unlinks, SMALL) for act in acts}


@settings(max_examples=100, deadline=None)
@given(shop_acts(), unlink_lists, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_matters(acts: list[Act], unlinks: list[Unlink], chance: Random) -> None:
    shuffled = [*acts, *acts[:3]]
    chance.shuffle(shuffled)
    assert links(shuffled, reversed(unlinks), rules=SMALL) == links(acts, unlinks, rules=SMALL)
    once = resolved(acts, unlinks)
    chance.shuffle(acts)
    assert resolved(acts, unlinks[::-1]) == once


@settings(max_examples=100, deadline=None)
@given(shop_acts(), unlink_lists, st.integers(0, 800))
def test_what_is_known_later_changes_nothing_before(acts: list[Act], unlinks: list[Unlink], cut: int) -> None:
    earlier = [act for act in acts if act.received_at_ms < cut]
    known = links(acts, unlinks, known_before_ms=cut, rules=SMALL)
    assert known == links(earlier, [unlink for unlink in unlinks if unlink.known_at_ms < cut], rules=SMALL)
    assert persons(acts, known, known_before_ms=cut, rules=SMALL) == persons(earlier, known, rules=SMALL)


@settings(max_examples=100, deadline=None)
@given(shop_acts(), ids, ids)
def test_an_unlink_takes_back_what_the_pair_taught_and_no_more(acts: list[Act], device: str, user: str) -> None:
    unlinked = links(acts, [Unlink(device, user, 10_000)], rules=SMALL)
    assert unlinked == links([a for a in acts if (a.anonymous_id, a.user_id) != (device, user)], rules=SMALL)
    again = Act("again", device, user, 300, 10_001)
    relinked = [link for link in links([*acts, again], [Unlink(device, user, 10_000)], rules=SMALL) if link not in unlinked]
    assert [link.first_event_id for link in relinked if (link.anonymous_id, link.user_id) == (device, user)] == ["again"]


@settings(max_examples=100, deadline=None)
@given(shop_acts(), unlink_lists)
def test_users_are_never_merged_and_devices_join_only_their_users(acts: list[Act], unlinks: list[Unlink]) -> None:
    answer = resolved(acts, unlinks)
    for act in acts:
        if act.user_id is not None:
            assert answer[act.event_id] == user_person(act.user_id)
        elif answer[act.event_id] != device_person(act.anonymous_id or ""):
            user_id = answer[act.event_id].removeprefix("u:")
            assert any((a.anonymous_id, a.user_id) == (act.anonymous_id, user_id) for a in acts)


@settings(max_examples=100, deadline=None)
@given(shop_acts())
def test_every_act_is_in_one_visit_of_one_person_without_a_pause(acts: list[Act]) -> None:
    person_by_event = resolved(acts, [])
    visit_of = visits(acts, person_by_event, rules=SMALL)
    assert visit_of.keys() == {act.event_id for act in acts}
    by_visit: dict[Visit, list[Act]] = {}
    for act in acts:
        by_visit.setdefault(visit_of[act.event_id], []).append(act)
    for (person_id, device, start), members in by_visit.items():
        times = sorted(act.occurred_at_ms for act in members)
        assert times[0] == start
        assert {person_by_event[act.event_id] for act in members} == {person_id}
        assert {act.anonymous_id for act in members} - {None} <= {device}
        assert all(later - earlier <= SMALL.pause_ms for earlier, later in pairwise(times))


def test_a_user_and_a_visitor_of_one_name_are_two_persons() -> None:
    acts = [Act("e1", None, "x", 0, 0), Act("e2", "x", None, 0, 0)]
    assert persons(acts, links(acts)) == {"e1": "u:x", "e2": "a:x"}
    assert named_person("a:x", None) != named_person(None, "x")
    assert named_person(None, None) is None


def test_a_login_takes_the_device_along_and_cuts_no_visit() -> None:
    acts = [
        Act("week before", "d", None, -7 * DAY, -7 * DAY),
        Act("looks", "d", None, 0, 0),
        Act("logs in", "d", "x", 5 * MINUTE, 5 * MINUTE),
        Act("server tells of the order", None, "x", 6 * MINUTE, 6 * MINUTE),
        Act("after the horizon", "d", None, 91 * DAY, 91 * DAY),
    ]
    answer = persons(acts, links(acts))
    assert answer == {
        "week before": "u:x",
        "looks": "u:x",
        "logs in": "u:x",
        "server tells of the order": "u:x",
        "after the horizon": "a:d",
    }
    visit_of = visits(acts, answer)
    assert len({visit_of[name] for name in ("looks", "logs in", "server tells of the order")}) == 1
    assert len(set(visit_of.values())) == 3


def test_a_shared_device_goes_to_who_logs_in_and_stays_its_own_without_a_login() -> None:
    acts = [
        Act("a looks", "d", None, 0, 0),
        Act("a logs in", "d", "a", MINUTE, MINUTE),
        Act("a logged out", "d", None, 2 * MINUTE, 2 * MINUTE),
        Act("b looks", "d", None, DAY, DAY),
        Act("b logs in", "d", "b", DAY + MINUTE, DAY + MINUTE),
        Act("nobody logs in", "d", None, 2 * DAY, 2 * DAY),
    ]
    answer = persons(acts, links(acts))
    assert answer == {
        "a looks": "u:a",
        "a logs in": "u:a",
        "a logged out": "u:a",
        "b looks": "u:b",
        "b logs in": "u:b",
        "nobody logs in": "a:d",
    }


def test_two_users_of_one_sitting_have_two_visits() -> None:
    acts = [Act("a", "d", "a", 0, 0), Act("out", "d", None, MINUTE, MINUTE), Act("b", "d", "b", 2 * MINUTE, 2 * MINUTE)]
    answer = persons(acts, links(acts))
    assert answer["out"] == "u:b"  # who logs in next
    assert sorted(set(visits(acts, answer).values())) == [("u:a", "d", 0), ("u:b", "d", MINUTE)]


def test_a_kiosk_and_a_shared_account_join_nothing_and_say_why() -> None:
    kiosk = [Act(f"k{n}", "kiosk", f"user{n}", n * HOUR, n * HOUR) for n in range(6)]
    result = links(kiosk)
    assert [link.reason for link in result] == [LinkReason.LOGIN] * 4 + [LinkReason.PUBLIC_DEVICE] * 2
    stranger = Act("stranger", "kiosk", None, 5 * HOUR + MINUTE, 5 * HOUR + MINUTE)
    assert persons([*kiosk, stranger], result)["stranger"] == "a:kiosk"
    staff = [Act(f"s{n}", f"device{n}", "staff", n * HOUR, n * HOUR) for n in range(52)]
    result = links(staff)
    assert {link.anonymous_id for link in result if link.reason is LinkReason.SHARED_ACCOUNT} == {"device50", "device51"}
    # Staff who logged in once on a customer's device do not make it a shared one.
    customer = [Act("mine", "device51", "customer", 52 * HOUR, 52 * HOUR), Act("look", "device51", None, 51 * HOUR, 51 * HOUR)]
    assert persons([*staff, *customer], links([*staff, *customer]))["look"] == "u:customer"


def test_one_user_who_comes_back_for_years_makes_no_device_public() -> None:
    """Years of a history that is imported at one instant: each return after half a year is a link, and all are one user's."""
    returns = [Act(f"r{n}", "phone", "ann", n * 200 * DAY, 2000 * DAY) for n in range(6)]
    result = links(returns)
    assert [(link.user_id, link.reason) for link in result] == [("ann", LinkReason.LOGIN)] * 6
    look = Act("look", "phone", None, 5 * 200 * DAY + MINUTE, 2000 * DAY)
    assert persons([*returns, look], result)["look"] == "u:ann"


def test_the_pause_is_the_one_of_the_sessions() -> None:
    assert IdentityRules().pause_ms == VISIT_PAUSE_S * 1000


@pytest.mark.parametrize(("gap", "runs"), [(200, 1), (201, 2)])
def test_evidence_two_horizons_apart_is_one_link(gap: int, runs: int) -> None:
    acts = [Act("first", "d", "x", 0, 7), Act("second", "d", "x", gap, gap)]
    result = links(acts, rules=SMALL)
    assert len(result) == runs
    assert (result[0].valid_from_ms, result[0].known_at_ms, result[0].first_event_id) == (-100, 7, "first")
    assert sum(link.events for link in result) == 2
