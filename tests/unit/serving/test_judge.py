"""What a candidate serves is judged on the cases of its models, beside the release in use, the ladder and what is trivial."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jishi.paths import Paths
from jishi.tables import SILVER_EVENTS, SILVER_INTERACTIONS, SILVER_ITEMS
from models.data.interactions import Interactions
from models.data.last_acts import LastActs
from models.data.split import SplitWindow
from models.evaluation.placement_questions import cases_of
from models.release.candidate import StepMissing, candidate_folder
from models.release.registry import WINDOW, current_version
from models.release.served_judgement import BESIDE, CHAMPION, MODEL, read_served
from serving import past_questions
from serving.judge import judge_served
from serving.past_questions import requests
from serving.recent import LastAct
from tests.lake import newest, record
from tests.release_steps import RELEASE_STEPS

START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
PERSONS, GROUPS, ITEMS, DAYS = 80, 4, 40, 24
CUT = START + timedelta(days=16)


def acts(days: int, damaged: float = 0.0) -> list[dict[str, Any]]:
    """Persons who each buy of one of four tastes; of what they bought before the cut a share is said to be anything."""
    luck, rows = random.Random(5), []
    for person in range(PERSONS):
        for day in range(DAYS):
            at = START + timedelta(days=day, seconds=luck.randrange(86_400))
            item, is_damaged = luck.randrange(ITEMS // GROUPS) * GROUPS + person % GROUPS, luck.random() < damaged
            anything, is_here = luck.randrange(ITEMS), luck.random() < 0.5
            if day >= days or not is_here:
                continue
            if is_damaged and at < CUT:
                item = anything
            row = {"shop_id": "a", "person_id": f"p{person:02}", "item_id": f"i{item:02}", "kind": "pay"}
            row |= {"event_id": f"e{person}-{day}", "line_number": 1, "quantity": 1}
            rows.append(row | {"occurred_at": at, "received_at": at + timedelta(seconds=1)})
    return rows


def publish(paths: Paths, rows: list[dict[str, Any]], states: Sequence[dict[str, Any]] = ()) -> None:
    """Acts, and states of items where the log has any."""
    items: list[dict[str, Any]] = [
        {"shop_id": "a", "item_id": f"i{item:02}", "title": "t", "category": "c"} for item in range(ITEMS)
    ]
    newest_of = {state["item_id"]: json.loads(state["line"])["properties"] for state in states}
    items = [item | newest_of.get(item["item_id"], {}) for item in items]
    record(paths.var, {SILVER_ITEMS: items, SILVER_INTERACTIONS: rows, SILVER_EVENTS: states})


def state(item: int, at: datetime, price: int, stock: int) -> dict[str, Any]:
    """An ``item_changed``."""
    properties = {"item_id": f"i{item:02}", "title": "t", "category": "c", "unit_price_minor": price, "currency": "CNY"}
    row = {"shop_id": "a", "event_id": f"s{item}-{at}", "type": "item_changed", "item_id": f"i{item:02}", "occurred_at": at}
    return row | {
        **{"received_at": at, "unit_price_minor": price, "line": json.dumps({"properties": properties | {"stock": stock}})}
    }


def run(paths: Paths, *names: str) -> Any:
    """The named steps, or all; returns what the last one gave."""
    for name in names or RELEASE_STEPS:
        result = RELEASE_STEPS[name](paths, newest(paths.var), "a")
    return result


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the release of all days but the last."""
    folder = tmp_path_factory.mktemp("built")
    paths = Paths(var=folder / "var", envs=folder)
    publish(paths, acts(DAYS - 1))
    assert run(paths) is not None
    return folder


@pytest.fixture
def paths(built: Path, tmp_path: Path) -> Paths:
    shutil.copytree(built / "var", tmp_path / "var")
    return Paths(var=tmp_path / "var", envs=tmp_path)


