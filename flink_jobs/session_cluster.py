"""``python -m flink_jobs.session_cluster jobmanager|taskmanager [-D KEY=VALUE …]``: become a server of a session cluster.

The part ``flink`` submits its job there where ``JISHI_FLINK_TARGET`` is remote. The scripts are those of the PyFlink wheel; the
lake's jars are on the class path and object storage is a plugin, as the job needs them. Whatever else a machine wants (memory,
slots, its address) is Flink's own configuration, given by ``-D``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flink_jobs import engine
from jishi.files import write_atomically
from jishi.java import NEUTRAL_LOCALE, JavaMissing, java_home
from jishi.paths import Paths
from jishi.settings import Settings, get_settings

ROLES = ("jobmanager", "taskmanager")
_ANY_HOST = "0.0.0.0"
_PLUGIN = "flink_s3_plugin"
# To standard output alone: whoever runs the server keeps what it says.
_LOG = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.name = console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %c{1} - %m%n
logger.kafka.name = org.apache.kafka
logger.kafka.level = WARN
logger.iceberg.name = org.apache.iceberg
logger.iceberg.level = WARN
"""


def main() -> int:
    """Become the server; returns only when it cannot be started."""
    parser = argparse.ArgumentParser(prog="python -m flink_jobs.session_cluster", description="Become a server of Flink.")
    parser.add_argument("role", choices=ROLES)
    chosen, options = parser.parse_known_args()
    settings = get_settings()
    paths = Paths.of(settings)
    try:
        command, environment = prepare(settings, paths, chosen.role)
    except (engine.ClusterSettingWrong, FileNotFoundError, JavaMissing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    os.execve(command[0], [*command, *options], environment)


def prepare(settings: Settings, paths: Paths, role: str) -> tuple[list[str], dict[str, str]]:
    """Write a server's configuration; returns its command and environment. Raises ClusterSettingWrong, FileNotFoundError."""
    home, folder = _flink_home(), paths.run / f"flink-{role}"
    plugins = folder / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    paths.log.mkdir(parents=True, exist_ok=True)
    for plugin in (*(each for each in (home / "plugins").iterdir() if each.is_dir()), paths.jars / _PLUGIN):
        _link(plugins / plugin.name, plugin)
    write_atomically(folder / "log4j-console.properties", _LOG)
    # JSON is YAML; nobody else may read the keys of the store.
    write_atomically(folder / "config.yaml", json.dumps(server_options(settings, home), indent=1), mode=0o600)
    environment = os.environ | {
        "FLINK_HOME": str(home),
        "FLINK_CONF_DIR": str(folder),
        "FLINK_LOG_DIR": str(paths.log),
        "FLINK_PID_DIR": str(folder),
        "FLINK_PLUGINS_DIR": str(plugins),
        "HADOOP_CLASSPATH": os.pathsep.join(map(str, engine.lake_jars(paths))),
        "JAVA_HOME": str(java_home(paths.envs)),
    }
    return [str(home / "bin" / f"{role}.sh"), "start-foreground"], environment


def server_options(settings: Settings, home: Path) -> dict[str, Any]:
    """Flink's configuration of a server: where the JobManager is, on which addresses it listens, and the object store."""
    url = engine.cluster_address(settings)
    packaged = YAML(typ="safe").load(home / "conf" / "config.yaml")
    options = {
        "env.java.opts.all": " ".join([packaged["env"]["java"]["opts"]["all"], *NEUTRAL_LOCALE]),
        "jobmanager.rpc.address": url.hostname,
        "jobmanager.bind-host": settings.host,
        "taskmanager.bind-host": settings.host,
        "jobmanager.memory.process.size": "1600m",
        "taskmanager.memory.process.size": "3g",
        "taskmanager.numberOfTaskSlots": settings.stream_parallelism,
        "rest.address": url.hostname,
        "rest.port": url.port,
        "rest.bind-address": settings.host,
    }
    if settings.host != _ANY_HOST:
        options["taskmanager.host"] = settings.host
    store = {
        "s3.endpoint": settings.lake_s3_endpoint,
        "s3.endpoint.region": settings.lake_s3_region,
        "s3.path.style.access": bool(settings.lake_s3_endpoint),
        "s3.access-key": settings.lake_s3_access_key,
        "s3.secret-key": settings.lake_s3_secret_key,
    }
    return options | {key: value for key, value in store.items() if value}


def _flink_home() -> Path:
    spec = find_spec("pyflink")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _link(link: Path, target: Path) -> None:
    """Let ``link`` lead to ``target``; Flink takes one that leads nowhere for no plugin."""
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


if __name__ == "__main__":
    sys.exit(main())
