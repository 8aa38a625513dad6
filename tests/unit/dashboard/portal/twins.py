"""Two shops with the same persons, items, orders and names, one of which carries canaries wherever they may differ."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import httpx
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard.admin import write_secrets
from dashboard.portal.app import make_app, make_portal
from dashboard.portal.boards import BoardChart
from dashboard.portal.roles import ROLES, Role
from dashboard.portal.state import Portal
from jishi.lake.quarantine import Quarantined
from jishi.lake.versions import MartsFile, TableVersion, Versions
from jishi.paths import Paths
from jishi.rules.complaints import rules_of
from jishi.rules.versions import RuleVersions
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from serving.api import make_app as make_serving
from serving.catalogue import Item, Version
from serving.engine import Engine
from tests.lake import settings_in
from tests.marts import create_marts

PLAIN, CANARY = "plain", "twin"
NEWEST = date(2026, 11, 30)
NOW = datetime(2026, 11, 30, 4, tzinfo=UTC)
DAYS = 15  # from a Monday on, so that the week before the last one is whole
PASSWORD = "correct horse battery"
TEXT_CANARY, NUMBER_CANARY = "CANARY", 98765
# What both shops say alike: a leak of these could not be seen, and a filter by them alone would mix the shops.
SHARED_TEXTS = {
    "model": "last_non_direct",
    **{"person_id": "u:mei", "item_id": "i1", "order_id": "o1", "title": "连衣裙", "title_en": "Dress", "name": "一样的店"},
    **{"segment": "champions", "segment_zh": "重要价值", "customer__segment": "champions", "customer__segment_zh": "重要价值"},
    **{"currency": "CNY", "time_zone": "Asia/Shanghai", "period": "month", "status": "active", "outcome": "counted"},
}
# A table without a shop, which no page may see.
SECRETS = "secrets_of_the_platform"


class TwinShops:
    """A portal over both shops, whose clock the test sets, with a person of each role and shop.

    With ``settings``, it asks the Superset that they name; without, one that signs what it is asked to.
    """

    def __init__(self, folder: Path, semantic_manifest: dict[str, Any], settings: Settings | None = None) -> None:
        self.settings = settings or settings_in(folder / "var")
        self.paths = Paths.of(self.settings)
        self.now = NOW
        shops = Shops()
        for shop_id in (PLAIN, CANARY):
            shops.add(Shop(shop_id=shop_id, name="一样的店", time_zone="Asia/Shanghai", currency="CNY"))
        shops.save(self.paths.shops_file)
        write_secrets(self.paths)
        publish_marts_file(self.settings, semantic_manifest)
        hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)  # the parameters are not what is tested here
        self.asked: list[dict[str, Any]] = []  # bodies that a Superset of this test's making was sent
        superset = None if settings else httpx.MockTransport(self._superset)
        self.serving = serving_of(self.settings, self.paths)
        self.portal: Portal = make_portal(self.settings, lambda: self.now, hasher, superset, self.serving)
        self.portal.quarantine.rows = rejected_of  # type: ignore[method-assign]  # the twins have no lake
        self.portal.streams.longest_s = 0.0  # a stream tells once how things are, and ends
        self.portal.counter_reader.start = lambda: None  # type: ignore[method-assign] # no Kafka: the table is filled here
        self.app: Starlette = make_app(self.portal)
        for shop_id in (PLAIN, CANARY):
            for role in ROLES:
                self.add(f"{role}@{shop_id}.example", shop_id, role)
            self.make_board(shop_id)
            name = f"{TEXT_CANARY if shop_id == CANARY else 'plain'} rule"
            hidden = {"kind": "hide", "name": name, "items": {"brands": ["none"]}}
            RuleVersions.of(self.paths, shop_id).publish(rules_of({"rules": [hidden]}), "owner", NOW)

    def add(self, login: str, shop_id: str, role: Role) -> None:
        """A member with the common password."""
        people = self.portal.people
        people.accept(people.invite(login, shop_id, role, self.now), login.partition("@")[0], PASSWORD, self.now)

    def _superset(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/security/login":
            return httpx.Response(200, json={"access_token": "a login"})
        if request.headers.get("authorization") != "Bearer a login":
            return httpx.Response(401, json={"msg": "Token has expired"})
        self.asked.append(json.loads(request.content))
        return httpx.Response(200, json={"token": "a guest token"})

    def make_board(self, shop_id: str) -> int:
        """A board that is shared, with a chart of each kind."""
        boards, login = self.portal.boards, f"owner@{shop_id}.example"
        board_id = boards.create(shop_id, login, f"{TEXT_CANARY if shop_id == CANARY else 'plain'} board", self.now)
        boards.rename(shop_id, board_id, f"{TEXT_CANARY if shop_id == CANARY else 'plain'} board", is_shared=True)
        charts = [
            BoardChart(metric="gmv", kind="line", by="metric_time__day"),
            BoardChart(metric="gmv", kind="bar", by="purchase__channel"),
            BoardChart(metric="orders", kind="table", by="customer__segment"),
            BoardChart(metric="conversion", kind="number"),
        ]
        boards.change_charts(shop_id, board_id, lambda _: charts)
        return board_id

    def visitor(self, language: str = "en") -> TestClient:
        """A browser without a session."""
        _count(self.portal, self.now)
        client = TestClient(self.app, follow_redirects=False, headers={"accept-language": language})
        client.get("/login")
        return client

    def client(self, role: Role = "owner", shop_id: str = PLAIN, language: str = "en") -> TestClient:
        """A browser that is logged in."""
        client = self.visitor(language)
        answer = post(client, "/login", login=f"{role}@{shop_id}.example", password=PASSWORD)
        assert answer.status_code == 303
        return client


def serving_of(settings: Settings, paths: Paths) -> httpx.BaseTransport:
    """Serving over both shops' catalogues, without its threads; the twin's titles and categories are canaries."""
    engine = Engine.of(settings, paths)
    engine.keys.reload()
    engine.stream.has_caught_up = engine.consents.is_complete = True
    for shop_id in (PLAIN, CANARY):
        word = TEXT_CANARY if shop_id == CANARY else "plain"
        items = [
            Item(f"i{n}", f"{word} {n}", f"{word} {n}", word, 1900, "CNY", 5, "active", Version(n, n, "")) for n in range(1, 5)
        ]
        engine.states.of(shop_id).use_snapshot({item.item_id: item for item in items})
    client = TestClient(make_serving(engine))

    def answer(request: httpx.Request) -> httpx.Response:
        came = client.request(request.method, str(request.url), content=request.content, headers=dict(request.headers))
        return httpx.Response(came.status_code, content=came.content)

    return httpx.MockTransport(answer)


def post(client: TestClient, path: str, **fields: str) -> Any:
    """Send a form as a page of this browser would."""
    page = client.get("/shops").text if client.cookies.get("jishi_portal") else client.get("/login").text
    token = page.partition('name="form_token" value="')[2].partition('"')[0]
    return client.post(path, data={"form_token": token, **fields})


def publish_marts_file(settings: Settings, semantic_manifest: dict[str, Any]) -> None:
    """Write marts of both shops and record them as a version of the lake."""
    paths = Paths.of(settings)
    paths.marts_files.mkdir(parents=True)
    file = paths.marts_files / "1-twins.duckdb"
    with duckdb.connect(str(file)) as connection:
        create_marts(connection, semantic_manifest)
        connection.execute(f"create table {SECRETS} (who varchar, amount bigint)")
        built = "timestamp '2026-11-30 03:00:00' as built_at, 1 as version, '' as inputs, semantic_manifest"
        connection.execute(f"create or replace table build as select {built} from build")
        tables = connection.execute("select table_name from duckdb_tables() where table_name <> 'build'").fetchall()
        for (mart,) in tables:
            _fill(connection, mart)
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    marts = MartsFile(str(file.relative_to(paths.warehouse)), checksum, 1)
    Versions.of(settings).commit(TableVersion(1, NOW, "a test", None, {}, {}, marts))


def _count(portal: Portal, now: datetime) -> None:
    """Counters of the day so far for both shops, one of which carries canaries."""
    now_ms = int(now.timestamp() * 1000)
    today = now.astimezone(ZoneInfo("Asia/Shanghai")).date()
    count(portal, {"kind": "clock", "log_partition": 0}, {"since_ms": now_ms - 10**9, "as_of_ms": now_ms})
    for shop_id in (PLAIN, CANARY):
        number, text = (NUMBER_CANARY, TEXT_CANARY) if shop_id == CANARY else (12345, "plain")
        day = {"shop_id": shop_id, "occurred_date": f"{today}"}
        acts = {"orders": 3, "gmv_minor": f"{number}00", "item_views": number, "cart_adds": 4, "orders_without_rate": 0}
        item = {"order_lines": 1, "cart_adds": 2, "item_views": number}
        for key, value in (
            ({"kind": "minute", "minute": now_ms // 60_000}, acts),
            ({"kind": "persons"}, {"visitors": number, "buyers": 3}),
            ({"kind": "channel", "channel": f"{text}-channel"}, {"visitors": number}),
            ({"kind": "item", "item_id": f"{text}-item"}, item),
        ):
            count(portal, key | day, value | {"as_of_ms": now_ms})


def count(portal: Portal, key: dict[str, Any], value: dict[str, Any]) -> None:
    """Give the portal a message of the stream."""
    portal.counters.apply(json.dumps(key).encode(), json.dumps(value).encode())


def _fill(connection: duckdb.DuckDBPyConnection, mart: str) -> None:
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns() where table_name = ? order by column_index", [mart]
    ).fetchall()
    numbers = range(1 if mart in ("dim_shops", "board_segments") else DAYS)
    rows = [[_value(*column, shop_id, number) for column in columns] for shop_id in (PLAIN, CANARY) for number in numbers]
    places = ", ".join(f"({', '.join('?' * len(columns))})" for _ in rows)
    connection.execute(f"insert into {mart} values {places}", [value for row in rows for value in row])


def _value(name: str, kind: str, shop_id: str, number: int) -> Any:
    day = NEWEST - timedelta(days=number)
    is_canary = shop_id == CANARY
    match kind:
        case "DATE":
            return day.replace(day=1) if name == "cohort_date" else day
        case "BOOLEAN":
            return name != "is_bot" and not (name == "is_complete" and number == 0)
        case "VARCHAR" if name in ("shop_id", "shop"):
            return shop_id
        case "VARCHAR" if name == "excluded_reason":
            return None
        case "VARCHAR" if name == "compared_with":
            return ("day_before", "week_before", "year_before")[number % 3]
        case "VARCHAR":
            return SHARED_TEXTS.get(name) or (f"{TEXT_CANARY}-{name}" if is_canary else f"plain-{name}")
        case kind if kind.startswith("TIMESTAMP"):
            return datetime(day.year, day.month, day.day, 0 if name == "metric_time__day" else 3)  # noqa: DTZ001 (marts keep UTC instants without a zone)
        case "DOUBLE":
            return (NUMBER_CANARY if is_canary else 12345) / 100_000
        case _ if name == "period_days":
            return (7, 30, 90)[number % 3]
        case _ if name == "minor_digits":
            return 2
        case _ if name.endswith("without_rate"):
            return 0
        case _ if name == "period_number" or name.endswith("_score"):
            return number % 5
        case _:
            return (NUMBER_CANARY if is_canary else 12345) * 100 + number


def rejected_of(shop_id: str) -> list[Quarantined]:
    """A row of quarantine."""
    text = TEXT_CANARY if shop_id == CANARY else "plain"
    line = f'{{"note": "{text}", "source": {{"file": "{text}.csv", "row": 3}}}}'
    why = ("invalid", "missing_field", "properties.item_id", f"add 'item_id' {text}")
    came = datetime(2026, 11, 30, 3, tzinfo=UTC).replace(tzinfo=None)
    return [Quarantined(shop_id, "c", 1, None, *why, "order_paid", text, came, line, None, None, "open")]


_DRAWN = re.compile(r'name="form_token" value="[^"]*"|jishi_portal\w*=[\w.-]+|links/[\w-]{20,}')


def canaries_in(body: bytes) -> list[str]:
    """Canaries in a body, whatever marks stand between digits; what is drawn by lot holds each four digits now and then."""
    text = _DRAWN.sub("", body.decode("utf-8", errors="ignore"))
    digits = text.replace(",", "").replace(".", "").replace("\u00a0", "")
    return [word for word in (TEXT_CANARY, str(NUMBER_CANARY), "9877") if word in text or word in digits]
