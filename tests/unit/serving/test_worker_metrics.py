"""One page of metrics for several processes: what each has counted, the worst state, a silent one is counted."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving import worker_metrics
from serving.metrics import ServingMetrics
from serving.recent import Recent
from serving.served_log import ServedLog
from serving.shop_state import ShopStates
from serving.stream import StreamHealth
from serving.worker_metrics import WorkerMetrics


def metrics_of(folder: Path, *, answers: int, lag: int) -> ServingMetrics:
    log = ServedLog(folder / str(answers), "1", 1.0)
    metrics = ServingMetrics(ShopStates(), StreamHealth(lag={0: lag}), Recent(), log, time.time)
    for number in range(answers):
        metrics.count(200, "popular", 0.002 if number else 2.0)
    return metrics


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Callable[[WorkerMetrics], int]]:
    """Starts a process that is worker 1 and has given five answers."""
    pids = []

    def start(workers: WorkerMetrics) -> int:
        if pid := os.fork():
            pids.append(pid)
            return pid
        try:
            workers.number = 1
            workers.answer(metrics_of(tmp_path, answers=5, lag=70).of_process)
        finally:
            os._exit(1)

    yield start
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def samples(page: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_counters_are_by_process_and_the_worst_state_shows(tmp_path: Path, another: Callable[[WorkerMetrics], int]) -> None:
    workers, first = WorkerMetrics(2), metrics_of(tmp_path, answers=3, lag=7)
    alone = samples(first.page())
    another(workers)
    first.workers = workers
    both = samples(first.page())
    answered = ("jishi_recommendation_requests_total", (("served_by", "popular"), ("status", "200")))
    assert alone[answered] == 3
    for worker, count in (("0", 3), ("1", 5)):
        label = ("worker", worker)
        assert both[answered[0], (*answered[1], label)] == count
        assert both["jishi_recommendation_seconds_bucket", (("le", "0.0025"), label)] == count - 1
        assert both["jishi_recommendation_seconds_count", (label,)] == count
    assert both["jishi_serving_stream_lag_records", (("partition", "0"),)] == 70
    assert both["jishi_serving_silent_workers", ()] == 0
    assert {name for name, _ in both} == {name for name, _ in alone}


def test_a_process_that_hangs_is_counted_and_the_others_are_shown(
    tmp_path: Path, another: Callable[[WorkerMetrics], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_metrics, "_WAIT_S", 0.1)
    workers, first = WorkerMetrics(2), metrics_of(tmp_path, answers=3, lag=7)
    os.kill(another(workers), signal.SIGSTOP)
    first.workers = workers
    shown = samples(first.page())
    assert shown["jishi_serving_silent_workers", ()] == 1
    assert shown["jishi_recommendation_seconds_count", (("worker", "0"),)] == 3


def test_a_process_that_answers_alone_has_no_silent_ones(tmp_path: Path) -> None:
    page = metrics_of(tmp_path, answers=1, lag=0).page().decode()
    assert "\njishi_serving_silent_workers 0.0\n" in page
