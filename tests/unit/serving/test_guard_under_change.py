"""Stock and status change while requests are answered: no list has an item that could not be sold while it was made."""

from __future__ import annotations

import random
import threading
from bisect import bisect_right
from itertools import count
from typing import Any

import numpy as np
from scipy import sparse

from jishi.pseudonyms import Pseudonyms
from models.algorithms.exploration import Belief
from models.algorithms.sparse_sums import SparseSums
from serving.orders import PaidOrder
from serving.recent import LastAct
from serving.request import Request

REQUESTS, ITEMS = 10_000, 30
UNSELLABLE = ({"stock": 0}, {"status": "inactive"}, {"stock": 0, "status": "inactive"})


class ChangingCatalogue:
    """Changes items of a shop one after another until it is stopped, and remembers when each change began and was over."""

    def __init__(self, state: Any, tiny: Any) -> None:
        self.ticks = count(1)
        self.begun: dict[str, list[int]] = {f"i{number}": [] for number in range(ITEMS)}
        self.over: dict[str, list[int]] = {item_id: [] for item_id in self.begun}
        self.sellable: dict[str, list[bool]] = {item_id: [] for item_id in self.begun}
        self.stop = threading.Event()
        self._state, self._tiny = state, tiny
        self.thread = threading.Thread(target=self._change)

    def _change(self) -> None:
        chance, kinds = random.Random(7), ["skirts"] * 10 + ["tea"] * 10 + ["lamps"] * 10
        at_ms = 1
        while not self.stop.wait(0.0003):
            number, at_ms = chance.randrange(ITEMS), at_ms + 1
            item_id, is_sellable = f"i{number}", chance.random() < 0.6
            change = {"stock": chance.randrange(1, 9)} if is_sellable else chance.choice(UNSELLABLE)
            self.begun[item_id].append(next(self.ticks))
            self._state.apply(self._tiny.item(item_id, kinds[number], at_ms=at_ms, **change))
            self.sellable[item_id].append(is_sellable)
            self.over[item_id].append(next(self.ticks))

    def leaks(self, item_id: str, first: int, last: int) -> bool:
        """Whether the item could not be sold at any time between two ticks."""
        before = bisect_right(self.over[item_id], first)  # so many changes were over
        begun = bisect_right(self.begun[item_id], last)
        return begun == before > 0 and not self.sellable[item_id][before - 1]


def test_ten_thousand_lists_while_stock_and_status_change(api: Any, shop: Any, tiny: Any) -> None:
    engine, state, chance = api.engine, api.engine.states.of("a"), random.Random(11)
    engine.settings.ladder_trials = 0.2  # of every rung some lists
    Pseudonyms.of(engine.paths, "a")
    lists = {"u:u-skirts": [(number, 1.0 / (1 + number), "like_yours", -1) for number in range(0, 30, 2)]}
    shop.model.placed["cart"] = tiny.placed(30, {number: {(number + 3) % 30: 1.0} for number in range(30)}, lists)
    shop.model.newcomers = tiny.newcomers(np.arange(24, 30), Belief(np.full(6, 2.0), np.full(6, 50.0)))
    rows, columns = range(ITEMS - 1), range(1, ITEMS)
    near = sparse.csr_matrix((np.full(ITEMS - 1, 0.9, dtype=np.float32), (rows, columns)), shape=(ITEMS, ITEMS))
    shop.model.similar = SparseSums(near, skips_itself=True).ask
    state.use_release(shop.model, published_at=1.0)
    for number in range(ITEMS):
        engine.orders.put(PaidOrder("a", f"o{number}", (f"i{number}",), (), 1))
    engine.recent.last_acts = lambda _, persons: [LastAct(f"i{len(persons[0])}", 60.0), LastAct("i22", 90.0)] if persons else []
    changing, answers = ChangingCatalogue(state, tiny), []
    changing.thread.start()
    try:
        for number in range(REQUESTS):
            page, person = f"i{chance.randrange(ITEMS)}", chance.choice([(), ("u:u-skirts",), ("a:stranger",)])
            placement: Any = chance.choice(["home", "item", "cart", "after_payment", "search_empty"])
            request = Request(
                "a",
                placement,
                6,
                person,
                item_id=page if placement == "item" else None,
                cart=(page,) if placement == "cart" else (),
                order=(page,) if placement == "after_payment" else (),
            )
            first = next(changing.ticks)
            answer = engine.answer(request, f"r{number}")
            answers.append(([one.item.item_id for one in answer.items], first, next(changing.ticks), answer.served_by))
    finally:
        changing.stop.set()
        changing.thread.join()
    assert len(answers) == REQUESTS
    leaks = [(item_id, first) for ids, first, last, _ in answers for item_id in ids if changing.leaks(item_id, first, last)]
    assert leaks == []
    assert sum(map(len, changing.over.values())) > 500, "the catalogue did change meanwhile"
    assert sum(len(ids) for ids, *_ in answers) > 5 * REQUESTS
    assert {served_by for *_, served_by in answers} == {"personalised", "item_based", "segment", "popular", "bundled"}
