"""How customers moved between segments in a month, as a matrix whose cells lead to these customers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from dashboard.portal.columns import column_named
from dashboard.portal.datasets import NOBODY
from dashboard.portal.formats import Formats, ShownValue
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from dashboard.portal.visit import BadRequest, PageVisit

# Each scheme of segments: what it is called, and the column of a customer's month that holds it.
SCHEMES = {"rfm": ("RFM", "segment"), "classic": ("Classic segments", "classic_segment"), "layer": ("Layers", "layer")}
_MART = "fct_segment_transitions"
_MOST_MONTHS = 1200


class MoveCell(NamedTuple):
    """Customers who went one way, their share of those who were there before, its shade, and where they are listed."""

    customers: ShownValue
    share: ShownValue
    shade: int
    rows: str | None


class SegmentMoves(NamedTuple):
    """The matrix of a scheme and month: a row for each segment of the month before, a column for each of the month."""

    scheme: str
    month: date
    months: list[date]
    is_over: bool
    segments: list[str]
    rows: list[tuple[str, list[MoveCell]]]


def segment_moves(visit: PageVisit, marts: ShopMarts, formats: Formats) -> SegmentMoves | None:
    """The scheme and month of the address, by default RFM in the last whole month; None where nobody could move yet.

    Raises BadRequest.
    """
    scheme, asked = visit.query.get("scheme", "rfm"), visit.date_of("month")
    if scheme not in SCHEMES:
        raise BadRequest("{field} is not one of {choices}.", field="scheme", choices=", ".join(SCHEMES))
    months = marts.distinct(_MART, "month", _MOST_MONTHS)[::-1]
    if not months:
        return None
    over = marts.select(_MART, ["month"], [Condition("is_over", "=", True)], [SortKey("month", True)], limit=1)
    month = asked.replace(day=1) if asked else over[0]["month"] if over else months[0]
    of_month = [Condition("month", "=", month), Condition("scheme", "=", scheme)]
    names = ["from_segment", "to_segment", "customers", "share_of_from", "is_over"]
    cells = {(row["from_segment"], row["to_segment"]): row for row in marts.select(_MART, names, of_month)}
    of_scheme = [Condition("scheme", "=", scheme)]
    order = [row["segment"] for row in marts.select("dim_segments", ["segment"], of_scheme, [SortKey("place")])]
    known = {segment for pair in cells for segment in pair}
    segments = [segment for segment in order if segment in known]

    def cell(before: str, now: str) -> MoveCell:
        row = cells.get((before, now), {})
        share = row.get("share_of_from")
        return MoveCell(
            formats.value(column_named("customers"), row.get("customers")),
            formats.value(column_named("share_of_from"), share),
            0 if share is None else min(9, int(share * 10)),
            _customers(visit, scheme, month, before, now) if row.get("customers") else None,
        )

    def title(segment: str) -> str:
        return formats.cell(column_named("from_segment"), {"from_segment": segment, "scheme": scheme}).text

    return SegmentMoves(
        scheme,
        month,
        months,
        all(row["is_over"] for row in cells.values()),
        [title(segment) for segment in segments],
        [(title(before), [cell(before, now) for now in segments]) for before in segments],
    )


def _customers(visit: PageVisit, scheme: str, month: date, before: str, now: str) -> str:
    """The customers of a cell for members who may see persons, the cell itself for others."""
    if not visit.shop.may("people"):
        days = {"from": month, "to": month}
        return visit.path("rows", "segment-moves", **days, scheme=scheme, from_segment=before, to_segment=now)
    column = SCHEMES[scheme][1]
    if now == NOBODY:
        earlier = (month - timedelta(days=1)).replace(day=1)
        values = {"from": earlier, "to": earlier, column: before, f"{column}_after": now}
    else:
        values = {"from": month, "to": month, column: now, f"{column}_before": before}
    return visit.path("rows", "customers-by-month", **values)
