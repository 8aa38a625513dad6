"""Train, evaluate, gate and publish over several shops: each by itself, and too little is no error."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jishi.paths import Paths
from jishi.shop_runs import JobResult, ShopRuns, read_run
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_EVENTS, SILVER_INTERACTIONS, SILVER_ITEMS
from models.data.short_histories import short_histories
from models.data.split import TooShort
from models.evaluation.time_split import NobodyToTest
from models.release.checks import LEAST_PERSONS, TooFewPersons
from models.release.registry import current_version
from models.steps import run_step
from models.training.train import train
from serving.judge import judge_served
from tests.lake import newest, publish, record
from tests.release_steps import RELEASE_STEPS

START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
RUN = "daily.manual"
SHOPS = ("bare", "few", "full", "views")  # an empty catalogue and nothing else; three days of orders; all there is; only views


def acts(shop_id: str, kind: str, days: int, persons: int = 60) -> list[dict[str, Any]]:
    """Persons with one of four tastes of ten items, who keep to it."""
    luck, rows = random.Random(3), []
    for person in range(persons):
        for day in range(days):
            if luck.random() < 0.5:
                at = START + timedelta(days=day, seconds=luck.randrange(86_400))
                item = luck.randrange(10) * 4 + person % 4
                row = {"shop_id": shop_id, "person_id": f"p{person:02}", "item_id": f"i{item:02}", "kind": kind}
                row |= {"event_id": f"e{len(rows)}", "line_number": 1, "quantity": 1}
                rows.append(row | {"occurred_at": at, "received_at": at + timedelta(seconds=1)})
    return rows


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(var=tmp_path / "var", envs=tmp_path)
    with Shops.edit(paths.shops_file) as shops:
        for shop_id in SHOPS:
            shops.add(Shop(shop_id=shop_id, name=shop_id))
    items = [{"shop_id": s, "item_id": f"i{item:02}"} for s in SHOPS[1:] for item in range(40)]
    interactions = [*acts("full", "pay", 20), *acts("few", "pay", 3), *acts("views", "view", 20)]
    record(paths.var, {SILVER_ITEMS: items, SILVER_EVENTS: [], SILVER_INTERACTIONS: interactions})
    return paths


def run(paths: Paths, step: str, shops: tuple[str, ...] = SHOPS, *, run_id: str | None = None, **options: Any) -> JobResult:
    runs = ShopRuns(paths, step, run_id)
    return run_step(paths, newest(paths.var), step, shops, runs, step=judge_served if step == "judge" else None, **options)


@pytest.mark.parametrize("run_id", [None, RUN])
def test_a_shop_with_too_little_has_nothing_to_do_in_every_step(paths: Paths, run_id: str | None) -> None:
    before = None
    for step in RELEASE_STEPS:
        result = run(paths, step, run_id=run_id, after=before if run_id else None)
        assert result.exit_code == 0, result.failed
        states = {row.shop_id: row.state for row in result.shops}
        if run_id is None or step == "train":
            assert states == {"full": "done"} | dict.fromkeys(("bare", "few", "views"), "nothing to do"), step
        else:
            assert states == {"full": "done"}, step
            assert result.not_ready == ["bare", "few", "views"]
        before = step
    assert current_version(paths.models, "full") is not None
    assert [current_version(paths.models, shop_id) for shop_id in ("bare", "few", "views")] == [None] * 3


def test_the_reason_says_what_is_missing(paths: Paths) -> None:
    reasons = {row.shop_id: row.reason for row in run(paths, "train").shops}
    assert "no interactions" in reasons["bare"]
    assert reasons["few"] == "only 3 days with payments; 14 are needed to judge a model"
    assert reasons["views"] == "only 0 days with payments; 14 are needed to judge a model"


def test_a_damaged_candidate_is_its_shops_failure_and_is_trained_and_judged_again(paths: Paths) -> None:
    record(paths.var, {SILVER_INTERACTIONS: [*acts("full", "pay", 20), *acts("few", "pay", 20)]})
    shops = ("few", "full")
    run(paths, "train", shops)
    candidate = (paths.models / "few" / "candidates" / "LATEST").read_text().strip()
    damaged = paths.models / "few" / "candidates" / candidate / "window" / "als.npz"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1])
    first = run(paths, "evaluate", shops, run_id=RUN)
    assert first.exit_code == 3
    assert [(row.shop_id, "als.npz" in row.reason) for row in first.failed] == [("few", True)]
    damaged.write_bytes(whole)
    again = run(paths, "evaluate", shops, run_id=RUN)
    assert ([row.shop_id for row in again.shops], again.earlier, again.exit_code) == (["few"], ["full"], 0)
    assert {row.state for row in read_run(paths, RUN)["evaluate"].values()} == {"done"}


def test_a_shop_that_grew_is_learnt_from(paths: Paths) -> None:
    assert [row.state for row in run(paths, "train", ("few",)).shops] == ["nothing to do"]
    record(paths.var, {SILVER_INTERACTIONS: acts("few", "pay", 20)})
    for step in RELEASE_STEPS:
        assert [row.state for row in run(paths, step, ("few",)).shops] == ["done"], step


def test_a_shop_that_nobody_knows_fails(paths: Paths) -> None:
    result = run(paths, "train", ("typo",))
    assert (result.exit_code, result.failed[0].reason) == (1, "unknown shop 'typo'; known: bare, few, full, views")


def test_a_shop_whose_models_come_from_tables_is_left_to_spark(paths: Paths) -> None:
    with Shops.edit(paths.shops_file) as shops:
        shops.choose_models("full", "tables")
    assert [row.state for row in run(paths, "train", ("full",)).shops] == ["nothing to do"]
    failed = run(paths, "train", ("full",), from_spark=True).failed
    assert [row.shop_id for row in failed] == ["full"]
    assert "spark_jobs" in failed[0].reason  # no tables yet: the message names the command that makes them


def test_a_shop_that_the_gate_would_refuse_for_its_few_customers_is_not_trained(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same shop, trained all the same, is refused by the gate in the same words; one customer more, and it is trained."""
    few, enough = acts("few", "pay", 20, LEAST_PERSONS - 1), acts("full", "pay", 20, LEAST_PERSONS)
    record(paths.var, {SILVER_INTERACTIONS: [*few, *enough]})
    shops = ("few", "full")
    results = {step: {row.shop_id: row for row in run(paths, step, shops).shops} for step in RELEASE_STEPS}
    reason = f"{LEAST_PERSONS - 1} test customers, at least {LEAST_PERSONS} are needed"
    for step, rows in results.items():
        assert {shop_id: row.state for shop_id, row in rows.items()} == {"few": "nothing to do", "full": "done"}, step
        assert rows["few"].reason == reason, step
    assert [file.name for file in (paths.models / "few" / "candidates").iterdir()] == ["TOO_LITTLE"]
    assert gate_of(paths, "full")["enough_persons"]["is_passed"]
    monkeypatch.setattr("models.training.train.refuse_too_few", lambda persons: None)
    for step in RELEASE_STEPS:
        assert [row.state for row in run(paths, step, ("few",)).shops] == ["done"], step
    assert gate_of(paths, "few")["enough_persons"] == {"name": "enough_persons", "is_passed": False, "sentence": reason}
    assert current_version(paths.models, "few") is None


