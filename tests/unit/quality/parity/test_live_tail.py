"""What a recorded version lacks of the stream's bronze is read beside it, and only that."""

from __future__ import annotations

from pathlib import Path

from jishi.lake.live import with_live_tail
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.settings import Settings
from tests.live_events import append_live


def test_the_tail_is_what_the_stream_has_committed_by_now(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / "var", _env_file=None)  # type: ignore[call-arg]
    recorded = open_version(settings)
    assert with_live_tail(recorded) == recorded
    row = {"collector_id": "c", "shop_id": "a", "line": "{}", "log_partition": 0, "received_at_ms": 1_790_000_000_000}
    append_live(settings, [row | {"seq": 1, "log_offset": 1}])
    earlier = with_live_tail(recorded)
    append_live(settings, [row | {"seq": 2, "log_offset": 2}, row | {"seq": 1, "log_offset": 3}])
    seen = []
    for version in (recorded, earlier, with_live_tail(recorded)):
        with open_lake(version) as lake:
            seen.append(lake.execute("select seq, log_offset from bronze_all order by seq").fetchall())
    assert seen == [[], [(1, 1)], [(1, 1), (2, 2)]]
