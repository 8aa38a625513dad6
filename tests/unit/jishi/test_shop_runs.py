"""Shops apart: one failure is one shop's, and a retry does what is left."""

from __future__ import annotations

import io
import logging
import multiprocessing
from pathlib import Path

import pytest
from rich.console import Console

from jishi.paths import Paths
from jishi.shop_runs import BadRunId, JobResult, NothingToDo, ShopResult, ShopRuns, for_each, forget_runs, read_run

RUN = "daily.scheduled__2026-11-24T00:15:00+00:00"


class WrongData(ValueError):
    """What the data of a shop may cause."""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(var=tmp_path / "var", envs=tmp_path / "envs")


class Work:
    """Fails for the shops that are named, and remembers which shops it was called for."""

    def __init__(self, **errors: Exception) -> None:
        self.errors = errors
        self.called: list[str] = []

    def __call__(self, shop_id: str) -> str:
        self.called.append(shop_id)
        if shop_id in self.errors:
            raise self.errors[shop_id]
        return f"result of {shop_id}"


def run(
    paths: Paths, work: Work, shops: list[str], run_id: str | None = RUN, job: str = "train", workers: int = 1, **options: str
) -> JobResult:
    runs = ShopRuns(paths, job, run_id)
    return for_each(shops, work, runs, failures=(WrongData,), workers=workers, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [1, 3])
def test_one_shop_that_fails_leaves_the_others_and_is_named(paths: Paths, workers: int) -> None:
    result = run(paths, Work(b=WrongData("no such item")), ["a", "b", "c"], workers=workers)
    assert [(row.shop_id, row.state, row.reason) for row in result.shops] == [
        ("a", "done", ""),
        ("b", "failed", "no such item"),
        ("c", "done", ""),
    ]
    assert result.exit_code == 3


def test_a_retry_takes_up_the_failed_shop_only(paths: Paths) -> None:
    run(paths, Work(b=WrongData("x"), c=NothingToDo("no orders")), ["a", "b", "c"])
    again = Work()
    result = run(paths, again, ["a", "b", "c"])
    assert again.called == ["b"]
    assert result.exit_code == 0
    assert result.earlier == ["a", "c"]


def test_a_new_series_and_a_run_without_an_id_do_every_shop(paths: Paths) -> None:
    for run_id in (RUN, f"{RUN}@5", None, None):
        work = Work()
        run(paths, work, ["a", "b"], run_id)
        assert work.called == ["a", "b"], run_id
    assert [folder.name for folder in paths.runs.iterdir()] == [RUN]


def test_a_shop_with_nothing_to_do_is_no_failure(paths: Paths) -> None:
    result = run(paths, Work(a=NothingToDo("no orders yet")), ["a"])
    assert result.exit_code == 0
    assert result.sentence == "0 done, 1 with nothing to do, 0 failed"


def test_an_unexpected_error_is_the_shops_with_a_traceback_and_an_exit_code_of_its_own(
    paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        result = run(paths, Work(b=ZeroDivisionError("division by zero")), ["a", "b", "c"])
    assert [row.state for row in result.shops] == ["done", "unexpected", "done"]
    assert result.shops[1].reason == "ZeroDivisionError: division by zero"
    assert result.exit_code == 4
    assert "Traceback" in caplog.text
    assert "shop b failed unexpectedly" in caplog.text


def test_an_interrupt_is_nobodys_failure(paths: Paths) -> None:
    def work(shop_id: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        for_each(["a"], work, ShopRuns(paths, "train", RUN), failures=(WrongData,))
    assert read_run(paths, RUN) == {}


def test_when_every_shop_fails_the_exit_code_is_that_of_a_failed_job(paths: Paths) -> None:
    assert run(paths, Work(a=WrongData("x")), ["a"]).exit_code == 1
    assert run(paths, Work(a=WrongData("x")), ["a", "b"]).exit_code == 3


def test_a_later_job_takes_up_only_shops_that_the_job_before_has_done(paths: Paths) -> None:
    run(paths, Work(b=WrongData("x"), c=NothingToDo("no orders")), ["a", "b", "c", "d"])
    later = Work()
    result = run(paths, later, ["a", "b", "c", "d"], f"{RUN}@7", "evaluate", after="train")
    assert later.called == ["a", "d"]
    assert result.not_ready == ["b", "c"]
    assert result.exit_code == 0


def test_results_of_a_run_are_read_by_job_the_newest_of_each_shop(paths: Paths) -> None:
    run(paths, Work(b=WrongData("x")), ["a", "b"])
    run(paths, Work(b=WrongData("y")), ["a", "b"])
    run(paths, Work(), ["a"], job="gate")
    results = read_run(paths, RUN)
    assert {job: {shop: (row.state, row.reason) for shop, row in rows.items()} for job, rows in results.items()} == {
        "train": {"a": ("done", ""), "b": ("failed", "y")},
        "gate": {"a": ("done", "")},
    }


def test_a_line_that_a_crash_cut_off_counts_as_not_written(paths: Paths) -> None:
    run(paths, Work(), ["a", "b"])
    ledger = paths.runs / RUN / "train.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    again = Work()
    run(paths, again, ["a", "b", "c"])
    assert again.called == ["b", "c"]
    last = Work()
    run(paths, last, ["a", "b", "c"])
    assert last.called == []


def _record_many(paths: Paths, name: str) -> None:
    runs = ShopRuns(paths, "silver", RUN)
    for number in range(100):
        runs.record(ShopResult(f"{name}{number}", "done"))


def test_two_processes_record_into_one_run_and_nothing_is_lost(paths: Paths) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_record_many, args=(paths, name)) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert set(read_run(paths, RUN)["silver"]) == {f"{name}{number}" for name in "ab" for number in range(100)}


@pytest.mark.parametrize("run_id", ["../x", "a b", "", "a@", "a@b", "a/b"])
def test_a_run_id_cannot_leave_its_folder(paths: Paths, run_id: str) -> None:
    with pytest.raises(BadRunId, match="is no run id"):
        ShopRuns(paths, "train", run_id)


@pytest.mark.parametrize("run_id", [".", "..", "..@1"])
def test_a_run_id_of_dots_names_no_folder_above(paths: Paths, run_id: str) -> None:
    with pytest.raises(BadRunId, match="is no run id"):
        ShopRuns(paths, "train", run_id)


def test_old_runs_are_forgotten(paths: Paths) -> None:
    for number in range(5):
        run(paths, Work(), ["a"], f"run{number}")
    assert forget_runs(paths, keep=2) == 3
    assert len(list(paths.runs.iterdir())) == 2


def test_the_table_of_many_shops_shows_those_that_are_not_done() -> None:
    shops = [ShopResult(f"shop-{number}", "done") for number in range(60)] + [ShopResult("odd", "failed", "no such item")]
    out = io.StringIO()
    JobResult("train", shops).show(Console(file=out, width=120))
    assert "60 done, 0 with nothing to do, 1 failed" in out.getvalue()
    assert "no such item" in out.getvalue()
    assert "shop-7" not in out.getvalue()
