"""One Spark session, configured from settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from jishi.java import NEUTRAL_LOCALE
from jishi.lake.catalog import CATALOG, is_in_object_store, is_secret, spark_options
from jishi.paths import Paths
from jishi.settings import Settings


def open_session(settings: Settings, paths: Paths, name: str, *, is_short: bool = False) -> SparkSession:
    """A session on ``settings.spark_master``; UTC, Parquet with microseconds, few partitions on one machine.

    ``is_short``: the work ends before Java's optimising compiler would have paid for itself, so the quick one does all of it.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if settings.spark_master.startswith("local"):
        # An embedded driver talks to itself only; without this it asks the network for its own name.
        os.environ.setdefault("SPARK_LOCAL_IP", settings.host)
    paths.lake.mkdir(parents=True, exist_ok=True)  # SQLite makes the catalog's file, not its folder
    builder = SparkSession.builder.appName(name).master(settings.spark_master)
    jars = [str(jar) for jar in lake_jars(settings, paths)]
    options = {
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": _java_options(paths.spark_class_archive, is_short=is_short),
        "spark.executor.extraJavaOptions": " ".join(NEUTRAL_LOCALE),
        # On the class path of the driver, so that the class archive holds Iceberg's classes too.
        "spark.driver.extraClassPath": ":".join(jars),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # PySpark would tell Java the line of each call on a frame or column, in several round trips each.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.shuffle.partitions": "4",
        # Rows of a few shops go to a file each as they come, instead of being sorted by shop first.
        "spark.sql.maxConcurrentOutputFileWriters": "32",
        "spark.sql.warehouse.dir": str(paths.var / "spark" / "warehouse"),
        "spark.local.dir": str(paths.var / "spark" / "local"),
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        "spark.log.level": "ERROR",
    }
    if not settings.spark_master.startswith("local"):
        options["spark.jars"] = ",".join(jars)
    options |= spark_options(settings)
    # What the builder knows stands on the command line of the JVM; the catalog is loaded later, by its first use.
    for key, value in options.items():
        builder = builder if is_secret(key) else builder.config(key, value)
    session = builder.getOrCreate()
    for key, value in options.items():
        if is_secret(key):
            session.conf.set(key, value)
    session.sparkContext.setLogLevel("ERROR")
    return session


def session_of_lake(session: SparkSession, settings: Settings) -> SparkSession:
    """A session beside another, in the same JVM, whose tables are those of the lake that the settings name."""
    other = session.newSession()
    for key, value in spark_options(settings).items():
        if key != "spark.sql.extensions":
            other.conf.set(key, value)
    Paths.of(settings).lake.mkdir(parents=True, exist_ok=True)
    other.sql(f"SHOW NAMESPACES IN {CATALOG}").collect()  # loads the catalog while this session's options hold
    return other


def lake_jars(settings: Settings, paths: Paths) -> list[Path]:
    """Iceberg's runtime for Spark, the drivers of its catalog, and the client of object storage where the lake lies in one."""
    folders = ["spark_lake", "catalog", *(["spark_s3"] if is_in_object_store(settings) else [])]
    return [jar for folder in folders for jar in sorted((paths.jars / folder).glob("*.jar"))]


def _java_options(archive: Path, *, is_short: bool) -> str:
    # Throughput counts here and pauses do not: a seventh less wall time on two cores than with the default collector.
    options = [*NEUTRAL_LOCALE, "-XX:+UseParallelGC"]
    if sys.platform == "linux":
        options.append("-XX:+UseTransparentHugePages")  # a twelfth less CPU time: columns are read all over a large heap
    if is_short:
        # Without the optimising compiler Java keeps 48 MB of code, which Spark fills; then it sweeps instead of working.
        options += ["-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=256m"]
    if archive.exists():
        options.append(f"-XX:SharedArchiveFile={archive} -Xlog:cds*=off")
    return " ".join(options)
