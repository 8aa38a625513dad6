"""The clients get what the API gives, typed as its document says; late answers are bundled lists, wrong requests raise."""

from __future__ import annotations

import ast
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, get_origin, get_type_hints

import pytest
import uvicorn

from jishi.contract import EVENT_TYPES
from serving.clients import api_types
from serving.clients import recommendations as python_client
from serving.clients.api_types import RecommendationsAnswer
from serving.clients.recommendations import NoAnswer, Recommendations, RecommendationsRefused
from serving.clients.types import PYTHON_TYPES, TYPESCRIPT_TYPES, python_types, typescript_types

FOLDER = Path(python_client.__file__).parent
BUNDLED = {"home": ["b1", "b2"]}


@dataclass
class ServedApi:
    """The application of the tests on a port."""

    url: str
    api: Any

    def client(self, key: str = "a", **options: Any) -> Recommendations:
        return Recommendations(self.url, "a", self.api.keys.get(key, key), **{"timeout_s": 20, "bundled": BUNDLED} | options)


def check_contract(event: dict[str, Any]) -> None:
    whole = event | {"event_id": "e", "shop_id": "a", "occurred_at": "2026-11-30T08:00:00Z"}
    assert event["user_id"] == "u"
    EVENT_TYPES[event["type"]].model_validate(whole)


