"""Operators of the real-time job keep their names from release to release: a savepoint finds them by these."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jishi.features import live_views
from jishi.paths import Paths
from jishi.settings import Settings, get_settings

pytestmark = pytest.mark.integration
GOLDEN = Path(__file__).parents[2] / "golden" / "stream" / "operators.txt"
_ADVICE = """
The state of the first would be lost in an upgrade. If the computation did not mean to change, restore its text. If it did, the
upgrade needs --drop-state: say so in CHANGELOG.md and write the names anew:
    .venv/bin/python -m ops.lake_tables
    .envs/flink/bin/python -m flink_jobs.upgrade --names > tests/golden/stream/operators.txt
"""


def names(flink: Path, left_out: tuple[str, ...] = ()) -> list[str]:
    """Names of the operators with state of the live job without some views."""
    from flink_jobs import engine
    from flink_jobs.job import realtime_job
    from flink_jobs.plan import compile_job, operators
    from flink_jobs.state_folder import StateFolder

    settings = Settings(_env_file=None, var=flink, envs=get_settings().envs)  # type: ignore[call-arg]
    paths = Paths.of(settings)
    paths.lake.mkdir(exist_ok=True)
    options = engine.realtime_options(settings, paths, checkpoints=StateFolder.on_disk(flink / "checkpoints"), resume_from=None)
    views = {name: members for name, members in live_views().items() if name not in left_out}
    compiled = compile_job(engine.table_environment(options), realtime_job(settings, paths, views))
    uids = [node["configuration"]["table.exec.uid.format"] for node in json.loads(compiled.as_json_string())["nodes"]]
    assert len(uids) == len(set(uids))
    return list(operators(compiled).uids)


def test_no_operator_was_renamed(flink: Path) -> None:
    golden, result = GOLDEN.read_text().split(), names(flink)
    gone, added = sorted(set(golden) - set(result)), sorted(set(result) - set(golden))
    assert not gone, f"gone: {', '.join(gone)}; new: {', '.join(added)}{_ADVICE}"
    assert not added, f"add to {GOLDEN.name}: {', '.join(added)}"


def test_another_view_renames_nothing(flink: Path) -> None:
    left_out = ("person_3600s_60s", "item_3600s_60s", "item_21600s_3600s_86400s_ago")
    less, whole = set(names(flink, left_out)), set(names(flink))
    assert less < whole
    assert {name.partition("@")[0] for name in whole - less} == set(left_out)
