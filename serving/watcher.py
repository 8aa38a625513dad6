"""Once a second: has the registry, the catalogue, a release or the feature store changed? What is new is loaded, then used.

Nothing needs to exist when serving starts. What cannot be read is a problem in the readiness and is tried again; the last
good one stays.
"""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event

import duckdb

from jishi.lake import TableNotPublished
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.rules.versions import RuleVersions
from jishi.settings import Settings
from serving import consents as stored_choices
from serving.canary import Canary
from serving.catalogue import TABLE, read_snapshot
from serving.consents import Consents
from serving.features.online_store import open_feature_store
from serving.features.reader import FeatureReader
from serving.keys import ReadKeys
from serving.recent import Recent
from serving.releases import Pointer, ReleaseUnusable, load_release, read_pointer, refuse_wrong_time, turn_to_switch
from serving.shop_state import ShopState, ShopStates

_LOG = logging.getLogger(__name__)
EVERY_S = 1.0
# A release that failed for a passing reason is tried again without a new pointer.
RETRY_S = 30.0
# While a large release is loaded beside requests: how long a request may wait for the interpreter each time that it needs it.
# A list takes it some dozens of times, and with Python's own five milliseconds would wait as often.
TURN_S = 0.0002
MOST_WAIT_S = 120.0  # for another worker's switch
LEARN_EVERY_S = 60.0  # a belief takes half a second of a thousand new items


