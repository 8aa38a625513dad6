"""Look at the machine: what the platform needs, what is there, and what to do about the rest."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from jishi.java import JavaMissing, java_home, java_version
from jishi.paths import Paths
from jishi.settings import Settings
from ops.ailments import ailments
from ops.health import platform_health
from ops.parts import parts
from ops.processes import holder_of_port
from ops.supervisor import is_running

NEEDED_DISK_GB = 6
NEEDED_MEMORY_GB = 8
RUNBOOKS = "docs/operations/runbooks.md"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what to do when it is not fine."""

    what: str
    is_fine: bool
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Every finding, fine ones included."""
    paths = Paths.of(settings)
    findings = [_python(), _java(paths), _memory(), _disk(paths), _chinese_font()]
    is_elsewhere = bool(settings.part_hosts) and not is_running(paths)
    groups = ("main",) if is_elsewhere else ("main", "flink", "airflow", "superset")
    findings += [_environment(paths, group) for group in groups]
    jars = len(list(paths.jars.glob("*/*.jar")))
    findings.append(Finding("jars", jars > 0, f"{jars} jars in {paths.jars}" if jars else "none; run scripts/setup"))
    findings += _running(settings, paths) if is_elsewhere or is_running(paths) else _ports(settings, paths)
    ailing = ailments(settings, datetime.now(UTC))
    findings += [Finding(each.runbook, False, f"{each.says} ({RUNBOOKS}#{each.runbook})") for each in ailing]
    return findings


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", (3, 11) <= sys.version_info[:2] <= (3, 12), f"{version}; 3.11 or 3.12 is needed")


def _java(paths: Paths) -> Finding:
    try:
        home = java_home(paths.envs)
    except JavaMissing as error:
        return Finding("Java", False, str(error))
    return Finding("Java", True, f"{java_version(home)} in {home}")


def _memory() -> Finding:
    import psutil

    available = psutil.virtual_memory().available / 2**30
    return Finding(
        "memory", available > NEEDED_MEMORY_GB, f"{available:.1f} GiB available; the platform wants {NEEDED_MEMORY_GB}"
    )


def _disk(paths: Paths) -> Finding:
    existing = next(folder for folder in (paths.var, *paths.var.parents) if folder.exists())
    free = shutil.disk_usage(existing).free / 2**30
    return Finding("disk", free > NEEDED_DISK_GB, f"{free:.1f} GiB free at {existing}; the demo wants {NEEDED_DISK_GB}")


def _chinese_font() -> Finding:
    """Pages are drawn by their reader's own browser; pictures of them and of notebooks are drawn here."""
    listing = shutil.which("fc-list")
    fix = "pictures of pages and notebooks would show boxes; install one (Debian: apt-get install fontconfig fonts-noto-cjk)"
    if listing is None:
        return Finding("Chinese font", False, f"fc-list is not there to look for one; {fix}")
    done = subprocess.run([listing, ":lang=zh-cn", "family"], capture_output=True, text=True, check=False, timeout=30)
    families = sorted({line.split(",")[0] for line in done.stdout.splitlines() if line.strip()})
    return Finding("Chinese font", bool(families), ", ".join(families[:3]) if families else f"none; {fix}")


def _environment(paths: Paths, group: str) -> Finding:
    python = paths.python(group)
    return Finding(
        f"environment {group}", python.exists(), str(python) if python.exists() else f"{python} is missing; run scripts/setup"
    )


def _ports(settings: Settings, paths: Paths) -> list[Finding]:
    findings = []
    for part in parts(settings, paths):
        for port, setting in part.listens_on:
            holder = holder_of_port(port)
            detail = "free" if holder is None else f"held by {holder}; stop it or set {setting}"
            findings.append(Finding(f"port {port} ({part.name})", holder is None, detail))
    return findings


def _running(settings: Settings, paths: Paths) -> list[Finding]:
    healths = platform_health(parts(settings, paths), settings, paths)
    return [
        Finding(h.name, h.is_healthy, h.message if h.is_healthy else f"{h.message}; see {paths.log / (h.name + '.log')}")
        for h in healths
    ]
