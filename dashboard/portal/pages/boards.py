"""Own boards: made of the metric layer's numbers, put in order, renamed, shared within the shop, deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from dashboard.portal.board_charts import answer_of, check_chart, choices_of, title_of_dimension
from dashboard.portal.boards import TIMES, Board, BoardChart, BoardIsFull, ChartKind, NoSuchBoard, moved
from dashboard.portal.formats import Formats
from dashboard.portal.pages.numbers import freshness, newest_day
from dashboard.portal.values import name_of_value
from dashboard.portal.visit import BadRequest, NoSuchPage, PageVisit
from jishi.metrics import ALL_DAYS, MetricQueryRefused, TimeRange

KINDS: dict[ChartKind, str] = {"line": "Line", "bar": "Bars", "table": "Table", "number": "Number"}
TIME_TITLES = dict(zip(TIMES, ("by day", "by week", "by month"), strict=True))
SHOWN_DAYS = ("7", "28", "90", "365", "all")
_UNFIT = "This number cannot be shown so: a line goes over time, bars and tables by time or a dimension."
_STEPS = {"up": -1, "down": 1, "remove": 0}


def boards(visit: PageVisit) -> Response:
    """The person's boards and those that others share."""
    return visit.page("boards.html", boards=visit.portal.boards.seen_by(visit.shop.shop.shop_id, visit.person.login))


def create(visit: PageVisit) -> Response:
    """A new board, which only its maker sees until it is shared."""
    title = _title(visit)
    try:
        board_id = visit.portal.boards.create(visit.shop.shop.shop_id, visit.person.login, title, visit.now)
    except BoardIsFull:
        raise BadRequest("This shop has as many boards as there can be; delete one first.") from None
    visit.audit("made a board", board=title)
    return visit.redirect(visit.path("boards", f"{board_id}"))


def board(visit: PageVisit) -> Response:
    """The charts of a board over the days of the address; with a metric in it, the form of a further chart."""
    shown, days, metric = _board(visit), visit.query.get("days", "28"), visit.query.get("metric")
    if days not in SHOWN_DAYS:
        raise BadRequest("{field} is not a number from 1 on.", field="days")
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest:
            return visit.page("unpublished.html")
        last = newest["shop_date"]
        formats = visit.formats(marts)
        period = ALL_DAYS if days == "all" else TimeRange(last - timedelta(days=int(days) - 1), last)
        persons = visit.shop.may("people")
        answers = [answer_of(marts, formats, chart, period, visit.text("unknown"), persons) for chart in shown.charts]
        choices = choices_of(marts.build, metric, persons) if metric in marts.build.metrics and metric else None
        visit.audit("saw", page="boards", board=shown.title, days=days)
        return visit.page(
            "board.html",
            board=shown,
            answers=answers,
            may_change=_may_change(visit, shown),
            days=days,
            all_days=SHOWN_DAYS,
            metrics=sorted((_name(visit, each.label), each.name) for each in marts.build.metrics.values()),
            metric=metric if metric in marts.build.metrics else None,
            choices=_titled(formats, choices.dimensions) if choices else [],
            by_time=[title for _, title in _titled(formats, choices.by_time)] if choices else [],
            of_persons=[title for _, title in _titled(formats, choices.of_persons)] if choices else [],
            kinds=KINDS,
            title_of=lambda name: visit.text(TIME_TITLES[name]) if name in TIMES else title_of_dimension(formats, name),
            is_open=newest.get("is_complete") is False,
            fresh=freshness(visit, marts, newest),
        )


def rename(visit: PageVisit) -> Response:
    """Another title; shared or not."""
    changed, title, is_shared = _own_board(visit), _title(visit), "shared" in visit.form
    visit.portal.boards.rename(visit.shop.shop.shop_id, changed.board_id, title, is_shared)
    visit.audit("changed a board", board=title, shared=is_shared)
    return visit.redirect(visit.path("boards", f"{changed.board_id}"))


def delete(visit: PageVisit) -> Response:
    """Forget the board."""
    gone = _own_board(visit)
    visit.portal.boards.delete(visit.shop.shop.shop_id, gone.board_id)
    visit.audit("deleted a board", board=gone.title)
    return visit.redirect(visit.path("boards"))


def add_chart(visit: PageVisit) -> Response:
    """A further chart at the end, if the metric layer can answer it."""
    changed = _own_board(visit)
    fields = {name: visit.form.get(name, "").strip() for name in BoardChart.model_fields}
    if fields["kind"] == "number":
        fields["by"] = ""
    try:
        chart = BoardChart.model_validate({name: text for name, text in fields.items() if text})
        with visit.marts() as marts:
            check_chart(marts.build, chart, visit.shop.may("people"))
        visit.portal.boards.change_charts(visit.shop.shop.shop_id, changed.board_id, lambda charts: [*charts, chart])
    except (ValidationError, MetricQueryRefused):
        raise BadRequest(
            "This number cannot be shown so: a line goes over time, bars and tables by time or a dimension."
        ) from None
    except BoardIsFull:
        raise BadRequest("A board has at most 12 charts; take one out first.") from None
    visit.audit("changed a board", board=changed.title, added=chart.metric)
    return visit.redirect(visit.path("boards", f"{changed.board_id}"))


def change_chart(visit: PageVisit) -> Response:
    """Move a chart up or down, or take it out."""
    changed, place, step = _own_board(visit), visit.form.get("place", ""), _STEPS.get(visit.form.get("act", ""))
    if step is None or not (place.isdecimal() and len(place) < 3):
        raise NoSuchPage
    visit.portal.boards.change_charts(visit.shop.shop.shop_id, changed.board_id, lambda charts: moved(charts, int(place), step))
    visit.audit("changed a board", board=changed.title)
    return visit.redirect(visit.path("boards", f"{changed.board_id}"))


def _titled(formats: Formats, names: Sequence[str]) -> list[tuple[str, str]]:
    """Dimensions with their titles, told apart by what they belong to where two are called alike."""
    titles = {name: title_of_dimension(formats, name) for name in names}
    alike = {title for title, count in Counter(titles.values()).items() if count > 1}
    entities = {name: name_of_value("entity", name.partition("__")[0], formats.language) for name in names}
    return [(name, f"{title} ({entities[name]})" if title in alike else title) for name, title in titles.items()]


def _board(visit: PageVisit) -> Board:
    text = str(visit.request.path_params["board_id"])
    try:
        if not (text.isdecimal() and text.isascii() and len(text) < 16):
            raise NoSuchPage
        return visit.portal.boards.get(visit.shop.shop.shop_id, visit.person.login, int(text))
    except NoSuchBoard:
        raise NoSuchPage from None


def _own_board(visit: PageVisit) -> Board:
    """The board of the address, for its maker and the shop's owners."""
    shown = _board(visit)
    if not _may_change(visit, shown):
        raise NoSuchPage
    return shown


def _may_change(visit: PageVisit, shown: Board) -> bool:
    return visit.shop.may("rows") and (shown.is_of(visit.person.login) or visit.shop.may("manage"))


def _title(visit: PageVisit) -> str:
    title = visit.form.get("title", "").strip()[:80]
    if not title:
        raise BadRequest("A board needs a title.")
    return title


def _name(visit: PageVisit, label: Any) -> str:
    return str(label.zh if visit.language == "zh" else label.en)
