"""A collector without a socket: the ASGI application on a fresh write-ahead log and a registry of two shops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from collector.app import create_app
from collector.intake import Intake
from collector.keys import KeyRing
from collector.wal.writer import WalWriter
from jishi.settings import Settings
from jishi.shops import Shop, Shops

NOW_MS = 1_795_000_000_000


@dataclass
class IntakeWorld:
    """Everything that a test may look at or turn."""

    client: TestClient
    intake: Intake
    wal: WalWriter
    registry: Path
    keys: dict[str, str]
    clock_s: list[float] = field(default_factory=lambda: [0.0])

    def post(self, body: Any, key: str = "write", **options: Any) -> Any:
        """Post JSON with one of the keys."""
        return self.client.post("/v1/events", json=body, headers={"Authorization": f"Bearer {self.keys[key]}"}, **options)


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., IntakeWorld]]:
    """A collector with the settings that a test asks for."""
    opened: list[tuple[TestClient, WalWriter]] = []

    def make(**options: Any) -> IntakeWorld:
        registry = tmp_path / "shops.json"
        shops = Shops()
        for shop_id in ("a", "b"):
            shops.add(Shop(shop_id=shop_id, name=shop_id))
        keys = {
            "write": shops.issue_key("a", "write"),
            "read": shops.issue_key("a", "read"),
            "b": shops.issue_key("b", "write"),
            "track": shops.issue_key("a", "track"),
            "test": shops.issue_key("a", "write", is_test=True),
            "test track": shops.issue_key("a", "track", is_test=True),
            "track at home": shops.issue_key("a", "track", origins=["https://shop.example"]),
        }
        shops.save(registry)
        settings = Settings(var=tmp_path, **options)
        wal = WalWriter(tmp_path / "wal", settings.wal_segment_bytes)
        clock_s = [0.0]
        intake = Intake(wal, KeyRing(registry), settings, clock_ms=lambda: NOW_MS, clock_s=lambda: clock_s[0])
        client = TestClient(create_app(intake), raise_server_exceptions=False)
        client.__enter__()
        opened.append((client, wal))
        return IntakeWorld(client, intake, wal, registry, keys, clock_s)

    yield make
    for client, wal in opened:
        client.__exit__(None, None, None)
        wal.close()


@pytest.fixture
def world(make_world: Callable[..., IntakeWorld]) -> IntakeWorld:
    """A collector with the default settings."""
    return make_world()


@pytest.fixture
def viewed() -> Callable[..., dict[str, Any]]:
    """A good event, with changes."""

    def make(event_id: str = "e-1", **changes: Any) -> dict[str, Any]:
        event = {
            "event_id": event_id,
            "shop_id": "a",
            "type": "item_viewed",
            "occurred_at": "2026-11-23T08:00:00.123Z",
            "user_id": "u-1",
            "properties": {"item_id": "i-1"},
        }
        return {name: value for name, value in (event | changes).items() if value is not ...}

    return make
