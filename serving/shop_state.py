"""What serving holds of one shop: catalogue, release, and the shelf that joins them.

Writers (the watcher and the stream) change it under its lock; a request reads ``shelf`` and ``catalogue`` once and needs no
lock: a new shelf comes by one assignment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from serving.catalogue import Catalogue, Item
from serving.exploring import Exploration
from serving.feedback import Feedback, ListEvent
from serving.kept_catalogues import JoinedItems
from serving.rules.impressions import Impressions
from serving.rules.shop_rules import RulesInUse
from serving.shelf import ServedModel, Shelf, join_catalogue


@dataclass
class ReleaseFacts:
    """The release in use and what came of newer ones; ``published_at`` is epoch seconds, ``trained_to`` the instant
    (UTC) of its newest act.
    """

    version: str | None = None
    trained_to: datetime | None = None
    published_at: float | None = None
    problem: str | None = None
    failures: int = 0


@dataclass
class ShopState:
    """State of one shop."""

    shop_id: str
    catalogue: Catalogue = field(default_factory=Catalogue)
    currency: str | None = None  # the shop's home currency; None until the registry says it
    shelf: Shelf | None = None
    release: ReleaseFacts = field(default_factory=ReleaseFacts)
    changes: int = 0
    exploration: Exploration = field(default_factory=Exploration)
    rules: RulesInUse = field(default_factory=RulesInUse)
    impressions: Impressions = field(default_factory=Impressions)
    feedback: Feedback = field(default_factory=Feedback)
    _model: ServedModel | None = None
    _coming: Shelf | None = None  # of a release that is being tried; it follows the catalogue, too
    _lock: Lock = field(default_factory=Lock)

    def use_release(
        self,
        model: ServedModel,
        published_at: float,
        *,
        trained_to: datetime | None = None,
        check: Callable[[Shelf, Catalogue], None] | None = None,
    ) -> None:
        """Switch to a verified release in one step. Whatever joining it with the catalogue or ``check`` raises, nothing has
        changed, and requests and changes of items went on meanwhile.
        """
        with self._lock:
            shelf = self._coming = self._joined(model)
        try:
            if check is not None and shelf is not None:
                check(shelf, self.catalogue)
            learnt = self.feedback.learn(model)
            exploration = self.exploration.prepared(model, learnt)
        except BaseException:
            self._coming = None
            raise
        with self._lock:
            if self._coming is not shelf or (shelf is not None and shelf.joined is not None and shelf.joined.is_full):
                shelf = self._joined(model)  # another snapshot has come since, or very many changes
            self._model, self.shelf, self._coming = model, shelf, None
            facts = self.release
            facts.version, facts.published_at, facts.trained_to, facts.problem = model.version, published_at, trained_to, None
            self.exploration.take(exploration)

    @property
    def wants_feedback(self) -> bool:
        """Whether the release has a belief that learns, or there is none yet."""
        return self._model is None or self._model.newcomers is not None

    @property
    def learnt_to_ms(self) -> int | None:
        """Until when (epoch ms) the belief of the release knows the log; None without one that learns."""
        newcomers = None if self._model is None else self._model.newcomers
        return None if newcomers is None or newcomers.looked_at is None else newcomers.known_to_ms

    def hear(self, event: ListEvent) -> None:
        """Take over a list that was seen, or a click in one."""
        if self.wants_feedback:
            self.feedback.put(event, self._model, () if self.shelf is None else self.shelf.number_of)

    def learn(self) -> None:
        """Explore by what was seen and clicked up to now."""
        model = self._model
        if model is not None and self.feedback.has_changed:
            learnt = self.feedback.learn(model)
            if learnt is not None:
                prepared = self.exploration.prepared(model, learnt)
                with self._lock:
                    if self._model is model:  # else a switch came in between, and has learnt by itself
                        self.exploration.take(prepared)

    def refuse_release(self, problem: str) -> None:
        """Keep the last good release and remember why the newer one is not used."""
        self.release.problem = problem
        self.release.failures += 1

    def use_snapshot(self, items: dict[str, Item]) -> None:
        """Take over a published catalogue; newer states from the stream stay."""
        with self._lock:
            self.catalogue.put_snapshot(items)
            self._coming = None
            self.shelf = None if self._model is None else self._joined(self._model)

    def use_currency(self, currency: str) -> bool:
        """Take over the shop's home currency; says whether it was another one."""
        if currency == self.currency:
            return False
        with self._lock:
            self.currency = currency
            self.catalogue.move_home(currency)
            self._coming = None
            self.shelf = None if self._model is None else self._joined(self._model)
            return True

    def apply(self, item: Item) -> bool:
        """Take over one changed item; says whether it was news."""
        with self._lock:
            item = item.at_home_in(self.currency)
            known = self.catalogue.get(item.item_id)
            if known is not None and known.version >= item.version:
                return False
            shelves = [shelf for shelf in (self.shelf, self._coming) if shelf is not None]
            joined = [shelf.joined for shelf in shelves if shelf.joined is not None]
            for each in joined:
                each.begin(item)
            self.catalogue.put(item)
            self.changes += 1
            for shelf in shelves:
                shelf.refresh(item)
            for each in joined:
                each.end()
            in_use = None if self.shelf is None else self.shelf.joined
            if in_use is not None and in_use.is_full and self._model is not None:
                self.shelf = self._joined(self._model)
            return True

    def _joined(self, model: ServedModel) -> Shelf | None:
        if not self.catalogue.items:
            return None
        shelf = join_catalogue(model, self.catalogue)
        shelf.joined = JoinedItems(self.catalogue.items)
        return shelf


class ShopStates:
    """States by shop, made when first asked for by a writer; ``find`` never makes one."""

    def __init__(self) -> None:
        self._states: dict[str, ShopState] = {}
        self._lock = Lock()

    def of(self, shop_id: str) -> ShopState:
        """The state of a shop, new if need be."""
        with self._lock:
            return self._states.setdefault(shop_id, ShopState(shop_id))

    def find(self, shop_id: str) -> ShopState:
        """The state of a shop; an empty one that nobody keeps when there is none."""
        return self._states.get(shop_id) or ShopState(shop_id)

    def all(self) -> list[ShopState]:
        """Every state, by shop id."""
        with self._lock:
            return [self._states[shop_id] for shop_id in sorted(self._states)]

    @property
    def follow_lists(self) -> bool:
        """Whether a shop asks for what was shown and clicked."""
        return any(state.rules.count_impressions or state.wants_feedback for state in self.all())
