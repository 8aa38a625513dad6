"""Which of a shop's newest days are unlike others, as the marts' checks say; shown wherever a page says how fresh it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from dashboard.portal.columns import column_named
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from dashboard.portal.visit import PageVisit

FLAGS = "fct_quality_flags"
_SHOWN_DAYS = 7


@dataclass(frozen=True)
class DayFlag:
    """What a check found about a day: its sentence, the value that it speaks of and what that usually is."""

    day: date
    check_name: str
    is_warning: bool
    sentence: str
    observed: str
    usual: str
    detail: str | None


def flags_until(visit: PageVisit, marts: ShopMarts, day: date | None) -> list[DayFlag]:
    """What the checks found in the week up to a day, the newest first; nothing where the build has no checks."""
    if day is None or not marts.has(FLAGS):
        return []
    columns = ["shop_date", "check_name", "severity", "observed", "usual", "detail", "sentence", "sentence_zh"]
    where = [Condition("shop_date", ">=", day - timedelta(days=_SHOWN_DAYS - 1)), Condition("shop_date", "<=", day)]
    newest_first = [SortKey("shop_date", is_descending=True), SortKey("severity", is_descending=True), SortKey("check_name")]
    formats = visit.formats(marts)
    observed, usual = column_named("observed"), column_named("usual")
    return [
        DayFlag(
            row["shop_date"],
            row["check_name"],
            row["severity"] == "warning",
            row["sentence_zh" if visit.language == "zh" else "sentence"],
            formats.value(observed, row["observed"]).text,
            formats.value(usual, row["usual"]).text,
            row["detail"],
        )
        for row in marts.select(FLAGS, columns, where, newest_first)
    ]
