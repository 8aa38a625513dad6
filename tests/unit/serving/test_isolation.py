"""Every address of serving, as every kind of visitor, over twin shops: no answer has a byte of a shop that is not the key's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from serving.api import make_app
from serving.engine import Engine
from serving.storefront import routes
from serving.storefront.doors import Storefronts
from serving.storefront.token_buckets import TokenBuckets

FILES = [file for file in (Path(routes.__file__).parent / "files").iterdir() if file.suffix != ".html"]
PLAIN, TWIN, NOBODYS = "plain", "twin", "nobody-has-this-shop"
CANARY, PRICE = "CANARY", 98765
ALL = "placement=home&user_id=mei&limit=100"
# By path: whether it is a shop's, and what is asked of it. A route that is not here fails the test.
MATRIX: dict[str, tuple[bool, list[str]]] = {
    "/v1/shops/{shop_id}/recommendations": (
        True,
        [ALL, "user_id=nobody", "placement=item&item_id=i1", "placement=cart&cart_item_id=i1", "placement=item", "limit=0", ""],
    ),
    "/v1/shops/{shop_id}/readiness": (True, [""]),
    **{f"/v1/shops/{{shop_id}}/{name}": (True, [""]) for name in ("rules/preview", "category-order", "recommendations/batch")},
    **{path: (False, [""]) for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs")},
    **{f"/docs/{name}": (False, [""]) for name in ("docs.css", "docs.js")},
}
# Public, of the shops that an operator opened: here the plain one's.
STOREFRONT: dict[str, list[str]] = {
    "/storefront": [""],
    **{f"/storefront-files/{file.name}": [""] for file in FILES},
    "/storefront/{shop_id}": [""],
    "/storefront/{shop_id}/shop": [""],
    "/storefront/{shop_id}/item": ["item_id=i1", "item_id=none", ""],
    "/storefront/{shop_id}/recommendations": [
        "user_id=mei",
        "user_id=somebody",
        "placement=item&item_id=i1&why_not=i2",
        "placement=cart&cart_item_id=i1",
        "placement=after_payment&order_item_id=i1",
        "personalised=false",
        "limit=0",
    ],
    "/storefront/{shop_id}/category": ["category=plain", f"category={CANARY}", ""],
}
BODIES: dict[str, list[dict[str, Any]]] = {  # of the routes that are posted to
    "/v1/shops/{shop_id}/rules/preview": [
        {"rules": [{"kind": "pin", "name": "p", "item_id": "i5", "slot": 1}], "user_id": "mei", "limit": 100},
        {"rules": [{"kind": "pin"}]},
        {},
    ],
    "/v1/shops/{shop_id}/category-order": [{"item_ids": ["i5", "i1"], "user_id": "mei"}, {"item_ids": []}],
    "/v1/shops/{shop_id}/recommendations/batch": [{"shoppers": [{"user_id": "mei"}, {}]}, {"shoppers": []}],
}


class TwinServing:
    """Both shops know the same persons and items; the twin's titles, categories, prices and release are canaries."""

    def __init__(self, var: Path, tiny: Any) -> None:
        settings = Settings(var=var, _env_file=None)  # type: ignore[call-arg]
        paths, shops = Paths.of(settings), Shops()
        self.keys: dict[str, str | None] = {"nobody": None}
        for shop_id in (PLAIN, TWIN):
            shops.add(Shop(shop_id=shop_id, name="一样的店"))
            self.keys[shop_id] = shops.issue_key(shop_id, "read")
        self.keys |= {"writes": shops.issue_key(PLAIN, "write"), "run out": shops.issue_key(PLAIN, "read")}
        shops.revoke_key(shops.get(PLAIN).keys[-1].key_id)
        tracks = {shop_id: shops.issue_key(shop_id, "track") for shop_id in (PLAIN, TWIN)}
        self.keys["forged"] = f"{self.keys[TWIN]}"[:-4] + "0000"
        shops.save(paths.shops_file)
        self.engine = Engine.of(settings, paths)
        self.engine.keys.reload()
        self.engine.stream.has_caught_up = True  # as after the first look at the log
        for shop_id, word in ((PLAIN, "plain"), (TWIN, CANARY)):
            items = [
                replace(
                    tiny.item(f"i{number}", category=word),
                    title=f"{word} {number}",
                    title_en=f"{word} {number}",
                    unit_price_minor=PRICE if shop_id == TWIN else 12345,
                )
                for number in range(8)
            ]
            model = tiny.model(
                [item.item_id for item in items], {1: {2: 0.9}}, {"u:mei": {3: 2.0, 4: 1.0}}, version=f"v-{word}"
            )
            state = self.engine.states.of(shop_id)
            state.use_snapshot({item.item_id: item for item in items})
            state.use_release(model, published_at=0.0)
        never = TokenBuckets(1e9, 1e9)
        doors = Storefronts((tracks[PLAIN],), ("mei",), "http://collector.example", never, never)
        self.client = TestClient(make_app(self.engine, doors), raise_server_exceptions=False)

    def ask(self, path: str, key: str, shop_id: str = PLAIN) -> list[Any]:
        """All requests of a route."""
        text = self.keys[key]
        headers = {} if text is None else {"Authorization": f"Bearer {text}"}
        address = path.replace("{shop_id}", shop_id)
        if path in BODIES:
            return [self.client.post(address, json=body, headers=headers) for body in BODIES[path]]
        queries = STOREFRONT[path] if path in STOREFRONT else MATRIX[path][1]
        return [self.client.get(f"{address}?{query}", headers=headers) for query in queries]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> TwinServing:
    return TwinServing(tmp_path_factory.mktemp("serving"), tiny)


