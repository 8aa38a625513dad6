"""``python -m chaos.soak`` (``make soak``): simulated shops trade for a while and hourly runs go on; nothing may grow.

Traffic is that of ``simulator --process wandering``: tastes move, things sell out, orders are refunded. An "hour" is some
minutes: silver of the day, marts, and the upkeep of the lake. Exit code 0 when everything stayed flat, 1 when
something grew, 2 when the run itself failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from chaos.soak_report import write_soak_report
from chaos.soak_run import UPKEPT, PlatformSample, SoakRun
from chaos.stage import Stage, chosen_store, make_stage
from jishi.command_line import KEY_VARIABLE
from jishi.files import write_json
from jishi.heartbeat import last_beat
from jishi.settings import PROJECT_ROOT
from jishi.shops import Shop, Shops
from ops.lifecycle import PlatformError
from ops.supervisor import states

SHOPS = ("lanting", "shanhai")
LOOK_EVERY_S, RUN_TIMEOUT_S, WARM_UP_SHARE, WINDOW_SHARE = 10.0, 900.0, 0.4, 0.3
# What may be more at the end than in the middle: of memory and state by share, of files and lag by number.
MOST_GROWTH = {"memory": 1.15, "state": 1.5, "files": 1.3, "bytes per event": 1.15}
SLACK = {"memory": 10.0, "state": 5.0, "files": 20.0, "bytes per event": 0.0}
MOST_LAG = 5_000


def look(stage: Stage) -> PlatformSample:
    """Take a sample."""
    paths = stage.paths
    files = {name: _count(paths.var / folder)[0] for name, folder in UPKEPT.items()}
    beat = last_beat(paths, "forwarder")
    facts = beat.facts if beat is not None else {}
    return PlatformSample(
        time.time(),
        _memory(stage),
        files,
        _count(paths.var)[1] / 2**20,
        _count(paths.flink / "checkpoints")[1] / 2**20,
        int(facts.get("lag", 0)),
        int(facts.get("forwarded", 0)),
    )


def soak(stage: Stage, seconds: float, *, per_s: float, hour_s: float) -> SoakRun:
    """Trade on a platform that is not started yet; it is down afterwards. Raises PlatformError."""
    keys = _register(stage)
    stage.up(lambda line: print(f"  {line}", flush=True))
    run = SoakRun(time.time())
    deadline, due = run.began + seconds, run.began + hour_s / 2
    traffic = [_trade(stage, shop_id, keys[shop_id], seconds, per_s / len(SHOPS)) for shop_id in SHOPS]
    hourly: subprocess.Popen[bytes] | None = None
    waiting: list[tuple[str, list[str]]] = []
    began = 0.0
    try:
        while time.time() < deadline:
            run.samples.append(look(stage))
            if hourly is not None and hourly.poll() is not None:
                run.runs.append((began, waiting.pop(0)[0], time.time() - began, hourly.returncode))
                print(f"  {run.runs[-1][1]}: {run.runs[-1][2]:.0f} s, exit {run.runs[-1][3]}", flush=True)
                hourly = None
            if hourly is None and not waiting and time.time() >= due:
                due = time.time() + hour_s
                waiting = commands_of_an_hour(hour_s)
            if hourly is None and waiting:
                began, hourly = time.time(), _start(stage, waiting[0][0], waiting[0][1])
            ended = [each.returncode for each in traffic if each.poll() is not None]
            if any(code != 0 for code in ended):
                raise PlatformError(f"the simulator ended with {ended}; see {stage.paths.log}")
            time.sleep(LOOK_EVERY_S)
        return run
    finally:
        for process in [*traffic, *([hourly] if hourly is not None else [])]:
            process.terminate()
            process.wait(60)
        stage.down()


def commands_of_an_hour(hour_s: float) -> list[tuple[str, list[str]]]:
    """The steps of the DAGs ``hourly`` and ``maintenance``: a name and what comes behind ``python -m``."""
    today = datetime.now(UTC).date().isoformat()
    shops = [word for shop_id in SHOPS for word in ("--shop", shop_id)]
    return [
        ("silver", ["spark_jobs", "silver", "--batch", f"live-{today}", *shops]),
        ("marts", ["ops.marts", "build"]),
        ("upkeep", ["chaos.soak_upkeep", f"{hour_s:g}"]),
        ("retention", ["ops.cli", "retain"]),
    ]


def growth(run: SoakRun) -> list[dict[str, Any]]:
    """What may not grow: the last three tenths of the samples against the three tenths after the start was over, by their
    medians. Files come with each run and go with the upkeep, so that theirs are the fewest of each, which an upkeep left.
    """
    samples = run.samples
    early = samples[int(len(samples) * WARM_UP_SHARE) : int(len(samples) * (WARM_UP_SHARE + WINDOW_SHARE))]
    late = samples[-max(1, int(len(samples) * WINDOW_SHARE)) :]

    def median(samples: Sequence[PlatformSample], value: Callable[[PlatformSample], float]) -> float:
        return statistics.median([value(each) for each in samples] or [0.0])

    def fewest(samples: Sequence[PlatformSample], value: Callable[[PlatformSample], float]) -> float:
        return min([value(each) for each in samples], default=0.0)

    rows = []

    def row(what: str, kind: str, value: Callable[[PlatformSample], float]) -> None:
        level = fewest if kind == "files" else median
        first, last = level(early, value), level(late, value)
        most = first * MOST_GROWTH[kind] + SLACK[kind]
        rows.append({"what": what, "early": first, "late": last, "most": most, "is_flat": last <= most})

    for part in sorted({name for each in samples for name in each.memory_mib}):
        row(f"memory of {part} (MiB)", "memory", partial(_memory_of, part))
    row("state of the stream (MiB)", "state", lambda each: each.state_mib)
    for name in UPKEPT:
        row(f"files of the {name}", "files", partial(_files_of, name))
    row("bytes on disk per event", "bytes per event", lambda each: each.disk_mib * 2**20 / max(1, each.events))
    last = median(late, lambda each: each.lag)
    first = median(early, lambda each: each.lag)
    lag = {"what": "events that wait for the log", "early": first, "late": last, "most": MOST_LAG, "is_flat": last <= MOST_LAG}
    return [*rows, lag]


def _memory_of(part: str, sample: PlatformSample) -> float:
    return sample.memory_mib.get(part, 0.0)


def _files_of(folder: str, sample: PlatformSample) -> float:
    return sample.files[folder]


def _register(stage: Stage) -> dict[str, str]:
    """The shops of the soak; returns their write keys."""
    keys = {}
    with Shops.edit(stage.paths.shops_file) as shops:
        for shop_id in SHOPS:
            shops.add(Shop(shop_id=shop_id, name=shop_id, time_zone="Asia/Shanghai"))
            keys[shop_id] = shops.issue_key(shop_id, "write")
    return keys


def _trade(stage: Stage, shop_id: str, key: str, seconds: float, per_s: float) -> subprocess.Popen[bytes]:
    arguments = ["simulator", "--shop", shop_id, "--users", "500", "--days", "7", "--process", "wandering", "--to", stage.url]
    arguments += ["--rate", f"{per_s:g}", "--seconds", f"{seconds:g}"]
    return _start(stage, f"traffic-{shop_id}", arguments, key)


def _start(stage: Stage, name: str, arguments: list[str], key: str | None = None) -> subprocess.Popen[bytes]:
    stage.paths.log.mkdir(parents=True, exist_ok=True)
    with (stage.paths.log / f"soak-{name}.log").open("ab") as out:
        environment = os.environ | {"PYTHONPATH": str(PROJECT_ROOT)} | ({KEY_VARIABLE: key} if key else {})
        return subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=out, stderr=subprocess.STDOUT, cwd=PROJECT_ROOT, env=environment
        )


def _memory(stage: Stage) -> dict[str, float]:
    """Resident MiB of each part's process and its children."""
    memory = {}
    for name, info in states(stage.paths).items():
        try:
            process = psutil.Process(info["pid"])
            memory[name] = sum(_resident(each) for each in [process, *process.children(recursive=True)]) / 2**20
        except psutil.NoSuchProcess:
            continue
    return memory


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _count(folder: Path) -> tuple[int, int]:
    """Files below a folder and their bytes; what goes meanwhile counts as nothing."""
    files = size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(root, name)).st_size
                files += 1
            except FileNotFoundError:
                continue
    return files, size


