"""Every part runs: an event is traced to the answer, and persons planted by every way in are in no log and no trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer

from jishi import topics
from jishi.heartbeat import last_beat
from jishi.java import java_home
from jishi.lake.live import LiveTail
from jishi.lake.table_creation import create_tables
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings, get_settings
from jishi.shops import Shop, Shops
from jishi.tables import BRONZE_LIVE
from ops.jars import fetch_jars
from ops.kafka import EmbeddedBroker, running_broker
from ops.ports import free_ports

pytestmark = pytest.mark.integration
USER, DEVICE, MAIL, TELEPHONE = "ada-4711-lovelace", "device-0815-ada", "ada@lovelace.example", "13800138000"
PERSON = (USER, DEVICE, MAIL, TELEPHONE)
PARTS = {
    "collector": ("main", "collector", "serve"),
    "forwarder": ("main", "collector", "forward"),
    "flink": ("flink", "flink_jobs.realtime"),
    "feature_writer": ("main", "feature_repo", "write"),
    "serving": ("main", "serving"),
    "portal": ("main", "dashboard.portal", "serve"),
    "exporter": ("main", "ops.monitoring.exporter"),
}


class WatchedPlatform:
    """All parts that hear of persons, as processes below one folder, each with its log in ``log``."""

    def __init__(self, var: Path) -> None:
        ports = dict(
            zip(
                [f"{name}_port" for name in ("collector", "flink", "feature_writer", "serving", "portal", "exporter")],
                free_ports(6),
                strict=True,
            )
        )
        envs = get_settings().envs
        self.settings = Settings(
            var=var,
            envs=envs,
            serving_workers=2,
            traces="file",
            traces_rate=1.0,
            checkpoint_interval_ms=1000,
            _env_file=None,
            **ports,
        )  # type: ignore[call-arg,arg-type]
        self.paths = Paths.of(self.settings)
        self.log = self.paths.log
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, bootstrap: str) -> None:
        self.settings.kafka_bootstrap = bootstrap
        given = self.settings.model_dump(exclude_defaults=True)
        environment = os.environ | {f"JISHI_{name.upper()}": str(value) for name, value in given.items()}
        for part, (group, *command) in PARTS.items():
            with (self.log / f"{part}.log").open("ab") as out:
                self.processes[part] = subprocess.Popen(
                    [str(self.paths.python(group)), "-m", *command],
                    cwd=PROJECT_ROOT,
                    env=environment,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def until(self, is_so: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + 240
        while True:
            for part, process in self.processes.items():
                assert process.poll() is None, (self.log / f"{part}.log").read_text()[-3000:]
            try:
                if is_so():
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"waited for {what} in vain"
            time.sleep(0.3)

    def url(self, part: str) -> str:
        return f"http://127.0.0.1:{getattr(self.settings, part + '_port')}"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedPlatform]:
    built = WatchedPlatform(tmp_path_factory.mktemp("platform") / "var")
    paths = built.paths
    fetch_jars(paths)
    broker = EmbeddedBroker(paths.kafka, paths.jars, java_home(paths.envs), "127.0.0.1", *free_ports(2), heap="256m")
    with ExitStack() as stack:
        stack.enter_context(running_broker(broker, paths.log / "kafka.log"))
        create_tables(built.settings, [BRONZE_LIVE])
        stack.callback(built.stop)
        built.start(broker.bootstrap)
        yield built


def event(number: int, kind: str, properties: dict[str, Any], **changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    base = {"event_id": f"e{number}", "schema_version": 1, "type": kind, "shop_id": "a", "occurred_at": now}
    return base | {"user_id": USER, "anonymous_id": DEVICE, "properties": properties} | changes


def plant(platform: WatchedPlatform) -> None:
    """Send persons by every way in, sound and broken."""
    with Shops.edit(platform.paths.shops_file) as shops:
        shops.create(Shop(shop_id="a", name="a"))
        write, read = (shops.issue_key("a", right) for right in ("write", "read"))
    collector, serving, portal = (platform.url(part) for part in ("collector", "serving", "portal"))
    keyed = {"Authorization": f"Bearer {write}"}
    item = {"item_id": "i1", "title": "t", "category": "c", "unit_price_minor": 5, "currency": "CNY", "stock": 5}
    events = [
        event(1, "item_changed", item | {"status": "active"}),
        event(2, "item_viewed", {"item_id": "i1"}),
        event(3, "item_viewed", {"item_id": "i1", "phone": TELEPHONE}, context={"city": MAIL}),
        event(4, "item_viewed", {"item_id": {"of": MAIL}}),
        event(5, MAIL, {}),
        event(6, "item_viewed", {"item_id": "i1"}, occurred_at=TELEPHONE),
        event(7, "consent_changed", {"personalisation": False}),
    ]
    platform.until(lambda: httpx.post(f"{collector}/v1/events", json=events, headers=keyed).status_code == 200, "the intake")
    for content, headers in ((MAIL.encode(), keyed), (b"[]", {"Authorization": f"Bearer {USER}"})):
        assert httpx.post(f"{collector}/v1/events", content=content, headers=headers).status_code >= 400
    assert httpx.post(f"{collector}/v1/track", params={"key": MAIL}, json=events).status_code >= 400

    producer = Producer({"bootstrap.servers": platform.settings.kafka_bootstrap})
    for value in (f"no JSON of {MAIL}", json.dumps({"user_id": USER, "phone": TELEPHONE}), json.dumps([PERSON])):
        producer.produce(topics.EVENTS.name, value.encode(), key=b"a|u")
        producer.produce(topics.FEATURES.name, value.encode(), key=b"a|u")
    assert producer.flush(30) == 0

    reads = {"Authorization": f"Bearer {read}"}
    address = f"{serving}/v1/shops/a/recommendations"
    platform.until(lambda: httpx.get(f"{serving}/healthz").status_code == 200, "serving")
    for parameters in ({"user_id": USER, "anonymous_id": DEVICE}, {"user_id": USER, "limit": MAIL}, {"placement": TELEPHONE}):
        httpx.get(address, params=parameters, headers=reads)
    httpx.get(address, params={"user_id": USER}, headers={"Authorization": f"Bearer {MAIL}"})
    httpx.get(f"{serving}/v1/shops/{MAIL}/recommendations", headers=reads)
    folder = platform.paths.models / "a" / "releases" / USER
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"version": MAIL, "persons": [USER, TELEPHONE]}))
    (folder.parent.parent / "CURRENT").write_text("v1\n")
    (folder.parent / "v1").symlink_to(folder)

    platform.until(lambda: httpx.get(f"{portal}/healthz").status_code == 200, "the portal")
    with httpx.Client(base_url=portal, follow_redirects=True) as browser:
        browser.get("/login", params={"next": f"/{MAIL}"})
        browser.post("/login", data={"login": MAIL, "password": TELEPHONE, "form_token": USER})
        browser.get(f"/shops/{USER}/now")


def leaks(folder: Path, secrets: tuple[str, ...]) -> list[str]:
    """Files and secrets of which a log holds one."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [f"{file.name}: {secret}" for file in files for secret in secrets if secret.encode() in file.read_bytes()]


