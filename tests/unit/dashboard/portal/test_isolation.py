"""Every address of the portal, asked for by every kind of visitor: nobody sees a byte of a shop that is not theirs."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

import dashboard.portal.shop_marts as shop_marts
from dashboard.portal.datasets import DATASETS
from dashboard.portal.roles import RIGHTS, ROLES, Right
from dashboard.portal.sessions import IDLE_S
from dashboard.superset_boards import boards
from tests.unit.dashboard.portal.twins import CANARY, DAYS, PLAIN, SECRETS, TwinShops, canaries_in, post

PORTAL = Path(shop_marts.__file__).parent
STRANGER = "nobody-has-this-shop"


@dataclass(frozen=True)
class Expected:
    """One route: the right that it needs (None: open to all), ``paths`` to ask for, whether they show the shop's numbers."""

    right: Right | str | None
    paths: tuple[str, ...] = ()
    shows_numbers: bool = False
    form: dict[str, str] = field(default_factory=dict)


_EVERYTHING = (
    *(f"/shops/SHOP/rows/{name}" for name in DATASETS),
    "/shops/SHOP/rows/customers?channel=plain-channel",
    "/shops/SHOP/rows/customers-by-month?from=2026-11-01&to=2026-11-30&segment_before=not_a_customer",
)
_FILES = tuple(f"/shops/SHOP/export/{name}.{kind}" for name in DATASETS for kind in ("csv", "xlsx"))
_SEGMENTS = ("/shops/SHOP/segments", "/shops/SHOP/segments?category=dress&orders_at_least=1")
_SEGMENT_FILES = tuple(f"/shops/SHOP/segments/export.{kind}" for kind in ("csv", "xlsx"))
_BOARDS = tuple(f"/shops/SHOP/workbench/{name}" for name in (*boards(), "no-such-board"))
_OWN_BOARDS = tuple(f"/shops/SHOP/boards/NUMBER?days={days}" for days in ("28", "all"))
_CHART = {"metric": "gmv", "kind": "bar", "by": "purchase__channel"}
_GUEST = {"login": "guest@example.org", "role": "analyst"}
_MEMBER = {"login": "analyst@SHOP.example", "role": "marketer"}
_DRAFT = '[{"kind": "pin", "name": "p", "item_id": "i1", "slot": 1}]'
MATRIX = {
    "GET /healthz": Expected(None),
    "GET /static/{name}": Expected(None, ("/static/portal.css", "/static/portal.js", "/static/nothing.js")),
    "GET /login": Expected(None),
    "POST /login": Expected(None, form={"login": f"owner@{CANARY}.example", "password": "a wrong password"}),
    "GET /links/{token}": Expected(None, ("/links/no-such-token",)),
    "POST /links/{token}": Expected(None, ("/links/no-such-token",), form={"name": "x", "password": "twelve letters"}),
    "POST /language": Expected(None, form={"language": "zh", "next": f"/shops/{CANARY}/today"}),
    "GET /{rest:path}": Expected(None, ("/nothing", f"/{CANARY}", "/shops/SHOP")),
    "GET /": Expected("login"),
    "GET /shops": Expected("login"),
    "POST /logout": Expected("login"),
    "GET /shops/{shop_id}/now": Expected("see", ("/shops/SHOP/now",), True),
    "GET /shops/{shop_id}/now/stream": Expected("see", ("/shops/SHOP/now/stream",), True),
    "GET /shops/{shop_id}/today": Expected(
        "see",
        (
            *("/shops/SHOP/today", "/shops/SHOP/today?date=2026-11-20"),
            "/shops/SHOP/today?date=2026-11-20&category=plain-category",
        ),
        True,
    ),
    "GET /shops/{shop_id}/traffic": Expected(
        "see", ("/shops/SHOP/traffic", "/shops/SHOP/traffic?category=plain-category"), True
    ),
    "GET /shops/{shop_id}/customers": Expected(
        "see",
        (
            *("/shops/SHOP/customers", "/shops/SHOP/customers?segment=champions"),
            "/shops/SHOP/customers?channel=plain-channel&date=2026-11-20",
            "/shops/SHOP/customers?scheme=layer&month=2026-11-01",
        ),
        True,
    ),
    "GET /shops/{shop_id}/items": Expected(
        "see",
        (
            *("/shops/SHOP/items", "/shops/SHOP/items?name=dress"),
            "/shops/SHOP/items?from=2026-11-20&to=2026-11-25&name=dress",
            "/shops/SHOP/items?channel=plain-channel&category=plain-category",
        ),
        True,
    ),
    "GET /shops/{shop_id}/items/{item_id:path}": Expected("see", ("/shops/SHOP/items/i1",), True),
    "GET /shops/{shop_id}/recommendations": Expected(
        "see", ("/shops/SHOP/recommendations", "/shops/SHOP/recommendations?by=reason&from=2026-11-25"), True
    ),
    "GET /shops/{shop_id}/rules": Expected("see"),
    "POST /shops/{shop_id}/rules/preview": Expected("rules", form={"draft": _DRAFT, "after": "1", "act": "preview"}),
    "POST /shops/{shop_id}/rules/publish": Expected("rules", form={"draft": _DRAFT, "after": "1"}),
    "POST /shops/{shop_id}/rules/rollback": Expected("rules", form={"version": "1"}),
    "GET /shops/{shop_id}/channels": Expected(
        "see", ("/shops/SHOP/channels", "/shops/SHOP/channels?model=first&from=2026-11-01&to=2026-11-20"), True
    ),
    "GET /shops/{shop_id}/alerts": Expected(
        "see", ("/shops/SHOP/alerts", "/shops/SHOP/alerts?metric=orders&direction=less&size=1")
    ),
    "POST /shops/{shop_id}/alerts/add": Expected("manage", form={"metric": "orders", "direction": "less", "size": "30"}),
    "POST /shops/{shop_id}/alerts/snooze": Expected("manage", form={"rule_id": "1", "days": "7"}),
    "POST /shops/{shop_id}/alerts/delete": Expected("manage", form={"rule_id": "1"}),
    "POST /shops/{shop_id}/receivers/add": Expected("manage", form={"kind": "email", "address": "me@SHOP.example"}),
    "POST /shops/{shop_id}/receivers/test": Expected("manage", form={"receiver_id": "1"}),
    "POST /shops/{shop_id}/receivers/remove": Expected("manage", form={"receiver_id": "1"}),
    "GET /shops/{shop_id}/segments": Expected("rows", _SEGMENTS, True),
    "POST /shops/{shop_id}/segments/save": Expected("people", form={"name": "regulars", "rule": "{}"}),
    "POST /shops/{shop_id}/segments/delete": Expected("people", form={"segment_id": "1"}),
    "GET /shops/{shop_id}/segments/export.{kind}": Expected("people", _SEGMENT_FILES),
    "GET /shops/{shop_id}/boards": Expected("see"),
    "POST /shops/{shop_id}/boards/create": Expected("rows", form={"title": "mine"}),
    "GET /shops/{shop_id}/boards/{board_id}": Expected("see", _OWN_BOARDS, True),
    "POST /shops/{shop_id}/boards/{board_id}/rename": Expected("rows", ("/shops/SHOP/boards/7/rename",), form={"title": "x"}),
    "POST /shops/{shop_id}/boards/{board_id}/delete": Expected("rows", ("/shops/SHOP/boards/7/delete",)),
    "POST /shops/{shop_id}/boards/{board_id}/charts/add": Expected("rows", ("/shops/SHOP/boards/7/charts/add",), form=_CHART),
    "POST /shops/{shop_id}/boards/{board_id}/charts/change": Expected(
        "rows", ("/shops/SHOP/boards/7/charts/change",), form={"place": "0", "act": "up"}
    ),
    "GET /shops/{shop_id}/metrics/{metric}": Expected("see", ("/shops/SHOP/metrics/net_gmv",)),
    "GET /shops/{shop_id}/meaning/{mart}/{column}": Expected("see", ("/shops/SHOP/meaning/fct_shop_days/orders",)),
    "GET /shops/{shop_id}/rows/{dataset}": Expected("rows", _EVERYTHING, True),
    "GET /shops/{shop_id}/export/{dataset}.{kind}": Expected("export", _FILES, True),
    "GET /shops/{shop_id}/workbench": Expected("workbench"),
    "GET /shops/{shop_id}/workbench/{board}": Expected("workbench", _BOARDS),
    "POST /shops/{shop_id}/workbench/{board}/token": Expected("workbench", tuple(f"{path}/token" for path in _BOARDS)),
    "GET /shops/{shop_id}/members": Expected("manage"),
    "POST /shops/{shop_id}/members/invite": Expected("manage", form=_GUEST),
    "POST /shops/{shop_id}/members/withdraw": Expected("manage", form=_GUEST),
    "POST /shops/{shop_id}/members/role": Expected("manage", form=_MEMBER),
    "POST /shops/{shop_id}/members/reset": Expected("manage", form=_MEMBER),
    "POST /shops/{shop_id}/members/remove": Expected("manage", form=_MEMBER),
    "GET /shops/{shop_id}/uploads": Expected("upload"),
    "POST /shops/{shop_id}/uploads/send": Expected("upload", form={"kind": "none"}),
    "GET /shops/{shop_id}/uploads/{upload_id}": Expected("upload", ("/shops/SHOP/uploads/0123456789abcdef",)),
    "POST /shops/{shop_id}/uploads/{upload_id}/start": Expected(
        "upload", ("/shops/SHOP/uploads/0123456789abcdef/start",), form={"act": "import"}
    ),
    "GET /shops/{shop_id}/rejected": Expected("upload"),
    "GET /shops/{shop_id}/keys": Expected("manage"),
    "POST /shops/{shop_id}/keys/create": Expected("manage", form={"right": "read"}),
    "POST /shops/{shop_id}/keys/rotate": Expected("manage", form={"right": "read", "keep_old": "on"}),
    "POST /shops/{shop_id}/keys/revoke": Expected("manage", form={"key_id": "none"}),
    "GET /shops/{shop_id}/settings": Expected("manage"),
    "POST /shops/{shop_id}/settings/shop": Expected("manage", form={"name": "一样的店"}),
    "POST /shops/{shop_id}/settings/customers": Expected("manage", form={"new_days": "30"}),
    "POST /shops/{shop_id}/settings/items": Expected("manage", form={"slow_days": "60"}),
    "POST /shops/{shop_id}/settings/quiet-hours": Expected("manage", form={"begins": "22", "ends": "8"}),
    "POST /shops/{shop_id}/settings/exclusions/add": Expected("manage", form={"reason": "staff", "who": "user", "person": "1"}),
    "POST /shops/{shop_id}/settings/exclusions/remove": Expected(
        "manage", form={"reason": "guest", "person": "a:", "is_prefix": "1"}
    ),
    "GET /shops/{shop_id}/audit": Expected("manage"),
}
# Live numbers come from the table of counters, not from the marts.
OF_COUNTERS = {"GET /shops/{shop_id}/now", "GET /shops/{shop_id}/now/stream"}


