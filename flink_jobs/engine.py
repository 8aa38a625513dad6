"""Flink as this process drives it: the job's options, the JVM that PyFlink starts, and the end of that JVM."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import psutil
from pyflink.common import Configuration
from pyflink.java_gateway import get_gateway
from pyflink.table import EnvironmentSettings, TableEnvironment

from flink_jobs import planner
from flink_jobs.checkpoints import Origin
from flink_jobs.log_table import IDLE_TIMEOUT
from flink_jobs.state_folder import StateFolder
from jishi.files import write_json
from jishi.java import NEUTRAL_LOCALE, java_home
from jishi.json_logs import java_pattern
from jishi.paths import Paths
from jishi.settings import Settings

_JVM = "-XX:MaxMetaspaceSize=320m -XX:+ExitOnOutOfMemoryError"
_LOG = """\
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}/flink-jvm.log
appender.file.filePattern = {log}/flink-jvm.log.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = {pattern}
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 16MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
logger.kafka.name = org.apache.kafka
logger.kafka.level = WARN
logger.iceberg.name = org.apache.iceberg
logger.iceberg.level = WARN
"""


JOB_NAME = "jishi realtime"


class ClusterSettingWrong(ValueError):
    """A setting of the Flink cluster cannot be used; the message names it and the fix."""


def realtime_options(
    settings: Settings, paths: Paths, *, checkpoints: StateFolder, resume_from: Origin | None
) -> dict[str, str]:
    """Flink's options for the job that runs for ever. Raises ClusterSettingWrong."""
    options = {
        **computing_options(settings.stream_parallelism),
        **_target_options(settings),
        "pipeline.name": JOB_NAME,
        "pipeline.jars": ";".join(jar.as_uri() for jar in connector_jars(paths)),
        # A row waits for others at most this long. Each of the job's 28 outputs wakes so often even when nothing comes: at
        # 10 ms that alone took a fifteenth of a core from the other parts of an idle machine.
        "execution.buffer-timeout.interval": "20 ms",
        "execution.checkpointing.interval": f"{settings.checkpoint_interval_ms} ms",
        "execution.checkpointing.dir": checkpoints.uri,
        "state.backend.type": settings.flink_state_backend,
        "execution.checkpointing.incremental": str(settings.flink_state_backend == "rocksdb").lower(),  # the heap's has none
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": "3",
        "execution.checkpointing.tolerable-failed-checkpoints": "3",
        # A failure that comes back ends the job and thereby this process: the supervisor starts it again, in sight.
        "restart-strategy.type": "failure-rate",
        "restart-strategy.failure-rate.max-failures-per-interval": "5",
        "restart-strategy.failure-rate.failure-rate-interval": "5 min",
        "restart-strategy.failure-rate.delay": "2 s",
    }
    if resume_from is not None:
        options["execution.state-recovery.path"] = resume_from.state.uri
        options["execution.state-recovery.ignore-unclaimed-state"] = str(resume_from.may_drop_state).lower()
    return options


def cluster_address(settings: Settings) -> SplitResult:
    """Address of the session cluster's REST API. Raises ClusterSettingWrong."""
    url = urlsplit(settings.flink_url)
    if url.scheme != "http" or not url.hostname or url.port is None:
        raise ClusterSettingWrong(
            f"JISHI_FLINK_TARGET is remote and JISHI_FLINK_URL is {settings.flink_url!r}; write http://HOST:PORT of the "
            "JobManager's REST API"
        )
    return url


def _target_options(settings: Settings) -> dict[str, str]:
    """Where the job runs and where its REST API is."""
    if settings.flink_target == "remote":
        url = cluster_address(settings)
        return {"execution.target": "remote", "rest.address": str(url.hostname), "rest.port": str(url.port)}
    host, port = settings.host, str(settings.flink_port)
    return {"rest.address": host, "rest.bind-address": host, "rest.port": port, "rest.bind-port": port}


def computing_options(parallelism: int) -> dict[str, str]:
    """Options that decide what is computed and how, the same for a replay."""
    return {
        **planner.OPTIONS,
        "parallelism.default": str(parallelism),
        "state.backend.type": "hashmap",
        "pipeline.object-reuse": "true",
        "pipeline.auto-watermark-interval": "100 ms",
        "table.local-time-zone": "UTC",
        "table.exec.source.idle-timeout": IDLE_TIMEOUT,
        "taskmanager.memory.managed.size": "64m",
        "taskmanager.memory.network.min": "32m",
        "taskmanager.memory.network.max": "32m",
    }


def connector_jars(paths: Paths) -> list[Path]:
    """Jars of the Kafka connector. Raises FileNotFoundError when they were not fetched."""
    return _jars(paths, "flink")


