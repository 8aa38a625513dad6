"""One serving process without its HTTP face: state, the threads that keep it fresh, and one call that answers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Self
from zoneinfo import ZoneInfo

from confluent_kafka import Message

from jishi.contract.ids import normal_id_or_none
from jishi.kafka import KafkaCluster
from jishi.paths import Paths
from jishi.pseudonyms import Pseudonyms
from jishi.settings import Settings
from serving.bundled import BUNDLED, MOST_TRIED, NO_VERSION, BundledShelves
from serving.catalogue import Catalogue
from serving.consents import Consents
from serving.decision_topic import DecisionTopic
from serving.decisions import Inputs, LoggedDecision, is_sampled
from serving.exploring import explore, luck_of
from serving.features.follower import Traced, follow_features, is_current
from serving.features.reader import FeatureReader
from serving.features.table import FeatureTable, Numbers
from serving.kept_catalogues import KeptCatalogues
from serving.keys import ReadKeys
from serving.log_follower import LogHealth
from serving.log_records import Lateness
from serving.metrics import ServingMetrics
from serving.moment import Moment
from serving.orders import JUST_PAID_S, LiveOrders
from serving.recent import Recent
from serving.recommend import Answer, CatchingUp, recommend
from serving.request import Request
from serving.rules.active import ActiveRules, ListContext
from serving.rules.shop_rules import ShopRules
from serving.served_log import ServedLog
from serving.shelf import Shelf
from serving.shop_state import ShopState, ShopStates
from serving.stream import LiveState, StreamHealth, follow
from serving.trials import Rung, rung_to_try
from serving.watcher import Watcher
from serving.why_not import WhyNot, why_not


@dataclass(frozen=True)
class Tried:
    """A request answered ``before`` and ``after`` a draft of rules, with what the rules met; ``in_use`` is their version."""

    before: Answer
    after: Answer
    in_use: int | None
    context: ListContext
    shelf: Shelf
    catalogue: Catalogue


MOST_DECISION_BYTES = 2**30  # of one process and day, for answers with their inputs and for those without


@dataclass
class Engine:
    """Everything a request needs. ``start`` returns at once: what does not exist yet is picked up when it appears."""

    settings: Settings
    paths: Paths
    keys: ReadKeys
    states: ShopStates
    recent: Recent
    served_log: ServedLog
    decisions: ServedLog
    stream: StreamHealth
    orders: LiveOrders
    consents: Consents
    watcher: Watcher
    metrics: ServingMetrics
    topic: DecisionTopic
    followed: LogHealth
    features: FeatureReader  # of rankers; on a thread of its own, so that many items hold up nobody's last ones
    bundled: BundledShelves = field(default_factory=BundledShelves)
    hears: Callable[[Message], None] | None = None  # get what was applied of events and of features
    hears_feature: Traced | None = None
    _pseudonyms: dict[str, Pseudonyms] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @classmethod
    def of(cls, settings: Settings, paths: Paths) -> Self:
        """A new engine on a platform's folders; nothing runs before ``start``."""
        keys, states, stream = ReadKeys(paths.shops_file), ShopStates(), StreamHealth()
        process = f"{time.time_ns() // 1_000_000}-{os.getpid()}"
        served_log = ServedLog(paths.served_values, process, settings.served_values_rate)
        decisions = ServedLog(
            paths.served_decisions,
            process,
            settings.served_answers_rate,
            most_bytes=MOST_DECISION_BYTES,
            part_of=attrgetter("part"),
            sinks=[KeptCatalogues(paths.served_catalogues).keep],
        )
        followed = LogHealth()
        table = FeatureTable(is_following=lambda: is_current(followed))
        recent = Recent(FeatureReader(table), log=served_log)
        orders, consents = LiveOrders(), Consents()
        features = FeatureReader(table)
        watcher = Watcher(settings, paths, keys, states, recent, features, consents)
        metrics = ServingMetrics(states, stream, recent, served_log, time.time)
        return cls(
            settings,
            paths,
            keys,
            states,
            recent,
            served_log,
            decisions,
            stream,
            orders,
            consents,
            watcher,
            metrics,
            DecisionTopic(KafkaCluster.of(settings)),
            followed,
            features,
        )

    def start(self) -> None:
        """Start the watcher, the readers of events and features, and the writers of the logs."""
        self.decisions.sinks.append(self.topic.send)
        self._threads = [
            threading.Thread(target=self.watcher.run, args=(self._stop,), name="watcher", daemon=True),
            threading.Thread(target=self.watcher.run_releases, args=(self._stop,), name="releases", daemon=True),
            threading.Thread(target=self._follow, name="stream", daemon=True),
            threading.Thread(target=self._follow_features, name="features", daemon=True),
            threading.Thread(target=self.served_log.run, args=(self._stop,), name="served-log", daemon=True),
            threading.Thread(target=self.decisions.run, args=(self._stop,), name="decisions", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop them and wait a little."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)
        self.topic.close()

    def answer(self, request: Request, request_id: str, order_id: str | None = None) -> Answer:
        """The answer to a request; ``order_id`` is the order just paid where its items are not in the request.

        Raises serving.recommend.NoRelease and CatchingUp.
        """
        state = self.states.find(request.shop_id)
        catalogue, shelf = state.catalogue, self._shelf_of(state)
        request = self._completed(request, order_id)
        shelf, tried = self._tried(request, request_id, state, shelf)
        has_inputs = is_sampled(request_id, self.decisions.rate)
        changes = 0 if shelf is None or shelf.joined is None else shelf.joined.done
        read, moment = self.recent.last_acts, self.moment_of(request)
        rules = self.rules_for(request, state, state.rules.in_use, shelf, moment)
        answer = recommend(request, shelf, catalogue, read, with_candidates=has_inputs, rules=rules, moment=moment, tried=tried)
        assert shelf is not None  # else NoRelease was raised
        if shelf.model.version == NO_VERSION:
            answer = replace(answer, served_by="bundled", model=BUNDLED)
        decision = None
        if tried is not None:
            self.metrics.count_trial(tried)
        elif shelf.model.newcomers is not None:
            answer, decision = explore(answer, request, shelf, catalogue, state.exploration, luck_of(request_id))
        if request.question in shelf.quotas:
            self.metrics.count_offers(one.reason.code for one in answer.items)
        inputs = self._inputs(request.shop_id, shelf, changes) if has_inputs else None
        at_ms = moment.now_ms
        self.decisions.note(LoggedDecision.of(request, request_id, answer, decision, shelf, catalogue, at_ms, inputs))
        return answer

    def preview(self, request: Request, draft: ShopRules) -> Tried:
        """The request answered by the rules in use and by a draft; nothing is logged or explored.

        Raises serving.recommend.NoRelease and CatchingUp.
        """
        state = self.states.find(request.shop_id)
        shelf = self._shelf_of(state)
        request = self._completed(request, None)
        read, moment = self.recent.last_acts, self.moment_of(request)
        before, after = (
            recommend(request, shelf, state.catalogue, read, rules=rules, moment=moment)
            for rules in (self.rules_for(request, state, each, shelf, moment) for each in (state.rules.in_use, draft))
        )
        assert shelf is not None  # else NoRelease was raised
        return Tried(before, after, state.rules.version, self._context_of(request, state, moment), shelf, state.catalogue)

    def why_not(self, item_id: str, request: Request, answer: Answer) -> WhyNot:
        """What keeps an item out of an answer that this engine has just given to the request."""
        state, item_id = self.states.find(request.shop_id), normal_id_or_none(item_id) or item_id
        assert answer.workings is not None
        # The shelf of the answer: another release, with other numbers, may have come since.
        return why_not(item_id, self._completed(request, None), answer, answer.workings.shelf, state.catalogue)

    def _shelf_of(self, state: ShopState) -> Shelf | None:
        """The shop's shelf, or one of its catalogue alone; None while it has no items. Raises CatchingUp, also while nobody
        knows yet whether it has any.
        """
        if not self.stream.has_caught_up:
            raise CatchingUp(state.shop_id)
        return state.shelf or self.bundled.of(state.shop_id, state.catalogue, self.orders.sold)

    def _tried(
        self, request: Request, request_id: str, state: ShopState, shelf: Shelf | None
    ) -> tuple[Shelf | None, Rung | None]:
        """The shelf that answers a request, and the rung that is tried on it; None where the best is to answer."""
        rung = rung_to_try(request_id, self.keys.trial_share(request.shop_id, self.settings.ladder_trials))
        if rung is None or shelf is None or shelf.model.version == NO_VERSION:
            return shelf, None
        if rung != "bundled":
            return shelf, rung
        # Few items have sold lately: a filter might leave none of them.
        bundled = None
        if request.only is None:
            bundled = self.bundled.of(state.shop_id, state.catalogue, self.orders.sold, MOST_TRIED)
        return (shelf, None) if bundled is None or bundled.size < 2 * request.limit else (bundled, rung)

    def _completed(self, request: Request, order_id: str | None) -> Request:
        """The request with what the log says of its persons: their choice, and their orders."""
        if not self.consents.allow(request.shop_id, request.persons):
            request = request.of_nobody()
        return self._with_orders(request, order_id)

    def rules_for(
        self, request: Request, state: ShopState, rules: ShopRules | None, shelf: Shelf | None, moment: Moment
    ) -> ActiveRules | None:
        """Those of a shop's rules that hold for a request; None where none does."""
        if rules is None or shelf is None:
            return None
        return ActiveRules.of(rules, self._context_of(request, state, moment), shelf, state.catalogue, state.impressions)

    @staticmethod
    def _context_of(request: Request, state: ShopState, moment: Moment) -> ListContext:
        page = None if request.item_id is None else state.catalogue.get(request.item_id)
        return ListContext(
            placement=request.placement,
            persons=request.persons,
            page=page,
            page_category=request.page_category if page is None else page.category,
            today=moment.local.date(),
            now_ms=moment.now_ms,
        )

    def moment_of(self, request: Request) -> Moment:
        """When a request is answered, and the features that it may read: none for who opted out."""
        now_ms, zone = time.time_ns() // 1_000_000, ZoneInfo(self.keys.zone_of(request.shop_id))
        if request.is_opted_out:
            return Moment(now_ms, zone)

        def read(views: tuple[str, ...], ids: Sequence[str]) -> Numbers:
            return self.features.numbers(views, request.shop_id, ids, now_ms)

        return Moment(now_ms, zone, read, read)

    def _inputs(self, shop_id: str, shelf: Shelf, changes: int) -> Inputs | None:
        """What is logged for a replay; None while persons have no pseudonyms."""
        pseudonyms = self._pseudonyms.get(shop_id)
        if pseudonyms is None:
            try:
                pseudonyms = self._pseudonyms[shop_id] = Pseudonyms.of(self.paths, shop_id)
            except OSError as error:
                self.decisions.problem = f"{self.paths.pseudonym_secret}: {error}"
                return None
        is_settled = shelf.joined is None or shelf.joined.begun == changes
        return Inputs(changes, is_settled, pseudonyms.person)

    def _with_orders(self, request: Request, order_id: str | None) -> Request:
        """The request with what the log says of the order just paid and of what the persons bought."""
        now_ms = time.time_ns() // 1_000_000
        if request.persons and request.excludes_purchased is not False:
            bought = (
                self.orders.bought(request.shop_id, request.persons)
                if request.excludes_purchased
                else self.orders.paid_lately(request.shop_id, request.persons, now_ms)
            )
            request = replace(request, bought=frozenset(bought)) if bought else request
        if request.placement != "after_payment" or request.order:
            return request
        return replace(request, order=self.orders.just_paid(request.shop_id, order_id, request.persons, now_ms))

    def dead_threads(self) -> list[str]:
        """Threads that ended though nobody stopped them."""
        return [thread.name for thread in self._threads if not thread.is_alive() and not self._stop.is_set()]

    def _follow_features(self) -> None:
        table = self.recent.features.table
        follow_features(KafkaCluster.of(self.settings), table, self.followed, self._stop, self.hears_feature)

    def _follow(self) -> None:
        lateness = Lateness(self.settings.allowed_lateness_s, self.settings.future_tolerance_s)
        live = LiveState(self.states, self.orders, self.consents)
        while not (self.watcher.looked.wait(0.1) or self._stop.is_set()):  # what the lake knows decides where to begin
            pass
        kafka = KafkaCluster.of(self.settings)
        follow(kafka, live, lateness, self.stream, self._stop, self.log_begins_ms, self.hears)

    def log_begins_ms(self) -> int | None:
        """Epoch ms from which events are read: what the lake does not cover, and the orders just paid; None: all."""
        covered_ms = self.watcher.covered_ms()
        return None if covered_ms is None else min(covered_ms, time.time_ns() // 1_000_000 - JUST_PAID_S * 1000)
