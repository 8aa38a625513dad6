"""The route without the framework answers as the application does, and leaves to it whatever is not plain."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving import list_route
from serving.list_route import pairs_of, parameters_of
from serving.recent import LastAct

WORDS = st.sampled_from(
    ["i1", "i12", "i29", "elsewhere", "u-skirts", "", "true", "false", "yes", "None", "3", "0", "101", "-1", "1e1"]
)
VALUES = st.one_of(
    WORDS,
    st.text(max_size=5),
    st.sampled_from(["home", "item", "cart", "after_payment", "search_empty", "category", "x" * 201]),
)
NAMES = st.sampled_from(
    [
        *("user_id", "anonymous_id", "item_id", "cart_item_id", "order_id", "order_item_id", "exclude_item_id", "limit"),
        *("placement", "personalised", "exclude_purchased", "category", "brand", "price_min", "region", "explain", "why_not"),
        *("nonsense", "LIMIT", "channel", "device"),
    ]
)
PLAIN = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["user_id", "anonymous_id", "item_id", "cart_item_id", "exclude_item_id"]), WORDS),
        st.tuples(st.just("placement"), st.sampled_from(["home", "item", "cart"])),
        st.tuples(st.just("limit"), st.sampled_from(["1", "7", "100"])),
        st.tuples(st.sampled_from(["channel", "device"]), WORDS),
        st.tuples(st.just("personalised"), st.sampled_from(["true", "false"])),
    ),
    max_size=4,
)


@pytest.fixture
def both(api: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The answers with the route, and of the application alone."""
    api.engine.recent.last_acts = lambda shop_id, persons: [LastAct("i22", 60.0), LastAct("i3", 90.0)] if persons else []

    def ask(query: str) -> tuple[Any, Any]:
        url, headers = f"/v1/shops/a/recommendations?{query}", {"Authorization": f"Bearer {api.keys['a']}"}
        first = api.client.get(url, headers=headers)
        with monkeypatch.context() as patched:
            patched.setattr(list_route, "parameters_of", lambda query: None)
            return first, api.client.get(url, headers=headers)

    return ask


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(NAMES, VALUES), max_size=4) | PLAIN)
def test_both_ways_give_the_same_bytes(both: Any, pairs: list[tuple[str, str]]) -> None:
    with_route, alone = both(urlencode(pairs))
    assert (with_route.status_code, with_route.content) == (alone.status_code, alone.content)
    assert {*with_route.headers} == {*alone.headers}
    for name in ("content-type", "cache-control"):
        assert with_route.headers.get(name) == alone.headers.get(name)


def test_the_plain_request_never_reaches_the_application(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.respond.answer_out", None)  # who reaches it fails
    assert api.get(user_id="u-skirts", limit=2, placement="item", item_id="i 1&é").status_code == 200
    assert 'status="200"' in api.client.get("/metrics").text


@pytest.mark.parametrize(
    "query", [b"limit=0", b"limit=101", b"limit=\xff", b"placement=item", b"user_id=", b"user_id=%ff", b"limit=2&limit=3"]
)
def test_what_is_not_plain_is_left_to_the_application(query: bytes) -> None:
    assert parameters_of(query) is None


def test_both_ways_take_over_channel_and_device_and_the_place_is_the_region(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = [], api.engine.answer

    def noted(request: Any, *others: Any) -> Any:
        asked.append(request.visit)
        return answer(request, *others)

    monkeypatch.setattr(api.engine, "answer", noted)
    for more in ({}, {"region": "浙江"}, {"explain": "full"}):
        assert api.get(channel="wechat", device="ios", **more).status_code == 200
    assert asked == [("wechat", "ios", None), ("wechat", "ios", "浙江"), ("wechat", "ios", None)]
    assert api.get(device="x" * 201).json()["error"]["field"] == "device"


def test_who_has_no_key_or_no_release_is_told_by_the_application(api: Any) -> None:
    assert api.get(key=None).json()["error"]["code"] == "unauthorised"
    assert api.get(key="b").json()["error"]["code"] == "foreign_shop"
    answer = api.get("/v1/shops/b/recommendations", key="b")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_release")
    assert answer.headers["Retry-After"]


def test_a_fault_is_answered_in_the_one_shape(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.engine, "answer", lambda *_: 1 / 0)
    client = TestClient(api.client.app, raise_server_exceptions=False)
    answer = client.get("/v1/shops/a/recommendations", headers={"Authorization": f"Bearer {api.keys['a']}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert 'status="500"' in client.get("/metrics").text


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab=&+%4é1"), max_size=12))
def test_a_query_without_escapes_is_read_as_the_library_reads_it(query: str) -> None:
    try:
        expected = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            pairs_of(query)
    else:
        assert pairs_of(query) == expected