@contextmanager
def turns_of(seconds: float) -> Iterator[None]:
    """Threads of this process take turns so long meanwhile."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@dataclass
class Watcher:
    """Looks at the files that other parts publish; ``look`` is one round."""

    settings: Settings
    paths: Paths
    keys: ReadKeys
    states: ShopStates
    recent: Recent
    features: FeatureReader
    consents: Consents
    now: Callable[[], float] = time.monotonic
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    problems: dict[str, str] = field(default_factory=dict)
    _learnt_at: float = 0.0
    looked: Event = field(default_factory=Event)  # set after the first round
    _snapshot: str | None = None
    _choices: str | None = None
    _tried: dict[str, tuple[Pointer | None, float]] = field(default_factory=dict)
    _waits: dict[str, float] = field(default_factory=dict)  # since when a shop's release waits for other workers

    def run(self, stop: Event) -> None:
        """Look until ``stop`` is set: the first round over everything, later ones over all but releases."""
        self.look()
        self.looked.set()
        while not stop.wait(EVERY_S):
            self._look_at_files()

    def run_releases(self, stop: Event) -> None:
        """Look at releases until ``stop`` is set, beside all else: a large one takes its time to load and to be tried."""
        while not (self.looked.wait(0.1) or stop.is_set()):
            pass
        while not stop.wait(EVERY_S):
            self.look_at_releases()

    def look(self) -> None:
        """One round over everything."""
        self._look_at_files()
        self.look_at_releases()

    def look_at_releases(self) -> None:
        """Load, try and use what is published since the last look, shop by shop."""
        for shop_id in self.keys.shop_ids:
            self._look_at_release(shop_id)

    def _look_at_files(self) -> None:
        self.keys.reload()
        for shop_id, currency in self.keys.currencies.items():
            if self.states.of(shop_id).use_currency(currency):
                self._snapshot = None  # what it says in the new currency was not kept
        self._look_at_catalogue()
        self._look_at_choices()
        for shop_id in self.keys.shop_ids:
            self.states.of(shop_id).rules.look(RuleVersions.of(self.paths, shop_id))
        if self.now() - self._learnt_at >= LEARN_EVERY_S:
            self._learnt_at = self.now()
            for state in self.states.all():
                state.learn()
        if not self.recent.is_open:
            self._open_feature_store()

    def covered_ms(self) -> int | None:
        """Epoch ms up to which the snapshot of every shop knows the log, and the belief of every release; None when there is no
        snapshot.
        """
        newest = [
            max(item.version.received_at_ms for item in state.catalogue.items.values())
            for state in self.states.all()
            if state.catalogue.items
        ]
        learnt = [state.learnt_to_ms for state in self.states.all() if state.learnt_to_ms is not None]
        return min(newest + learnt) if newest and self._snapshot is not None else None

    def _look_at_catalogue(self) -> None:
        try:
            lake = open_version(self.settings)
            if not lake.has(TABLE) or lake.state(TABLE) == self._snapshot:
                return
            shops = read_snapshot(lake, self.keys.currencies)
        except (OSError, TableNotPublished, duckdb.Error) as error:
            # A version may expire while it is read; the next round finds its successor.
            self.problems["catalogue"] = f"{type(error).__name__}: {error}"
            return
        for shop_id in {*shops, *(state.shop_id for state in self.states.all())}:
            self.states.of(shop_id).use_snapshot(shops.get(shop_id, {}))
        gc.freeze()  # a catalogue stays: the collector need not look through a million items again and again
        self._snapshot = lake.state(TABLE)
        self.problems.pop("catalogue", None)

    def _look_at_choices(self) -> None:
        """Choices older than the log reaches. While there are some that were never read, nobody is answered personally."""
        try:
            lake = open_version(self.settings)
            if not lake.has(stored_choices.TABLE) or lake.state(stored_choices.TABLE) == self._choices:
                return
            for choice in stored_choices.read_choices(lake):
                self.consents.put(choice)
        except (OSError, TableNotPublished, duckdb.Error) as error:
            self.problems["consents"] = f"{type(error).__name__}: {error}"
            self.consents.is_complete = self._choices is not None
            return
        self._choices, self.consents.is_complete = lake.state(stored_choices.TABLE), True
        self.problems.pop("consents", None)

    def _look_at_release(self, shop_id: str) -> None:
        pointer = read_pointer(self.paths.models, shop_id)
        state = self.states.of(shop_id)
        if pointer is None or not state.catalogue.items:  # without items nothing could be answered, and nothing tried
            return
        if pointer.version == state.release.version:
            state.release.problem = None
            return
        tried, at = self._tried.get(shop_id, (None, 0.0))
        if tried == pointer and self.now() - at < RETRY_S:
            return
        # Who has nothing to answer with waits for nobody, and nobody for ever for a worker that hangs.
        waits_since = self._waits.setdefault(shop_id, self.now())
        may_wait = state.release.version is not None and self.now() - waits_since < MOST_WAIT_S
        with turn_to_switch(self.paths.run / "release-switch.lock") as is_ours:
            if is_ours or not may_wait:
                self._waits.pop(shop_id)
                self._try_release(shop_id, state, pointer)

    def _try_release(self, shop_id: str, state: ShopState, pointer: Pointer) -> None:
        self._tried[shop_id] = (pointer, self.now())
        try:
            with turns_of(TURN_S):
                self._switch(shop_id, state, pointer)
        except ReleaseUnusable as error:
            state.refuse_release(str(error))
        except Exception as error:  # noqa: BLE001 (whatever an artefact raises concerns its shop: the last good one stays)
            _LOG.exception("release %s of a shop cannot be used", pointer.version)
            state.refuse_release(f"release {pointer.version}: {type(error).__name__}: {error}")

    def _switch(self, shop_id: str, state: ShopState, pointer: Pointer) -> None:
        release = load_release(self.paths.models, shop_id, pointer.version)
        refuse_wrong_time(release, self.paths.models, shop_id, state.release.trained_to, self.clock())
        state.use_release(
            release, pointer.published_at, trained_to=release.trained_to, check=Canary(shop_id, release.person_ids)
        )

    def _open_feature_store(self) -> None:
        try:
            store = open_feature_store(self.paths.features)
        except (OSError, ValueError, ImportError) as error:
            self.recent.health.problem = f"the feature store does not open: {error}"
            return
        if store is not None:
            self.features.store.use(store)
            self.recent.use(store)
