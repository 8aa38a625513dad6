"""The days of a week beside those of the week before, as a picture that mail programs show: PNG with digits alone.

Titles and units stand in the page, so that no letter of any language needs a font here. Bars begin at zero.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dashboard.digest.week import Week
from dashboard.portal.columns import column_named
from dashboard.portal.formats import Formats

# The portal's colours, whose contrast on white its tests compute.
_NOW, _THEN, _TEXT, _LINE = "#0b57b0", "#b3470f", "#4d5769", "#d9dde5"


def days_picture(days: Sequence[Mapping[str, Any]], week: Week, column: str, formats: Formats) -> bytes | None:
    """A bar for each day of the week, a mark for the same weekday before; None when nothing of the week is known."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    by_day = {
        day["shop_date"]: float(formats.plain(column_named(column), day[column])) for day in days if day.get(column) is not None
    }
    shown = [day for day in by_day if week.first <= day <= week.last]
    if not shown:
        return None
    figure = Figure(figsize=(3.9, 1.9), dpi=290, layout="constrained")
    axes = figure.add_subplot()
    places = [(day - week.first).days for day in shown]
    axes.bar(places, [by_day[day] for day in shown], 0.6, color=_NOW)
    before = [((day - week.before.first).days, value) for day, value in by_day.items() if day < week.first]
    axes.hlines(
        [value for _, value in before],
        [place - 0.4 for place, _ in before],
        [place + 0.4 for place, _ in before],
        _THEN,
        lw=2,
    )
    axes.set_ylim(min(0.0, *by_day.values()) * 1.1, max(1.0, *by_day.values()) * 1.1)
    axes.set_xticks(range(7), [f"{week.first + timedelta(days=place):%m-%d}" for place in range(7)])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.tick_params(colors=_TEXT, labelsize=8, length=0)
    axes.grid(axis="y", color=_LINE, lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    held = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(held, format="png")
    return held.getvalue()
