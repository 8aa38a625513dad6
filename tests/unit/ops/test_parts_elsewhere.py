"""Parts that no supervisor of this machine runs: asked where they are, and known by life signs that all machines see."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from prometheus_client import CollectorRegistry

from jishi.files import write_atomically
from jishi.heartbeat import beat, beats
from jishi.paths import Paths
from jishi.settings import Settings
from ops import airflow, doctor
from ops.ailments import ailments
from ops.health import PartHealth, health_of, hosts_of_parts, platform_health
from ops.monitoring.exporter import PlatformCollector
from ops.parts import UnknownPart, parts
from tests.lake import settings_in

HERE, THERE = "127.0.0.1", "127.0.0.2"
FLINK = {"state": "RUNNING", "restarts": 4, "checkpoints": 5, "failed_checkpoints": 0}


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server on one of two machines."""
    server = ThreadingHTTPServer((HERE, 0), _Healthy)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def cluster(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Both collectors' port is that of one server, serving runs on the first machine, a portal nowhere that anybody knows."""
    chosen = {
        "parts": "collector,forwarder,flink,serving,portal,exporter",
        "part_hosts": f"collector={HERE},collector={THERE}, serving={HERE},exporter={HERE}",
        "host": "0.0.0.0",
        "collector_port": port,
        "serving_port": port,
        "exporter_port": port,
    }
    settings = settings_in(tmp_path).model_copy(update=chosen)
    paths = Paths.of(settings)
    for machine, collector, lag in (("one", "a" * 32, 3), ("two", "b" * 32, 4_000)):
        monkeypatch.setattr("socket.gethostname", lambda machine=machine: machine)
        beat(paths, "forwarder", whose=collector, forwarded=10, lag=lag, damaged=0, kafka="connected")
    beat(paths, "flink", **FLINK)
    beat(paths, "watch", problems={"lag": 1})
    return settings


def silent_for(paths: Paths, name: str, seconds: float) -> None:
    file = paths.beats / f"{name}.heartbeat"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"at": time.time() - seconds}))


def health(settings: Settings) -> dict[str, PartHealth]:
    paths = Paths.of(settings)
    airflow.write_secrets(paths)
    return {each.name: each for each in platform_health(parts(settings, paths), settings, paths)}


def exported(settings: Settings) -> dict[str, dict[str, float]]:
    """Values of the exporter's page by the label that tells them apart."""
    registry = CollectorRegistry()
    registry.register(PlatformCollector(settings))
    values: dict[str, dict[str, float]] = {}
    for sample in (sample for metric in registry.collect() for sample in metric.samples):
        values.setdefault(sample.name, {})[next(iter(sample.labels.values()), "")] = sample.value
    return values


def test_status_asks_every_part_where_it_is(cluster: Settings) -> None:
    known = health(cluster)
    assert {name for name, each in known.items() if each.is_healthy} == {"serving", "exporter", "forwarder", "flink"}
    assert {each.state for each in known.values() if each.is_healthy} == {"RUNNING"}
    assert known["collector"].state == "DOWN"
    assert f"{HERE}: answers 200; {THERE}: does not answer" in known["collector"].message
    assert known["portal"].message == "JISHI_PART_HOSTS names no host of it"
    assert "one: life sign 0 s ago; forwarded 10, lag 3" in known["forwarder"].message
    assert "two: life sign 0 s ago; forwarded 10, lag 4000" in known["forwarder"].message
    silent_for(Paths.of(cluster), "forwarder@" + "b" * 32, 100)
    assert not health(cluster)["forwarder"].is_healthy
    known_to_doctor = {finding.what: finding.is_fine for finding in doctor.examine(cluster)}
    assert known_to_doctor["serving"]
    assert not known_to_doctor["collector"]
    assert "environment flink" not in known_to_doctor
    assert "4,000 acknowledged events" in " ".join(each.says for each in ailments(cluster, doctor.datetime.now(doctor.UTC)))


def test_a_container_is_healthy_by_its_own_sign(cluster: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths.of(cluster)
    airflow.write_secrets(paths)
    silent_for(paths, "forwarder@" + "b" * 32, 100)
    forwarder = next(part for part in parts(cluster, paths) if part.name == "forwarder")
    for machine, is_healthy in (("one", True), ("two", False), ("three", False)):
        monkeypatch.setattr("socket.gethostname", lambda machine=machine: machine)
        assert health_of(forwarder, cluster, paths, "RUNNING").is_healthy is is_healthy


def test_the_exporter_sees_all_machines(cluster: Settings) -> None:
    paths = Paths.of(cluster)
    silent_for(paths, "forwarder@" + "a" * 32, 100)
    shown = exported(cluster)
    assert shown["jishi_part_up"] == {"collector": 0, "serving": 1, "portal": 0, "exporter": 1}
    assert shown["jishi_forwarder_lag_events"] == {"": 4_003}
    assert shown["jishi_part_heartbeat_age_seconds"]["forwarder"] == pytest.approx(100, abs=5)
    assert shown["jishi_flink_restarts"] == {"": 4}
    assert shown["jishi_watch_problems"] == {"lag": 1}
    silent_for(paths, "forwarder@" + "a" * 32, 3.1 * 86_400)
    shown = exported(cluster)
    assert shown["jishi_forwarder_lag_events"] == {"": 4_000}
    assert shown["jishi_part_heartbeat_age_seconds"]["forwarder"] < 5


def test_without_hosts_and_supervisor_a_platform_is_down(tmp_path: Path, port: int) -> None:
    settings = settings_in(tmp_path).model_copy(update={"serving_port": port})
    assert {each.state for each in health(settings).values()} == {"DOWN"}
    assert "jishi_part_up" not in exported(settings)


def test_what_is_no_part_and_host_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownPart, match="JISHI_PART_HOSTS: serving is not PART=HOST"):
        hosts_of_parts(settings_in(tmp_path).model_copy(update={"part_hosts": "collector=a,serving"}))


def test_a_sign_of_before_the_log_began_is_taken_back(tmp_path: Path) -> None:
    paths = Paths.of(settings_in(tmp_path))
    beat(paths, "forwarder", lag=0)
    beat(paths, "forwarder", whose="a" * 32, lag=0)
    assert len(beats(paths, "forwarder")) == 1


def test_two_containers_write_one_file_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their processes have the same numbers."""
    replace, asides = os.replace, []
    monkeypatch.setattr("os.replace", lambda aside, file: (asides.append(aside), replace(aside, file)))
    for machine in ("one", "two"):
        monkeypatch.setattr("socket.gethostname", lambda machine=machine: machine)
        write_atomically(tmp_path / "shared", machine)
    assert len(set(asides)) == 2
    assert (tmp_path / "shared").read_text() == "two"
