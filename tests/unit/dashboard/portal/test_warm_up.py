"""The metric layer is there before the first question of a page, and one that cannot be warmed hurts no page."""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest
from starlette.testclient import TestClient

import dashboard.portal.__main__ as command
import dashboard.portal.published_marts as published_marts
from dashboard.portal.published_marts import MetricQuestion, PublishedMarts
from dashboard.portal.warm_up import WarmUp
from jishi.lake.versions import MartsFile, TableVersion, Versions
from jishi.metrics import MetricSql
from tests.lake import settings_in
from tests.unit.dashboard.portal.twins import NOW, PLAIN, TwinShops


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads in which MetricFlow's engine was made, which is what takes the seconds."""
    threads: list[str] = []
    engine_of = MetricSql._flow

    def counted(self: MetricSql) -> Any:
        if self._engine is None:
            threads.append(threading.current_thread().name)
        return engine_of(self)

    monkeypatch.setattr(MetricSql, "_flow", counted)
    published_marts._questions_of.cache_clear()  # builds with the same definitions share an engine, those of other tests too
    return threads


def publish_again(twins: TwinShops, manifest: str | None = None) -> None:
    """The same marts as the next version, with other definitions of metrics if they are given."""
    versions = Versions.of(twins.settings)
    latest = versions.latest()
    assert latest is not None
    assert latest.marts is not None
    old = twins.paths.warehouse / latest.marts.file
    new = old.with_name(f"{latest.number + 1}-warm.duckdb")
    shutil.copy(old, new)
    if manifest is not None:
        with duckdb.connect(str(new)) as connection:
            connection.execute("update build set semantic_manifest = ?", [manifest])
    record = MartsFile(str(new.relative_to(twins.paths.warehouse)), "", 1)
    versions.commit(TableVersion(latest.number + 1, NOW, "a test", latest.number, {}, {}, record))


def test_pages_find_the_engine_of_the_newest_build_made(twins: TwinShops, engines: list[str]) -> None:
    published = PublishedMarts(twins.settings)
    warm_up = WarmUp(published, look_every_s=0.01)
    warm_up.start()
    try:
        while not engines:
            threading.Event().wait(0.01)
        build = published.newest()
        asked = threading.Thread(target=build.metric_sql, args=(MetricQuestion(("orders",)),), name="a page")
        asked.start()
        asked.join()
        assert build.dimensions("orders")
        assert engines == ["warm-up"], "the page waited for the engine that was being made, and made none of its own"
        publish_again(twins)
        while warm_up._warmed is build:
            threading.Event().wait(0.01)
        assert published.newest().dimensions("orders")
        assert engines == ["warm-up"], "the same definitions have the engine already"
        publish_again(twins, f"{build.semantic_manifest} ")
        while len(engines) < 2:
            threading.Event().wait(0.01)
        assert published.newest().dimensions("orders")
        assert engines == ["warm-up"] * 2
    finally:
        warm_up.stop()


@pytest.mark.parametrize("manifest", ["no JSON", "{}", '{"metrics": [], "semantic_models": []}'])
def test_a_failing_one_is_logged_once_and_hurts_no_page(
    semantic_manifest: dict[str, Any], tmp_path: Path, manifest: str, caplog: pytest.LogCaptureFixture
) -> None:
    twins = TwinShops(tmp_path, semantic_manifest)
    publish_again(twins, manifest)
    warm_up = WarmUp(twins.portal.marts)
    with caplog.at_level(logging.ERROR):
        assert warm_up.look() is (manifest.startswith('{"'))  # without a metric there is nothing to warm
        assert warm_up.look()
    assert len(caplog.records) == (0 if manifest.startswith('{"') else 1)
    client: TestClient = twins.client()
    assert client.get(f"/shops/{PLAIN}/today").status_code == 200
    assert client.get(f"/shops/{PLAIN}/traffic").status_code == 200


def test_without_marts_it_waits_for_them(tmp_path: Path) -> None:
    warm_up = WarmUp(PublishedMarts(settings_in(tmp_path)))
    assert not warm_up.look()
    assert not warm_up.look()


def test_a_portal_that_serves_warms_its_marts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[PublishedMarts] = []
    monkeypatch.setattr(
        command, "get_settings", lambda: settings_in(tmp_path).model_copy(update={"portal_port": 0, "portal_metrics_port": 0})
    )
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: None)
    monkeypatch.setattr(WarmUp, "start", lambda self: started.append(self._marts))
    command.serve()
    [marts] = started
    assert isinstance(marts, published_marts.PublishedMarts)
