"""Online parity over the real way: serving reads each store, its log is compared with bronze, and a planted value is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from feature_repo.store import apply, open_store
from feature_repo.writer import FeatureSink, WriterProgress
from jishi.contract import record_of
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.settings import get_settings
from jishi.tables import BRONZE_LIVE
from models.algorithms.sparse_sums import NOTHING
from ops.cli import app
from serving.api import make_app
from serving.engine import Engine
from tests.lake import record

pytestmark = pytest.mark.integration
SHOP, ITEMS = "lanting", ["a", "b", "c"]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


class ParityRelease:
    """A release that knows the items and nothing else."""

    item_ids, version = ITEMS, "v1"
    popularity = np.ones(len(ITEMS), dtype=np.float32)
    newcomers, usual_prices, quotas, placement_notes = None, None, MappingProxyType({}), MappingProxyType({})

    sold_placements: frozenset[str] = frozenset()

    @property
    def is_bought_again(self) -> np.ndarray:
        return np.zeros(len(self.item_ids), dtype=np.bool_)

    def purchases(self, person_id: str) -> np.ndarray:
        return np.empty(0, dtype=np.int64)

    def newcomers_near(self, person_id: str) -> None:
        return None

    def placement(self, name: str) -> None:
        return None

    def ranker(self, name: str) -> None:
        return None

    def taste(self, person_id: str) -> None:
        return None

    def similar(self, causes: Any, most: int) -> Any:
        return NOTHING


def viewed(person: str, item: str, before_noon_s: float, offset: int | None) -> dict[str, Any]:
    """A row of bronze; without an offset it is imported history, which did not run through the log."""
    at = NOON - timedelta(seconds=before_noon_s)
    event = {"event_id": f"{person}-{item}-{offset}", "shop_id": SHOP, "type": "item_viewed", "user_id": person}
    event |= {"occurred_at": at.isoformat(timespec="milliseconds"), "properties": {"item_id": item}}
    record, _ = record_of(event, shop_id=SHOP, collector_id=f"c{offset}", seq=len(item), collected_at_ms=0)
    position = {"log_partition": None if offset is None else 0, "log_offset": offset}
    return {**record, "received_at_ms": int(at.timestamp() * 1000), **position}


def land(platform: Any, rows: list[dict[str, Any]]) -> None:
    record(platform.paths.var, {BRONZE_LIVE: rows})


def message(person: str, items: list[str], as_of_ms: int, before_noon_s: list[float] | None = None) -> bytes:
    """A list as the stream sends it; ``before_noon_s`` says when each entry became known."""
    payload = {
        "view": "person_last_20",
        "shop_id": SHOP,
        "entity_id": f"u:{person}",
        "as_of_ms": as_of_ms,
        "valid_until_ms": None,
    }
    known_ms = [as_of_ms] if before_noon_s is None else [NOON_MS - round(seconds * 1000) for seconds in before_noon_s]
    return json.dumps(payload | {"values": {"last_items": items, "last_items_known_ms": known_ms}}).encode()


def engine_at_noon(platform: Any) -> Engine:
    """Serving whose clock stands, and which waits for a store on a busy machine."""
    engine = Engine.of(platform.settings, platform.paths)
    engine.recent._now_ms = lambda: NOON_MS
    engine.recent.features.store._budget_s = 30
    engine.stream.has_caught_up = True  # there is no broker here
    return engine


@pytest.fixture
def parity(platform: Any, online_store: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, as the DAG's task calls it."""
    for name, value in {**online_store.settings, "served_values_rate": 1.0}.items():
        setattr(platform.settings, name, value)
    monkeypatch.setenv("JISHI_VAR", str(platform.settings.var))
    get_settings.cache_clear()
    yield lambda: CliRunner().invoke(app, ["features", "online-parity", "--date", NOON.date().isoformat()])
    get_settings.cache_clear()


