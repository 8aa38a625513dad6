"""The saved position never stands behind an entry that the broker does not have."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.progress import DeliveryProgress, load_position, save_position
from collector.wal.segments import Position, WalCorrupt


@given(order=st.permutations(range(12)), upto=st.integers(min_value=0, max_value=12))
def test_only_the_gapless_prefix_counts(order: list[int], upto: int) -> None:
    progress = DeliveryProgress(Position(5, 0, 5))
    for i in range(12):
        progress.sent(Position(5, 10 * (i + 1), 6 + i))
    done = order[:upto]
    for i in done:
        progress.delivered(5 + i)
    prefix = next((i for i in range(12) if i not in done), 12)
    assert progress.position == Position(5, 10 * prefix, 5 + prefix)
    assert len(progress) == 12 - prefix


def test_the_position_is_remembered(tmp_path: Path) -> None:
    assert load_position(tmp_path) == Position(0, 0, 0)
    save_position(tmp_path, Position(3, 40, 5))
    assert load_position(tmp_path) == Position(3, 40, 5)
    (tmp_path / "forwarded.json").write_text("{}")
    with pytest.raises(WalCorrupt, match="remove it"):
        load_position(tmp_path)