def gate_of(paths: Paths, shop_id: str) -> dict[str, Any]:
    """The gate's checks of the newest candidate by name."""
    folder = paths.models / shop_id / "candidates"
    decision = json.loads((folder / (folder / "LATEST").read_text().strip() / "gate.json").read_text())
    return {check["name"]: check for check in decision["checks"]}


def test_rows_that_cannot_be_read_are_the_fault_of_the_shop_that_they_are_of(tmp_path: Path) -> None:
    paths = Paths(var=tmp_path / "var", envs=tmp_path)
    with Shops.edit(paths.shops_file) as shops:
        for shop_id in ("few", "views"):
            shops.add(Shop(shop_id=shop_id, name=shop_id))
    items = [{"shop_id": "few", "item_id": "i00"}, {"shop_id": "views", "item_id": "i00"}]
    publish(paths.var, {SILVER_ITEMS: items, SILVER_INTERACTIONS: [*acts("few", "pay", 3), *acts("views", "view", 3)]})
    lake = newest(paths.var)
    [(sound, _), (damaged, file)] = [
        (pq.ParquetFile(each.path).read(["shop_id"])["shop_id"][0].as_py(), Path(each.path))
        for each in lake.plan(SILVER_INTERACTIONS.name).files
    ]
    content = file.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    file.write_bytes(content[:4] + bytes(footer - 4) + content[footer:])
    result = run(paths, "train", (sound, damaged))
    assert {row.shop_id: row.is_failed for row in result.shops} == {sound: False, damaged: True}
    assert short_histories(lake, [sound, damaged]) == {}


@pytest.mark.parametrize("seed", range(5))
def test_what_is_said_of_many_shops_at_once_is_what_training_says_of_each(paths: Paths, seed: int) -> None:
    """Days that only views, strangers to the catalogue or nobody's acts are on do not count, here as there."""
    luck, rows = random.Random(seed), []
    shops = [f"s{number}" for number in range(12)]
    for shop_id in shops:
        for day in luck.sample(range(30), luck.randint(12, 29)):
            at = START + timedelta(days=day, seconds=luck.randrange(86_400))
            row = {"shop_id": shop_id, "item_id": "i1", "event_id": f"e{len(rows)}", "line_number": 1, "quantity": 1}
            row |= {"person_id": "p1", "kind": "pay", "occurred_at": at, "received_at": at}
            others: list[dict[str, Any]] = [{"kind": "view"}, {"item_id": "unlisted"}, {"person_id": None}, *([{}] * 9)]
            rows += [row | luck.choice(others)]
    items = [{"shop_id": shop_id, "item_id": "i1"} for shop_id in shops]
    record(paths.var, {SILVER_ITEMS: items, SILVER_INTERACTIONS: rows})
    lake = newest(paths.var)
    short = {shop_id: str(error) for shop_id, error in short_histories(lake, [*shops, "bare"]).items()}
    refused = {}
    for shop_id in shops:
        try:
            train(paths, lake, shop_id)
        except TooShort as error:
            refused[shop_id] = str(error)
        except (NobodyToTest, TooFewPersons):
            pass
    assert short == refused
    assert short
    assert len(short) < len(shops)
