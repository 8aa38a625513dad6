"""Servers of a session cluster get their configuration from the same settings as the job."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

pytest.importorskip("pyflink", reason="runs in the flink environment")

from flink_jobs import engine, session_cluster
from flink_jobs.state_folder import StateFolder
from jishi.paths import Paths
from jishi.settings import Settings


def settings_with(tmp_path: Path, **values: object) -> Settings:
    return Settings(var=tmp_path, envs=tmp_path / "envs", _env_file=None, **values)  # type: ignore[call-arg,arg-type]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(engine, "lake_jars", lambda paths: [Path("/jars/iceberg.jar")])
    return settings_with(tmp_path, profile="cluster", lake_s3_access_key="key", lake_s3_secret_key="hush")


def test_a_server_knows_jobmanager_and_store_and_nobody_reads_its_keys(cluster: Settings) -> None:
    paths = Paths.of(cluster)
    command, environment = session_cluster.prepare(cluster, paths, "taskmanager")
    assert Path(command[0]).name == "taskmanager.sh"
    file = Path(environment["FLINK_CONF_DIR"]) / "config.yaml"
    options = json.loads(file.read_text())
    assert (options["jobmanager.rpc.address"], options["rest.port"]) == ("flink-jobmanager", 8081)
    assert (options["s3.endpoint"], options["s3.secret-key"]) == ("http://object-store:7070", "hush")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "hush" not in " ".join(command)
    assert "taskmanager.host" not in options  # on a cluster each finds its own
    plugin = Path(environment["FLINK_PLUGINS_DIR"]) / "flink_s3_plugin"
    assert plugin.readlink() == paths.jars / "flink_s3_plugin"
    session_cluster.prepare(cluster, paths, "taskmanager")  # a second start finds its own folder


def test_the_job_goes_to_the_cluster_that_the_settings_name(cluster: Settings, tmp_path: Path) -> None:
    (tmp_path / "envs" / "jars" / "flink").mkdir(parents=True)
    (tmp_path / "envs" / "jars" / "flink" / "kafka.jar").touch()
    paths = Paths.of(cluster)
    options = engine.realtime_options(cluster, paths, checkpoints=StateFolder.of(cluster, paths), resume_from=None)
    assert (options["execution.target"], options["rest.address"], options["rest.port"]) == (
        "remote",
        "flink-jobmanager",
        "8081",
    )
    assert (options["state.backend.type"], options["execution.checkpointing.incremental"]) == ("rocksdb", "true")
    assert options["execution.checkpointing.dir"] == "s3://jishi/flink"
    here = settings_with(tmp_path)
    options = engine.realtime_options(here, paths, checkpoints=StateFolder.of(here, paths), resume_from=None)
    assert "execution.target" not in options
    assert (options["state.backend.type"], options["execution.checkpointing.incremental"]) == ("hashmap", "false")


@pytest.mark.parametrize("url", ["", "https://flink:1", "http://flink", "flink:8081"])
def test_an_address_that_cannot_be_used_is_refused_with_the_fix(url: str, tmp_path: Path) -> None:
    with pytest.raises(engine.ClusterSettingWrong, match=r"JISHI_FLINK_URL is .*write http://HOST:PORT"):
        engine.cluster_address(settings_with(tmp_path, flink_target="remote", flink_url=url))