def test_newer_acts_bring_a_new_release_of_the_same_models(paths: Paths) -> None:
    first = current_version(paths.models, "a")
    publish(paths, acts(DAYS))
    version = run(paths)
    assert version not in (None, first)
    decision = json.loads((paths.models / "a" / "candidates" / version / "gate.json").read_text())
    comparison = next(check for check in decision["checks"] if check["name"] == "champion")
    assert f"release {first} in use" in comparison["sentence"]
    _, served = read_served(paths.models / "a" / "candidates" / version)
    assert {MODEL, CHAMPION, "ladder", "popularity", "personal_frequency", *BESIDE} == set(served["home"].values)
    home = decision["placements"]["home"]["served"]
    assert home["persons"] == served["home"].persons == len(set(served["home"].person.tolist()))
    # Of ten items of a taste three or four are bought in the week: ten of the taste hold them all, what sells a quarter.
    assert home["ndcg@10"]["mean"] > 2 * served["home"].mean("popularity").mean


def test_a_worse_candidate_does_not_replace_a_better_release(paths: Paths) -> None:
    """A history that was imported again with damage: its models beat what sells all the same."""
    first = current_version(paths.models, "a")
    publish(paths, acts(DAYS, damaged=0.6))
    assert run(paths) is None
    assert current_version(paths.models, "a") == first
    decision = json.loads((candidate_folder(paths, "a") / "gate.json").read_text())
    assert decision["beats_popularity"]
    assert decision["sentence"].startswith(f"refused: worse than release {first} in use at ")
    assert "home: ndcg@10" in decision["sentence"]


def test_a_release_of_before_is_not_compared_and_the_gate_says_so(paths: Paths) -> None:
    first = current_version(paths.models, "a")
    shutil.rmtree(paths.models / "a" / "releases" / str(first) / WINDOW)
    publish(paths, acts(DAYS, damaged=0.6))
    run(paths, "train", "evaluate", "judge")
    decision = run(paths, "gate")
    assert decision["is_released"]
    assert "could not be judged: it was published before releases kept their models of the training win" in decision["sentence"]


def test_a_release_that_learnt_from_the_judged_days_is_not_compared(paths: Paths) -> None:
    publish(paths, acts(DAYS - 2))
    run(paths, "train", "evaluate", "judge")
    assert "learnt from days that are judged now" in run(paths, "gate")["sentence"]


def test_the_gate_wants_what_it_decides_on_judged(paths: Paths) -> None:
    publish(paths, acts(DAYS))
    run(paths, "train", "evaluate")
    with pytest.raises(StepMissing, match=r"python -m serving\.judge --shop a"):
        run(paths, "gate")
    run(paths, "judge")
    assert run(paths, "gate")["is_released"]
    # Another release came into use meanwhile.
    first = str(current_version(paths.models, "a"))
    (paths.models / "a" / "CURRENT").write_text("another\n")
    shutil.copytree(paths.models / "a" / "releases" / first, paths.models / "a" / "releases" / "another")
    with pytest.raises(StepMissing, match=r"serving\.judge"):
        run(paths, "gate")


def test_judged_again_it_is_worth_the_same(paths: Paths) -> None:
    publish(paths, acts(DAYS))
    run(paths, "train", "evaluate", "judge")
    folder = candidate_folder(paths, "a") / "served"
    first = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert set(judge_served(paths, newest(paths.var), "a")) >= {"home", "after_payment"}
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == first


def test_lists_are_of_what_could_be_sold_then(paths: Paths) -> None:
    """Items of the first taste were sold out for the judged days."""
    states = [state(item, START - timedelta(days=60), 1000, 0 if item % GROUPS == 0 else 5) for item in range(ITEMS)]
    states += [state(item, START + timedelta(days=DAYS), 1000, 5) for item in range(ITEMS) if item % GROUPS == 0]
    publish(paths, acts(DAYS), states)
    run(paths, "train", "evaluate", "judge")
    _, served = read_served(candidate_folder(paths, "a"))
    for placement, cases in served.items():
        for name, values in cases.values.items():
            assert values[cases.person % GROUPS == 0].max() == 0, f"{placement} {name}"
            assert values[cases.person % GROUPS != 0].max() > 0, f"{placement} {name}"