def asked(client: TestClient, name: str, shop_id: str) -> list[tuple[str, Any]]:
    """The answers to all requests of a route for a shop."""
    method, _, path = name.partition(" ")
    expected = MATRIX[name]
    answers = []
    for each in expected.paths or (path.replace("{shop_id}", "SHOP"),):
        # Each shop's board with all kinds of charts; another shop's number stands for the one that cannot be guessed.
        address = each.replace("SHOP", shop_id).replace("NUMBER", "1" if shop_id == PLAIN else "2")
        form = {key: value.replace("SHOP", shop_id) for key, value in expected.form.items()}
        answers.append((address, client.get(address) if method == "GET" else post(client, address, **form)))
    return answers


def bytes_of(answer: Any) -> bytes:
    """All that came: headers, and the body, unpacked where it is a workbook."""
    heads = repr(sorted(answer.headers.items())).encode()
    if answer.content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
            return heads + b"".join(book.read(part) for part in book.namelist())
    return heads + bytes(answer.content)


def test_the_matrix_holds_every_route(twins: TwinShops) -> None:
    routes = {route.name for route in twins.app.routes if isinstance(route, Route)}
    assert len(routes) == len(twins.app.routes)
    assert routes == MATRIX.keys(), "put the new route into MATRIX with what it needs"


