"""Write ``docs/feature-catalogue.md``: every feature, by view, and what acts there are. ``python -m jishi.features.page``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from jishi.features.act import ACT_KINDS
from jishi.features.declaration import Default
from jishi.features.definition import Feature
from jishi.features.export import window_words
from jishi.features.readers import readers_of_features
from jishi.features.registry import FEATURES, views
from jishi.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "feature-catalogue.md"

_HEAD = """\
# Feature catalogue

Made by `make docs` from `jishi/features/`; do not edit. [features.md](features.md) has the rules; `jishi features export`
each declaration whole.

Amounts have the unit `home_minor` ([money](money.md)). Where nothing counts, count, sum and distinct are 0, lists are empty and
the others none, unless the row says *else*. *Live* views are computed by the real-time job, others by the backfill. Keys are
`shop_id` and the ids of the entity that names the view. Each `distinct` of a person has `NAME_values` beside it, the sorted
values that it counts; each `last_n` has `NAME_known_ms`, when its entries became known. What is derived at the decision is
stored nowhere. ° marks a feature that no code of `models/` and `serving/` names, by itself or through one that is made of it.
"""

# What the head of the page or of the section says.
_WINDOW_OR_UNIT = re.compile(r",? in the last (?:hour|\d+ (?:hours|days))(?=[,.;])|, in minor units(?=[,. ])")
_AMOUNT = "home_minor"
_USUAL: dict[str, Default] = {"count": 0, "sum": 0, "distinct": 0, "last_n": (), "values": ()}

_ACTS = """
## Acts

Events count under their type, an order that is reported under two event ids twice (in marts and daily
features once). Some hold more acts:

"""


def render() -> str:
    """The page."""
    unread = {name for name, modules in readers_of_features().items() if not modules}
    derived = [feature for feature in FEATURES if feature.is_derived]
    parts = [_HEAD, f"\n{len(FEATURES) - len(derived)} stored features in {len(views())} views, {len(derived)} derived ones.\n"]
    for view, members in views().items():
        live = "live" if members[0].is_live else "backfill"
        parts.append(f"\n## {view}\n\n{window_words(members[0])}, {live}\n\n")
        parts += [_row(feature, unread) for feature in members if not _is_companion(feature, members)]
    parts.append("\n## Derived at the decision\n\n")
    parts += [_row(feature, unread) for feature in derived]
    parts.append(_ACTS)
    for kind in ACT_KINDS.values():
        if not kind.is_whole_event:
            parts.append(f"- `{kind.name}` of `{kind.event_type}`{f', each of `{kind.each}`' if kind.each else ''}\n")
    return "".join(parts)


def _is_companion(feature: Feature, view: tuple[Feature, ...]) -> bool:
    """Whether the feature only completes another one of its view, so that two ids of a person make one value."""
    values_of = feature.name.removesuffix("_values")
    return feature.times_of is not None or (feature.aggregation == "values" and any(other.name == values_of for other in view))


def _row(feature: Feature, unread: set[str]) -> str:
    name = f"`{feature.name}`{'°' if feature.name in unread else ''}"
    if feature.aggregation == "ratio":  # its parts say what it means
        return f"- {name} {_value(feature)}\n"
    unit = f" Unit `{feature.unit}`." if feature.unit not in (None, _AMOUNT) else ""
    return f"- {name} {_value(feature)}: {_WINDOW_OR_UNIT.sub('', feature.meaning)}{unit}\n"


def _value(feature: Feature) -> str:
    """The aggregation, or what a derived feature is made of."""
    if feature.aggregation == "ratio":
        prior = f", smoothed by {feature.prior_weight} of `{feature.prior}`" if feature.prior else ""
        most = ", at most 1" if feature.is_share else ""
        return f"`{feature.numerator}` / `{feature.denominator}`{prior}{most}"
    if feature.is_derived:
        return f"{feature.aggregation} of `{feature.source}`"
    unusual = "" if feature.default == _USUAL.get(feature.aggregation) else f" (else {feature.default})"
    return f"{feature.aggregation}{unusual}"


def main(page: Path = PAGE) -> None:
    """Write the page; with ``--check`` fail when it is not up to date."""
    text = render()
    if "--check" in sys.argv[1:]:
        sys.exit(0 if page.read_text(encoding="utf-8") == text else f"{page} is out of date; run make docs")
    page.write_text(text, encoding="utf-8")
    print(f"wrote {page}")


if __name__ == "__main__":
    main()
