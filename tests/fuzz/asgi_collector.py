"""A collector in the process: the real ASGI application on a write-ahead log, without a socket between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from collector.app import create_app
from collector.intake import Intake
from collector.keys import KeyRing
from collector.wal.durable import read_durable
from collector.wal.reader import read_entries
from collector.wal.segments import Position
from collector.wal.writer import WalWriter
from jishi.settings import Settings
from jishi.shops import Shop, Shops

NOW_MS = 1_795_000_000_000  # 2026-11-18
Headers = Sequence[tuple[bytes, bytes]]


class AsgiAnswer:
    """Status, headers and content of an answer."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.status: int = messages[0]["status"]
        self.headers = dict(messages[0]["headers"])
        self.content = b"".join(message.get("body", b"") for message in messages[1:])

    def json(self) -> Any:
        """The decoded content."""
        return orjson.loads(self.content)


class AsgiCollector:
    """The application with a key of each right for shop ``a``; what it raises comes through to the caller."""

    def __init__(self, folder: Path) -> None:
        shops = Shops()
        for shop_id in ("a", "b"):
            shops.add(Shop(shop_id=shop_id, name=shop_id))
        self.keys = {
            "write": shops.issue_key("a", "write"),
            "read": shops.issue_key("a", "read"),
            "track": shops.issue_key("a", "track"),
            "test": shops.issue_key("a", "write", is_test=True),
            "test track": shops.issue_key("a", "track", is_test=True),
            "track at home": shops.issue_key("a", "track", origins=["https://shop.example"]),
        }
        shops.save(folder / "shops.json")
        settings = Settings(var=folder)
        self.wal = WalWriter(folder / "wal", settings.wal_segment_bytes)
        self._clock_s = 0.0
        self._position = Position()
        self._loop = asyncio.new_event_loop()
        intake = Intake(self.wal, KeyRing(folder / "shops.json"), settings, lambda: NOW_MS, lambda: self._clock_s)
        self._app = create_app(intake)
        self._lifespan: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._life = self._loop.create_task(self._live())
        self._lifespan.put_nowait({"type": "lifespan.startup"})
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _live(self) -> None:
        async def send(message: Any) -> None:
            assert message["type"].endswith(".complete"), message

        await self._app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._lifespan.get, send)

    def close(self) -> None:
        """End as a server does, and close the log."""
        self._lifespan.put_nowait({"type": "lifespan.shutdown"})
        self._loop.run_until_complete(self._life)
        self._loop.close()
        self.wal.close()

    def request(
        self,
        method: str,
        path: str,
        chunks: Sequence[bytes] = (),
        headers: Headers = (),
        query: bytes = b"",
        *,
        gone: bool = False,
    ) -> AsgiAnswer:
        """The answer to a body that comes in chunks, after which the client may be ``gone``. Time goes on by a minute."""
        self._clock_s += 60
        coming = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        coming.append({"type": "http.disconnect"} if gone else {"type": "http.request", "body": b"", "more_body": False})
        messages: list[dict[str, Any]] = []

        async def receive() -> Any:
            return coming.pop(0) if coming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            messages.append(message)

        scope = {
            **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http"},
            **{"path": path, "raw_path": path.encode(errors="replace"), "query_string": query, "root_path": ""},
            **{"headers": list(headers), "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "state": {}},
        }
        self._loop.run_until_complete(self._app(scope, receive, send))
        return AsgiAnswer(messages)

    def post(
        self, body: bytes, key: str = "write", path: str = "/v1/events", method: str = "POST", headers: Headers = ()
    ) -> AsgiAnswer:
        """The answer to a body; a track key goes into the address, another into the header."""
        if "track" in key:
            return self.request("POST", "/v1/track", [body], headers, b"key=" + self.keys[key].encode())
        authorization = (b"authorization", f"Bearer {self.keys[key]}".encode())
        return self.request(method, path, [body], [authorization, *headers])

    def new_records(self) -> list[dict[str, Any]]:
        """What is on disk since this was asked last."""
        durable, records = read_durable(self.wal.folder) or Position(), []
        while entries := read_entries(self.wal.folder, self._position, durable):
            records += [orjson.loads(entry.body) for entry in entries]
            self._position = entries[-1].after
        return records
