"""An old lake in folders becomes Iceberg tables once, whole, and a second run does no harm."""

from __future__ import annotations

import pytest

from jishi.lake.live import LiveTail
from jishi.lake.migration import NothingToMigrate, migrate
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.settings import Settings
from tests.lake_in_folders import NOON_MS, old_lake

pytestmark = pytest.mark.integration
SQLITE = pytest.mark.parametrize("online_store", ["sqlite"], indirect=True)


@SQLITE
def test_bronze_in_folders_becomes_tables(lake_settings: Settings) -> None:
    with pytest.raises(NothingToMigrate):
        migrate(lake_settings)
    old_lake(lake_settings.var)
    done = migrate(lake_settings)
    assert done.rows == {"bronze/events": 1, "bronze/history": 3, "bronze/repairs": 1}
    assert done.batches == {"history": ["a", "b"], "live-2026-09-21": ["a"]}
    with open_lake(open_version(lake_settings)) as lake:
        history = lake.execute(
            "select shop_id, seq, person_id, epoch_ms(received_at) from bronze_history order by 1, 2"
        ).fetchall()
        assert history == [("a", 0, "u:x", NOON_MS), ("a", 1, "a:x", NOON_MS), ("b", 0, None, NOON_MS)]
        assert lake.execute("select seq, person_id from bronze_repairs").fetchall() == [(1, "u:x")]
    columns = ("seq", "person_id", "log_offset")
    assert LiveTail(lake_settings).rows(columns).to_pylist() == [{"seq": 7, "person_id": "u:u", "log_offset": 5}]
    again = migrate(lake_settings)
    assert again.rows == done.rows | {"bronze/events": 0}
    assert LiveTail(lake_settings).count() == 1
