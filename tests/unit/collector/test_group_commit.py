"""Requests that wait share one fsync, and nobody is answered before it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.accepted import count_accepted
from collector.group_commit import GROUP_EVENTS, BacklogFull, DiskFailing, GroupCommit
from collector.wal.writer import WalWriter


def records(count: int) -> list[Any]:
    return [{"seq": -1, "shop_id": "a", "line": str(i)} for i in range(count)]


def with_commit(folder: Path, body: Callable[[GroupCommit, list[int]], Any], max_backlog: int = 100) -> None:
    """Run ``body`` beside the writer task, then close and wait for its end."""

    async def run() -> None:
        wal = WalWriter(folder, 10_000)
        groups: list[int] = []
        commit = GroupCommit(wal, max_backlog, time.monotonic, lambda seconds, events: groups.append(events))
        writer = asyncio.create_task(commit.run())
        try:
            await body(commit, groups)
        finally:
            commit.close()
            await writer
            wal.close()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_answers_wait_for_fsync_and_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_sync = threading.Event()
    real = os.fsync

    async def body(commit: GroupCommit, groups: list[int]) -> None:
        monkeypatch.setattr(os, "fsync", lambda descriptor: (may_sync.wait(10), real(descriptor)))
        tasks = [asyncio.create_task(commit.write(records(2))) for _ in range(20)]
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in tasks)
        assert commit.backlog == 40
        commit.check_room(60)
        with pytest.raises(BacklogFull, match="40 events wait"):
            commit.check_room(61)
        may_sync.set()
        await asyncio.gather(*tasks)
        assert commit.backlog == 0
        assert sum(groups) == 40
        assert len(groups) <= 2

    with_commit(tmp_path, body)
    assert count_accepted(tmp_path) == {"a": 40}


def test_a_group_is_bounded(tmp_path: Path) -> None:
    async def body(commit: GroupCommit, groups: list[int]) -> None:
        await asyncio.gather(*(commit.write(records(GROUP_EVENTS // 2 + 1)) for _ in range(3)))
        assert groups == [GROUP_EVENTS // 2 + 1] * 3

    with_commit(tmp_path, body)


def test_what_waits_at_the_end_is_written_and_nothing_after_it(tmp_path: Path) -> None:
    async def body(commit: GroupCommit, groups: list[int]) -> None:
        task = asyncio.create_task(commit.write(records(3)))
        await asyncio.sleep(0)
        commit.close()
        with pytest.raises(DiskFailing, match="stopping"):
            await commit.write(records(1))
        await task

    with_commit(tmp_path, body)
    assert count_accepted(tmp_path) == {"a": 3}


def test_a_broken_writer_leaves_nobody_waiting(tmp_path: Path) -> None:
    async def run() -> None:
        wal = WalWriter(tmp_path, 10_000)
        commit = GroupCommit(wal, 100, time.monotonic, lambda seconds, events: None)
        writer = asyncio.create_task(commit.run())
        with pytest.raises(DiskFailing, match="ended"):
            await commit.write([{"seq": -1, "line": object()}])  # type: ignore[list-item]
        with pytest.raises(TypeError):
            await writer
        with pytest.raises(DiskFailing, match="stopping"):
            await commit.write(records(1))
        wal.close()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_the_disk_is_tried_again_without_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(commit: GroupCommit, groups: list[int]) -> None:
        def fail(descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("collector.group_commit.PROBE_EVERY_S", 0.02)
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(DiskFailing):
            await commit.write(records(1))
        await asyncio.sleep(0.1)
        assert commit.failure == "Input/output error"
        monkeypatch.undo()
        while commit.failure is not None:
            await asyncio.sleep(0.02)

    with_commit(tmp_path, body)
