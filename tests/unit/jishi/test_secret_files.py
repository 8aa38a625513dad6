"""A secret is made once, whoever needs it first: containers of one platform start at the same moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from dashboard import admin
from jishi.paths import Paths
from ops import airflow
from tests.lake import settings_in

AT_ONCE, ROUNDS = 8, 40
_SECRETS: dict[str, tuple[Callable[[Paths], None], str]] = {
    "airflow": (airflow.write_secrets, "airflow"),
    "superset": (admin.write_secrets, "superset"),
}


def _content(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir() if not file.name.startswith(".")}


def _make(which: str, var: Path, start: Barrier, seen: multiprocessing.Queue[dict[str, str]]) -> None:
    """Make the secrets as a process that starts, and say what it goes on with."""
    write, folder = _SECRETS[which]
    for number in range(ROUNDS):
        paths = Paths(var=var / str(number), envs=var)
        start.wait()
        write(paths)
        seen.put({f"{number}/{name}": text for name, text in _content(paths.var / folder).items()})


@pytest.mark.parametrize("which", sorted(_SECRETS))
def test_processes_that_start_at_once_have_the_same_secrets(which: str, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    start, seen = fork.Barrier(AT_ONCE), fork.Queue()
    processes = [fork.Process(target=_make, args=(which, tmp_path, start, seen)) for _ in range(AT_ONCE)]
    for process in processes:
        process.start()
    taken = [seen.get(timeout=60) for _ in range(AT_ONCE * ROUNDS)]
    for process in processes:
        process.join()
    known: dict[str, set[str]] = {}
    for name, text in (entry for each in taken for entry in each.items()):
        known.setdefault(name, set()).add(text)
    assert {name for name, texts in known.items() if len(texts) > 1} == set()
    assert "" not in set.union(*known.values())


def test_secrets_are_private_and_leave_nothing_beside_them(tmp_path: Path) -> None:
    paths = Paths.of(settings_in(tmp_path))
    for write, folder in _SECRETS.values():
        write(paths)
        assert {file.stat().st_mode & 0o777 for file in (paths.var / folder).iterdir()} == {0o600}
        assert [file.name for file in (paths.var / folder).iterdir() if file.name.startswith(".")] == []