def test_an_event_is_traced_from_the_collector_to_the_answer_to_its_person(platform: WatchedPlatform) -> None:
    with Shops.edit(platform.paths.shops_file) as shops:
        shops.create(Shop(shop_id="b", name="b"))
        write, read = (shops.issue_key("b", right) for right in ("write", "read"))
    address, reads = f"{platform.url('serving')}/v1/shops/b/recommendations", {"Authorization": f"Bearer {read}"}
    item = {"item_id": "i1", "title": "t", "category": "c", "unit_price_minor": 5, "currency": "CNY", "stock": 5}
    catalogue = event(10, "item_changed", item | {"status": "active"}, shop_id="b", user_id="merchant", anonymous_id="m")

    def send(events: list[dict[str, Any]]) -> bool:
        keyed = {"Authorization": f"Bearer {write}"}
        return httpx.post(f"{platform.url('collector')}/v1/events", json=events, headers=keyed).status_code == 200

    platform.until(lambda: send([catalogue]), "the intake")
    platform.until(lambda: httpx.get(address, headers=reads).status_code == 200, "an answer to nobody")
    platform.until(lambda: '"running"' in httpx.get(f"{platform.url('flink')}/jobs/overview").text.lower(), "the stream")
    assert send([event(11, "item_viewed", {"item_id": "i1"}, shop_id="b")])  # now: a late one has no features
    platform.until(lambda: "feature" in names_of_trace(platform.log, "item_viewed"), "the person's features")
    # Each process of serving hears of the event; whichever answers ends the trace.
    answer = httpx.get(address, headers=reads, params={"user_id": USER})
    assert answer.status_code == 200
    platform.until(lambda: "answer" in names_of_trace(platform.log, "item_viewed"), "the answer")
    spans = trace_of(platform.log, "item_viewed")
    ids = {span["context"]["span_id"]: span["name"] for span in spans}
    parents = {(span["name"], ids.get(span["parent_id"])) for span in spans}
    assert parents == {("accept", None), ("forward", "accept"), ("hear", "forward"), ("feature", "hear"), ("answer", "hear")}
    [answered] = [span for span in spans if span["name"] == "answer"]
    assert answered["attributes"]["jishi.request_id"] == answer.headers["X-Request-Id"]
    assert {span["resource"]["attributes"]["service.name"] for span in spans} == {
        f"jishi-{part}" for part in ("collector", "forwarder", "serving")
    }


