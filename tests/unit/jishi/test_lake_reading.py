"""Services that read the lake outlive its records: what cannot be asked now is asked again."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.catalogue_store import load_catalogue
from jishi.lake.reading import open_version
from jishi.lake.versions import VersionsUnreachable
from jishi.settings import Settings
from jishi.tables import SILVER_ITEMS
from tests.lake import record, settings_in


@pytest.fixture
def without_server(tmp_path: Path) -> Settings:
    """A cluster's settings whose PostgreSQL is down: nothing listens on port 1."""
    settings = settings_in(tmp_path)
    settings.lake_catalog_uri = "postgresql://jishi:secret@127.0.0.1:1/lake"
    return settings


def test_records_that_do_not_answer_are_a_connection_error_without_the_password(without_server: Settings) -> None:
    with pytest.raises(VersionsUnreachable, match=r"PostgreSQL at 127\.0\.0\.1:1/lake") as error:
        open_version(without_server)
    assert isinstance(error.value, OSError)
    assert "secret" not in str(error.value)


def test_a_damaged_record_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "versions.db").mkdir()
    with pytest.raises(VersionsUnreachable, match=r"versions\.db"):
        open_version(settings_in(tmp_path))


def test_the_collector_starts_without_the_lake(
    tmp_path: Path, without_server: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "wal").mkdir()
    assert list(load_catalogue(tmp_path / "wal", without_server)) == []
    assert "filled from live changes only" in caplog.text


def test_the_collectors_catalogue_begins_with_the_lakes_items(tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    items = [{"shop_id": shop, "item_id": "i", "category": shop * 2, "unit_price_minor": 5} for shop in ("a", "b")]
    record(tmp_path, {SILVER_ITEMS: items})
    catalogue = load_catalogue(tmp_path / "wal", settings_in(tmp_path))
    assert [(shop, item, known.category, known.unit_price_minor) for shop, item, known in sorted(catalogue)] == [
        ("a", "i", "aa", 5),
        ("b", "i", "bb", 5),
    ]
