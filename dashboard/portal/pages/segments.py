"""Choose customers by a rule, see how many they are and what they are worth, save the rule, and export pseudonyms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from dashboard.portal.columns import Column, column_named, column_of_metric
from dashboard.portal.datasets import NOBODY
from dashboard.portal.exports import MEDIA_TYPES, Sheet
from dashboard.portal.formats import Formats, ShownValue
from dashboard.portal.pages.numbers import freshness, newest_day
from dashboard.portal.published_marts import MetricQuestion
from dashboard.portal.saved_segments import SavedSegment, TooManySegments
from dashboard.portal.segment_rules import SegmentRule
from dashboard.portal.shop_marts import PERSONS, Condition, ShopMarts, SortKey
from dashboard.portal.values import name_of_value
from dashboard.portal.visit import BadRequest, NoSuchPage, PageVisit
from jishi.pseudonyms import Pseudonyms

SIZE = "customers"
# A forecast is asked for alone: one that nobody made is unknown, and beside counts it would be zero.
_QUESTIONS = ((SIZE, "customer_orders", "customer_spend"), ("expected_customer_value",))
_MOST_CHOICES = 500


def segments(visit: PageVisit) -> Response:
    """The form, the customers whom the rule of the address chooses, and the saved segments."""
    rule = _rule(visit)
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest or not marts.has(PERSONS, "excluded_reason"):
            return visit.page("unpublished.html")
        formats = visit.formats(marts)
        numbers = values_of(marts, formats, rule.conditions())
        saved = visit.portal.segments.all(visit.shop.shop.shop_id)
        visit.audit("saw", page="segments", **rule.as_query())
        return visit.page(
            "segments.html",
            rule=rule,
            numbers=numbers,
            saved=[_compared(marts, formats, rule, each) for each in saved],
            chosen_name=next((each.name for each in saved if each.rule == rule), ""),
            choices=_choices(visit, marts),
            fresh=freshness(visit, marts, newest),
            size=numbers[0][1],
        )


def save(visit: PageVisit) -> Response:
    """Keep the rule of the form under its name."""
    name = visit.form.get("name", "").strip()[:80]
    if not name:
        raise BadRequest("A segment needs a name.")
    try:
        rule = SegmentRule.model_validate_json(visit.form.get("rule", ""))
    except ValidationError:
        raise NoSuchPage from None
    try:
        visit.portal.segments.save(visit.shop.shop.shop_id, name, rule, visit.person.login, visit.now)
    except TooManySegments:
        raise BadRequest("This shop keeps as many segments as there can be; delete one first.") from None
    visit.audit("saved a segment", name=name, **rule.as_query())
    return visit.redirect(visit.path("segments", **rule.as_query()))


def delete(visit: PageVisit) -> Response:
    """Forget a saved segment of this shop."""
    text = visit.form.get("segment_id", "")
    name = visit.portal.segments.delete(visit.shop.shop.shop_id, int(text)) if text.isdecimal() and len(text) < 16 else None
    if name is None:
        raise NoSuchPage
    visit.audit("deleted a segment", name=name)
    return visit.redirect(visit.path("segments"))


def export(visit: PageVisit) -> Response:
    """Pseudonyms of the chosen customers, the same on each export and worth nothing outside this shop."""
    rule, kind = _rule(visit), str(visit.request.path_params["kind"])
    if kind not in MEDIA_TYPES:
        raise NoSuchPage
    with visit.marts() as marts:
        rows = marts.select(PERSONS, ["person_id"], rule.conditions(), [SortKey("person_id")])
        formats = visit.formats(marts)
    pseudonyms = Pseudonyms.of(visit.portal.paths, visit.shop.shop.shop_id)
    # In the order of pseudonyms, so that places tell nothing of the ids.
    keys = sorted(pseudonyms.person(row["person_id"]) for row in rows)
    sheet = Sheet(visit.text("Segment"), [column_named("customer_key")], [{"customer_key": key} for key in keys], formats)
    visit.portal.metrics.count_export(kind, len(keys))
    visit.audit("exported", rows="segment", format=kind, count=len(keys), **rule.as_query())
    name = f"{visit.shop.shop.shop_id}-segment.{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(sheet.as_csv() if kind == "csv" else sheet.as_xlsx(), media_type=MEDIA_TYPES[kind], headers=headers)


def values_of(
    marts: ShopMarts,
    formats: Formats,
    persons: Sequence[Condition],
    questions: Sequence[tuple[str, ...]] = _QUESTIONS,
) -> list[tuple[Column, ShownValue]]:
    """Metrics of the chosen persons, as far as this build has them; a count of nobody is 0, another number unknown."""
    shown = []
    for names in questions:
        if marts.build.metrics.keys() >= set(names):
            [row] = marts.metric_rows(MetricQuestion(names), persons) or [dict.fromkeys(names) | {SIZE: 0}]
            columns = [column_of_metric(marts.build.metrics[name]) for name in names]
            shown += [(column, formats.value(column, row[column.name])) for column in columns]
    return shown


def _compared(marts: ShopMarts, formats: Formats, rule: SegmentRule, saved: SavedSegment) -> dict[str, Any]:
    of_saved = saved.rule.conditions()
    [(_, size)] = values_of(marts, formats, of_saved, [(SIZE,)])
    [(_, both)] = values_of(marts, formats, [*of_saved, *rule.conditions()], [(SIZE,)])
    return {"segment": saved, "size": size, "both": both}


def _rule(visit: PageVisit) -> SegmentRule:
    parameters = visit.request.query_params
    try:
        return SegmentRule.of_query({name: parameters.getlist(name) for name in parameters})
    except ValidationError as error:
        [first, *_] = error.errors()
        if not first["loc"]:
            raise BadRequest("At least is more than at most.") from None
        raise BadRequest(
            "{field} is not understood; write a whole number, or leave it empty.", field=str(first["loc"][0])
        ) from None


def _choices(visit: PageVisit, marts: ShopMarts) -> dict[str, list[tuple[str, str]]]:
    """What can be chosen: value and name for people."""
    names = marts.select("dim_segments", ["scheme", "segment", "segment_zh", "place"], order_by=[SortKey("place")])
    of_scheme = {
        scheme: [
            (row["segment"], row["segment_zh"] if visit.language == "zh" else row["segment"].replace("_", " "))
            for row in names
            if row["scheme"] == scheme and row["segment"] != NOBODY
        ]
        for scheme in ("rfm", "layer")
    }
    texts = {"category": ("dim_items", "category"), "channel": ("fct_orders", "channel")}
    return of_scheme | {
        name: [(text, name_of_value(name, text, visit.language)) for text in marts.distinct(mart, column, _MOST_CHOICES)]
        for name, (mart, column) in texts.items()
    }
