"""Acts of before a cut are of the persons that were known at it: what is learnt later about a device changes nothing there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi.identity import Act, Unlink, links, persons
from jishi.lake.query import open_lake
from jishi.paths import Paths
from jishi.tables import SILVER_EVENTS, SILVER_INTERACTIONS, SILVER_ITEMS
from jishi.unlinks import ShopUnlink, add_unlink
from models.data import persons_at_cut
from models.data.interactions import Interactions, read_interactions, with_persons_then
from models.data.persons_at_cut import persons_then, view_persons_then
from tests.lake import newest, record

START = datetime(2026, 9, 1)  # noqa: DTZ001 - UTC, as the lake keeps it
CUT = START + timedelta(days=10)


def event(number: int, hours: float, anonymous_id: str | None, user_id: str | None, delay_h: float = 0) -> dict[str, Any]:
    at = START + timedelta(hours=hours)
    row = {"shop_id": "a", "event_id": f"e{number}", "type": "item_viewed", "item_id": "i"}
    row |= {"anonymous_id": anonymous_id, "user_id": user_id}
    return row | {"occurred_at": at, "received_at": at + timedelta(hours=delay_h)}


def ms(at: datetime) -> int:
    return round(at.replace(tzinfo=UTC).timestamp() * 1000)


def act(row: dict[str, Any]) -> Act:
    return Act(row["event_id"], row["anonymous_id"], row["user_id"], ms(row["occurred_at"]), ms(row["received_at"]))


def with_persons(events: list[dict[str, Any]], unlinks: list[Unlink], known_before: datetime | None) -> dict[str, str]:
    """The rule itself, over everything."""
    acts, before = [act(row) for row in events], None if known_before is None else ms(known_before)
    return persons(acts, links(acts, unlinks, known_before_ms=before), known_before_ms=before)


def publish(var: Path, events: list[dict[str, Any]], unlinks: list[Unlink]) -> None:
    """Silver as it is today."""
    today = with_persons(events, unlinks, None)
    rows = [row | {"person_id": today[row["event_id"]]} for row in events]
    acts = [
        {name: row[name] for name in ("shop_id", "event_id", "item_id", "person_id", "occurred_at", "received_at")}
        | {"kind": "view", "line_number": 0, "quantity": 1}
        for row in rows
    ]
    record(var, {SILVER_EVENTS: rows, SILVER_INTERACTIONS: acts, SILVER_ITEMS: [{"shop_id": "a", "item_id": "i"}]})
    for unlink in unlinks:
        add_unlink(Paths(var=var, envs=var).unlinks, ShopUnlink("a", *unlink, "a test"))


def people(interactions: Interactions) -> list[str]:
    return interactions.person_ids[interactions.person].tolist()


def test_a_login_after_the_cut_changes_nothing_in_it(tmp_path: Path) -> None:
    before = [event(1, 0, "d", None), event(2, 24, "d", None), event(3, 48, None, "x"), event(4, 60, "other", "y")]
    after = [event(5, 260, "d", "x")]  # d was x's, as is known from day 10 on
    publish(tmp_path / "short", before, [])
    publish(tmp_path / "whole", before + after, [])
    cut = np.datetime64(CUT)
    short, whole = (read_interactions(newest(tmp_path / name), "a") for name in ("short", "whole"))
    assert people(short) == ["a:d", "a:d", "u:x", "u:y"]
    assert people(whole) == ["u:x", "u:x", "u:x", "u:y", "u:x"]
    then = with_persons_then(newest(tmp_path / "whole"), "a", whole, cut)
    assert people(then) == [*people(short), "u:x"]
    same = with_persons_then(newest(tmp_path / "short"), "a", short, cut)
    assert same is short


def test_an_unlink_after_the_cut_was_not_known_at_it(tmp_path: Path) -> None:
    events = [event(1, 0, "d", None), event(2, 1, "d", "x")]
    publish(tmp_path, events, [Unlink("d", "x", ms(CUT + timedelta(days=1)))])
    whole = read_interactions(newest(tmp_path), "a")
    assert people(whole) == ["a:d", "u:x"]
    assert people(with_persons_then(newest(tmp_path), "a", whole, np.datetime64(CUT))) == ["u:x", "u:x"]


def test_an_act_that_was_known_late_joins_two_visits_of_a_shared_device_only_then(tmp_path: Path) -> None:
    events = [event(1, 0, "d", "x"), event(2, 50, "d", None), event(3, 50.8, "d", "y"), event(4, 50.4, "d", None, delay_h=300)]
    publish(tmp_path, events, [])
    whole = read_interactions(newest(tmp_path), "a")
    assert people(whole) == ["u:x", "u:y", "u:y", "u:y"]
    assert people(with_persons_then(newest(tmp_path), "a", whole, np.datetime64(CUT))) == ["u:x", "a:d", "u:y", "u:y"]


def test_a_pair_has_three_acts_of_evidence_at_most_and_only_shared_devices_are_gone_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acts are objects where the rule is asked: a shop of ten million has no room for as many of them."""
    of_one = [event(number, number / 10, "d", "x" if number % 2 else None) for number in range(100)]
    of_two = [event(100 + number, number, "e", ("y", "z", None)[number % 3]) for number in range(30)]
    publish(tmp_path, [*of_one, *of_two, event(200, 300, "d", "x"), event(201, 300, "e", "y")], [])
    asked: dict[str, list[Act]] = {}
    for rule in (links, persons):

        def spy(acts: Any, *arguments: Any, rule: Any = rule, **options: Any) -> Any:
            asked[rule.__name__] = list(acts)
            return rule(asked[rule.__name__], *arguments, **options)

        monkeypatch.setattr(persons_at_cut, rule.__name__, spy)
    with open_lake(newest(tmp_path)) as connection:
        assert persons_then(connection, "a", CUT) == {}
    pairs = [(each.anonymous_id, each.user_id) for each in asked["links"]]
    assert {pair: pairs.count(pair) for pair in pairs} == {("d", "x"): 2, ("e", "y"): 2, ("e", "z"): 2}
    assert {each.anonymous_id for each in asked["persons"]} == {"e"}


