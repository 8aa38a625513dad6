"""Ask for a shop's recommendations from its own server, with nothing but Python's own library.

A page must not wait for a list: what does not come in time is answered by the shop's bundled list, and says why.
"""

from __future__ import annotations

import io
import json
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Any, Unpack, cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import HTTPHandler, HTTPSHandler, Request, build_opener

if TYPE_CHECKING:
    from serving.clients.api_types import (
        BatchAnswer,
        BatchBody,
        CategoryPageBody,
        RecommendationsAnswer,
        RecommendationsQuery,
    )

PAGE_TIMEOUT_S, MAILING_TIMEOUT_S = 0.3, 30.0
PAUSE_S = 0.02  # before another try


class RecommendationsRefused(ValueError):
    """The request is wrong and stays wrong: the key (401, 403) or a parameter (422), which ``field`` names."""

    def __init__(self, status: int, code: str, field: str | None, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.field = status, code, field


class NoAnswer(RuntimeError):
    """Serving gave no answer in time, or none that can be used; ask again later."""


@dataclass(frozen=True)
class AnsweredList:
    """Items to show, best first; ``answer`` has prices and reasons, ``request_id`` is what events about the list name.

    Both are None for a bundled list, whose ``problem`` says why it stands in.
    """

    placement: str
    item_ids: Sequence[str]
    answer: RecommendationsAnswer | None = None
    request_id: str | None = None
    problem: str | None = None

    def shown(self, **shopper: str) -> list[dict[str, Any]]:
        """``recommendation_shown`` for ``collector.client.Client.send``; ``shopper``: ``user_id``, ``anonymous_id``, or both.

        Nothing for a bundled list, which serving did not make.
        """
        if self.answer is None:
            return []
        reasons = [item["reason"]["code"] for item in self.answer["items"]]
        facts = {"item_ids": list(self.item_ids), "model_version": self.answer["model_version"], "reasons": reasons}
        return [self._event("recommendation_shown", facts, shopper)]

    def clicked(self, item_id: str, **shopper: str) -> list[dict[str, Any]]:
        """``recommendation_clicked`` in the same way. Raises ValueError for an item that is not in the list."""
        facts = {"item_id": item_id, "position": list(self.item_ids).index(item_id)}
        return [] if self.answer is None else [self._event("recommendation_clicked", facts, shopper)]

    def _event(self, kind: str, facts: dict[str, Any], shopper: dict[str, str]) -> dict[str, Any]:
        return {"type": kind, **shopper, "properties": {"request_id": self.request_id, "placement": self.placement, **facts}}


class Recommendations:
    """A shop's connection to serving; ``key`` is its read key. Safe to use from several threads.

    A connection that is cut is tried again in the time that is left.
    ``bundled`` has item ids by placement, for when the whole answer is not there within ``timeout_s``; only the look-up of the
    host's name does not count.
    """

    def __init__(
        self,
        url: str,
        shop_id: str,
        key: str,
        *,
        timeout_s: float = PAGE_TIMEOUT_S,
        bundled: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._base = f"{url.rstrip('/')}/v1/shops/{quote(shop_id, safe='')}"
        self._key = key
        self._timeout_s = timeout_s
        self._bundled = bundled or {}

    def recommend(self, **asked: Unpack[RecommendationsQuery]) -> AnsweredList:
        """The list for a page. Raises RecommendationsRefused."""
        placement = asked.get("placement", "home")
        pairs = [(name, _text(each)) for name, value in asked.items() for each in _many(value)]
        return self._list(placement, Request(f"{self._base}/recommendations?{urlencode(pairs)}"), None)

    def category_order(self, page: CategoryPageBody) -> AnsweredList:
        """The items of a category's page in order; as given where no answer comes. Raises RecommendationsRefused."""
        return self._list("category", self._posted("category-order", page), page["item_ids"])

    def batch(self, asked: BatchBody, *, timeout_s: float = MAILING_TIMEOUT_S) -> BatchAnswer:
        """Lists for many shoppers of a mailing. Raises RecommendationsRefused and NoAnswer."""
        return cast("BatchAnswer", self._answer(self._posted("recommendations/batch", asked), timeout_s)[0])

    def _list(self, placement: str, request: Request, otherwise: Sequence[str] | None) -> AnsweredList:
        try:
            answer, request_id = self._answer(request, self._timeout_s)
        except NoAnswer as error:
            item_ids = self._bundled.get(placement, ()) if otherwise is None else otherwise
            return AnsweredList(placement, item_ids, problem=str(error))
        typed = cast("RecommendationsAnswer", answer)
        return AnsweredList(placement, [item["item_id"] for item in typed["items"]], typed, request_id)

    def _posted(self, path: str, body: Any) -> Request:
        return Request(f"{self._base}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST")

    def _answer(self, request: Request, timeout_s: float) -> tuple[Any, str | None]:
        request.add_header("Authorization", f"Bearer {self._key}")
        began, deadline = time.monotonic(), Deadline(timeout_s)
        while True:
            try:
                with _OPENER.open(request, timeout=deadline) as answer:
                    return json.load(answer), answer.headers.get("X-Request-ID")
            except HTTPError as error:
                raise _problem(error) from None
            except (URLError, HTTPException, OSError, ValueError) as error:
                waited_s = time.monotonic() - began
                if _is_cut(error) and waited_s + PAUSE_S < timeout_s:
                    time.sleep(PAUSE_S)
                    continue
                raise NoAnswer(f"no answer after {waited_s * 1000:.0f} ms: {type(error).__name__}: {error}") from None


class Deadline(float):
    """A time-out in seconds that is counted from when it was made, and not anew for each silence of the other side."""

    def __init__(self, _: float) -> None:
        self.ends_at = time.monotonic() + self

    def left_s(self) -> float:
        """Seconds that are left. Raises TimeoutError for none."""
        left_s = self.ends_at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        return left_s


class _TimedReader(io.RawIOBase):
    """What a socket receives, until the deadline."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._socket, self._deadline = connected, deadline
        self._received = connected.makefile("rb", buffering=0)  # keeps the socket open until it is closed itself

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """As of a file."""
        self._socket.settimeout(self._deadline.left_s())
        return self._received.readinto(buffer)

    def close(self) -> None:
        """As of a file."""
        self._received.close()
        super().close()


class _TimedConnection(HTTPConnection):
    """A connection whose ``timeout`` is a Deadline: over all addresses of the host, what is sent, head and body."""

    timeout: Deadline

    def connect(self) -> None:
        """Connect to the first address that answers."""
        self._create_connection = self._connected
        super().connect()
        self.sock.settimeout(self.timeout.left_s())

    def response_class(self, connected: socket.socket, **options: Any) -> HTTPResponse:  # type: ignore[override]
        """What comes back."""
        response = HTTPResponse(connected, **options)
        response.fp.close()
        response.fp = io.BufferedReader(_TimedReader(connected, self.timeout))
        return response

    def _connected(self, address: tuple[str, int], *_: Any) -> socket.socket:
        problem: OSError | None = None
        for family, kind, protocol, _name, place in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
            connecting = socket.socket(family, kind, protocol)
            try:
                connecting.settimeout(self.timeout.left_s())
                connecting.connect(place)
                return connecting
            except OSError as error:
                connecting.close()
                problem = error
        raise problem or OSError(f"{address[0]} has no address")


class _TimedSecureConnection(_TimedConnection, HTTPSConnection):
    """The same over TLS."""


class _Plain(HTTPHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_TimedConnection, req)


class _Secure(HTTPSHandler):
    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_TimedSecureConnection, req, context=self._trusted)


_OPENER = build_opener(_Plain, _Secure)


def _is_cut(error: Exception) -> bool:
    """Whether the connection was refused or cut, as by a process of serving that dies: another one answers at once."""
    return isinstance(error.reason if isinstance(error, URLError) else error, ConnectionError)


def _many(value: Any) -> Sequence[Any]:
    """What a parameter repeats; nothing for one that is left out."""
    return value if isinstance(value, list) else () if value is None else (value,)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _problem(error: HTTPError) -> RecommendationsRefused | NoAnswer:
    """What an answer that is not a list says: wrong for good, or to be asked again."""
    try:
        body = json.load(error)["error"]
        code, field, message = str(body["code"]), body.get("field"), str(body["message"])
    except TimeoutError:
        return NoAnswer(f"{error.code}, and what it says did not come in time")
    except (OSError, ValueError, KeyError, TypeError):
        code, field, message = "unknown", None, "the answer is not serving's; is the address right?"
    if error.code >= 500 or error.code in (408, 429):
        return NoAnswer(f"{error.code} {code}: {message}")
    return RecommendationsRefused(error.code, code, field, message)
