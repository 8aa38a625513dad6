"""When the next build of the marts may continue the last one, and what it says when it may not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jishi.lake.versions import VersionNotFound
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_EVENTS
from ops import marts_state
from ops.marts_state import BuiltState, project_checksum, registry_of, take_state, version_to_continue
from tests.lake import record, settings_in


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A lake of two versions, and a database that was built from the first."""
    for day in range(2):
        record(tmp_path, {SILVER_EVENTS: [{"shop_id": "a", "event_id": f"e{day}"}]})
    paths = Paths.of(settings_in(tmp_path))
    paths.warehouse.mkdir(parents=True)
    (paths.warehouse / "build.duckdb").write_bytes(b"12345678")
    BuiltState(1, project_checksum(), registry_of(Shops()), full_bytes=8).write(paths)
    return paths


def reason(paths: Paths) -> tuple[int | None, str]:
    version, why = version_to_continue(settings_in(paths.var), paths.warehouse / "build.duckdb", take_state(paths))
    return version.number if version else None, why


def test_a_finished_build_is_continued_from_its_own_version_and_only_once(paths: Paths) -> None:
    assert reason(paths) == (1, "")
    assert reason(paths) == (None, "no finished build is there to continue")


def test_without_its_database_a_note_says_nothing(paths: Paths) -> None:
    (paths.warehouse / "build.duckdb").unlink()
    assert reason(paths) == (None, "no finished build is there to continue")


@pytest.mark.parametrize("content", ["", "[1]", '{"version": 1, "written_by": "other code"}'])
def test_a_note_that_cannot_be_read_is_none(paths: Paths, content: str) -> None:
    (paths.warehouse / "build.json").write_text(content)
    assert reason(paths) == (None, "no finished build is there to continue")


def test_other_code_is_a_reason_for_a_full_build(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "dbt"
    changed.mkdir()
    (changed / "a.sql").write_text("select 1")
    monkeypatch.setattr(marts_state, "PROJECT_ROOT", tmp_path)
    monkeypatch.setattr(marts_state, "DBT", changed)
    monkeypatch.setattr(marts_state, "_CODE", ())
    before = project_checksum()
    (changed / "a.sql").write_text("select 2")
    assert project_checksum() != before
    assert reason(paths) == (None, "models, rules or engines have changed")


def test_a_large_database_of_more_holes_than_rows_is_written_anew(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marts_state, "LEAST_GROWN_BYTES", 20)
    (paths.warehouse / "build.duckdb").write_bytes(b"1" * 25)
    version, why = reason(paths)
    assert version is None
    assert "has grown" in why


def test_a_shop_that_leaves_the_registry_or_comes_back_is_a_reason_for_a_full_build(paths: Paths) -> None:
    settings, database, state = settings_in(paths.var), paths.warehouse / "build.duckdb", take_state(paths)
    assert state is not None
    assert version_to_continue(settings, database, state, {"b": ()})[1].endswith("come back to it: b")
    state = replace(state, left_out=["b"], held=["c"])
    assert version_to_continue(settings, database, state)[1].endswith("come back to it: b")
    assert version_to_continue(settings, database, state, {"b": ()})[1] == ""


def test_a_version_that_is_no_longer_kept_cannot_be_compared_with(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise VersionNotFound("version 1")

    monkeypatch.setattr(marts_state, "open_version", gone)
    version, why = reason(paths)
    assert version is None
    assert "version 1, from which the last build was made, is no longer kept" in why


def test_every_setting_that_a_mart_reads_is_in_the_note(paths: Paths) -> None:
    shop = Shop(shop_id="a", name="a")
    others = (
        {"time_zone": "Asia/Tokyo"},
        {"currency": "JPY"},
        {"name": "b"},
        {"customers": shop.customers.model_copy(update={"active_days": 9})},
        {"funnel": shop.funnel.model_copy(update={"window_minutes": 9})},
        {"items": shop.items.model_copy(update={"slow_days": 9})},
    )
    notes = [registry_of(Shops(shops={"a": shop.model_copy(update=other)})) for other in ({}, *others)]
    assert all(first != second for n, first in enumerate(notes) for second in notes[n + 1 :])