def main(arguments: list[str] | None = None) -> int:
    """Run once; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1200, help="of traffic (%(default)s)")
    parser.add_argument("--rate", type=float, default=40, help="events a second of all shops (%(default)s)")
    parser.add_argument("--hour", type=float, default=240, help="seconds between the starts of hourly runs (%(default)s)")
    parser.add_argument("--store", choices=("redis", "sqlite"), help="online store; left out: redis where it is installed")
    parser.add_argument("--folder", type=Path, help="state of the run, kept; left out: a temporary one, kept on a failure")
    parser.add_argument("--report", action="store_true", help="write docs/operations/soak.md and docs/images/soak.png")
    chosen = parser.parse_args(arguments)
    # So that what is kept for a day or a hundred versions on a real platform is bounded within minutes here.
    os.environ |= {"JISHI_LAKE_KEEP_HOURS": "1", "JISHI_LAKE_VERSIONS": "3", "JISHI_LAKE_LIVE_COMMITS": "20"}
    folder = (chosen.folder or Path(tempfile.mkdtemp(prefix="jishi-soak-"))).absolute()
    stage = make_stage(folder, PROJECT_ROOT / ".envs", chosen_store(chosen.store))
    try:
        run = soak(stage, chosen.seconds, per_s=chosen.rate, hour_s=chosen.hour)
    except PlatformError as error:
        print(f"soak: {error}; the state of the run is in {folder}", file=sys.stderr)
        return 2
    rows = growth(run)
    failed = [command for _, command, _, code in run.runs if code != 0]
    write_json(folder / "run" / "chaos" / "soak.json", asdict(run) | {"growth": rows})
    for row in rows:
        mark = "✓" if row["is_flat"] else "✗"
        print(f"{mark} {row['what']}: {row['early']:.0f} then {row['late']:.0f}, at most {row['most']:.0f}")
    print(f"{len(run.runs)} commands of hourly runs, failed: {', '.join(failed) or 'none'}")
    if chosen.report:
        command = f'make soak ARGS="--seconds {chosen.seconds:g} --rate {chosen.rate:g} --hour {chosen.hour:g}"'
        write_soak_report(run, rows, command, PROJECT_ROOT / "docs")
    is_flat = all(row["is_flat"] for row in rows) and not failed and bool(run.runs)
    if chosen.folder is None and is_flat:
        shutil.rmtree(folder)
    return 0 if is_flat else 1


if __name__ == "__main__":
    sys.exit(main())
