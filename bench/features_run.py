"""``python -m bench.features_run`` (in the flink environment): one job over a folder of records, and its rate.

The job runs until its source has read everything and is then cancelled. Back-pressure makes the rate of reading the rate of the
whole job, sink included; only the rest of the log after a warm-up counts, so that neither the start of the JVM nor its compiler
are in it. What a bounded log would add, all windows firing at its end, is not in it either.
"""

from __future__ import annotations

import argparse
import json
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from pyflink.common import Configuration
from pyflink.common.job_client import JobClient
from pyflink.datastream import StreamExecutionEnvironment

from bench.features_baseline import python_job, worker_options
from flink_jobs import engine
from flink_jobs.job import features_job
from flink_jobs.plan import compile_job
from jishi.features import live_views, views
from jishi.paths import Paths
from jishi.settings import get_settings
from ops.ports import free_port

POLL_S = 2.0
_SINK = "Writer"  # is in the name of the task that writes files, of SQL's sink and of the DataStream API's


@dataclass(frozen=True)
class Sample:
    """What a job has done at a moment: records that its source gave on, rows that came to its sink, processor seconds."""

    at_s: float
    read: int
    written: int
    cpu_s: float


def rate(samples: list[Sample], warm: int) -> dict[str, Any]:
    """Records and messages a second between the first sample beyond ``warm`` records and the last."""
    first = next(sample for sample in samples if sample.read >= warm)
    last = next(sample for sample in samples if sample.read == samples[-1].read)
    seconds = last.at_s - first.at_s
    return {
        "events": last.read - first.read,
        "seconds": round(seconds, 1),
        "events_per_s": round((last.read - first.read) / seconds),
        "messages_per_s": round((last.written - first.written) / seconds),
        "cpu_us_per_event": round((last.cpu_s - first.cpu_s) * 1e6 / (last.read - first.read)),
    }


def watch(base: str, job_id: str, total: int, jvm: psutil.Process) -> tuple[list[Sample], dict[str, float]]:
    """Look at the job until its source has given on ``total`` records; samples, and busy seconds of each task.

    Raises RuntimeError when the job ends without having read them.
    """
    samples: list[Sample] = []
    while not samples or samples[-1].read < total:
        time.sleep(POLL_S)
        job = _get(f"{base}/jobs/{job_id}")
        inputs = {node["id"]: [source["id"] for source in node.get("inputs", [])] for node in job["plan"]["nodes"]}
        tasks = {vertex["id"]: vertex["metrics"] for vertex in job["vertices"]}
        read = sum(metrics["write-records"] for name, metrics in tasks.items() if not inputs[name])
        written = sum(vertex["metrics"]["read-records"] for vertex in job["vertices"] if _SINK in vertex["name"])
        samples.append(Sample(time.monotonic(), read, written, _cpu_s(jvm)))
        if job["state"] in ("FAILED", "CANCELED", "FINISHED") and read < total:
            raise RuntimeError(f"the job is {job['state']} after {read} of {total} records")
    return samples, {vertex["name"]: vertex["metrics"]["accumulated-busy-time"] / 1000 for vertex in job["vertices"]}


def _cpu_s(jvm: psutil.Process) -> float:
    """Processor seconds of the JVM and of the Python workers below it."""
    times = [process.cpu_times() for process in (jvm, *jvm.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def submit_sql(options: dict[str, str], source: Path, target: Path, is_live: bool) -> JobClient:
    """Start the SQL job over the folder."""
    job = features_job(get_settings(), live_views() if is_live else views(), source=source, target=target)
    client = compile_job(engine.table_environment(options), job).execute().get_job_client()
    assert client is not None
    return client


def submit_python(options: dict[str, str], source: Path, target: Path) -> JobClient:
    """Start the baseline over the folder."""
    configuration = Configuration()
    for key, value in (options | worker_options()).items():
        configuration.set_string(key, value)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    python_job(environment, source, target, get_settings())
    return environment.execute_async("python features")


def run_job() -> None:
    """Run one job and print what was measured as one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.features_run", description=__doc__)
    parser.add_argument("--job", choices=("live", "all", "python"), required=True, help="SQL with these views, or the baseline")
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--records", type=int, required=True, help="in the source")
    parser.add_argument("--warm", type=int, required=True, help="records before the measured part")
    parser.add_argument("--parallelism", type=int, default=1)
    chosen = parser.parse_args()
    settings, target, port = get_settings(), chosen.target.absolute(), free_port()
    jvm = engine.start_jvm(Paths(var=target / "flink", envs=settings.envs), settings.flink_jvm)
    options = engine.computing_options(chosen.parallelism) | {
        "execution.checkpointing.interval": "10 s",
        "execution.checkpointing.dir": (target / "checkpoints").as_uri(),
        "restart-strategy.type": "none",
        "rest.address": "127.0.0.1",
        "rest.port": str(port),
        "metrics.fetcher.update-interval": "1000",
    }
    try:
        source = chosen.source.absolute()
        if chosen.job == "python":
            client = submit_python(options, source, target)
        else:
            client = submit_sql(options, source, target, chosen.job == "live")
        samples, busy_s = watch(f"http://127.0.0.1:{port}", str(client.get_job_id()), chosen.records, jvm)
        client.cancel().result()
    finally:
        engine.stop_jvm(jvm)
    print(json.dumps(rate(samples, chosen.warm) | {"busy_s": busy_s}))


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    run_job()
