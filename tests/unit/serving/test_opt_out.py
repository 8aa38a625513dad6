"""Whoever forbade personalised answers, or is asked for without them, gets what anybody would get."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import numpy as np
import orjson
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi.contract import record_of
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_EVENTS
from models.algorithms.exploration import Belief
from serving.api import make_app
from serving.catalogue import Version
from serving.consents import Choice, Consents, read_choices
from serving.engine import Engine
from serving.exploring import SLOT
from serving.log_records import Lateness
from serving.orders import PaidOrder
from serving.recent import LastAct
from serving.recommend import Answer
from serving.request import Request
from serving.stream import LiveState, apply_record
from tests.lake import newest, record

AT_MS = 1_793_491_200_000
IDS = [f"i{number}" for number in range(30)]
PLACEMENTS: list[dict[str, Any]] = [
    {"placement": "home"},
    {"placement": "item", "item_id": "i4"},
    {"placement": "cart", "cart_item_id": ["i12", "i3"]},
    {"placement": "after_payment", "order_item_id": ["i20"]},
    {"placement": "after_payment"},
    {"placement": "after_payment", "order_id": "named"},
    {"placement": "home", "exclude_purchased": "true"},
]


@dataclass
class ChoiceRecord:
    """A record of the log."""

    body: bytes

    def value(self) -> bytes:
        return self.body

    def timestamp(self) -> tuple[int, int]:
        return 2, AT_MS + 9

    def error(self) -> None:
        return None


def chosen(user_id: str, is_allowed: bool, at_s: int = 0, **ids: Any) -> Any:
    """The log's record of a choice, ``at_s`` seconds after the first."""
    event = {
        "event_id": f"e{user_id}{at_s}",
        "shop_id": "a",
        "type": "consent_changed",
        "occurred_at": f"2026-11-01T00:00:{at_s:02}.000Z",
        "user_id": user_id,
        "properties": {"personalisation": is_allowed},
    } | ids
    built, _ = record_of(event, shop_id="a", collector_id="c", seq=0, collected_at_ms=AT_MS)
    return ChoiceRecord(orjson.dumps(built))


class OptOutCase:
    """One shop behind the API whose persons have histories in every place that a history can come from."""

    def __init__(self, var: Path, shop: Any) -> None:
        settings, shops = Settings(var=var, _env_file=None), Shops()  # type: ignore[call-arg]
        shops.add(Shop(shop_id="a", name="a"))
        self.key = shops.issue_key("a", "read")
        shops.save(Paths.of(settings).shops_file)
        self.engine, self.shop = Engine.of(settings, Paths.of(settings)), shop
        self.engine.keys.reload()
        self.engine.stream.has_caught_up = True
        self.acts: dict[str, list[LastAct]] = {}
        self.engine.recent.last_acts = self._last_acts  # type: ignore[method-assign]
        self.engine.states.of("a").use_snapshot(dict(shop.catalogue.items))
        self.engine.states.of("a").use_release(shop.model, published_at=0.0)
        self.client = TestClient(make_app(self.engine))

    def _last_acts(self, _: str, persons: Any) -> list[LastAct]:
        return [act for person in persons for act in self.acts.get(person, [])]

    def remember(self, person: str, history: dict[str, list[int]]) -> None:
        """Give a person a past."""
        model = self.shop.model
        model.tastes[person] = {number: 1.0 + place for place, number in enumerate(history["taste"])}
        model.bought[person] = history["bought"]
        for placed in model.placed.values():
            placed.lists[person] = [(number, 1.0 / (1 + n), "like_yours", -1) for n, number in enumerate(history["list"])]
        self.acts[person] = [LastAct(IDS[number], 60.0 * (1 + place)) for place, number in enumerate(history["acts"])]
        if history["bought"]:
            items = tuple(IDS[number] for number in history["bought"])
            self.engine.orders.put(PaidOrder("a", f"of {person}", items, (person,), 2**50))

    def hear(self, *records: Any) -> None:
        live = LiveState(self.engine.states, self.engine.orders, self.engine.consents)
        for each in records:
            apply_record(each, live, Lateness(30, 5), self.engine.stream)

    def body(self, **params: Any) -> bytes:
        url, headers = "/v1/shops/a/recommendations", {"Authorization": f"Bearer {self.key}"}
        answer = self.client.get(url, params={"limit": 8} | params, headers=headers)
        assert answer.status_code == 200
        return bytes(answer.content)


@contextmanager
def asked(tiny: Any, placed: Any = None) -> Iterator[OptOutCase]:
    kinds = ["skirts"] * 10 + ["tea"] * 10 + ["lamps"] * 10
    near = {n: {n + 1: 0.9, n + 2: 0.3} for n in range(30) if n % 10 < 8}
    items = [tiny.item(item_id, kind) for item_id, kind in zip(IDS, kinds, strict=True)]
    with TemporaryDirectory() as var:
        yield OptOutCase(Path(var), tiny.shop(tiny.model(IDS, near, placed=placed or {}), items))


NUMBERS = st.lists(st.integers(0, 29), max_size=6, unique=True)
HISTORIES = st.fixed_dictionaries({name: NUMBERS for name in ("taste", "bought", "list", "acts")})


