"""dbt reads its project once for all databases of one name, not anew for each platform."""

from __future__ import annotations

import shutil
from pathlib import Path
from subprocess import CompletedProcess

import duckdb
import pytest

from ops import dbt, dbt_process

pytestmark = pytest.mark.integration


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one model, instead of the marts'."""
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: small\nversion: 1.0.0\nprofile: jishi\n")
    (folder / "models" / "one.sql").write_text("select 1 as number")
    shutil.copy(dbt.DBT / "profiles.yml", folder)
    monkeypatch.setattr(dbt, "DBT", folder)
    monkeypatch.setenv("JISHI_ENVS", str(tmp_path / "envs"))
    return folder


def run(project: Path, var: Path) -> CompletedProcess[str]:
    var.mkdir()
    environment = {"JISHI_DBT_DATABASE": str(var / "build.duckdb"), "DBT_TARGET_PATH": str(var / "target")}
    environment |= {"DBT_LOG_PATH": str(var), "DBT_PROFILES_DIR": str(project)}
    return dbt_process.run_dbt(["run"], environment)


def model_of(var: Path) -> list[tuple[int]]:
    with duckdb.connect(str(var / "build.duckdb"), read_only=True) as connection:
        return connection.execute("from one").fetchall()


def test_another_platform_reads_what_has_changed(project: Path, tmp_path: Path) -> None:
    assert run(project, tmp_path / "a").returncode == 0
    [kept] = (tmp_path / "envs").rglob("partial_parse.msgpack")
    read_at = kept.stat().st_mtime_ns
    assert run(project, tmp_path / "b").returncode == 0
    assert kept.stat().st_mtime_ns == read_at
    assert not [*(tmp_path / "b").rglob("partial_parse.msgpack")]
    (project / "models" / "one.sql").write_text("select 2 as number")
    assert run(project, tmp_path / "c").returncode == 0
    assert [model_of(tmp_path / var) for var in "abc"] == [[(1,)], [(1,)], [(2,)]]


def test_a_project_that_dbt_cannot_read_ends_the_run(project: Path, tmp_path: Path) -> None:
    (project / "models" / "one.sql").write_text("select {{ ref('nothing') }}")
    done = run(project, tmp_path / "a")
    assert done.returncode != 0
    assert "nothing" in done.stdout


def test_without_a_place_beside_the_environments_each_platform_reads_for_itself(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("JISHI_ENVS", str(tmp_path / "file"))
    assert run(project, tmp_path / "a").returncode == 0
    assert (tmp_path / "a" / "target" / "partial_parse.msgpack").exists()
    assert model_of(tmp_path / "a") == [(1,)]
