"""The page of channels: numbers are the metric layer's for one model, sharers are for who may see persons."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html import unescape

from dashboard.portal.board_charts import choices_of
from dashboard.portal.columns import column_of_metric
from dashboard.portal.formats import Formats
from dashboard.portal.pages.channels import METRICS, MODELS
from dashboard.portal.published_marts import MetricQuestion, PublishedMarts
from dashboard.portal.shop_marts import marts_of_shop
from dashboard.portal.words import CHINESE
from jishi.metrics import TimeRange, equals
from tests.unit.dashboard.portal.test_items_pages import directions_of
from tests.unit.dashboard.portal.test_numbers import tiles_of
from tests.unit.dashboard.portal.twins import NEWEST, PLAIN, TwinShops


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_tiles_show_the_metrics_of_the_chosen_days_and_model(twins: TwinShops) -> None:
    first = NEWEST - timedelta(days=2)
    answer = twins.client().get(f"/shops/{PLAIN}/channels?from={first}&to={NEWEST}&model=last_non_direct")
    assert answer.status_code == 200
    shown = text_of(answer.text)
    question = MetricQuestion(METRICS, (), (equals("credit__model", "last_non_direct"),), TimeRange(first, NEWEST))
    with marts_of_shop(PublishedMarts(twins.portal.settings), PLAIN) as marts:
        [row] = marts.metric_rows(question)
        columns = [column_of_metric(marts.build.metrics[name]) for name in METRICS]
    formats = Formats("en", "CNY", "Asia/Shanghai")
    assert row["attributed_revenue"] > 0
    for column in columns:
        assert f"{column.en} ? What is this number? {column.en} {formats.value(column, row[column.name])}" in shown
    # a longer period has more
    assert f"{formats.value(columns[0], row['attributed_revenue'])}" not in text_of(
        twins.client().get(f"/shops/{PLAIN}/channels").text
    )


def test_a_period_of_channels_stands_beside_the_period_before(twins: TwinShops) -> None:
    first, last = NEWEST - timedelta(days=3), NEWEST - timedelta(days=1)
    text = twins.client().get(f"/shops/{PLAIN}/channels?from={first}&to={last}").text
    where = (equals("credit__model", "last_non_direct"),)
    with marts_of_shop(PublishedMarts(twins.portal.settings), PLAIN) as marts:
        [then] = marts.metric_rows(
            MetricQuestion(METRICS, (), where, TimeRange(first - timedelta(days=3), last - timedelta(days=3)))
        )
        columns = [column_of_metric(marts.build.metrics[name]) for name in METRICS]
    formats = Formats("en", "CNY", "Asia/Shanghai")
    for column in columns:
        assert tiles_of(text)[column.en][1:] == [f"{formats.value(column, then[column.name])}"], column.name
    long = twins.client().get(f"/shops/{PLAIN}/channels?from={NEWEST - timedelta(days=9)}&to={NEWEST}").text
    assert all(len(values) == 1 for values in tiles_of(long).values())


def test_what_a_day_that_is_not_over_has_yet_to_bring_is_not_shown_as_less(twins: TwinShops) -> None:
    def with_direction(last: date) -> set[str]:
        text = twins.client().get(f"/shops/{PLAIN}/channels?from={last - timedelta(days=2)}&to={last}").text
        return {title for title, directions in directions_of(text).items() if directions}

    sums = {"Attributed revenue", "Orders credited", "New customers", "Ad spend"}
    assert with_direction(NEWEST) == {"ROAS", "ROI", "CAC"}
    assert with_direction(NEWEST - timedelta(days=1)) >= sums


def test_each_model_and_what_it_does_is_named_in_both_languages(twins: TwinShops) -> None:
    assert all(text in CHINESE for texts in MODELS.values() for text in texts)
    title, explanation = MODELS["last_non_direct"]
    for language, texts in (("en", (title, explanation)), ("zh", (CHINESE[title], CHINESE[explanation]))):
        shown = text_of(twins.client(language=language).get(f"/shops/{PLAIN}/channels").text)
        assert ": ".join(texts) in shown


def test_what_the_address_cannot_mean_is_named(twins: TwinShops) -> None:
    answer = twins.client().get(f"/shops/{PLAIN}/channels?model=luck")
    assert answer.status_code == 400
    assert "model is not one of the choices" in text_of(answer.text)


def test_own_boards_know_channels_and_sharers_for_who_may_see_persons(twins: TwinShops) -> None:
    build = PublishedMarts(twins.portal.settings).newest()
    for may_see_persons in (True, False):
        dimensions = choices_of(build, "attributed_revenue", may_see_persons).dimensions
        assert {"credit__channel", "credit__campaign", "credit__model"} <= set(dimensions)
        assert ("credit__sharer" in dimensions) == may_see_persons