@pytest.fixture
def served(api: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedApi]:
    monkeypatch.setattr(api.engine, "start", lambda: None)  # no threads: the shop is as the fixture made it
    monkeypatch.setattr(api.engine, "stop", lambda: None)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(api.client.app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield ServedApi(f"http://127.0.0.1:{listening.getsockname()[1]}", api)
        server.should_exit = True
        thread.join()


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where somebody listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_the_types_are_those_of_the_document(api: Any) -> None:
    openapi = api.client.app.openapi()
    again = "run python -m serving.clients.types"
    assert PYTHON_TYPES.read_text() == python_types(openapi), again
    assert TYPESCRIPT_TYPES.read_text() == typescript_types(openapi), again


def test_a_type_names_each_field_of_an_answer(served: ServedApi) -> None:
    answer = served.client().recommend(user_id="u-skirts", explain="full", why_not="i1").answer
    assert answer is not None
    fields = get_type_hints(RecommendationsAnswer, vars(api_types), include_extras=True)
    assert answer.keys() <= fields.keys()
    assert {name for name, kind in fields.items() if get_origin(kind) is not NotRequired} <= answer.keys()
    rungs = r'served_by: "personalised" \| "item_based" \| "segment" \| "popular" \| "bundled";'
    assert re.search(rungs, TYPESCRIPT_TYPES.read_text())


def test_the_list_is_the_one_of_the_api(served: ServedApi) -> None:
    client = served.client()
    listed = client.recommend(
        placement="cart", cart_item_id=["i3", "i4"], limit=4, personalised=False, category=["skirts", "tea"]
    )
    asked = {
        "placement": "cart",
        "cart_item_id": ["i3", "i4"],
        "limit": 4,
        "personalised": "false",
        "category": ["skirts", "tea"],
    }
    assert listed.answer == served.api.get(**asked).json()
    assert listed.item_ids == [item["item_id"] for item in listed.answer["items"]]
    assert len(listed.request_id or "") == 32
    ordered = client.category_order({"item_ids": ["i1", "i0", "i2"], "user_id": "u-skirts"})
    assert (ordered.placement, sorted(ordered.item_ids)) == ("category", ["i0", "i1", "i2"])
    lists = client.batch({"shoppers": [{"user_id": "u-skirts"}, {"anonymous_id": "x"}], "limit": 2})["lists"]
    assert [len(each["recommendations"]["items"]) for each in lists] == [2, 2]


def test_what_is_told_of_a_list_keeps_the_contract(served: ServedApi) -> None:
    listed = served.client().recommend(limit=3)
    [shown], [clicked] = listed.shown(user_id="u"), listed.clicked(listed.item_ids[2], user_id="u")
    for event in (shown, clicked):
        check_contract(event)
        assert event["properties"]["request_id"] == listed.request_id
    assert clicked["properties"]["position"] == 2
    with pytest.raises(ValueError, match="not in list"):
        listed.clicked("i-elsewhere")


def test_without_an_answer_in_time_the_bundled_list_stands_in(served: ServedApi, silent: str) -> None:
    late = Recommendations(silent, "a", "key", timeout_s=0.05, bundled=BUNDLED)
    listed = late.recommend()
    assert (listed.item_ids, listed.answer, listed.shown(), listed.clicked("b1")) == (["b1", "b2"], None, [], [])
    assert re.match(r"no answer after \d+ ms: TimeoutError", listed.problem or "")
    assert late.category_order({"item_ids": ["i2", "i1"]}).item_ids == ["i2", "i1"]
    assert late.recommend(placement="search_empty").item_ids == ()
    with pytest.raises(NoAnswer):
        late.batch({"shoppers": [{}]}, timeout_s=0.05)
    served.api.engine.stream.has_caught_up = False
    assert "503 catching_up" in (served.client().recommend().problem or "")


HEAD = b"HTTP/1.1 %d X\r\nContent-Length: 9000\r\n\r\n"


@pytest.mark.parametrize("begins", [b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD % 200, HEAD % 401, HEAD % 503], ids=repr)
def test_an_answer_that_comes_drop_by_drop_holds_up_no_page(begins: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            with listening.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(begins)
                with suppress(OSError):
                    for _ in range(150):
                        connection.sendall(b" ")
                        time.sleep(0.02)

        thread = threading.Thread(target=drip)
        thread.start()
        client = Recommendations(f"http://127.0.0.1:{listening.getsockname()[1]}", "a", "key", timeout_s=0.2, bundled=BUNDLED)
        began = time.monotonic()
        listed = client.recommend()
        waited_s = time.monotonic() - began
        thread.join()
    assert (listed.item_ids, listed.answer) == (["b1", "b2"], None)
    assert "Timeout" in (listed.problem or "") or "in time" in (listed.problem or "")
    assert 0.15 < waited_s < 1.5, "the server takes 3 s"


def test_of_two_addresses_of_a_host_both_have_one_deadline(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ("127.0.0.1", int(silent.rpartition(":")[2]))
    refused = socket.create_server(("127.0.0.1", 0))
    gone = refused.getsockname()
    refused.close()
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in (gone, place)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    assert "TimeoutError" in (Recommendations("http://serving.example", "a", "key", timeout_s=0.1).recommend().problem or "")
    for address in ("https://serving.example", silent.replace("http", "https")):  # no handshake
        assert "timed out" in (Recommendations(address, "a", "key", timeout_s=0.1).recommend().problem or "")


def test_a_connection_that_is_cut_is_tried_again() -> None:
    """As when one process of serving dies and another answers."""
    body = b'{"items": [{"item_id": "i1"}]}'
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def cut_then_answer() -> None:
            listening.accept()[0].close()
            with listening.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        thread = threading.Thread(target=cut_then_answer)
        thread.start()
        client = Recommendations(f"http://127.0.0.1:{listening.getsockname()[1]}", "a", "key", timeout_s=20, bundled=BUNDLED)
        assert client.recommend().item_ids == ["i1"]
        thread.join()


def test_what_stays_wrong_is_raised_with_its_field(served: ServedApi) -> None:
    with pytest.raises(RecommendationsRefused, match="401 unauthorised"):
        served.client("jk_read_wrong").recommend()
    with pytest.raises(RecommendationsRefused, match="403 foreign_shop"):
        served.client("b").recommend()
    with pytest.raises(RecommendationsRefused) as refused:
        served.client().recommend(limit=1000)
    assert (refused.value.status, refused.value.code, refused.value.field) == (422, "bad_parameter", "limit")


def test_the_client_needs_pythons_own_library_alone() -> None:
    names = {
        "io",
        "json",
        "functools",
        "socket",
        "ssl",
        "time",
        "collections",
        "dataclasses",
        "http",
        "typing",
        "urllib",
        "__future__",
        "serving",
    }
    for node in ast.walk(ast.parse(Path(python_client.__file__).read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or node.names[0].name
            assert module.partition(".")[0] in names
            assert not module.startswith("serving") or module == "serving.clients.api_types"  # for type checkers


SCRIPT = """
import { NoAnswer, Recommendations } from %(module)s;
const [url, silent, key] = process.argv.slice(1), bundled = { home: ["b1", "b2"] };
const client = new Recommendations(url, "a", key, { timeoutMs: 20000, bundled });
const list = await client.recommend({ placement: "item", item_id: "i3", limit: 3, brand: null });
const late = new Recommendations(silent, "a", key, { timeoutMs: 50, bundled });
const refused = (call) => call().then(() => null, ({ name, status, code, field }) => [name, status, code, field]);
const bundle = await late.recommend();
console.log(JSON.stringify({
  answer: list.answer, events: [...list.shown({ user_id: "u" }), ...list.clicked(list.itemIds[1], { user_id: "u" })],
  ordered: (await client.categoryOrder({ item_ids: ["i1", "i0"] })).itemIds,
  mailed: (await client.batch({ shoppers: [{ user_id: "u-skirts" }], limit: 2 })).lists[0].recommendations.items.length,
  bundle: [bundle.itemIds, bundle.answer, bundle.shown(), bundle.problem],
  given: (await late.categoryOrder({ item_ids: ["i2", "i1"] })).itemIds,
  wrong: await refused(() => new Recommendations(url, "a", "jk_read_wrong").recommend()),
  limit: await refused(() => client.recommend({ limit: 1000 })),
  mailing: await refused(() => late.batch({ shoppers: [{}] }, { timeoutMs: 50 })),
}));
"""


def test_the_client_for_javascript_does_the_same(served: ServedApi, silent: str) -> None:
    from playwright._impl._driver import compute_driver_executable  # a Node that is there wherever the tests are

    node = compute_driver_executable()[0]
    script = SCRIPT % {"module": json.dumps((FOLDER / "recommendations.js").as_uri())}
    command = [node, "--input-type=module", "--eval", script, "--", served.url, silent, served.api.keys["a"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    payload = json.loads(done.stdout)
    assert payload["answer"] == served.api.get(placement="item", item_id="i3", limit=3).json()
    for event in payload["events"]:
        check_contract(event)
    assert [event["type"] for event in payload["events"]] == ["recommendation_shown", "recommendation_clicked"]
    assert payload["events"][1]["properties"]["position"] == 1
    assert (sorted(payload["ordered"]), payload["mailed"], payload["given"]) == (["i0", "i1"], 2, ["i2", "i1"])
    assert payload["bundle"][:3] == [["b1", "b2"], None, []]
    assert payload["bundle"][3].startswith("no answer within 50 ms: TimeoutError")
    assert payload["wrong"] == ["RecommendationsRefused", 401, "unauthorised", None]
    assert payload["limit"] == ["RecommendationsRefused", 422, "bad_parameter", "limit"]
    assert payload["mailing"][0] == "NoAnswer"