def trace_of(folder: Path, event_type: str) -> list[dict[str, Any]]:
    """Spans of the trace of shop b's event of that type."""
    files = (folder / "traces").glob("*.jsonl")
    spans = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    wanted = {"jishi.event_type": event_type, "jishi.shop_id": "b"}
    ids = {span["context"]["trace_id"] for span in spans if wanted.items() <= span["attributes"].items()}
    return [span for span in spans if span["context"]["trace_id"] in ids]


def names_of_trace(folder: Path, event_type: str) -> set[str]:
    return {span["name"] for span in trace_of(folder, event_type)}


def test_a_log_that_names_somebody_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "serving.log").write_text(f'{{"message": "no row of {USER}"}}\n')
    assert leaks(tmp_path, PERSON) == [f"serving.log: {USER}"]


def test_no_log_names_anybody_and_every_line_is_json(platform: WatchedPlatform) -> None:
    plant(platform)
    platform.until(lambda: LiveTail(platform.settings).count() >= 7, "bronze")
    dead = platform.paths.features / "dead_letter.jsonl"
    platform.until(dead.exists, "the feature writer's dead letters")
    assert USER in dead.read_text(), "persons have reached the feature writer"
    platform.until(lambda: any(platform.paths.unreadable.rglob("*")), "the stream's unreadable values")
    problem = f"{platform.url('serving')}/metrics"
    platform.until(lambda: "jishi_release_load_failures_total 0.0" not in httpx.get(problem).text, "the broken release")
    assert last_beat(platform.paths, "feature_writer") is not None
    platform.stop()

    assert leaks(platform.log, PERSON) == []
    written = {file.stem for file in platform.log.glob("*.log")}
    assert written == {*PARTS, "kafka", "flink-jvm"}
    for part in sorted(written):
        lines = (platform.log / f"{part}.log").read_text().splitlines()
        assert lines, part
        assert [line for line in lines if not line.startswith("{")] == [], part
        for line in lines:
            content = json.loads(line)
            assert content["part"] == part.removesuffix("-jvm"), line
            assert {"at", "level", "logger", "message"} <= content.keys(), line
    assert "http://" in (platform.log / "serving.log").read_text()
