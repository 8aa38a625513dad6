"""What the placement's own model in the release brings.

The model has two parts: what goes with the given items, and the person's list. Each part is a source of its own (the list by
the origin of each entry), so that the reason of an item names the part that carried it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from serving.blend import Blend, scale
from serving.candidates import Quotas, Source
from serving.eligible import Eligibility
from serving.shelf import Placed

Basis = Literal["person", "items", "both"] | None  # what the placement's model used: the person's list, the given items
_GIVEN = ("item", "cart")  # placements whose question starts from items


def given_items(
    placement: str, visit: Sequence[int], cart: Sequence[int], context: int | None, order: Sequence[int] = ()
) -> list[int]:
    """Numbers of the items that the placement's model answers from, oldest first.

    On an item page: the last items of the visit, then the page's item. In the cart: its items; where the storefront does not
    send them, as on an item page. After payment: the items just paid. Elsewhere none: the person's list answers.
    """
    if placement == "after_payment":
        return list(order)
    if placement not in _GIVEN:
        return []
    last = [] if context is None else [context]
    if placement == "cart" and cart:
        return list(dict.fromkeys([*cart, *last]))
    return [number for number in reversed(visit) if number != context] + last


def model_sources(
    placed: Placed, given: Sequence[int], persons: Sequence[str], eligible: Eligibility, blend: Blend, quotas: Quotas
) -> tuple[list[Source], Basis]:
    """The sources of the placement's model, without items that are not to be shown.

    Second, which of its two parts answered; None where neither knows the person or the items.
    """
    sources = []
    followers = placed.follow(given)
    if followers is not None and placed.reason is not None:
        places = np.flatnonzero(~eligible.shown_not(followers.items))
        if len(places) > quotas.followers:
            places = places[np.argsort(-followers.weights[places], kind="stable")[: quotas.followers]]
        strength = scale(followers.weights[places])
        sources.append(Source(placed.reason, blend.placed, followers.items[places], strength, followers.because[places]))
    personal = next((entries for person in persons if (entries := placed.personal(person)) is not None), None)
    if personal is not None:
        kept = np.flatnonzero(~eligible.shown_not(personal.items))
        items, strength, because = personal.items[kept], scale(personal.weights[kept]), personal.because[kept]
        places_of: dict[str, list[int]] = {}
        for place, number in enumerate(kept.tolist()):
            places_of.setdefault(personal.origins[number], []).append(place)
        weight = blend.placed * placed.personal_share
        sources += [Source(origin, weight, items[at], strength[at], because[at]) for origin, at in places_of.items()]
    if personal is None:
        return sources, None if followers is None else "items"
    return sources, "person" if followers is None else "both"
