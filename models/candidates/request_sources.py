"""Which models of a release bring candidates to the ranker of a placement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RequestSources:
    """Names of ``CONTEXTS`` that answer from the given items, and of ``PERSONAL_LISTS``; ``recent``: items like the person's
    last ones, of any age.
    """

    contexts: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    recent: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every source, in the order of its columns."""
        return (*self.contexts, *(f"list_{name}" for name in self.lists), *(("recent",) if self.recent else ()))


_LISTS = ("item_knn", "personal_frequency", "tifu_knn", "buy_again", "als")
REQUEST_SOURCES: dict[str, RequestSources] = {
    "home": RequestSources((), (*_LISTS, "windowed_popularity", "trending"), recent=True),
    # A page and a cart follow the visit: what was looked at last week is no source there.
    "item": RequestSources(("item_knn", "rules", "together", "session_knn"), ("item_knn", "windowed_popularity")),
    "cart": RequestSources(("bought_together", "item_knn_cart"), ("item_knn", "personal_frequency", "windowed_popularity")),
    "after_payment": RequestSources(("bought_together", "bought_next"), (*_LISTS, "windowed_popularity"), recent=True),
}
PLACES = 30  # of each source become candidates
LISTED = 200  # entries of a source that have a weight
DECAY, HALF_LIFE_S = 0.75, 14 * 86_400  # of the last items: weight of one relative to the one after it, and of age
