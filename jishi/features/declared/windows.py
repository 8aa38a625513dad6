"""The windows in use: few, because features of one entity and window share one query, one message and one table."""

from __future__ import annotations

from typing import TypedDict


class Window(TypedDict):
    """Size and slide in seconds, as arguments of a ``Feature``."""

    size_s: int
    slide_s: int


A_DAY_S = 24 * 3600
HOUR: Window = {"size_s": 3600, "slide_s": 60}
QUARTER_DAY: Window = {"size_s": 6 * 3600, "slide_s": 3600}
DAY: Window = {"size_s": 24 * 3600, "slide_s": 3600}
MONTH: Window = {"size_s": 30 * 24 * 3600, "slide_s": 24 * 3600}