@pytest.mark.parametrize("name", [name for name in MATRIX if name.startswith("GET /shops/{shop_id}")])
def test_each_view_of_a_shop_is_in_its_audit_log(twins: TwinShops, name: str) -> None:
    """But for the stream of an open page, which asks by itself."""
    client, noted = twins.client(), len(twins.portal.audit.newest(PLAIN, count=1_000))
    answered = [answer for _, answer in asked(client, name, PLAIN) if answer.status_code == 200]
    added = len(twins.portal.audit.newest(PLAIN, count=1_000)) - noted
    assert added == (0 if name.endswith("/now/stream") else len(answered)), name


@pytest.mark.parametrize("name", MATRIX)
def test_nobody_sees_a_byte_of_the_twin(twins: TwinShops, name: str) -> None:
    is_of_shop = "{shop_id}" in name
    # own shop: the answer comes, and holds nothing of the twin
    for address, answer in asked(twins.client(), name, PLAIN):
        assert not canaries_in(bytes_of(answer)), address
        assert answer.status_code < 500, address
        assert answer.headers["cache-control"] == (
            "public, max-age=31536000, immutable" if address.startswith("/static/portal") else "private, no-store"
        )
    # the twin's and no shop's address: answered alike, whatever the role
    for role in ROLES if is_of_shop else ():
        client = twins.client(role)
        for (address, answer), (_, stranger) in zip(asked(client, name, CANARY), asked(client, name, STRANGER), strict=True):
            assert answer.status_code == 404, address
            assert not canaries_in(bytes_of(answer)), address
            assert _same(answer.text, CANARY) == _same(stranger.text, STRANGER), address
    # nobody, and a session that has run out
    expired = twins.client()
    twins.now += timedelta(seconds=IDLE_S + 1)
    for client in (twins.visitor(), expired):
        for shop_id in (PLAIN, CANARY):
            for address, answer in asked(client, name, shop_id):
                assert not canaries_in(bytes_of(answer)), address
                if MATRIX[name].right is not None:
                    assert answer.status_code == 303, address
                    assert answer.headers["location"].startswith("/login")
                    assert not answer.content


