"""Orders as the log tells of them, the latest ones: what a person has just paid for, and what they bought since the release."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from jishi.contract.ids import normal_id_or_none

MOST_ORDERS = 50_000  # of all shops of a process; the oldest go first
MOST_OF_PERSON = 20
JUST_PAID_S = 30 * 60


@dataclass(frozen=True)
class PaidOrder:
    """A paid order: the items of its lines, who paid (every id that the event has), and when the log knew it."""

    shop_id: str
    order_id: str
    items: tuple[str, ...]
    persons: tuple[str, ...]
    known_at_ms: int


@dataclass
class LiveOrders:
    """Written by the reader of the stream, read by requests."""

    most: int = MOST_ORDERS
    _orders: OrderedDict[tuple[str, str], PaidOrder] = field(default_factory=OrderedDict)
    _of_person: dict[tuple[str, str], deque[PaidOrder]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def put(self, order: PaidOrder) -> None:
        """Remember an order; one that is delivered twice counts once."""
        with self._lock:
            if (order.shop_id, order.order_id) in self._orders:
                return
            self._orders[order.shop_id, order.order_id] = order
            for person in order.persons:
                self._of_person.setdefault((order.shop_id, person), deque(maxlen=MOST_OF_PERSON)).append(order)
            if len(self._orders) > self.most:
                _, oldest = self._orders.popitem(last=False)
                for person in oldest.persons:
                    theirs = self._of_person[oldest.shop_id, person]
                    if theirs[0] is oldest:
                        theirs.popleft()
                    if not theirs:
                        del self._of_person[oldest.shop_id, person]

    def just_paid(self, shop_id: str, order_id: str | None, persons: Iterable[str], now_ms: int) -> tuple[str, ...]:
        """Items of the order of that id, else of the latest order of one of ``persons`` within half an hour; else none."""
        with self._lock:
            named = None if order_id is None else self._orders.get((shop_id, normal_id_or_none(order_id) or order_id))
            if named is not None:
                return named.items
            last = [theirs[-1] for person in persons if (theirs := self._of_person.get((shop_id, person)))]
            newest = max(last, key=lambda order: order.known_at_ms, default=None)
        return newest.items if newest is not None and now_ms - newest.known_at_ms <= JUST_PAID_S * 1000 else ()

    def paid_lately(self, shop_id: str, persons: Iterable[str], now_ms: int) -> set[str]:
        """Every item of the orders of these persons within half an hour."""
        known = [key for person in persons if (key := (shop_id, person)) in self._of_person]
        if not known:  # most have just paid nothing, and wait for no lock
            return set()
        with self._lock:
            theirs = [order for key in known for order in self._of_person.get(key, ())]
        return {item_id for order in theirs if now_ms - order.known_at_ms <= JUST_PAID_S * 1000 for item_id in order.items}

    def sold(self, shop_id: str) -> Counter[str]:
        """How many of a shop's remembered orders hold each item."""
        with self._lock:
            return Counter(item_id for (shop, _), order in self._orders.items() if shop == shop_id for item_id in order.items)

    def bought(self, shop_id: str, persons: Iterable[str]) -> set[str]:
        """Every item of the remembered orders of these persons."""
        with self._lock:
            theirs = [order for person in persons for order in self._of_person.get((shop_id, person), ())]
        return {item_id for order in theirs for item_id in order.items}
