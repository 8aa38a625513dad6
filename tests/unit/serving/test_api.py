"""The HTTP face: keys first, then parameters, then the answer; errors in one shape that names the field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from models.algorithms.exploration import Belief
from serving.body_limit import MOST_BYTES
from serving.exploring import SLOT
from serving.orders import PaidOrder

URL = "/v1/shops/a/recommendations"


def test_an_answer_carries_what_a_storefront_needs(api: Any) -> None:
    answer = api.get(user_id="u-skirts", limit=2)
    assert answer.status_code == 200
    payload = answer.json()
    assert (payload["shop_id"], payload["placement"], payload["served_by"], payload["model_version"]) == (
        "a",
        "home",
        "personalised",
        "v1",
    )
    assert len(answer.headers["X-Request-ID"]) == 32
    assert "request_id" not in payload
    assert payload["items"][0] | {"score": 0} == {
        "item_id": "i3",
        "title": "标题i3",
        "title_en": "Title i3",
        "category": "skirts",
        "unit_price_minor": 1900,
        "currency": "CNY",
        "score": 0,
        "reason": {
            "code": "long_term_taste",
            "zh": "符合你一贯的喜好",
            "en": "Fits what you usually like",
            "because_item_id": None,
        },
    }


def test_an_unknown_user_gets_popular_items_and_200(api: Any) -> None:
    answer = api.get(user_id="who", limit=100)
    assert (answer.status_code, answer.json()["served_by"], len(answer.json()["items"])) == (200, "popular", 30)


def test_the_answer_names_the_model_and_readiness_says_why(api: Any, shop: Any, tiny: Any) -> None:
    assert api.get().json()["model"] == "ladder"
    shop.model.placed["cart"] = tiny.placed(30, {4: {20: 1.0}}, name="bought_together", reason="bought_together")
    shop.model.placement_notes["cart"] = "bought_together: it wins"
    payload = api.get(placement="cart", cart_item_id=["i9", "i4", "i4"], limit=3).json()
    assert (payload["model"], payload["served_by"]) == ("bought_together", "item_based")
    assert (payload["items"][0]["item_id"], payload["items"][0]["reason"]["code"]) == ("i20", "bought_together")
    assert shop.model.placed["cart"].asked == [[9, 4]]
    assert api.get("/v1/shops/a/readiness").json()["placements"] == {"cart": "bought_together: it wins"}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"placement": "sofa"}, "placement"),
        ({"placement": "item"}, "item_id"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "x" * 201}, "user_id"),
        ({"cart_item_id": ["i1", ""]}, "cart_item_id"),
        ({"cart_item_id": ["i1"] * 101}, "cart_item_id"),
    ],
)
def test_a_bad_parameter_is_named(api: Any, params: dict[str, Any], field: str) -> None:
    answer = api.get(**params)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == ("bad_parameter", field)
    assert error["message"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("name", "near"),
    [("categry", ", perhaps category"), ("userId", ", perhaps user_id"), ("page", ""), ("x" * 5_000, "")],
)
def test_an_unknown_parameter_is_refused_with_the_near_one(api: Any, name: str, near: str) -> None:
    answer = api.get(**{name: "x"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == ("bad_parameter", name[:100])
    assert error["message"].startswith(f"{name[:100]}: there is no such parameter{near}; known: user_id, ")
    headers, asked = {"Authorization": f"Bearer {api.keys['a']}"}, {"shoppers": [{"user_id": "u1"}]}
    lists = api.client.post("/v1/shops/a/recommendations/batch?limit=5", json=asked, headers=headers)
    assert (lists.status_code, lists.json()["error"]["field"]) == (422, "limit")
    assert api.get("/v1/shops/a/readiness", verbose=1).status_code == 422
    assert api.get("/healthz", verbose=1).status_code == 200


def test_the_key_comes_before_the_parameters(api: Any) -> None:
    assert api.get(key=None, limit=0).status_code == 401
    assert api.get(key="b", limit=0).status_code == 403
    assert api.get(key="b", nothing=0).status_code == 403


def test_wrong_keys_have_codes_and_reveal_no_shop(api: Any) -> None:
    missing = api.get(key=None)
    assert (missing.status_code, missing.json()["error"]["code"]) == (401, "unauthorised")
    assert missing.headers["WWW-Authenticate"] == "Bearer"
    assert api.get(key="wrong").status_code == 401
    foreign, absent = api.get(key="b"), api.get("/v1/shops/none/recommendations", key="b")
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "foreign_shop")
    assert (absent.status_code, absent.json()) == (foreign.status_code, foreign.json())


def test_a_shop_without_a_release_is_answered_from_its_catalogue(api: Any, tiny: Any) -> None:
    url = "/v1/shops/b/recommendations"
    for number in range(6):
        api.engine.states.of("b").apply(tiny.item(f"n{number}", "new" if number < 3 else "old", at_ms=number + 1))
    for order_id in ("o1", "o2"):
        api.engine.orders.put(PaidOrder("b", order_id, ("n1",), ("u:9",), 1))
    api.engine.orders.put(PaidOrder("a", "o1", ("n2",), ("u:9",), 1))
    answer = api.get(url, key="b").json()
    assert (answer["served_by"], answer["model"], answer["model_version"]) == ("bundled", "bundled", "none")
    assert [each["item_id"] for each in answer["items"]] == ["n1", "n5", "n4", "n3", "n2", "n0"]  # sold twice, then the newest
    api.engine.states.of("b").apply(tiny.item("n1", "new", stock=0, at_ms=99))
    assert api.get(url, key="b").json()["items"][0]["item_id"] == "n5"
    page = api.get(url, key="b", placement="item", item_id="n0").json()
    assert page["items"][0]["item_id"] == "n2"  # of the page's category
    assert not api.get("/v1/shops/b/readiness", key="b").json()["ready"]
    api.engine.stream.has_caught_up = False
    assert api.get(url, key="b").json()["error"]["code"] == "catching_up"


def test_a_shop_without_items_says_when_to_come_back(api: Any) -> None:
    answer = api.get("/v1/shops/b/recommendations", key="b")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_release")
    assert int(answer.headers["Retry-After"]) > 0
    counted = 'jishi_recommendation_requests_total{served_by="no_items",status="503"} 1.0'  # no failure of ours
    assert counted in api.client.get("/metrics").text


def test_whether_a_shop_has_items_is_not_said_before_it_is_known(api: Any) -> None:
    api.engine.stream.has_caught_up = False
    answer = api.get("/v1/shops/b/recommendations", key="b")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "catching_up")
    assert 'served_by="no_items"' not in api.client.get("/metrics").text


def test_until_the_log_is_read_nothing_is_offered_that_may_be_sold_out(api: Any) -> None:
    api.engine.stream.has_caught_up = False
    answer = api.get()
    assert (answer.status_code, answer.json()["error"]["code"], answer.headers["Retry-After"]) == (503, "catching_up", "1")
    assert api.client.get("/readyz").status_code == 503
    assert api.get("/v1/shops/a/readiness").json()["ready"] is False


def test_unknown_paths_and_methods_have_the_same_shape(api: Any) -> None:
    assert api.get("/nowhere").json()["error"]["code"] == "not_found"
    assert api.client.post(URL).json()["error"]["code"] == "method_not_allowed"


def test_pages_for_operations(api: Any) -> None:
    assert api.client.get("/healthz").json()["status"] == "ok"
    ready = api.client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["shops"] == {"ready": 1, "known": 2}, "counts, for everybody can read them"
    assert api.get("/v1/shops/a/readiness").json()["release"] == "v1"
    assert api.get("/v1/shops/b/readiness").status_code == 403
    assert api.get("/v1/shops/a/readiness", key=None).status_code == 401
    api.get(user_id="who")
    api.get(key=None)
    page = api.client.get("/metrics").text
    assert 'jishi_recommendation_requests_total{served_by="popular",status="200"} 1.0' in page
    assert 'jishi_recommendation_requests_total{served_by="",status="401"} 1.0' in page
    assert "jishi_catalogue_items 30.0" in page
    assert "shop=" not in page


def test_openapi_describes_answers_and_errors(api: Any) -> None:
    schema = api.client.get("/openapi.json").json()
    result = schema["paths"]["/v1/shops/{shop_id}/recommendations"]["get"]
    assert result["responses"].keys() >= {"200", "401", "403", "422", "503"}
    assert result["responses"]["422"]["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorOut")
    assert all(parameter.get("description") for parameter in result["parameters"])


def test_every_answer_is_logged_under_its_id_and_a_share_with_its_inputs(api: Any, shop: Any, tiny: Any) -> None:
    shop.model.newcomers = tiny.newcomers(np.array([28, 29]), Belief(np.ones(2), np.full(2, 9.0)))
    api.engine.states.of("a").use_release(shop.model, published_at=1.0)
    api.engine.decisions.rate = 0.5
    answers = api.lists(40, limit=10, user_id="u-skirts")
    api.engine.decisions.flush()
    files = {file.name: file.read_text() for file in api.engine.paths.served_decisions.glob("*/*.jsonl")}
    assert "u-skirts" not in "".join(files.values())
    by_key = {line["request_id"]: line for text in files.values() for line in map(json.loads, text.splitlines())}
    assert set(by_key) == {answer["request_id"] for answer in answers}
    for answer in answers:
        decision, fifth = by_key[answer["request_id"]], answer["items"][SLOT]
        assert decision["items"] == [item["item_id"] for item in answer["items"]]
        assert decision["model_version"] == "v1"
        assert (decision["arm"] == "explored") == (fifth["reason"]["code"] == "new")
    assert 0 < sum(each["arm"] == "explored" for each in by_key.values()) <= 10  # the budget: 10 of any 500 slots
    samples = {
        line["request_id"] for line in map(json.loads, "".join(t for n, t in files.items() if "sample" in n).splitlines())
    }
    assert samples == {request_id for request_id, line in by_key.items() if line["inputs"] is not None}
    assert 5 < len(samples) < 35


def test_the_log_does_not_name_one_who_opted_out_and_is_the_same_for_all_of_them(api: Any) -> None:
    api.engine.decisions.rate = 1.0
    for user_id in ("u-skirts", "somebody"):
        api.get(user_id=user_id, personalised="false")
    api.engine.decisions.flush()
    [file] = api.engine.paths.served_decisions.glob("*/*.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["is_opted_out"], line["inputs"]["persons"], line["inputs"]["last_acts"]) for line in lines] == [
        (True, [], [])
    ] * 2
    same = [{name: value for name, value in line.items() if name not in ("request_id", "answered_at_ms")} for line in lines]
    assert same[0] == same[1]


@pytest.mark.parametrize("is_declared", [True, False])
def test_no_body_is_read_beyond_a_bound_whoever_sends_it(api: Any, is_declared: bool) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (b" " * 2**17 for _ in range(100))

    body = b" " * (MOST_BYTES + 1) if is_declared else chunks()
    answer = api.client.post("/v1/shops/a/category-order", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_bytes")


def test_ids_are_known_in_every_form_that_events_take(api: Any, shop: Any, tiny: Any) -> None:
    """bitchat 214, kepubify 111: ``é`` of a Mac is two characters, and whoever asked by it was a stranger."""
    model = tiny.model(["café", "x", "y"], {0: {2: 0.9}}, {"u:josé": {1: 2.0}})
    api.engine.states.of("a").use_snapshot({item_id: tiny.item(item_id) for item_id in model.item_ids})
    api.engine.states.of("a").use_release(model, published_at=1.0)

    def asked(**parameters: Any) -> Any:
        payload = api.get(**parameters).json()
        return payload["served_by"], [item["item_id"] for item in payload["items"]]

    for form in ("caf\u00e9", "cafe\u0301", " caf\u00e9 "):
        assert asked(placement="item", item_id=form) == asked(placement="item", item_id="café")
        assert "café" not in asked(placement="cart", cart_item_id=[form])[1]
        assert "café" not in asked(exclude_item_id=[form])[1]
    assert asked(user_id="jose\u0301") == asked(user_id="josé") != asked(user_id="somebody")
    assert asked(user_id="undefined", anonymous_id=" null ") == asked()
