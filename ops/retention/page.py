"""``python -m ops.retention.page``: docs/operations/retention.md, made from the places."""

from __future__ import annotations

from jishi.settings import PROJECT_ROOT
from ops.retention.places import PLACES
from ops.retention.rules import Fixed, FoldersOlderThan, GrowsWithTraffic, OlderThan, PartKeeps, Rotated

PAGE = PROJECT_ROOT / "docs" / "operations" / "retention.md"
_BY = {
    PartKeeps: "the part itself",
    Fixed: "does not grow with time",
    GrowsWithTraffic: "**grows with the shops' traffic**",
    OlderThan: "`jishi retain`",
    FoldersOlderThan: "`jishi retain`",
    Rotated: "`jishi retain`",
}
_INTRODUCTION = """\
# What stays how long

<!-- Made from ops/retention/places.py by `make docs`. -->

Every file that a platform writes below `JISHI_VAR` belongs to one of these places; a file of no place fails the tests.
`jishi retain [--dry-run]` takes away what no part takes away itself; the DAG `maintenance` runs it, it may be repeated at any
time. Rows of the lake stay as long as their shop: watch the disk (`jishi doctor`).

| place | what | kept | by |
|---|---|---|---|
"""


def render() -> str:
    """The page."""
    rows = (
        f"| `{place.pattern}` | {place.what} | {place.rule.bound} | {_BY.get(type(place.rule), '`jishi retain`')} |\n"
        for place in PLACES
    )
    return _INTRODUCTION + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