def test_a_catalogue_that_was_imported_after_the_judged_days_is_judged_as_one_of_before(paths: Paths) -> None:
    publish(paths, acts(DAYS))
    run(paths, "train", "evaluate", "judge")
    folder = candidate_folder(paths, "a")
    _, first = read_served(folder)
    publish(paths, acts(DAYS), [state(item, START + timedelta(days=DAYS), 1000, 0) for item in range(ITEMS)])
    run(paths, "judge")
    _, again = read_served(folder)
    for placement, cases in first.items():
        for name, values in cases.values.items():
            assert again[placement].values[name].tolist() == values.tolist(), f"{placement} {name}"


def instant(day: int, at: str) -> np.datetime64:
    return np.datetime64(f"2026-09-{day:02}T{at}", "us")


ROWS = [  # person, item, kind, when it happened, minutes until it was known
    (0, 3, "view", instant(1, "10:00"), 0),
    (0, 0, "view", instant(12, "09:00"), 0),
    (0, 1, "add", instant(12, "10:00"), 0),
    (0, 0, "view", instant(12, "10:05"), 0),
    (0, 4, "view", instant(12, "10:06"), 60),
    (0, 2, "pay", instant(12, "10:10"), 0),
    (0, 2, "view", instant(12, "10:12"), 0),
    (0, 1, "pay", instant(13, "10:00"), 0),
    (1, 1, "view", instant(12, "10:00"), 0),
]


def few_acts() -> Interactions:
    person, item, kind, at, late = zip(*ROWS, strict=True)
    known_at = np.array(at) + np.array(late) * np.timedelta64(1, "m")
    ids = np.array(["p", "q"]), np.array(["a", "b", "c", "d", "e"])
    return Interactions(*ids, np.array(person), np.array(item), np.array(kind), np.array(at), known_at)


def test_last_acts_are_of_any_age_as_they_were_known_then_and_no_payment_is_among_them() -> None:
    at = LastActs(few_acts()).at(0, instant(12, "10:11"))
    days = 11 * 86_400 + 11 * 60
    assert (at[0].tolist(), at[1].tolist()) == ([0, 1, 3], [360.0, 660.0, float(days)])
    assert LastActs(few_acts()).at(1, instant(12, "09:59"))[0].tolist() == []


def test_requests_say_what_a_storefront_says() -> None:
    window = SplitWindow(instant(10, "00:00"), instant(11, "00:00"), instant(20, "00:00"))
    nothing = np.zeros(5, dtype=np.bool_)

    def asked(placement: Any) -> list[Any]:
        return list(requests(placement, "s", cases_of(placement, few_acts(), window, nothing), few_acts()))

    page, last = asked("item")[0]
    assert (page.item_id, page.persons, page.order, page.cart) == ("a", ("p",), (), ())
    assert [act.item_id for act in last] == ["a", "b", "d"]  # the page itself is the newest; what was seen a week ago is there
    [(paid, last)] = asked("after_payment")
    assert (paid.order, paid.item_id) == (("c",), None)
    assert [act.item_id for act in last] == ["a", "b", "d"]
    [(home, last)] = asked("home")
    assert (home.order, home.cart, home.item_id) == ((), (), None)
    assert last == [LastAct("d", 8 * 86_400 + 14 * 3600.0)]


def test_acts_of_persons_who_ask_nothing_are_not_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    window = SplitWindow(instant(10, "00:00"), instant(11, "00:00"), instant(20, "00:00"))
    read: list[list[str]] = []

    def spy(acts: Interactions) -> LastActs:
        read.append(acts.person_ids.tolist())
        return LastActs(acts)

    monkeypatch.setattr(past_questions, "LastActs", spy)
    cases = cases_of("item", few_acts(), window, np.zeros(5, dtype=np.bool_))
    assert {request.persons for request, _ in requests("item", "s", cases, few_acts())} == {("p",)}
    assert read == [["p"]]
