"""Requests that a release answers before anybody sees it: for a few known persons and a stranger, about items of its own, one
at each placement. What these answers show to be wrong is not let in, and the release in use goes on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from jishi.placements import Placement
from serving.catalogue import Catalogue
from serving.recent import LastAct
from serving.recommend import Answer, recommend
from serving.releases import ReleaseUnusable
from serving.request import Request
from serving.shelf import Shelf

PERSONS, PAGES, LENGTH = 3, 3, 10
STRANGER = "a stranger to every release"


class Canary:
    """Tries a release of one shop; ``persons`` are those whom it knows."""

    def __init__(self, shop_id: str, persons: Sequence[str]) -> None:
        self.shop_id = shop_id
        self.persons = [*persons[:: max(1, len(persons) // PERSONS)][:PERSONS], STRANGER]

    def __call__(self, shelf: Shelf, catalogue: Catalogue) -> None:
        """Raise ReleaseUnusable with the request and what is wrong with its answer."""
        for request, last in self._requests(shelf):
            try:
                answer = recommend(request, shelf, catalogue, lambda *_, last=last: last)
            except Exception as error:
                raise self._refusal(shelf, request, f"raised {type(error).__name__}: {error}") from error
            problem = self._problem(answer, request, shelf, catalogue)
            if problem is not None:
                raise self._refusal(shelf, request, problem)

    def _requests(self, shelf: Shelf) -> Iterator[tuple[Request, list[LastAct]]]:
        """One for each person at each placement, with the last acts of some; the pages are spread over what can be sold."""
        sellable = np.flatnonzero(shelf.sellable)
        places = np.linspace(0, len(sellable) - 1, min(PAGES, len(sellable))).astype(np.int64)
        pages = [shelf.model.item_ids[number] for number in sellable[places].tolist()]
        placements: tuple[Placement, ...] = ("home", "item", "cart", "after_payment", "search_empty")
        for number, person in enumerate(self.persons):
            page = pages[number % len(pages)] if pages else None
            last = [LastAct(page, 60.0)] if page is not None and number % 2 else []
            for placement in placements:
                if placement != "item" or page is not None:
                    given = (page,) if page is not None else ()
                    yield (
                        Request(
                            self.shop_id,
                            placement,
                            LENGTH,
                            persons=(person,),
                            item_id=page if placement == "item" else None,
                            cart=given if placement == "cart" else (),
                            order=given if placement == "after_payment" else (),
                        ),
                        last,
                    )

    def _problem(self, answer: Answer, request: Request, shelf: Shelf, catalogue: Catalogue) -> str | None:
        if not answer.items:
            hidden = request.shown_not(shelf)
            if any(item.is_sellable and item.item_id not in hidden for item in list(catalogue.items.values())):
                return "has no item, though the shop has items to sell: the release is of other items"
        for one in answer.items:
            if catalogue.get(one.item.item_id) is None:
                return f"has the item {one.item.item_id!r}, which the shop does not have"
            if not one.item.is_sellable:
                return f"has the item {one.item.item_id!r}, which cannot be sold"
            if not math.isfinite(one.score):
                return f"has the score {one.score} for the item {one.item.item_id!r}"
        return None

    def _refusal(self, shelf: Shelf, request: Request, problem: str) -> ReleaseUnusable:
        who = "a stranger" if request.persons == (STRANGER,) else "a known person"
        return ReleaseUnusable(f"release {shelf.model.version}: the trial answer at {request.placement} for {who} {problem}")
