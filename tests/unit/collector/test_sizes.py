"""What the collector takes fits into the log, and what the log refuses all the same keeps its identity."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from collector.batch import check_batch, decode
from collector.sizes import SizesDisagree, check_collector, quarantined
from collector.wal.entries import encode
from jishi import topics
from jishi.contract.validation import REASONS
from jishi.settings import Settings


def test_limits_that_do_not_agree_are_refused_by_the_name_of_the_setting() -> None:
    check_collector(Settings().collector_max_bytes)
    with pytest.raises(SizesDisagree, match=r"JISHI_COLLECTOR_MAX_BYTES is 4194304: .*set it to \d+ at most"):
        check_collector(4 * 2**20)


@pytest.mark.parametrize("fill", [b"\x01", b'\\"', b"\xff", "界".encode(), b"\\u0001", b"\x7f"])
def test_the_largest_request_of_any_bytes_makes_a_record_that_the_log_takes(fill: bytes) -> None:
    size = Settings().collector_max_bytes
    head, tail = b'[{"shop_id":"a","note":"', b'"}]'
    body = head + fill * ((size - len(head) - len(tail)) // len(fill)) + tail
    [record] = check_batch(decode(body, 10), shop_id="a", collector_id="c" * 32, collected_at_ms=0).records
    assert len(encode(record)) < topics.MAX_RECORD_BYTES


def test_a_record_that_is_too_large_for_the_log_is_quarantined_under_its_identity_and_kept_whole(tmp_path: Path) -> None:
    event = {"event_id": "e", "shop_id": "a", "type": "item_viewed", "occurred_at": "2026-11-23T08:00:00Z", "user_id": "u"}
    event |= {"properties": {"item_id": "i"}, "note": "界" * 50_000}
    [record] = check_batch([event], shop_id="a", collector_id="c" * 32, collected_at_ms=7).records
    record["seq"] = 12
    body = orjson.dumps(record)
    placed = orjson.loads(quarantined(body, tmp_path / "refused"))
    same = ("collector_id", "seq", "shop_id", "event_id", "type", "collected_at_ms", "user_id", "sent_by")
    assert {name: placed[name] for name in same} == {name: record[name] for name in same}  # type: ignore[literal-required]
    assert placed.keys() == record.keys()
    assert placed["invalid_reason"] == "too_large_for_log"
    assert placed["invalid_reason"] in REASONS
    assert record["line"].startswith(placed["line"])
    assert len(placed["line"]) < 2_000
    [kept] = (tmp_path / "refused").iterdir()
    assert kept.name in placed["invalid_detail"]
    assert kept.read_bytes() == body