@settings(deadline=None, max_examples=25)
@given(first=HISTORIES, second=HISTORIES, where=st.sampled_from(PLACEMENTS), has_models=st.booleans(), is_stored=st.booleans())
def test_two_who_opted_out_get_the_same_bytes_whatever_they_did(
    tiny: Any,
    first: dict[str, list[int]],
    second: dict[str, list[int]],
    where: dict[str, Any],
    has_models: bool,
    is_stored: bool,
) -> None:
    placed = {name: tiny.placed(30) for name in ("home", "cart", "after_payment")} if has_models else None
    with asked(tiny, placed) as shop:
        shop.engine.orders.put(PaidOrder("a", "named", ("i15",), ("u:3",), 1))
        shop.remember("u:1", first)
        shop.remember("u:2", second)
        stranger = shop.body(**where)
        if is_stored:
            shop.hear(chosen("1", False), chosen("2", False))
        opted_out = {} if is_stored else {"personalised": "false"}
        assert shop.body(user_id="1", **where, **opted_out) == shop.body(user_id="2", **where, **opted_out) == stranger


def test_a_choice_that_arrives_changes_the_next_answer_and_so_does_the_next_choice(tiny: Any) -> None:
    with asked(tiny) as shop:
        shop.remember("u:1", {"taste": [25], "bought": [], "list": [], "acts": [13]})
        stranger, known = shop.body(), shop.body(user_id="1")
        assert known != stranger
        shop.hear(chosen("1", False, 2))
        assert shop.body(user_id="1") == stranger
        shop.hear(chosen("1", True, 1))  # older, and only now heard of
        assert shop.body(user_id="1", personalised="true") == stranger
        shop.hear(chosen("1", True, 4))
        assert shop.body(user_id="1") == known


def test_what_the_request_says_itself_still_counts(tiny: Any) -> None:
    with asked(tiny) as shop:
        shop.remember("u:1", {"taste": [25], "bought": [], "list": [], "acts": [13]})
        payload = orjson.loads(shop.body(user_id="1", personalised="false", placement="item", item_id="i4"))
        assert (payload["served_by"], payload["items"][0]["item_id"]) == ("item_based", "i5")


def test_a_choice_counts_for_the_device_and_the_user_and_in_its_shop_alone() -> None:
    consents = Consents()
    live = LiveState(None, None, consents)  # type: ignore[arg-type]
    apply_record(chosen("1", False, anonymous_id="d"), live, Lateness(30, 5), None)  # type: ignore[arg-type]
    for persons in (("u:1",), ("a:d",), ("u:2", "a:d"), ("u:1", "a:other")):
        assert not consents.allow("a", persons)
    assert consents.allow("a", ("u:2", "a:other"))
    assert consents.allow("b", ("u:1", "a:d"))
    assert consents.allow("a", ())


def test_choices_older_than_the_log_come_from_the_lake(tmp_path: Path) -> None:
    line = '{"properties": {"personalisation": %s}}'
    common = {"shop_id": "a", "type": "consent_changed"}
    rows = [
        common | {"event_id": "e1", "user_id": "1", "anonymous_id": "d", "line": line % "false"},
        common | {"event_id": "e2", "user_id": "2", "line": line % "true"},
        common | {"event_id": "e3", "user_id": "1", "line": line % "true"},
    ]
    known = [row | {"occurred_at": f"2026-11-0{day}", "received_at": f"2026-11-0{day}"} for day, row in enumerate(rows, 1)]
    instants = {name: np.datetime64 for name in ("occurred_at", "received_at")}
    record(
        tmp_path,
        {
            SILVER_EVENTS: [
                row | {name: parse(str(row[name]), "us").item() for name, parse in instants.items()} for row in known
            ]
        },
    )
    consents = Consents()
    for choice in read_choices(newest(tmp_path)):
        consents.put(choice)
    assert all(consents.allow("a", (person,)) for person in ("u:1", "u:2"))
    assert not consents.allow("a", ("a:d",))


def test_while_stored_choices_cannot_be_read_nobody_is_answered_personally(tiny: Any) -> None:
    with asked(tiny) as shop:
        shop.remember("u:1", {"taste": [25], "bought": [], "list": [], "acts": [13]})
        stranger = shop.body()
        shop.engine.consents.is_complete = False
        assert shop.body(user_id="1") == stranger


def test_the_same_arm_explores_the_same_item(tiny: Any) -> None:
    """Whether and what the fifth place explores follows from the id of the request, not from the person."""

    def answers_to(user: str, near: list[int]) -> list[Answer]:
        with asked(tiny) as shop:
            belief = Belief(np.full(6, 2.0), np.full(6, 50.0))
            shop.shop.model.newcomers = tiny.newcomers(np.arange(24, 30), belief, {user: np.array(near)})
            shop.engine.states.of("a").use_release(shop.shop.model, published_at=1.0)
            shop.hear(chosen(user.removeprefix("u:"), False))
            return [shop.engine.answer(Request("a", "home", 10, (user,)), f"request {number}") for number in range(40)]

    first = answers_to("u:1", [24, 25])
    assert first == answers_to("u:2", [28])
    assert len({answer.items[SLOT].item.item_id for answer in first}) > 2


def test_of_two_who_write_a_choice_at_once_the_newer_stays() -> None:
    """The lake's older choice is looked at while the log brings that the person forbids."""
    consents = Consents()
    others: list[Thread] = []

    class Compared(Version):
        def __eq__(self, other: object) -> bool:
            if not others:
                forbids = Choice("a", ("u:1",), False, Version(9, 9, "newest"))
                others.append(Thread(target=consents.put, args=(forbids,)))
                others[0].start()
                others[0].join(0.1)
            return tuple.__eq__(self, other)

        __hash__ = Version.__hash__

    consents.put(Choice("a", ("u:1",), True, Compared(1, 1, "")))
    consents.put(Choice("a", ("u:1",), True, Version(2, 2, "")))
    others[0].join()
    assert not consents.allow("a", ["u:1"])
