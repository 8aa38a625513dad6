"""Every address of the collector, with every kind of key, over twin shops: no answer has a byte of a shop not the key's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from collector.live import LIVE_FILES

CANARY, PRICE = "CANARY", 98765
PLAIN, TWIN, NOBODYS = "a", "b", "nobody-has-this-shop"
# By method and path: whether it is a shop's. A route that is not here fails the test.
MATRIX = {
    **{f"POST {path}": True for path in ("/v1/events", "/v1/track")},
    **{"OPTIONS /v1/track": False, "PUT /v1/shops/{shop_id}/items": True, "GET /v1/live/events": True},
    **{f"GET {path}": False for path in ("/v1/tracker.js", "/v1/live", "/v1/schemas", "/v1/schemas/{event_type}")},
    **{f"GET {path}": False for path in ("/healthz", "/readyz", "/metrics")},
    **{f"GET /v1/live/{file.name}": False for file in LIVE_FILES},
}
ITEM = {"item_id": "i-1", "title": "茶", "category": "tea", "unit_price_minor": 5, "currency": "CNY", "stock": 1}


class Twins:
    """Both shops send events with the same ids of persons, items and events; those of the twin are full of canaries."""

    def __init__(self, world: Any, viewed: Callable[..., dict[str, Any]]) -> None:
        self.world, self.viewed = world, viewed
        self.keys: dict[str, str] = world.keys | {"nobody": "", "forged": world.keys["b"][:-4] + "0000"}
        item = ITEM | {"status": "active", "title": CANARY, "category": CANARY, "unit_price_minor": PRICE}
        sent = [
            self.events("b", TWIN, page_url=f"https://{CANARY}.example"),
            world.client.post("/v1/events", content=f'[{{"{CANARY}'.encode(), headers=self.bearer("b")),
            world.client.put(f"/v1/shops/{TWIN}/items", json=[item, {"item_id": CANARY}], headers=self.bearer("b")),
        ]
        assert [answer.status_code for answer in sent] == [200, 400, 200], [answer.text for answer in sent]

    def bearer(self, key: str) -> dict[str, str]:
        """Headers with a key."""
        return {"Authorization": f"Bearer {self.keys[key]}"} if self.keys[key] else {}

    def events(self, key: str, shop_id: str, path: str = "/v1/events", **changes: Any) -> Any:
        """A good event, a repeated one and a bad one."""
        events = [self.viewed("e-1", shop_id=shop_id, **changes), self.viewed("e-1", shop_id=shop_id, **changes)]
        events.append(self.viewed("e-2", shop_id=shop_id, properties={"item_id": "i-1", "unit_price_minor": "9"}, **changes))
        return self.world.client.post(path, json=events, headers=self.bearer(key))

    def ask(self, name: str, key: str, shop_id: str) -> Any:
        """One request of a route for a shop."""
        method, _, path = name.partition(" ")
        address = path.replace("{shop_id}", shop_id).replace("{event_type}", "item_viewed")
        match name:
            case "POST /v1/events":
                return self.events(key, shop_id)
            case "POST /v1/track":
                return self.events(key, shop_id, f"{address}?key={self.keys[key]}")
            case "PUT /v1/shops/{shop_id}/items":
                return self.world.client.put(address, json=[ITEM, {"item_id": "i-1"}], headers=self.bearer(key))
        return self.world.client.request(method, address, headers=self.bearer(key))


@pytest.fixture
def twins(world: Any, viewed: Callable[..., dict[str, Any]]) -> Twins:
    return Twins(world, viewed)


def is_foreign(answer: Any) -> bool:
    return CANARY in repr(answer.headers) + answer.text or str(PRICE) in answer.text


def test_the_matrix_holds_every_route(twins: Twins) -> None:
    routes = twins.world.client.app.routes
    assert {f"{method} {route.path}" for route in routes for method in route.methods - {"HEAD"}} == MATRIX.keys()


@pytest.mark.parametrize("name", MATRIX)
def test_no_key_opens_a_byte_of_the_twin(twins: Twins, name: str) -> None:
    for key in twins.keys.keys() - {"b"}:
        answers = {shop_id: twins.ask(name, key, shop_id) for shop_id in (PLAIN, TWIN, NOBODYS)}
        assert not [answer.text for answer in answers.values() if is_foreign(answer)], key
        if MATRIX[name]:
            assert _same(answers[TWIN], TWIN) == _same(answers[NOBODYS], NOBODYS), "whether the shop exists can be told"
    if MATRIX[name]:
        for key in ("nobody", "forged", "read"):
            assert twins.ask(name, key, PLAIN).status_code in (401, 403), key


def test_what_the_twin_sent_is_new_to_the_other_shop_and_its_items_are_untouched(twins: Twins) -> None:
    results = twins.events("write", PLAIN).json()["results"]
    assert [each["status"] for each in results] == ["accepted", "duplicate", "quarantined"], (
        "ids of the twin are not this shop's"
    )
    twins.world.client.put(f"/v1/shops/{TWIN}/items", json=[ITEM], headers=twins.bearer("write"))
    assert CANARY in str(twins.world.intake.catalogue.get(TWIN, "i-1"))
    assert is_foreign(twins.ask("GET /v1/live/events", "b", TWIN)), "a leak would not show"


def _same(answer: Any, shop_id: str) -> tuple[int, str]:
    return answer.status_code, re.sub(r'"(batch|request)_id":"[\w-]+"', "", answer.text.replace(shop_id, "SHOP"))
