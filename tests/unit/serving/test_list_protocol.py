"""uvicorn's connection that answers lists itself: the bytes of the application, one answer after another, whatever is sent."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.bundled import EVERY_S, BundledModel
from serving.features.online_store import READERS, OnlineReader
from serving.features.views import READABLE
from serving.list_protocol import ListProtocol, server_config
from serving.recent import KNOWN_MS, LAST_ITEMS, LastAct, Recent
from serving.recommend import CatchingUp

PATH = "/v1/shops/a/recommendations"


class ListServer:
    """A server of the application in this process, and how many requests it left to the application."""

    def __init__(self, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api, self.key, self.passed_on = api, api.keys["a"], 0
        real = HttpToolsProtocol.on_headers_complete

        def on_headers_complete(protocol: Any) -> None:
            self.passed_on += 1
            real(protocol)

        monkeypatch.setattr(HttpToolsProtocol, "on_headers_complete", on_headers_complete)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.server = uvicorn.Server(server_config(api.client.app, log_config=None, lifespan="off", timeout_keep_alive=1))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self.thread.start()

    def head(self, target: str = PATH, *more: str, method: str = "GET", version: str = "1.1", key: str | None = None) -> bytes:
        """The head of a request."""
        lines = [f"{method} {target} HTTP/{version}", "Host: x", f"Authorization: Bearer {key or self.key}", *more, "", ""]
        return "\r\n".join(lines).encode()

    def connect(self) -> socket.socket:
        """A new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, *pieces: bytes, answers: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
        """What comes back on one connection: status, headers and body of each answer."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.05)
            stream = connection.makefile("rb")
            return [read_answer(stream) for _ in range(answers)]


def read_answer(stream: Any) -> tuple[int, dict[str, str], bytes]:
    """The next answer of a connection."""
    status = int(stream.readline().split()[1])
    headers = {}
    while (line := stream.readline().decode().strip()) != "":
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return status, headers, stream.read(int(headers.get("content-length", 0)))


@pytest.fixture
def served(api: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ListServer]:
    api.engine.recent.last_acts = lambda shop_id, persons: [LastAct("i22", 60.0), LastAct("i3", 90.0)] if persons else []
    it = ListServer(api, monkeypatch)
    yield it
    it.server.should_exit = True
    it.thread.join(20)


def alone(served: ListServer, monkeypatch: pytest.MonkeyPatch, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
    """The same, answered by the application."""
    with monkeypatch.context() as patched:
        patched.setattr(ListProtocol, "_is_answerable", lambda self: False)
        return served.ask(*pieces)[0]


@pytest.mark.parametrize(
    "query", ["", "?user_id=u-skirts&limit=3", "?placement=item&item_id=i1&user_id=u%2Dskirts", "?limit=1"]
)
def test_the_plain_request_gets_the_bytes_of_the_application(
    served: ListServer, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    [(status, headers, body)] = served.ask(served.head(PATH + query))
    assert (status, served.passed_on) == (200, 0)
    other_status, other_headers, other_body = alone(served, monkeypatch, served.head(PATH + query))
    assert (status, [*headers], body) == (other_status, [*other_headers], other_body)
    different = {name for name in headers if headers[name] != other_headers[name]}
    assert different <= {"x-request-id", "date"}
    assert len(headers["x-request-id"]) == 32
    assert 'status="200"' in served.api.client.get("/metrics").text


@pytest.mark.parametrize(
    ("target", "more", "kind"),
    [
        (PATH + "?limit=0", (), {}),
        (PATH + "?limit=2#top", (), {}),
        ("/v1/shops/%61/recommendations", (), {}),
        ("/v1/shops/b/recommendations", (), {}),
        ("/readyz", (), {}),
        (PATH, ("Authorization: Bearer other",), {}),
        (PATH, ("Content-Length: 2", "", "{}"), {}),
        (PATH, ("Connection: close",), {}),
        (PATH, ("Expect: 100-continue", "X: y"), {}),
        (PATH, (), {"version": "1.0"}),
        (PATH, (), {"method": "HEAD"}),
        (PATH, (), {"method": "POST"}),
        (PATH, (), {"key": "wrong"}),
        ("http://elsewhere" + PATH, (), {}),
    ],
)
def test_every_other_request_is_the_applications(
    served: ListServer, monkeypatch: pytest.MonkeyPatch, target: str, more: tuple[str, ...], kind: dict[str, str]
) -> None:
    request = served.head(target, *more, **kind)
    if "Content-Length: 2" in more:
        request = request[:-4]
    if kind.get("method") == "HEAD":
        request += served.head()  # its answer has no body, so that the next one shows where it ends
    served.ask(request)
    assert served.passed_on >= 1
    assert alone(served, monkeypatch, request)[0] == served.ask(request)[0][0]


def test_requests_sent_at_once_are_answered_in_their_order(served: ListServer) -> None:
    limits = [1, 2, 3, 4, 5, 6]
    several = b"".join(served.head(f"{PATH}?limit={limit}") for limit in limits)
    answers = served.ask(several, answers=len(limits))
    assert [body.count(b'"score"') for _, _, body in answers] == limits
    mixed = served.head("/healthz") + served.head(f"{PATH}?limit=2") + served.head("/healthz") + served.head(f"{PATH}?limit=1")
    assert [body.count(b'"score"') for _, _, body in served.ask(mixed, answers=4)] == [0, 2, 0, 1]


def test_a_head_in_pieces_is_read_whole(served: ListServer) -> None:
    head = served.head(f"{PATH}?limit=2")
    assert served.ask(*(head[at : at + 40] for at in range(0, len(head), 40)))[0][2].count(b'"score"') == 2
    assert served.passed_on == 0


def test_a_connection_goes_on_and_ends_when_nothing_comes(served: ListServer) -> None:
    with served.connect() as connection:
        stream = connection.makefile("rb")
        for limit in (3, 1, 2):
            connection.sendall(served.head(f"{PATH}?limit={limit}"))
            assert read_answer(stream)[2].count(b'"score"') == limit
        assert stream.read() == b""  # closed after timeout_keep_alive


def test_what_the_engine_cannot_answer_is_said_by_the_application(served: ListServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def catch_up(*_: Any) -> None:
        raise CatchingUp

    monkeypatch.setattr(served.api.engine, "answer", catch_up)
    [(status, headers, body)] = served.ask(served.head())
    assert (status, headers["retry-after"]) == (503, "1")
    assert b"catching_up" in body
    monkeypatch.setattr(served.api.engine, "answer", lambda *_: 1 / 0)
    [(status, _, body)] = served.ask(served.head())
    assert (status, b"internal" in body) == (500, True)
    counted = [line for line in served.api.client.get("/metrics").text.splitlines() if 'status="500"' in line]
    assert [line.rpartition(" ")[2] for line in counted if "_total" in line] == ["1.0"]


def test_who_reads_the_store_is_answered_on_a_thread(served: ListServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.api.engine.recent, "asks_store", lambda *_: True)
    names = []
    real = served.api.engine.answer

    def answer(*given: Any) -> Any:
        names.append(threading.current_thread().name)
        return real(*given)

    monkeypatch.setattr(served.api.engine, "answer", answer)
    assert served.ask(served.head())[0][0] == 200
    assert names[0].startswith("list")


@pytest.mark.parametrize("is_seen_by_protocol", [True, False])
def test_what_a_ranker_reads_from_the_store_is_waited_for_on_a_thread(
    served: ListServer, monkeypatch: pytest.MonkeyPatch, is_seen_by_protocol: bool
) -> None:
    engine, begun, waited = served.api.engine, [], []
    [view, *_] = [view.name for view in READABLE.values() if view.entity == "item"]

    class Store:
        def get_online_features(self, **_: Any) -> Any:
            raise ConnectionError

    engine.features.store.use(Store())
    real = engine.answer

    def answer(*given: Any) -> Any:
        begun.append(threading.current_thread().name)
        engine.features.numbers((view,), "a", ["i1"], 0)
        waited.append(threading.current_thread().name)
        return real(*given)

    monkeypatch.setattr(engine, "answer", answer)
    if not is_seen_by_protocol:
        monkeypatch.setattr(ListProtocol, "_is_answerable", lambda self: False)
    assert served.ask(served.head())[0][0] == 200
    assert [name.startswith("list") for name in waited] == [True]
    assert [name.startswith("list") for name in begun] == [False, True]
    assert engine.decisions._queue.qsize() == 1
    counted = [line for line in served.api.client.get("/metrics").text.splitlines() if "seconds_count" in line]
    assert counted == ["jishi_recommendation_seconds_count 1.0"]


def test_the_shelf_of_a_catalogue_is_made_on_a_thread_and_the_last_one_serves_meanwhile(
    served: ListServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, names, answers = served.api.engine, [], []
    engine.states.of("b").use_snapshot(dict(engine.states.of("a").catalogue.items))
    make, now = BundledModel.of, 0.0
    engine.bundled.now = lambda: now

    def model_of(*given: Any) -> Any:
        names.append(threading.current_thread().name)
        if now > 0:
            monkeypatch.setattr(BundledModel, "of", make)
            answers.extend(served.ask(head))
        return make(*given)

    monkeypatch.setattr(BundledModel, "of", model_of)
    head = served.head("/v1/shops/b/recommendations", key=served.api.keys["b"])
    assert served.ask(head)[0][0] == 200
    now = EVERY_S
    assert served.ask(head)[0][0] == 200
    assert [name.startswith("list") for name in names] == [True, True]
    assert [status for status, _, _ in answers] == [200]


def test_an_answer_that_cannot_be_written_down_is_a_fault_of_ours(served: ListServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def list_json(*_: Any) -> bytes:
        raise TypeError("str is not valid UTF-8: surrogates not allowed")

    monkeypatch.setattr("serving.list_protocol.list_json", list_json)
    monkeypatch.setattr("serving.list_route.list_json", list_json)
    [(status, _, body)] = served.ask(served.head())
    assert (status, b"internal" in body) == (500, True)
    assert 'status="500"' in served.api.client.get("/metrics").text


def test_a_slow_request_sent_behind_a_list_has_its_time(served: ListServer, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = threading.Event()
    monkeypatch.setattr(served.api.engine, "dead_threads", lambda: slow.wait(2.5) or [])  # longer than timeout_keep_alive
    answers = served.ask(served.head(f"{PATH}?limit=2") + served.head("/healthz"), answers=2)
    assert [status for status, _, _ in answers] == [200, 200]


def test_lists_of_others_do_not_queue_behind_a_slow_store(served: ListServer) -> None:
    """While the store keeps every thread waiting, whoever comes next is answered without it."""
    gate, recent = threading.Event(), served.api.engine.recent
    feature_names = SimpleNamespace(feature_names=SimpleNamespace(val=[LAST_ITEMS.name]))
    stamp = SimpleNamespace(ToMicroseconds=lambda: 0)
    proto = SimpleNamespace(metadata=feature_names, results=[SimpleNamespace(event_timestamps=[stamp])])
    row = {LAST_ITEMS.name: [["i22"]], KNOWN_MS.name: [[1]], "valid_until_ms": [None], "log_offset": [0]}
    stored = SimpleNamespace(proto=proto, to_dict=lambda: row)
    recent.features.store = OnlineReader(budget_s=20)
    recent.use(SimpleNamespace(get_online_features=lambda **_: gate.wait(20) and stored))
    recent.last_acts = lambda *asked: Recent.last_acts(recent, *asked)  # as it is without this module's fixture
    rungs: list[bytes] = []

    def ask(number: int) -> None:
        [(status, _, body)] = served.ask(served.head(f"{PATH}?limit=2&user_id=cold{number}"))
        assert status == 200
        rungs.append(body)

    with ThreadPoolExecutor(3 * READERS) as clients:
        answers = [clients.submit(ask, number) for number in range(3 * READERS)]
        deadline = time.monotonic() + 15
        while len(rungs) < 2 * READERS and time.monotonic() < deadline:
            time.sleep(0.01)
        before = len(rungs)
        gate.set()
    assert [answer.result() for answer in answers] == [None] * len(answers)
    assert before == 2 * READERS
    assert [b'"served_by":"popular"' in body for body in rungs] == [True] * before + [False] * READERS
