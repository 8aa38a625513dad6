"""One small simulated shop that the tests of this folder share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from simulator.history import simulate
from simulator.world import SimulationPlan

PLAN = SimulationPlan("xinghe", users=250, days=15, seed=3)


@dataclass(frozen=True)
class Simulated:
    """Lines as they were written, events as they were meant, and the truth."""

    folder: Path
    lines: list[bytes]
    truth: dict[str, Any]
    shoppers: list[dict[str, Any]]
    items: list[dict[str, Any]]

    @property
    def events(self) -> list[dict[str, Any]]:
        """First deliveries of the events that are neither broken nor from the future, in the order of receipt."""
        planted = [json.loads(line) for line in (self.folder / "truth" / PLAN.shop_id / "planted.jsonl").open()]
        bad = {entry["event_id"] for entry in planted if entry["defect"] in ("future", "invalid")}
        seen: set[str] = set()
        events = []
        for line in self.lines:
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            event_id = event.get("event_id")
            if event_id is not None and event_id not in bad and event_id not in seen:
                seen.add(event_id)
                events.append(event)
        return events


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    folder = tmp_path_factory.mktemp("simulated")
    simulate(PLAN, folder)
    truth = folder / "truth" / PLAN.shop_id
    lines = [line for file in sorted((folder / PLAN.shop_id).glob("*.jsonl")) for line in file.read_bytes().splitlines()]
    return Simulated(
        folder,
        lines,
        json.loads((truth / "summary.json").read_text()),
        pq.read_table(truth / "shoppers.parquet").to_pylist(),
        pq.read_table(truth / "items.parquet").to_pylist(),
    )


@pytest.fixture(scope="session")
def events(shop: Simulated) -> list[dict[str, Any]]:
    return shop.events
