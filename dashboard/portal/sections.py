"""The portal's menu: a line for each page that a merchant turns to, in the order of the questions."""

from __future__ import annotations

from typing import NamedTuple

from dashboard.portal.roles import Right


class Section(NamedTuple):
    """A page of a shop. ``name`` is its address below the shop's, ``title`` a text of words, ``needs`` who sees it.

    ``is_framing``: it may show another server's page, so that the browser loads it anew, with its own policy.
    ``is_first``: it keeps its place on a phone, where the others stand under "More"; there is room for four.
    """

    name: str
    title: str
    needs: Right = "see"
    is_first: bool = False
    is_framing: bool = False


SECTIONS = (
    Section("now", "Now", is_first=True),
    Section("today", "Today", is_first=True),
    Section("traffic", "Traffic", is_first=True),
    Section("customers", "Customers", is_first=True),
    Section("items", "Items"),
    Section("recommendations", "Recommendations"),
    Section("rules", "Rules of lists"),
    Section("channels", "Channels"),
    Section("segments", "Segments", "rows"),
    Section("alerts", "Alerts"),
    Section("boards", "Own boards"),
    Section("workbench", "Workbench", "workbench", is_framing=True),
)
# What is set up once stands under the person's name.
SETUP_SECTIONS = (
    Section("uploads", "Uploads", "upload"),
    Section("rejected", "What was rejected", "upload"),
    Section("settings", "Settings", "manage"),
    Section("keys", "Keys", "manage"),
    Section("members", "Members", "manage"),
    Section("audit", "Audit log", "manage"),
)