def test_a_planted_value_fails_the_task_which_names_the_feature(
    platform: Any, parity: Callable[[], Any], until: Callable[..., Any]
) -> None:
    assert "serving logged no value" in parity().stderr
    platform.publish_items([{"shop_id": SHOP, "item_id": item, "category": "x"} for item in ITEMS])
    apply(platform.settings, platform.paths, open_version(platform.settings))
    sink = FeatureSink(open_store(platform.settings, platform.paths), platform.paths.features, WriterProgress())
    # The store does not know yet what q viewed 5 s ago, which is within the delay.
    truth = [("u", ["a"], [300.25]), ("u", ["b", "a"], [60.125, 300.25]), ("q", ["a"], [300.0])]
    sink.write((0, n, message(p, items, NOON_MS - round(s[0] * 1000), s)) for n, (p, items, s) in enumerate(truth))
    log = [viewed("u", "a", 300.25, 1), viewed("u", "b", 60.125, 2), viewed("q", "a", 300, 3), viewed("q", "b", 5, 4)]
    log += [viewed("u", "c", 3600, None)]  # not in the log, so the store never saw it

    engine = engine_at_noon(platform)
    engine.states.of(SHOP).use_release(ParityRelease(), published_at=0.0)
    with TestClient(make_app(engine)) as client:
        headers = {"Authorization": f"Bearer {platform.register(SHOP)}"}

        def recommended(person: str) -> str:
            answer = client.get(f"/v1/shops/{SHOP}/recommendations", params={"user_id": person}, headers=headers)
            return str(answer.json()["served_by"]) if answer.status_code == 200 else ""

        until(lambda: engine.recent.is_open and recommended("nobody") == "popular")
        for _ in range(5):
            assert recommended("u") == "personalised"
        assert recommended("q") == "personalised"
        until(lambda: engine.served_log.logged >= 7)

        land(platform, log)
        early = parity()
        assert early.exit_code == 2
        assert "bronze knows the log up to 2026-11-20T11:59:45" in early.stderr
        land(platform, [*log, viewed("late", "a", -60, 5)])
        fine = parity()
        assert fine.exit_code == 0, fine.output
        assert "no feature" in fine.stdout

        sink.write([(0, 9, message("u", ["c", "b", "a"], NOON_MS - 1, [0.001, 60.125, 300.25]))])
        assert recommended("u") == "personalised"
        sink.write([(0, 10, message("q", ["a", "c"], NOON_MS - 299_000, [299.0, 310.0]))])
        assert recommended("q") == "personalised"
    assert engine.served_log.dropped == 0

    result = parity()
    assert result.exit_code == 1, result.output
    assert "last_items of 'u:u' in shop 'lanting' at 2026-11-20T12:00:00.000" in result.stdout
    assert "serving used ['c', 'b', 'a'] of 1 ms before, the log says ['b', 'a']" in result.stdout
    assert "wrong more often than 1.00%: last_items" in result.stdout
    with open_lake(open_version(platform.settings)) as connection:
        rows = connection.execute("SELECT feature, mismatched, missing, too_old FROM features_online_parity").fetchall()
    assert rows == [("last_items", 2, 0, 0)]


@pytest.mark.parametrize("online_store", ["sqlite"], indirect=True)
def test_a_value_that_stays_away_and_one_that_is_not_replaced_are_told_apart(
    platform: Any, parity: Callable[[], Any], until: Callable[..., Any]
) -> None:
    platform.publish_items([{"shop_id": SHOP, "item_id": item, "category": "x"} for item in ITEMS])
    apply(platform.settings, platform.paths, open_version(platform.settings))
    sink = FeatureSink(open_store(platform.settings, platform.paths), platform.paths.features, WriterProgress())
    sink.write([(0, 1, message("u", ["a"], NOON_MS - 300_000))])
    rows = [viewed("u", "a", 300, 1), viewed("u", "b", 60, 2), viewed("m", "a", 60, 3), viewed("late", "a", -60, 4)]
    land(platform, rows)
    engine = engine_at_noon(platform)
    engine.start()
    until(lambda: engine.recent.is_open)
    until(lambda: [act.item_id for act in engine.recent.last_acts(SHOP, ["u:m", "u:u"])] == ["a"])
    engine.stop()
    result = parity()
    assert result.exit_code == 1, result.output
    assert "missing: last_items of 'u:m'" in result.stdout
    assert "serving used the default, the log says ['a']" in result.stdout
    assert "too_old: last_items of 'u:u'" in result.stdout
    assert "serving used ['a'] of 300000 ms before, the log says ['b', 'a']" in result.stdout