def is_foreign(answer: Any) -> bool:
    return CANARY in repr(answer.headers) + answer.text or str(PRICE) in answer.text


def test_the_matrix_holds_every_route(serving: TwinServing) -> None:
    app: Any = serving.client.app
    served_routes = list(_routes(app.routes))
    assert {route.path for route in served_routes} == MATRIX.keys() | STOREFRONT.keys()
    assert {route.path for route in served_routes if "POST" in route.methods} == BODIES.keys()
    assert {method for route in served_routes for method in route.methods} <= {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("path", MATRIX)
def test_no_key_opens_a_byte_of_the_twin(serving: TwinServing, path: str) -> None:
    is_of_shop, _ = MATRIX[path]
    for key in serving.keys.keys() - {TWIN}:
        answers = {shop_id: serving.ask(path, key, shop_id) for shop_id in (PLAIN, TWIN, NOBODYS)}
        assert not [answer.text for of_shop in answers.values() for answer in of_shop if is_foreign(answer)], key
        if not is_of_shop:
            continue
        assert all(answer.status_code in (401, 403) for answer in answers[TWIN]), key
        for twins, nobodys in zip(answers[TWIN], answers[NOBODYS], strict=True):
            assert _same(twins, TWIN) == _same(nobodys, NOBODYS), "whether the shop exists can be told"
        assert any(answer.is_success for answer in answers[PLAIN]) == (key == PLAIN), key


@pytest.mark.parametrize("path", STOREFRONT)
def test_no_key_opens_the_storefront_of_the_twin(serving: TwinServing, path: str) -> None:
    for key in serving.keys:
        answers = {shop_id: serving.ask(path, key, shop_id) for shop_id in (PLAIN, TWIN, NOBODYS)}
        assert not [answer.text for of_shop in answers.values() for answer in of_shop if is_foreign(answer)], key
        assert answers[PLAIN][0].is_success, answers[PLAIN][0].text
        if "{shop_id}" in path:
            assert all(answer.status_code in (404, 422) for answer in answers[TWIN]), key
            assert answers[TWIN][0].status_code == 404
        for twins, nobodys in zip(answers[TWIN], answers[NOBODYS], strict=True):
            assert _same(twins, TWIN) == _same(nobodys, NOBODYS), "whether the shop exists can be told"


def test_the_twins_own_key_shows_the_canaries(serving: TwinServing) -> None:
    recommendations, _ = serving.ask("/v1/shops/{shop_id}/recommendations", TWIN, TWIN)[:2]
    assert is_foreign(recommendations)
    assert str(PRICE) in recommendations.text
    assert all(is_foreign(answer) for answer in serving.ask("/v1/shops/{shop_id}/readiness", TWIN, TWIN))
    assert all(is_foreign(serving.ask(path, TWIN, TWIN)[0]) for path in BODIES)


def _routes(routes: Iterable[Any]) -> Iterator[Any]:
    """Routes, and those of routers that were included."""
    for route in routes:
        yield from _routes(route.original_router.routes) if hasattr(route, "original_router") else (route,)


def _same(answer: Any, shop_id: str) -> tuple[int, str]:
    return answer.status_code, answer.text.replace(shop_id, "SHOP")
