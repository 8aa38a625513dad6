"""Gzipped batches: read like plain ones, bounded like plain ones, whatever they would unpack to."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.accepted import count_accepted
from collector.body import gunzip
from collector.refusals import RequestRefused

Viewed = Callable[..., dict[str, Any]]


def post(world: Any, body: bytes, coding: str = "gzip") -> Any:
    headers = {"Authorization": f"Bearer {world.keys['write']}", "Content-Encoding": coding}
    return world.client.post("/v1/events", content=body, headers=headers)


def test_a_gzipped_batch_is_taken_like_a_plain_one(world: Any, viewed: Viewed) -> None:
    answer = post(world, gzip.compress(orjson.dumps([viewed("e-1"), viewed("e-2", properties={})])))
    assert answer.status_code == 200
    assert [result["status"] for result in answer.json()["results"]] == ["accepted", "quarantined"]
    assert count_accepted(world.wal.folder) == {"a": 2}


def test_a_bomb_is_refused_before_it_goes_off(world: Any) -> None:
    bomb = gzip.compress(bytes(200 * 2**20), compresslevel=9)
    assert len(bomb) < 300_000
    tracemalloc.start()
    answer = post(world, bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code == 413
    assert "unpacked" in answer.json()["error"]["message"]
    assert peak < 12 * 2**20
    assert count_accepted(world.wal.folder) == {}


def test_bombs_in_many_members_add_up() -> None:
    member = gzip.compress(bytes(600))
    assert gunzip(member, 600) == bytes(600)
    with pytest.raises(RequestRefused) as refused:
        gunzip(member * 2, 1000)
    assert refused.value.status == 413


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-4], lambda b: b[:10], lambda b: b"[1]", lambda b: b + b"x", lambda b: b[:-8] + bytes(8)]
)
def test_a_damaged_stream_is_refused(world: Any, viewed: Viewed, damage: Callable[[bytes], bytes]) -> None:
    answer = post(world, damage(gzip.compress(orjson.dumps([viewed()]))))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed_gzip")
    assert count_accepted(world.wal.folder) == {}


@given(pieces=st.lists(st.binary(max_size=3000), min_size=1, max_size=4), limit=st.integers(0, 6000))
def test_unpacking_gives_the_bytes_or_says_that_they_are_too_many(pieces: list[bytes], limit: int) -> None:
    packed, whole = b"".join(map(gzip.compress, pieces)), b"".join(pieces)
    if len(whole) <= limit:
        assert gunzip(packed, limit) == whole
    else:
        with pytest.raises(RequestRefused):
            gunzip(packed, limit)


def test_a_million_empty_members_cost_no_time() -> None:
    bomb = gzip.compress(b"") * 1_000_000
    began = time.process_time()
    with pytest.raises(RequestRefused) as refused:
        gunzip(bomb, 2**30)
    assert (refused.value.status, refused.value.code) == (413, "too_many_members")
    # Not a speed that is measured: a member that was cut off the front each time cost minutes.
    assert time.process_time() - began < 5
    assert gunzip(gzip.compress(b"") * 99 + gzip.compress(b"[1]"), 3) == b"[1]"
