"""``python -m chaos.kills``: one process after another is killed under steady requests; answers go on and nothing is lost.

Exit code 0 when every check holds, 1 when one does not, 2 when the run itself failed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaos.check import CheckResult
from chaos.ledger import Account, SentLedger
from chaos.prove import prove
from chaos.requests import Answered, SteadyRequests
from chaos.settle import NotSettled, settle
from chaos.shopper import SHOP
from chaos.stage import Stage, chosen_store, make_stage
from flink_jobs.rest_api import RestApi
from jishi import feast_import
from jishi.arrow_tables import to_arrow
from jishi.files import write_atomically, write_json
from jishi.heartbeat import last_beat
from jishi.lake.publishing import Replacement, publish
from jishi.lake.rows import Rows
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.tables import SILVER_ITEMS
from models.release import registry
from ops.kafka import wait_for_port
from ops.lifecycle import PlatformError
from tests.releases import item_ids, write_candidate

SERVING_WORKERS = 2
GOOD_SHARE, RESTART_S = 0.9995, 5.0
DOORS = ("collector", "serving", "serving_worker")  # what answers requests
TARGETS = ("serving_worker", "serving", "collector", "forwarder", "kafka", "flink_jvm", "flink", "feature_writer")
KINDS = ("list", "events")
BACK_WITHIN_S, LOOK_S, WARM_UP_S, SETTLE_S = 300.0, 0.1, 5.0, 240.0
PAGE, TEMPLATE = Path("operations/kills.md"), Path(__file__).with_name("kills.md")


@dataclass(frozen=True)
class Kill:
    """A process killed at epoch second ``at``: another one ran ``started_s`` later and did its work ``back_s`` later.

    None when that did not come within five minutes.
    """

    target: str
    at: float
    started_s: float | None
    back_s: float | None


def kill(stage: Stage, target: str) -> Kill:
    """Kill a part (SIGKILL) and wait until one in its place works."""
    before, began = stage.pid(target), time.time()
    assert before is not None, f"{target} does not run"
    os.kill(before, signal.SIGKILL)
    started_s = None
    while time.time() - began < BACK_WITHIN_S:
        if stage.pid(target) not in (None, before):
            started_s = started_s or time.time() - began
            if works(stage, target):
                return Kill(target, began, started_s, time.time() - began)
        time.sleep(LOOK_S)
    return Kill(target, began, started_s, None)


def works(stage: Stage, target: str) -> bool:
    """Whether a part does its work now, as far as it shows."""
    settings = stage.settings
    if target in ("collector", "feature_writer"):
        return _answers(f"http://{settings.host}:{getattr(settings, f'{target}_port')}/healthz")
    if target in ("serving", "serving_worker"):  # the port is never closed; what is awaited is that all workers are there
        return len(stage.serving_workers()) == SERVING_WORKERS
    if target in ("kafka", "redis"):
        port = settings.kafka_port if target == "kafka" else int(settings.redis_url.rsplit(":", 1)[1])
        return wait_for_port(settings.host, port, LOOK_S)
    if target == "flink_jvm":
        return _job_runs(f"http://{settings.host}:{settings.flink_port}")
    beat = last_beat(stage.paths, target)
    return beat is not None and beat.age_s < 3 and beat.facts.get("pid") == stage.pid(target)


def run(
    stage: Stage, seconds: float, *, per_s: float, patience_s: float, pause_s: float, seed: int, targets: Sequence[str]
) -> tuple[list[Kill], list[Answered], list[CheckResult], Account]:
    """Kill for ``seconds`` on a platform that is not started yet; it is down afterwards.

    Raises PlatformError, NotSettled and what ``chaos.prove`` raises.
    """
    prepare(stage.settings)
    file = stage.paths.run / "chaos" / "ledger.jsonl"
    ledger = SentLedger(file)
    try:
        stage.up(lambda line: print(f"  {line}", flush=True))
        wait_for_lists(stage)
        began = time.time()
        requests = SteadyRequests(stage, ledger, per_s=per_s, patience_s=patience_s, seed=seed)
        requests.start()
        try:
            kills = _kill_for(stage, seconds, pause_s, targets, random.Random(seed))
        finally:
            requests.stop()
        settle(stage, began=began, timeout_s=SETTLE_S)
        return kills, requests.answered, prove(stage, file, stage.paths.run / "chaos" / "check").findings, Account.of(file)
    finally:
        ledger.close()
        stage.down()


def _kill_for(stage: Stage, seconds: float, pause_s: float, targets: Sequence[str], chance: random.Random) -> list[Kill]:
    """Each target once in every round, the next when the one before works again and has had a pause."""
    kills = list[Kill]()
    deadline = time.monotonic() + seconds
    time.sleep(WARM_UP_S)
    while True:
        for target in chance.sample(targets, len(targets)):
            if time.monotonic() + pause_s > deadline:
                return kills
            kills.append(kill(stage, target))
            back = kills[-1].back_s
            print(f"  {target} killed, works again " + (f"after {back:.1f} s" if back is not None else "NOT"), flush=True)
            time.sleep(pause_s)


def prepare(settings: Settings) -> None:
    """Items and a release of the shop, made without training."""
    paths = Paths.of(settings)
    at = datetime(2026, 9, 1, tzinfo=UTC).replace(tzinfo=None)
    facts = {"shop_id": SHOP, "category": "c", "unit_price_minor": 100, "currency": "CNY", "stock": 5, "status": "active"}
    facts |= {"changed_at": at, "known_at": at}
    blank = dict.fromkeys(SILVER_ITEMS.columns)
    rows = to_arrow(SILVER_ITEMS, [blank | facts | {"item_id": item_id, "title": item_id} for item_id in item_ids(SHOP)])
    publish(settings, "chaos", lambda base: [Replacement(SILVER_ITEMS, Rows.all(), rows)])
    write_candidate(paths.models, SHOP, "c1")
    registry.publish(paths, SHOP)


def wait_for_lists(stage: Stage) -> None:
    """Until serving answers with lists. Raises PlatformError."""
    deadline = time.monotonic() + BACK_WITHIN_S
    while not _answers(f"http://{stage.settings.host}:{stage.settings.serving_port}/readyz"):
        if time.monotonic() > deadline:
            raise PlatformError(f"serving is not ready; see {stage.paths.log / 'serving.log'}")
        time.sleep(0.5)
    time.sleep(WARM_UP_S)  # the other workers, too


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3):
            return True
    except OSError:
        return False


def _job_runs(flink: str) -> bool:
    try:
        with urllib.request.urlopen(f"{flink}/jobs", timeout=3) as answer:
            running = [job["id"] for job in json.load(answer)["jobs"] if job["status"] == "RUNNING"]
        return bool(running) and all(RestApi(flink).all_tasks_run(job_id) for job_id in running)
    except OSError:
        return False


def result_of(
    kills: Sequence[Kill], answered: Sequence[Answered], findings: Sequence[CheckResult], account: Account
) -> dict[str, Any]:
    """What the report says, and ``wrong``: each thing that does not hold."""
    bad = [each for each in answered if each.problem is not None]
    share = 1 - len(bad) / max(1, len(answered))
    wrong = [f"{finding.what}: {finding.description()}" for finding in findings if not finding.is_fine]
    if share < GOOD_SHARE:
        wrong.append(f"{share:.3%} good answers, {GOOD_SHARE:.2%} are promised")
    wrong += [f"{each.target} did not work again" for each in kills if each.back_s is None]
    return {
        "kills": [asdict(each) for each in kills],
        "requests": len(answered),
        "bad": [asdict(each) for each in bad[:5_000]],
        "bad_count": len(bad),
        "share": share,
        "slow": [asdict(each) for each in kills if _is_slow(each)],
        "latencies": {kind: _quantiles([each.after_s for each in answered if each.kind == kind]) for kind in KINDS},
        "acknowledged": len(account.acknowledged),
        "findings": [asdict(finding) for finding in findings],
        "wrong": wrong,
    }


def _is_slow(killed: Kill) -> bool:
    seconds = killed.back_s if killed.target in DOORS else killed.started_s
    return seconds is None or seconds > RESTART_S


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=1000) if len(seconds) > 1 else [float("nan")] * 999
    return {"p50": cuts[499], "p99": cuts[989], "longest": max(seconds, default=float("nan"))}


def page(result: dict[str, Any], command: str) -> str:
    """The report as Markdown."""
    rows = []
    for target in sorted({each["target"] for each in result["kills"]}):
        backs = [each["back_s"] for each in result["kills"] if each["target"] == target]
        came = [back for back in backs if back is not None]
        starts = [each["started_s"] for each in result["kills"] if each["target"] == target and each["started_s"] is not None]
        if came:
            shown = (f"{statistics.median(times):.1f} s | {max(times):.1f} s" for times in (starts, came))
            rows.append(f"| {target} | {len(backs)} | {' | '.join(shown)} |")
    latencies = "; ".join(
        f"{kind}: p50 {each['p50']:.3f} s, p99 {each['p99']:.2f} s, longest {each['longest']:.1f} s"
        for kind, each in result["latencies"].items()
    )
    return TEMPLATE.read_text().format(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=command,
        cores=os.cpu_count(),
        kills=len(result["kills"]),
        requests=f"{result['requests']:,}",
        share=f"{result['share']:.3%}",
        bad=result["bad_count"],
        acknowledged=f"{result['acknowledged']:,}",
        rows="\n".join(rows),
        latencies=latencies,
        slow=", ".join(f"{each['target']} {each['back_s']:.1f} s" for each in result["slow"] if each["back_s"]) or "none",
        checks="\n".join(f"| {each['what']} | {each['cases']:,} | {len(each['wrong'])} |" for each in result["findings"]),
        verdict="All of it held." if not result["wrong"] else "**Did not hold**: " + "; ".join(result["wrong"]),
    )


def main(arguments: list[str] | None = None) -> int:
    """Run once; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos.kills", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="of kills (%(default)s)")
    parser.add_argument("--rate", type=float, default=200, help="requests a second, half events and half lists (%(default)s)")
    parser.add_argument("--patience", type=float, default=10, help="seconds after which an answer is a bad one (%(default)s)")
    parser.add_argument("--pause", type=float, default=8, help="seconds between a process that works again and the next kill")
    parser.add_argument("--target", action="append", choices=(*TARGETS, "redis"), help="kill only this one; may repeat")
    parser.add_argument("--seed", type=int, default=7, help="of kills and requests (%(default)s)")
    parser.add_argument("--store", choices=("redis", "sqlite"), help="online store; left out: redis where it is installed")
    parser.add_argument("--folder", type=Path, help="state of the run, kept; left out: a temporary one, kept on a failure")
    parser.add_argument("--report", action="store_true", help="write docs/operations/kills.md")
    chosen = parser.parse_args(arguments)
    folder = (chosen.folder or Path(tempfile.mkdtemp(prefix="jishi-kills-"))).absolute()
    stage = make_stage(folder, PROJECT_ROOT / ".envs", chosen_store(chosen.store), serving_workers=SERVING_WORKERS)
    feast_import.prepare()
    try:
        outcome = run(
            stage,
            chosen.seconds,
            per_s=chosen.rate,
            patience_s=chosen.patience,
            pause_s=chosen.pause,
            seed=chosen.seed,
            targets=chosen.target or [*TARGETS, *(["redis"] if stage.settings.online_store == "redis" else [])],
        )
    except (PlatformError, NotSettled) as error:
        print(f"kills: {error}; the state of the run is in {folder}", file=sys.stderr)
        return 2
    result = result_of(*outcome)
    write_json(folder / "run" / "chaos" / "result.json", result)
    command = f"python -m chaos.kills --seconds {chosen.seconds:g} --rate {chosen.rate:g} --patience {chosen.patience:g}"
    text = page(result, f"{command} --seed {chosen.seed}")
    print(text)
    if chosen.report:
        write_atomically(PROJECT_ROOT / "docs" / PAGE, text)
    if chosen.folder is None and not result["wrong"]:
        shutil.rmtree(folder)
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
