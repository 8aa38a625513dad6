"""Rows of the online store, through Feast, in a time budget: a store that is slow or broken costs what it would have said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, Protocol

from jishi import feast_import
from jishi.features.columns import LOG_OFFSET, VALID_UNTIL
from jishi.features.entity import key_values
from jishi.features.newest import KeptRow
from serving.event_loop import leave_event_loop, may_read_store
from serving.features.views import ReadView

BUDGET_S = 0.15
READERS = 8
TURN_S = 0.02  # in which a store that is not slow has answered one of its readers
Wanted = Sequence[tuple[ReadView, Sequence[str]]]
Rows = dict[str, Mapping[str, KeptRow | None]]  # by view and key


class FeastFeatures(Protocol):
    """The part of ``feast.FeatureStore`` that serving uses; the answer is a ``feast.online_response.OnlineResponse``."""

    def get_online_features(self, features: Any, entity_rows: Any, full_feature_names: bool = False) -> Any:
        """Values by feature and row."""


class StoreUnread(RuntimeError):
    """The store was not read: ``outcome`` is ``not_open``, ``slow``, ``busy`` or ``failed``."""

    def __init__(self, outcome: str, problem: str) -> None:
        super().__init__(problem)
        self.outcome = outcome


class OnlineReader:
    """Reads on ``READERS`` threads of its own, and lets nobody queue: who finds no reader free within ``TURN_S``, or a read
    that has lasted longer than the budget, is refused.
    """

    def __init__(self, budget_s: float = BUDGET_S) -> None:
        self.problem: str | None = "the feature store is not there yet"
        self._budget_s = budget_s
        self._store: FeastFeatures | None = None
        self._readers = ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="online-store")
        self._free = BoundedSemaphore(READERS)
        self._hanging = set[Future[Any]]()

    @property
    def is_open(self) -> bool:
        """Whether there is a store to read."""
        return self._store is not None

    def use(self, store: FeastFeatures) -> None:
        """Read from this store from now on."""
        self._store = store
        self.problem = None

    def read(self, shop_id: str, wanted: Wanted, keep: Callable[[Rows], None]) -> None:
        """Give ``keep`` what the store holds of each key of each view: before this returns or, of a slow read, whenever it
        comes, so that who asks again has it. Raises StoreUnread, and serving.event_loop.NeedsThread instead of waiting there.
        """
        if self._store is None:
            raise StoreUnread("not_open", self.problem or "")
        if any([not read.done() for read in tuple(self._hanging)]):
            raise StoreUnread("slow", self.problem or "")
        if not may_read_store():
            raise StoreUnread("busy", "all threads that wait for the store are taken")
        leave_event_loop()
        if not self._free.acquire(timeout=TURN_S):
            raise StoreUnread("busy", f"{READERS} reads at once took longer than {TURN_S} s")
        read = self._readers.submit(self._read, self._store, shop_id, wanted, keep)
        try:
            error = read.exception(timeout=self._budget_s)
        except FutureTimeout:
            self._hanging.add(read)
            read.add_done_callback(self._hanging.discard)
            self.problem = f"a read took longer than {self._budget_s} s"
            raise StoreUnread("slow", self.problem) from None
        if error is not None:
            self.problem = f"{type(error).__name__}: {error}"
            raise StoreUnread("failed", self.problem) from error
        self.problem = None

    def _read(self, store: FeastFeatures, shop_id: str, wanted: Wanted, keep: Callable[[Rows], None]) -> None:
        try:
            keep({view.name: dict(zip(keys, read_view(store, shop_id, view, keys), strict=True)) for view, keys in wanted})
        finally:
            self._free.release()


def read_view(store: FeastFeatures, shop_id: str, view: ReadView, keys: Sequence[str]) -> list[KeptRow | None]:
    """The row of each key of a view, None where the store has none."""
    beside = (VALID_UNTIL, LOG_OFFSET) if view.members else ()
    answer = store.get_online_features(
        features=[f"{view.name}:{name}" for name in (*view.features, *beside)],
        entity_rows=[{"shop_id": shop_id, **key_values(view.entity, key)} for key in keys],
    )
    columns = answer.to_dict()
    names, results = list(answer.proto.metadata.feature_names.val), answer.proto.results
    # Feast's ``to_dict`` would cut times to seconds.
    stamps = results[names.index(view.features[0])].event_timestamps
    rows: list[KeptRow | None] = []
    for place, (_, stamp) in enumerate(zip(keys, stamps, strict=True)):
        values = {name: columns[name][place] for name in view.features}
        at_us = stamp.ToMicroseconds()
        if at_us <= 0 and all(value is None for value in values.values()):
            rows.append(None)
            continue
        until_ms, offset = (columns[name][place] for name in beside) if beside else (None, None)
        rows.append(KeptRow(at_us, offset or 0, values, until_ms))
    return rows


def open_feature_store(features_folder: Path) -> FeastFeatures | None:
    """The store that ``python -m feature_repo apply`` described in ``feature_store.yaml``, or None before that."""
    file = features_folder / "feature_store.yaml"
    if not file.exists() or not (features_folder / "registry.db").exists():
        return None
    # Importing Feast takes seconds: only when there is something to read.
    feast_import.prepare()
    from feast import FeatureStore

    store: FeastFeatures = FeatureStore(repo_path=str(features_folder), fs_yaml_file=file)
    return store
