"""Feast's views follow from the feature definitions, whatever they declare."""

from __future__ import annotations

from pathlib import Path

from feast import PushSource

from feature_repo.definitions import daily_views, services, streamed_views
from jishi.features import views
from jishi.features.columns import LOG_OFFSET, VALID_UNTIL
from jishi.paths import Paths

PATHS = Paths(var=Path("var"), envs=Path("envs"))


def test_each_view_of_the_definitions_is_a_push_view_with_its_features() -> None:
    by_key = {view.name: view for view in streamed_views(PATHS)}
    assert by_key.keys() == views().keys()
    for name, members in views().items():
        assert isinstance(by_key[name].stream_source, PushSource)
        assert {field.name for field in by_key[name].features} == {f.name for f in members} | {VALID_UNTIL, LOG_OFFSET}


def test_the_shop_is_part_of_every_key() -> None:
    for view in streamed_views(PATHS):
        assert view.entities[0] == "shop"
        assert "shop_id" in {field.name for field in view.entity_columns}


def test_a_daily_view_appears_with_its_table_and_not_before() -> None:
    assert daily_views({}) == []
    views = daily_views({"person_daily": Path("7.parquet")})
    assert [(view.name, view.batch_source.path) for view in views] == [("person_daily", "7.parquet")]
    assert [service.name for service in services(streamed_views(PATHS), views)] == ["live", "daily"]