def lake_jars(paths: Paths) -> list[Path]:
    """Jars of the lake: Iceberg, the drivers of its catalog, object storage if it was fetched, and the part of Hadoop that
    Iceberg's file access is built on, which PySpark's wheel brings. Raises FileNotFoundError.
    """
    hadoop = sorted(paths.main_python().parent.parent.glob("lib/python3*/site-packages/pyspark/jars/hadoop-client-*.jar"))
    if not hadoop:
        raise FileNotFoundError(f"no hadoop-client jars in the main environment of {paths.main_python()}; run scripts/setup")
    return [*_jars(paths, "flink_lake"), *_jars(paths, "catalog"), *sorted((paths.jars / "flink_s3").glob("*.jar")), *hadoop]


def _jars(paths: Paths, use: str) -> list[Path]:
    jars = sorted((paths.jars / use).glob("*.jar"))
    if not jars:
        raise FileNotFoundError(f"no jars in {paths.jars / use}; fetch them with: python -m ops.jars")
    return jars


def prepare_jvm(paths: Paths, jvm_options: str) -> None:
    """Write Flink's configuration folder and point the environment of this process at it; call before the first Flink call."""
    conf = paths.flink / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    paths.log.mkdir(parents=True, exist_ok=True)
    (conf / "log4j-cli.properties").write_text(_LOG.format(log=paths.log, pattern=java_pattern("flink")), encoding="utf-8")
    spec = find_spec("pyflink")
    assert spec is not None
    assert spec.origin is not None
    packaged = Path(spec.origin).parent / "conf" / "config.yaml"
    (conf / "config.yaml").write_text(packaged.read_text(encoding="utf-8"), encoding="utf-8")
    os.environ["FLINK_CONF_DIR"] = str(conf)
    os.environ["FLINK_LOG_DIR"] = str(paths.log)
    os.environ["JAVA_HOME"] = str(java_home(paths.envs))
    os.environ["JVM_ARGS"] = f"{' '.join(NEUTRAL_LOCALE)} {_JVM} {jvm_options}"
    # The class path of the JVM itself: there Iceberg finds Hadoop and the catalog's driver, and this process finds Iceberg.
    os.environ["HADOOP_CLASSPATH"] = os.pathsep.join(map(str, lake_jars(paths)))


def table_environment(options: Mapping[str, str]) -> TableEnvironment:
    """A streaming SQL environment; starts the JVM when it is the first."""
    configuration = Configuration()
    for key, value in options.items():
        configuration.set_string(key, value)
    return TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
    )


def start_jvm(paths: Paths, jvm_options: str) -> psutil.Process:
    """Start the JVM that all Flink calls of this process use, and note which it is for ``end_leftover_jvm``.

    ``jvm_options`` are those of ``Settings.flink_jvm``: heap, collector, compiler.
    """
    prepare_jvm(paths, jvm_options)
    before = {child.pid for child in psutil.Process().children()}
    get_gateway()
    [jvm] = [child for child in psutil.Process().children() if child.pid not in before]
    write_json(_note(paths), {"pid": jvm.pid, "created": jvm.create_time()})
    return jvm


def end_leftover_jvm(paths: Paths) -> bool:
    """Kill the JVM of a run whose driver was killed, if it is still there; returns whether it was.

    A JVM notices only after seconds that its driver is gone. Until then its job goes on and may commit to bronze after
    the checkpoint from which the next run is about to go on: each of their rows would be there twice.
    """
    note = _note(paths)
    if not note.exists():
        return False
    noted = json.loads(note.read_text(encoding="utf-8"))
    try:
        jvm = psutil.Process(noted["pid"])
        # A zombie does nothing more; it only waits for its parent to ask how it ended.
        if abs(jvm.create_time() - noted["created"]) > 1 or jvm.status() == psutil.STATUS_ZOMBIE:
            return False
        end_jvm(jvm, patience_s=0)
    except psutil.NoSuchProcess:
        return False
    return True


def stop_jvm(jvm: psutil.Process) -> None:
    """End the JVM of this process; no Flink call may follow."""
    get_gateway().shutdown()  # so that py4j does not tell the JVM later, when it is gone, which objects it has dropped
    end_jvm(jvm, patience_s=5)


def end_jvm(jvm: psutil.Process, *, patience_s: float) -> None:
    """End a JVM: ask, wait up to ``patience_s``, then kill; returns when it is gone."""
    deadline = time.monotonic() + patience_s
    try:
        if patience_s > 0:
            jvm.terminate()
            jvm.wait(max(deadline - time.monotonic(), 0.1))
    except psutil.TimeoutExpired:
        pass
    except psutil.NoSuchProcess:
        return
    try:
        jvm.kill()
        jvm.wait(10)
    except psutil.NoSuchProcess:
        return


def _note(paths: Paths) -> Path:
    return paths.run / "flink-jvm.json"
