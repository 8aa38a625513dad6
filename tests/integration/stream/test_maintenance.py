"""Compaction and expiry beside the stream's appends, and a job that goes back to the oldest checkpoint that it has."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

import pytest
from confluent_kafka import Producer

from jishi import topics
from jishi.lake.catalog import open_catalog
from jishi.settings import PROJECT_ROOT
from tests.log_records import view_of

pytestmark = pytest.mark.integration


def send(stream: Any, seqs: Iterable[int], pause_s: float) -> None:
    producer = Producer({"bootstrap.servers": stream.bootstrap, "enable.idempotence": True})
    for seq in seqs:
        record = view_of(seq)
        producer.produce(topics.EVENTS.name, json.dumps(record).encode(), key=f"a|{record['person_id']}".encode())
        time.sleep(pause_s)
        producer.poll(0)
    assert producer.flush(30) == 0


def wait_for_rows(stream: Any, count: int) -> None:
    deadline = time.monotonic() + 180
    while stream.live_events.count() < count:
        assert time.monotonic() < deadline, stream.log_text()
        time.sleep(0.2)


def files(stream: Any) -> int:
    table = open_catalog(stream.settings).load_table("bronze.events")
    return table.inspect.files().num_rows


def snapshots(stream: Any) -> int:
    return len(open_catalog(stream.settings).load_table("bronze.events").snapshots())


def maintain(stream: Any) -> str:
    command = [sys.executable, "-m", "spark_jobs", "maintain", "--table", "bronze/events"]
    keep = {"JISHI_LAKE_LIVE_COMMITS": "20", "JISHI_SPARK_MASTER": "local[1]", "JISHI_SPARK_DRIVER_MEMORY": "1g"}
    done = subprocess.run(
        command, cwd=PROJECT_ROOT, env=stream.environment | keep, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_nothing_is_lost_or_doubled(stream: Any) -> None:
    stream.start()
    send(stream, range(200), pause_s=0.15)  # half a minute, and with it as many commits
    wait_for_rows(stream, 200)
    assert files(stream) > 10
    appending = threading.Thread(target=send, args=(stream, range(200, 300), 0.3))
    appending.start()
    output = maintain(stream)
    appending.join()
    assert "files joined to" in output
    wait_for_rows(stream, 300)
    assert sorted(row["seq"] for row in stream.archived()) == list(range(300))

    send(stream, range(300, 330), pause_s=0.15)  # several commits that the oldest checkpoint does not know
    wait_for_rows(stream, 330)
    stream.kill()
    kept = sorted(stream.paths.flink.glob("checkpoints/*/*/chk-*"), key=lambda folder: int(folder.name.removeprefix("chk-")))
    assert len(kept) >= 3
    for newer in kept[1:]:
        shutil.rmtree(newer)
    maintain(stream)  # while the stream is down
    assert files(stream) <= 5
    assert 20 <= snapshots(stream) <= 25
    send(stream, range(330, 340), pause_s=0)
    stream.start()
    wait_for_rows(stream, 340)
    time.sleep(3)  # a repeated row would come with the next commit
    assert sorted(row["seq"] for row in stream.archived()) == list(range(340))
    assert "commits that the job's state does not know" in stream.log_text()
