"""Fetch the broker, connectors and the lake's runtimes with the Ivy that PySpark ships; check each byte against pinned sums.

Run ``python -m ops.jars`` to fetch what is missing; ``s3`` fetches what a lake in an object store needs, too (157 MB);
``--pin`` rewrites the sums after a deliberate change.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from jishi.files import write_json
from jishi.java import java_home
from jishi.paths import Paths
from jishi.settings import get_settings

PAUSES_S = (2, 10, 0)  # after each try: a network that hiccups is asked again; Ivy keeps what it has
PINS = Path(__file__).with_name("jars.json")


@dataclass(frozen=True)
class Artifact:
    """A Maven artefact that goes into ``folder`` below ``.envs/jars``, with what it depends on if ``transitive``."""

    folder: str
    group: str
    name: str
    version: str
    transitive: bool = False


ARTIFACTS = (
    Artifact("kafka", "org.apache.kafka", "kafka_2.13", "4.1.0", transitive=True),
    Artifact("kafka", "org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"),
    Artifact("flink", "org.apache.flink", "flink-sql-connector-kafka", "5.0.0-2.2"),
    Artifact("flink", "com.github.luben", "zstd-jni", "1.5.6-10"),
    # The lake: Iceberg's runtime of each engine, the drivers of its catalog, and object storage.
    Artifact("spark_lake", "org.apache.iceberg", "iceberg-spark-runtime-4.1_2.13", "1.12.0"),
    Artifact("spark_s3", "org.apache.iceberg", "iceberg-aws-bundle", "1.12.0"),
    Artifact("flink_lake", "org.apache.iceberg", "iceberg-flink-runtime-2.1", "1.11.0"),
    Artifact("flink_s3", "org.apache.iceberg", "iceberg-aws-bundle", "1.11.0"),
    Artifact("flink_s3_plugin", "org.apache.flink", "flink-s3-fs-hadoop", "2.3.0"),  # checkpoints in object storage
    Artifact("catalog", "org.xerial", "sqlite-jdbc", "3.54.1.0"),
    Artifact("catalog", "org.postgresql", "postgresql", "42.7.14"),
)

# Fetched when asked for: a lake in a folder needs none of them.
OBJECT_STORE = frozenset({"spark_s3", "flink_s3", "flink_s3_plugin"})


class JarMismatch(RuntimeError):
    """A fetched jar is not the pinned one."""


def fetch_jars(paths: Paths, *, with_object_store: bool = False) -> list[Path]:
    """Fetch every jar that is missing and check all that are there.

    Returns the jars. Raises JarMismatch when a file is unknown, absent or differs from its pinned sum.
    """
    pins: dict[str, str] = json.loads(PINS.read_text(encoding="utf-8"))
    present = _sums(paths.jars)
    for folder in sorted({artifact.folder for artifact in ARTIFACTS}):
        is_wanted = with_object_store or folder not in OBJECT_STORE
        if not is_wanted and not _of_folder(present, folder):
            pins = {name: digest for name, digest in pins.items() if Path(name).parent.name != folder}
        elif _of_folder(present, folder) != _of_folder(pins, folder):
            shutil.rmtree(paths.jars / folder, ignore_errors=True)
            for artifact in ARTIFACTS:
                if artifact.folder == folder:
                    _retrieve(artifact, paths)
    present = _sums(paths.jars)
    for name in sorted(pins.keys() | present.keys()):
        if present.get(name) != pins.get(name):
            raise JarMismatch(f"jar {name}: sha256 is {present.get(name)}, pinned is {pins.get(name)}; see ops/jars.json")
    return [paths.jars / name for name in sorted(present)]


def _of_folder(sums: dict[str, str], folder: str) -> dict[str, str]:
    return {name: digest for name, digest in sums.items() if Path(name).parent.name == folder}


def _sums(folder: Path) -> dict[str, str]:
    files = sorted(folder.glob("*/*.jar"))
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def _ivy_jar() -> Path:
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise RuntimeError("pyspark is not in this environment; run this in the main environment (.venv)")
    return next((Path(spec.origin).parent / "jars").glob("ivy-*.jar"))


def _retrieve(artifact: Artifact, paths: Paths) -> None:
    command = [
        *(str(java_home(paths.envs) / "bin" / "java"), "-jar", str(_ivy_jar())),
        *("-cache", str(paths.envs / "ivy-cache"), "-confs", "default"),
        *(() if artifact.transitive else ("-notransitive",)),
        *("-dependency", artifact.group, artifact.name, artifact.version),
        *("-retrieve", f"{paths.jars}/{artifact.folder}/[artifact]-[revision].[ext]", "-types", "jar", "bundle"),
    ]
    for pause_s in PAUSES_S:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0 and "UNRESOLVED" not in done.stdout and "FAILED" not in done.stdout:
            return
        time.sleep(pause_s)
    tail = "\n".join(done.stdout.splitlines()[-15:])
    raise RuntimeError(f"could not fetch {artifact.group}:{artifact.name}:{artifact.version}\n{tail}{done.stderr[-500:]}")


def main() -> None:
    """Fetch and check; with ``s3`` also for object stores; with ``--pin`` fetch afresh and pin what came."""
    parser = argparse.ArgumentParser(prog="python -m ops.jars", description="Fetch missing jars and check all that are there.")
    parser.add_argument("uses", nargs="?", choices=["s3"], help="s3: also those for object stores")
    parser.add_argument("--pin", action="store_true", help="fetch every jar afresh and pin what came")
    chosen = parser.parse_args()
    paths = Paths.of(get_settings())
    if chosen.pin:
        shutil.rmtree(paths.jars, ignore_errors=True)
        for artifact in ARTIFACTS:
            _retrieve(artifact, paths)
        write_json(PINS, _sums(paths.jars))
    jars = fetch_jars(paths, with_object_store=chosen.uses is not None)
    print(f"{len(jars)} jars in {paths.jars}")


if __name__ == "__main__":
    main()
