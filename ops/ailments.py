"""What may be wrong with a running platform's data and state; each finding says what to do (docs/operations/runbooks.md)."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jishi.heartbeat import TAKEN_AWAY_S, beats, last_beat
from jishi.lake.versions import Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from ops.marts_age import marts_published_at
from ops.retention.places import files_of
from ops.schedules import dags_that_are_off
from ops.settings_in_use import changed

MOST_BEHIND = 1_000  # events or messages
MARTS_AGE = timedelta(hours=36)
FULL_WITHIN_DAYS = 3
CLOCK_S = 5
UNFINISHED_ROTATION = timedelta(days=30)


@dataclass(frozen=True)
class Ailment:
    """Something that is wrong: ``runbook`` is the section that says more than ``says``."""

    runbook: str
    says: str


def ailments(settings: Settings, now: datetime) -> list[Ailment]:
    """All of them; ``now`` is aware."""
    paths = Paths.of(settings)
    return [
        *_stream(paths),
        *_marts(settings, now),
        *_disk(paths, now),
        *_releases(paths),
        *_clock(settings, paths, now),
        *_settings(settings, paths),
        *_keys(paths, now),
        *_schedules(settings, paths),
    ]


def _stream(paths: Paths) -> Iterator[Ailment]:
    flink, writer = last_beat(paths, "flink"), last_beat(paths, "feature_writer")
    forwarders = [each for each in beats(paths, "forwarder") if each.age_s < TAKEN_AWAY_S]
    for facts in (each.facts for each in forwarders):
        if facts.get("lag", 0) > MOST_BEHIND:
            kafka = "Kafka is away: see var/log/kafka.log" if facts.get("kafka") == "away" else "see var/log/forwarder.log"
            yield Ailment("completeness", f"{facts['lag']:,} acknowledged events are not in the event log; {kafka}")
        if facts.get("damaged", 0):
            yield Ailment("completeness", f"{facts['damaged']:,} entries cannot be read; jishi reconcile names them")
    if flink is not None and flink.facts.get("state") not in ("RUNNING", "STARTING"):
        yield Ailment("stream-restarts", f"the stream is {flink.facts.get('state')}; see var/log/flink-jvm.log")
    if writer is not None and writer.facts.get("lag", 0) > MOST_BEHIND:
        waits = f"it waits for {writer.facts['waiting_for']}" if writer.facts.get("waiting_for") else "see its log"
        yield Ailment("freshness", f"the feature writer is {writer.facts['lag']:,} messages behind; {waits}")


def _marts(settings: Settings, now: datetime) -> Iterator[Ailment]:
    published_at = marts_published_at(settings)
    if published_at is not None and now - published_at > MARTS_AGE:
        hours = (now - published_at) / timedelta(hours=1)
        yield Ailment(
            "marts-stale", f"the marts are {hours:,.0f} hours old; is the DAG daily on? By hand: python -m ops.marts build"
        )


def _disk(paths: Paths, now: datetime) -> Iterator[Ailment]:
    """Full soon: what was written within a day, for ``FULL_WITHIN_DAYS``, is more than is free."""
    if not paths.var.exists():
        return
    since, written = (now - timedelta(days=1)).timestamp(), 0
    for file in files_of(paths.var):
        try:
            status = file.lstat()
        except FileNotFoundError:  # gone meanwhile
            continue
        written += status.st_blocks * 512 if status.st_mtime > since else 0
    free = shutil.disk_usage(paths.var).free
    if written * FULL_WITHIN_DAYS > free:
        yield Ailment(
            "disk-full",
            f"{written / 2**30:.1f} GiB were written within a day, {free / 2**30:.1f} GiB are free at {paths.var}: "
            "jishi retain, python -m spark_jobs maintain, or a larger disk",
        )


def _releases(paths: Paths) -> Iterator[Ailment]:
    for pointer in sorted(paths.models.glob("*/CURRENT")):
        shop_id, version = pointer.parent.name, pointer.read_text(encoding="utf-8").strip()
        folder = pointer.parent / "releases" / version
        if version and (problem := _damage(folder)) is not None:
            fix = f"jishi models rollback {shop_id}, or python -m models publish --shop {shop_id}"
            yield Ailment("release-unusable", f"the release of {shop_id} cannot be loaded: {problem}; {fix}")


def _damage(folder: Path) -> str | None:
    """What is wrong with a release's files, by the checksums of its own manifest."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        for name, expected in manifest["sha256"].items():
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    return f"{folder / name} has another content than its manifest says"
    except FileNotFoundError as error:
        return f"{error.filename} is missing"
    except (ValueError, KeyError, TypeError) as error:
        return f"{folder / 'manifest.json'} is no manifest ({type(error).__name__})"
    return None


def _clock(settings: Settings, paths: Paths, now: datetime) -> Iterator[Ailment]:
    """Something was written in the future: the clock has been set back, or was ahead."""
    stamps = {f"sign of life of {part}": beat.age_s for part in ("forwarder", "flink") if (beat := last_beat(paths, part))}
    ahead = {what: -age for what, age in stamps.items()}
    if (newest := Versions.of(settings).latest()) is not None:
        ahead["newest version of the lake"] = (newest.created_at - now).total_seconds()
    what, seconds = max(ahead.items(), key=lambda each: each[1], default=("", 0.0))
    if seconds > CLOCK_S:
        yield Ailment(
            "clock", f"the {what} lies {seconds:,.0f} s in the future: set the machine's clock (timedatectl set-ntp true)"
        )


def _settings(settings: Settings, paths: Paths) -> Iterator[Ailment]:
    if names := changed(settings, paths):
        shown = ", ".join(f"JISHI_{name.upper()}" for name in names)
        yield Ailment(
            "settings", f"{shown}: changed, and the running parts have the old values; jishi up starts what is concerned again"
        )


def _keys(paths: Paths, now: datetime) -> Iterator[Ailment]:
    """Rotations that were begun with ``--keep-old`` and not ended."""
    for shop in Shops.load(paths.shops_file).shops.values():
        for right in ("write", "read"):
            keys = sorted(
                (key for key in shop.keys if key.right == right and not key.is_test and key.created_at is not None),
                key=lambda key: key.created_at or datetime.min.replace(tzinfo=UTC),
            )
            if len(keys) > 1 and now - (keys[-1].created_at or now) > UNFINISHED_ROTATION:
                old = ", ".join(key.key_id for key in keys[:-1])
                yield Ailment(
                    "keys",
                    f"{shop.shop_id} has a newer {right} key for {UNFINISHED_ROTATION.days} days: jishi keys revoke {old}",
                )


def _schedules(settings: Settings, paths: Paths) -> Iterator[Ailment]:
    for dag_id in dags_that_are_off(settings, paths):
        url = f"{settings.airflow_address}/dags/{dag_id}"
        yield Ailment("dag-off", f"the DAG {dag_id} is off: nothing of it runs; switch it on at {url}")