@pytest.mark.parametrize("name", [name for name, expected in MATRIX.items() if expected.shows_numbers])
def test_the_twins_owner_sees_the_canaries_in_each_answer(twins: TwinShops, name: str) -> None:
    for address, answer in asked(twins.client(shop_id=CANARY), name, CANARY):
        assert answer.status_code == 200, address
        assert canaries_in(bytes_of(answer)) or "Nothing here" in answer.text, address


@pytest.mark.parametrize("name", [name for name in MATRIX if "{shop_id}" in name])
def test_a_role_opens_what_it_has_a_right_to(twins: TwinShops, name: str) -> None:
    right = MATRIX[name].right
    for role in ROLES:
        client = twins.client(role)
        for address, answer in asked(client, name, PLAIN):
            names_persons = "customers" in address and right not in ("see", "workbench")
            may = right in RIGHTS[role] and (not names_persons or "people" in RIGHTS[role])
            assert (answer.status_code < 400) == may or (may and answer.status_code in (404, 409)), (role, address)
            if "people" not in RIGHTS[role]:
                assert b"u:mei" not in bytes_of(answer), (role, address)
    if name.startswith("POST"):  # what an owner changed here is put right again
        twins.add(f"analyst@{PLAIN}.example", PLAIN, "analyst")


def test_a_choke_point_with_another_shops_condition_would_be_seen(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_marts, "_of_shop", lambda column, shop_id: f" where {column} = '{CANARY}'")
    shows_numbers = {name for name, expected in MATRIX.items() if expected.shows_numbers} - OF_COUNTERS
    client = twins.client()
    leaks = {name for name in shows_numbers if any(canaries_in(bytes_of(answer)) for _, answer in asked(client, name, PLAIN))}
    assert leaks == shows_numbers


def test_counters_of_another_shop_would_be_seen(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> None:
    day_of = twins.portal.counters.day
    monkeypatch.setattr(twins.portal.counters, "day", lambda shop_id, on: day_of(CANARY, on))
    client = twins.client()
    for name in OF_COUNTERS:
        assert all(canaries_in(bytes_of(answer)) for _, answer in asked(client, name, PLAIN)), name


def test_only_the_choke_point_writes_sql_over_marts() -> None:
    of_marts = re.compile(r"duckdb|\bpublished\.|open_version|\battach ")
    files = {file.relative_to(PORTAL).as_posix() for file in PORTAL.rglob("*.py") if of_marts.search(file.read_text("utf-8"))}
    assert files == {"published_marts.py", "shop_marts.py"}


def test_a_table_without_a_shop_is_not_seen(twins: TwinShops) -> None:
    with shop_marts.open_shop_marts(twins.settings, PLAIN) as marts:
        assert "fct_orders" in marts.columns
        assert SECRETS not in marts.columns
        assert all("shop_id" not in columns and "shop" not in columns for columns in marts.columns.values())
        assert marts.select("fct_orders", ['order_id" from published.fct_orders --']) == []
        assert marts.select("fct_orders", ["order_id"], [shop_marts.Condition('x" or 1=1 --', "=", 1)]) == []
        assert len(marts.select("fct_orders", ["order_id"], [shop_marts.Condition("order_id", "=", "o1' or 1=1 --")])) == 0
        assert len(marts.select("fct_orders", ["order_id"], [shop_marts.Condition("order_id", "=", "o1")])) == DAYS


def test_a_member_of_both_shops_sees_each_on_its_own_pages(twins: TwinShops) -> None:
    twins.add("both@example.org", PLAIN, "owner")
    twins.add("both@example.org", CANARY, "read_only")
    client = twins.visitor()
    assert post(client, "/login", login="both@example.org", password="correct horse battery").status_code == 303
    for name, expected in MATRIX.items():
        if expected.shows_numbers:
            for address, answer in asked(client, name, PLAIN):
                assert not canaries_in(bytes_of(answer)), address
    assert canaries_in(client.get(f"/shops/{CANARY}/items").content)
    assert client.get(f"/shops/{CANARY}/rows/orders").status_code == 403


def _same(text: str, shop_id: str) -> str:
    """A page without what names the request: the address to come back to, and the form's token."""
    return re.sub(r'name="form_token" value="[^"]*"', "", text.replace(shop_id, "SHOP"))
