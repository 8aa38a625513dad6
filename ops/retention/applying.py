"""Take away what has had its time: files by their rules, rows by the commands of the parts that they belong to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from ops.retention.places import PLACES, Place, files_of, place_of
from ops.retention.rules import FoldersOlderThan, OlderThan, Rotated, RowsOlderThan, size_of


class RetentionFailed(RuntimeError):
    """A part could not forget its rows; the message names it and what it said."""


@dataclass(frozen=True)
class Removal:
    """What goes, or would go, of one place."""

    place: Place
    entries: tuple[Path, ...]
    bytes: int


def retain_files(var: Path, now_s: float, *, dry_run: bool = False) -> list[Removal]:
    """Apply every rule over files as of ``now_s`` (epoch seconds); what is of no place is left alone.

    Another run, or the part itself, may take a file away meanwhile.
    """
    by_place: dict[str, list[Path]] = defaultdict(list)
    for file in files_of(var):
        if not file.is_symlink() and (place := place_of(str(file.relative_to(var)))) is not None:
            by_place[place.pattern].append(file)
    removals = []
    for place in PLACES:
        rule, files = place.rule, by_place.get(place.pattern, [])
        if isinstance(rule, FoldersOlderThan):
            doomed = rule.doomed(sorted({_whole_folder(var, place, file) for file in files}), now_s)
        elif isinstance(rule, OlderThan | Rotated):
            doomed = rule.doomed(files, now_s)
        else:
            continue
        if doomed:
            removals.append(Removal(place, tuple(doomed), sum(map(_bytes_of, doomed))))
            for entry in () if dry_run else doomed:
                _take_away(entry, aside=isinstance(rule, Rotated))
    if not dry_run:
        _drop_empty_folders(var, removals)
    return removals


def retain_rows(settings: Settings, say: Callable[[str], None], *, dry_run: bool = False) -> None:
    """Let each part forget its old rows, wherever its database is. Raises RetentionFailed when the last has had its turn."""
    paths, failures = Paths.of(settings), []
    for place in PLACES:
        rule, file = place.rule, place.pattern.rstrip("*")
        if not isinstance(rule, RowsOlderThan):
            continue
        if not (paths.var / file).exists() and not (rule.address and getattr(settings, rule.address)):
            continue
        if not paths.python(rule.needs).exists():
            say(f"{file}: left to a machine or container with the environment {rule.needs}, where the DAG maintenance runs")
            continue
        module, command = rule.command
        environment = os.environ | {"JISHI_VAR": str(paths.var), "JISHI_ENVS": str(paths.envs), "PYTHONPATH": str(PROJECT_ROOT)}
        done = subprocess.run(
            [sys.executable, "-P", "-m", module, command, "--days", str(rule.days), *(["--dry-run"] if dry_run else [])],
            capture_output=True,
            text=True,
            check=False,
            cwd=PROJECT_ROOT,
            env=environment,
        )
        if done.returncode == 0:
            say(f"{file}: {done.stdout.strip().splitlines()[-1]}")
        else:
            failures.append(f"{module} {command}: {(done.stdout + done.stderr).strip()[-600:]}")
    if failures:
        raise RetentionFailed("\n".join(failures))


def _whole_folder(var: Path, place: Place, file: Path) -> Path:
    """The folder of the place that a file lies in."""
    return var.joinpath(*file.relative_to(var).parts[: place.pattern.rstrip("/").count("/") + 1])


def _take_away(entry: Path, *, aside: bool) -> None:
    if aside:
        with suppress(FileNotFoundError):
            entry.replace(entry.with_name(entry.name + ".1"))
    elif entry.is_dir():
        with suppress(FileNotFoundError):
            shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)


def _bytes_of(entry: Path) -> int:
    files = [inner for inner in entry.rglob("*") if not inner.is_dir()] if entry.is_dir() else [entry]
    return sum(map(size_of, files))


def _drop_empty_folders(var: Path, removals: list[Removal]) -> None:
    """Folders that a removal has emptied, such as that of a day."""
    for folder in sorted({entry.parent for removal in removals for entry in removal.entries}, reverse=True):
        with suppress(FileNotFoundError):
            while folder.is_dir() and folder.parent != var and folder != var and not any(folder.iterdir()):
                folder.rmdir()
                folder = folder.parent
