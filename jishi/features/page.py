"""Write ``docs/feature-catalogue.md``: every feature, by view, and what acts there are. ``python -m jishi.features.page``."""

from __future__ import annotations

import sys
from pathlib import Path

from jishi.features.act import ACT_KINDS, COLUMNS, OF_TIME
from jishi.features.definition import Feature, Where
from jishi.features.entity import ENTITY_KEYS
from jishi.features.export import window_words
from jishi.features.registry import FEATURES, views
from jishi.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "feature-catalogue.md"

_HEAD = """\
# Feature catalogue

Made by `make docs` from `jishi/features/`; do not edit. [features.md](features.md) says how features are computed and proved.

Every key starts with the shop. A window `[end − size, end)` is aligned to the epoch; its value holds from `end` + the allowed
lateness for one slide, and the default holds at any other time. A running feature changes with each event. Only good events
count: valid, on time, first delivery. Views marked *live* are computed by the real-time job, the others by the backfill alone.
"""


def render() -> str:
    """The page."""
    parts = [_HEAD, f"\n{len(FEATURES)} features in {len(views())} views.\n"]
    for view, members in views().items():
        keys = ", ".join(f"`{key}`" for key in ("shop_id", *ENTITY_KEYS[members[0].entity]))
        live = "live" if members[0].is_live else "backfill"
        parts.append(f"\n## {view}\n\n{window_words(members[0])}; key {keys}; {live}.\n")
        parts.append("\n| feature | value | default | meaning | owner |\n|---|---|---|---|---|\n")
        parts += [_row(feature) for feature in members]
    parts.append(
        "\n## Acts\n\nWhat features count. `amount_minor` of `order_paid` and of its `line_paid` add up to the paid amount.\n"
    )
    parts.append("\n| act | event | columns |\n|---|---|---|\n")
    for kind in ACT_KINDS.values():
        of_each = f", one for each of `{kind.each}`" if kind.each else ""
        columns = ", ".join(f"`{column}`" for column in COLUMNS if column in kind.columns)
        parts.append(f"| `{kind.name}` | `{kind.event_type}`{of_each} | {columns} |\n")
    parts.append(f"\nEvery act also has {', '.join(f'`{column}`' for column in OF_TIME)}.\n")
    return "".join(parts)


def _row(feature: Feature) -> str:
    default = "none" if feature.default is None else "empty" if feature.default == () else str(feature.default)
    return (
        f"| `{feature.name}` | {_computed(feature)}, {feature.value_type} | {default} | {feature.meaning} | {feature.owner} |\n"
    )


def _computed(feature: Feature) -> str:
    if feature.aggregation == "ratio":
        return f"`{feature.numerator}` / `{feature.denominator}`"
    of_column = f" of `{feature.column}`" if feature.column else ""
    acts = ", ".join(f"`{act}`" for act in feature.acts)
    conditions = "".join(f" where {_condition(where)}" for where in feature.where)
    return f"{feature.aggregation}{of_column} over {acts}{conditions}"


def _condition(where: Where) -> str:
    if where.one_of is not None:
        return f"`{where.column}` is one of {', '.join(map(str, where.one_of))}"
    return f"`{where.column}` is there" if where.at_least is None else f"`{where.column}` ≥ {where.at_least}"


def main(page: Path = PAGE) -> None:
    """Write the page; with ``--check`` fail when it is not up to date."""
    text = render()
    if "--check" in sys.argv[1:]:
        sys.exit(0 if page.read_text() == text else f"{page} is out of date; run make docs")
    page.write_text(text)
    print(f"wrote {page}")


if __name__ == "__main__":
    main()
