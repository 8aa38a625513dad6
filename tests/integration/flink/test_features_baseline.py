"""The job in Python functions, with which ``jishi bench features`` compares, computes the same messages as the SQL job."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from jishi.features import live_views
from jishi.settings import Settings

pytestmark = pytest.mark.integration


def messages(folder: Path) -> Counter[str]:
    files = [file for file in folder.rglob("part-*") if file.is_file()]
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return Counter(f"{row['message_key']} {json.dumps(json.loads(row['message']), sort_keys=True)}" for row in rows)


def test_the_baseline_tells_the_same_messages(flink: Path) -> None:
    from pyflink.common import Configuration
    from pyflink.datastream import StreamExecutionEnvironment

    from bench.feature_log import records
    from bench.features_baseline import python_job, worker_options
    from flink_jobs import engine
    from flink_jobs.job import features_job
    from flink_jobs.replay import run_bounded

    source, settings = flink / "baseline-log", Settings()
    source.mkdir()
    lines = [json.dumps(record) for record in records(150, per_s=1, seed=3, persons=4, items=60)]
    (source / "part-0.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run_bounded(features_job(settings, live_views(), source=source, target=flink / "sql"), flink / "sql-checkpoints")

    configuration = Configuration()
    options = engine.computing_options(1) | {"execution.checkpointing.interval": "10 s", "restart-strategy.type": "none"}
    for key, value in (options | worker_options()).items():
        configuration.set_string(key, value)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    python_job(environment, source, flink / "python", settings)
    environment.execute("baseline")

    expected = messages(flink / "sql" / "features")
    assert len(expected) > 1000
    assert messages(flink / "python" / "features") == expected
