"""uvicorn's connection, which answers the common request for a list at once: no task, no scope, no layer of the framework.

uvicorn reads the head of the request and keeps the connection; here it is seen whether the request is one of
``serving.list_route.plain_request`` that needs neither a thread nor a wait. All others, and every error, go to the application,
which answers the same bytes (a test compares both). Of the time of a list over HTTP this saves a third of what is not the list.
"""

from __future__ import annotations

import time
from typing import Any

import uvicorn
from fastapi import FastAPI

from jishi.http_connection import WholeAnswers
from serving.engine import Engine
from serving.event_loop import NeedsThread
from serving.list_route import ON_THREAD, headers_of, list_json, new_request_id, plain_request

_WITH_MORE = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})


def server_config(app: FastAPI, **options: Any) -> uvicorn.Config:
    """How the application of ``serving.api.make_app`` is served; ``options`` are uvicorn's.

    Who is asking is ours to say (JISHI_TRUSTED_PROXIES): uvicorn would believe every neighbour's X-Forwarded-For.
    """
    return uvicorn.Config(app, http=ListProtocol, access_log=False, proxy_headers=False, **options)


class ListProtocol(WholeAnswers):
    """One connection."""

    def __init__(self, config: uvicorn.Config, *others: Any, **named: Any) -> None:
        super().__init__(config, *others, **named)
        self._engine: Engine = config.app.state.engine  # type: ignore[union-attr]
        self._is_answered = False  # the request that is being read
        self._may_answer = False  # one of each piece that is received: many in one take their turns with other connections

    def data_received(self, data: bytes) -> None:
        """A piece of what the client sends."""
        self._may_answer = True
        super().data_received(data)

    def on_message_begin(self) -> None:
        """The next request begins."""
        self._is_answered = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head of a request is read: answer it, or let the application."""
        self._is_answered = self._may_answer and self._is_answerable() and self._answer()
        if self._is_answered:
            self._may_answer = False
            self.on_response_complete()
        else:
            self._unset_keepalive_if_required()  # begun by an answer of the same piece; the application may take longer
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is read."""
        if not self._is_answered:
            super().on_message_complete()

    def _is_answerable(self) -> bool:
        """Whether it is a GET without a body, the connection goes on after it, and nothing before it waits for an answer."""
        return (
            self.parser.get_method() == b"GET"
            and (self.cycle is None or self.cycle.response_complete)
            and not (self.pipeline or self.flow.write_paused or self.root_path)
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and _WITH_MORE.isdisjoint([name for name, _ in self.headers])
        )

    def _answer(self) -> bool:
        """Write the list; False where the application has to answer."""
        started, request_id = time.perf_counter(), new_request_id()
        try:
            written = self._list(request_id)
        except NeedsThread:
            self.scope[ON_THREAD] = request_id  # type: ignore[literal-required]
            return False
        except Exception:  # noqa: BLE001 - the application meets it again, says it and counts it
            return False
        if written is None:
            return False
        self.transport.write_at_once(written[0])  # type: ignore[attr-defined]
        self._engine.metrics.count(200, written[1], time.perf_counter() - started)
        return True

    def _list(self, request_id: str) -> tuple[bytes, str] | None:
        """The answer's bytes and its rung; None where the application has to look. Raises NeedsThread, and other errors."""
        engine = self._engine
        path, _, query = self.url.partition(b"?")
        if b"%" in path or b"#" in self.url or not path.isascii():
            return None
        asked = plain_request(engine.keys, path.decode("ascii"), query, self.headers)
        if asked is None or engine.recent.asks_store(asked[0].shop_id, asked[0].persons):
            return None
        answer = engine.answer(asked[0], request_id, asked[1])
        body = list_json(asked[0], answer)
        headers = [*self.server_state.default_headers, *headers_of(body, request_id)]
        head = b"".join([b"%b: %b\r\n" % header for header in headers])
        return b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (head, body), answer.served_by