def test_acts_are_joined_with_their_persons_then_by_the_event_alone(tmp_path: Path) -> None:
    """A join with another condition compares every act with every row: an hour of a large shop."""
    publish(tmp_path, [event(1, 0, "d", None), event(2, 260, "d", "x"), event(3, 261, "d", None)], [])
    with open_lake(newest(tmp_path)) as connection:
        assert view_persons_then(connection, newest(tmp_path), "a", CUT)
        then = connection.execute("select event_id, person_id from interactions_then order by 1").fetchall()
        plan = connection.execute("explain select event_id, person_id from interactions_then").fetchall()[0][1]
    assert then == [("e1", "a:d"), ("e2", "u:x"), ("e3", "u:x")]
    assert plan.count("_JOIN") == plan.count("HASH_JOIN") == 2, plan  # with persons, and with repairs


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0, 0.2, 5, 100, 200, 200.4, 200.8, 239.9, 240, 241, 300, 4000]),
        st.sampled_from([None, "d", "e", "f"]),
        st.sampled_from([None, None, "x", "y", "z", "v", "w"]),
        st.sampled_from([0, 0, 0, 50]),
    ),
    max_size=14,
)
UNLINKS = st.lists(
    st.builds(Unlink, st.sampled_from("de"), st.sampled_from("xy"), st.sampled_from([ms(START), ms(CUT) + 1])), max_size=2
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lakes")


@settings(max_examples=60, deadline=None)
@given(EVENTS, UNLINKS)
def test_the_devices_that_are_looked_at_are_enough(folder: Path, rows: list[Any], unlinks: list[Unlink]) -> None:
    """Persons of all events by the whole rule at the cut are today's but for those that are then_others."""
    named = [row for row in rows if row[1] or row[2]]
    events = [event(number, hours, device, user, delay) for number, (hours, device, user, delay) in enumerate(named)]
    today, then = with_persons(events, unlinks, None), with_persons(events, unlinks, CUT)
    known = {row["event_id"] for row in events if row["occurred_at"] < CUT and row["received_at"] < CUT}
    record(folder, {SILVER_EVENTS: [row | {"person_id": today[row["event_id"]]} for row in events]})
    with open_lake(newest(folder)) as connection:
        then_others = persons_then(connection, "a", CUT, [ShopUnlink("a", *unlink, "") for unlink in unlinks])
    assert then_others == {name: person for name, person in then.items() if name in known and person != today[name]}
