"""Every address of Superset, as every kind of visitor: a guest sees the boards and one shop's rows, the others nothing."""

from __future__ import annotations

import csv
import io
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dashboard.plain_errors import SENTENCE
from dashboard.superset_boards import boards
from tests.integration.dashboard.superset_twins import SupersetTwins, has_foreign_sum, is_foreign, signed, text_of
from tests.unit.dashboard.portal.twins import CANARY, DAYS, PLAIN

pytestmark = pytest.mark.integration

# What Superset answers with a success, to whom. Every route that is not here has to refuse everybody: a new one does, or fails.
FOR_ALL = {
    *("GET /health", "GET /healthcheck", "GET /ping", "GET /version", "GET /login/", "GET /register/"),
    *("GET /static/<path:filename>", "GET /superset/language_pack/<lang>/", "GET /api/v1/user/<int:user_id>/avatar.png"),
    "GET /dashboard/<dashboard_id_or_slug>/embedded",  # the page of the embedding's settings, without any
}
FOR_GUESTS = {
    *("GET /api/v1/me/", "GET /api/v1/me/roles/", "GET /api/v1/embedded_dashboard/<uuid>"),
    *("GET /api/v1/dashboard/", "GET /api/v1/dashboard/_info", "GET /api/v1/dashboard/<id_or_slug>"),
    *("GET /api/v1/dashboard/<id_or_slug>/charts", "GET /api/v1/dashboard/<id_or_slug>/datasets"),
    *("GET /api/v1/dashboard/<id_or_slug>/embedded", "GET /api/v1/dashboard/<id_or_slug>/tabs"),
    *("GET /api/v1/chart/", "GET /api/v1/chart/_info"),
    *("GET /dashboard/list/", "GET /chart/list/", "POST /api/v1/chart/data", "GET /api/v1/time_range/"),
}


def visitors(superset: SupersetTwins) -> dict[str, dict[str, str]]:
    """Headers of each kind of visitor."""
    payload, _, mark = superset.guest(CANARY)["X-GuestToken"].rpartition(".")
    _, _, own_mark = superset.guest(PLAIN)["X-GuestToken"].rpartition(".")
    return {
        "own shop": superset.guest(PLAIN),
        "nobody": {},
        "expired": superset.forged(exp=int(time.time()) - 1),
        "another shop's claims under this one's signature": {"X-GuestToken": f"{payload}.{own_mark}" if mark else ""},
        "the portal's account": superset.portal,
    }


def addresses(rule: str) -> Iterator[str]:
    """Two addresses of a route with a name in it: of things that a guest may see, and of things that are not for guests."""
    merchant, analyst = boards()["today"].uuid("merchant"), boards()["today"].uuid("analyst")
    words = {"version": "v1", "datasource_type": "table", "lang": "zh", "column_name": "title", "schema_name": "main"}
    words |= {"table_name": "fct_orders", "filename": "assets/manifest.json", "datasource_id": "1"}
    for uuid, number in ((merchant, "2"), (analyst, "1")):
        known = words | dict.fromkeys(("uuid", "id_or_slug", "dashboard_id_or_slug", "id_or_uuid"), uuid)
        filled = re.sub(r"<(?:\w+:)?(\w+)>", lambda name: known.get(name[1], number), rule)  # noqa: B023 (used at once)
        yield filled
        if filled == rule:
            return


def test_a_route_refuses_or_is_known_to_answer_and_shows_no_foreign_byte(superset: SupersetTwins) -> None:
    kinds = visitors(superset)
    walk = [
        (kind, f"{method} {route['rule']}", method, address)
        for kind in kinds
        for route in superset.routes
        for method in route["methods"]
        for address in list(addresses(route["rule"]))[: 2 if kind == "own shop" else 1]
    ]

    def trouble(step: tuple[str, str, str, str]) -> tuple[str, str] | None:
        kind, name, method, address = step
        body = {"json": {}} if method in ("POST", "PUT") else {}
        answer = superset.ask(method, address, kinds[kind], **body)
        may = name in FOR_ALL or (kind == "own shop" and name in FOR_GUESTS)
        if is_foreign(answer):
            return "foreign bytes", f"{kind}: {method} {address}"
        return None if may or not answer.is_success else ("answered", f"{kind}: {name}")

    assert len({step[1] for step in walk}) > 400, "Superset's routes were read"
    with ThreadPoolExecutor(4) as pool:
        troubles = {step for step in pool.map(trouble, walk) if step}
    assert troubles == set()


def test_what_is_known_to_answer_is_there(superset: SupersetTwins) -> None:
    names = {f"{method} {route['rule']}" for route in superset.routes for method in route["methods"]}
    assert names >= FOR_ALL | FOR_GUESTS


@pytest.mark.parametrize("board", boards())
def test_each_shop_sees_its_own_rows_in_each_chart(superset: SupersetTwins, board: str) -> None:
    plain, twin = superset.guest(PLAIN, board), superset.guest(CANARY, board)
    for name, request in superset.charts(board).items():
        answer, canaries = (superset.ask("POST", "/api/v1/chart/data", who, json=request) for who in (plain, twin))
        assert answer.status_code == 200, (name, answer.text[:500])
        assert answer.json()["result"][0]["rowcount"] > 0, name
        assert not is_foreign(answer), name
        assert not has_foreign_sum(answer), name
        assert is_foreign(canaries) or has_foreign_sum(canaries) or _is_ratio(request, canaries), (
            f"{name}: a leak would not show"
        )
        keys = {each.json()["result"][0]["cache_key"] for each in (answer, canaries)}
        assert len(keys) == 2, "a cache would give one shop's rows to the other"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_file_holds_the_shops_own_rows(superset: SupersetTwins, kind: str) -> None:
    request = superset.charts()["Top items 热销商品"] | {"result_format": kind}
    answer, canaries = (
        superset.ask("POST", "/api/v1/chart/data", superset.guest(shop), json=request) for shop in (PLAIN, CANARY)
    )
    assert "Dress" in text_of(answer)
    assert not is_foreign(answer)
    assert not has_foreign_sum(answer)
    assert is_foreign(canaries)


@pytest.mark.parametrize("text", ["=1+1", "{=1+1}", "＝1+1", "\ufeff=1+1", "external:c:/x"])
def test_a_file_of_a_chart_computes_no_text(superset: SupersetTwins, text: str) -> None:
    """Superset's own rule lets ``{=…}`` become a formula of XLSX, and full-width signs be one of CSV."""
    request = superset.charts()["Top items 热销商品"] | {"result_type": "full"}
    text_column = {"expressionType": "SQL", "label": "said", "sqlExpression": f"'{text}'"}
    request |= {
        "queries": [request["queries"][0] | {"columns": [text_column], "metrics": [], "orderby": [], "series_columns": []}]
    }
    csv_file, xlsx = (
        superset.ask("POST", "/api/v1/chart/data", superset.admin, json=request | {"result_format": kind})
        for kind in ("csv", "xlsx")
    )
    assert csv_file.is_success
    assert xlsx.is_success
    cells = {row[0] for row in csv.reader(io.StringIO(csv_file.content.decode("utf-8-sig")))}
    assert cells == {"said", text if text.startswith("external") else f"'{text}"}
    with zipfile.ZipFile(io.BytesIO(xlsx.content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert text.lstrip("\ufeff") in book.read("xl/sharedStrings.xml").decode()
    assert "<f" not in sheet
    assert "<hyperlink" not in sheet


def _is_ratio(request: dict[str, Any], answer: Any) -> bool:
    """Whether a chart shows ratios alone, which the twins have alike."""
    rows, metrics = answer.json()["result"][0]["data"], request["queries"][0]["metrics"]
    return all(abs(row[metric]) <= 1.01 for row in rows for metric in metrics if row[metric] is not None)


def _with(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A change of a request's query."""
    return lambda request: request | {"queries": [request["queries"][0] | changes]}


def _adhoc(sql: str) -> dict[str, Any]:
    return {"expressionType": "SQL", "sqlExpression": sql, "label": "seen", "hasCustomLabel": True}


def _drill(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Rows behind a chart, for which Superset lets a guest choose columns."""

    def changed(request: dict[str, Any]) -> dict[str, Any]:
        query = {"columns": ["shop_id", "category"], "metrics": [], "filters": [], "row_limit": 100} | changes
        return request | {"queries": [query], "form_data": {"dashboardId": request["form_data"]["dashboardId"]}}

    return changed


_SECRET = "(select max(category) from dim_items)"
ATTACKS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "filter by the other shop": _with(filters=[{"col": "shop_id", "op": "==", "val": CANARY}]),
    "filter by both": _with(filters=[{"col": "shop_id", "op": "IN", "val": [PLAIN, CANARY]}]),
    "or in where": _with(extras={"where": f"shop_id = '{CANARY}' or 1 = 1"}),
    "brackets in where": _with(extras={"where": "1 = 1) or (1 = 1"}),
    "comment in where": _with(extras={"where": "1 = 1) or 1 = 1 --"}),
    "union in where": _with(extras={"where": "1 = 1) union all (select * from dim_items"}),
    "subquery in where": _with(extras={"where": f"category < {_SECRET}"}),
    "or in having": _with(extras={"having": f"1 = 1) or max(shop_id) = '{CANARY}' or (1 = 1"}),
    "template in where": _with(extras={"where": "shop_id = '{{ 'twin' }}' or {{ 1 }} = 1"}),
    "series limit": _with(series_columns=["category"], series_limit=5, series_limit_metric="revenue"),
    "other times": _with(time_offsets=["1 year ago"], is_timeseries=False),
    "another column": _with(columns=["shop_id", "category"]),
    "a column of SQL": _with(columns=[_adhoc(_SECRET)]),
    "a metric of SQL": _with(metrics=[_adhoc(_SECRET)]),
    "an order of SQL": _with(orderby=[[_adhoc(_SECRET), True]]),
    "rows behind it": _drill(),
    "rows behind it, of the other shop": _drill(filters=[{"col": "shop_id", "op": "==", "val": CANARY}]),
    "rows behind it, a subquery": _drill(columns=[_adhoc(_SECRET)]),
    "rows behind it, a list of a subquery": _drill(columns=[_adhoc("array(select category from dim_items)")]),
    "rows behind it, a metric": _drill(columns=[], metrics=[_adhoc("string_agg(distinct category, ' ') over ()")]),
    "rows behind it, another table": _drill(columns=[_adhoc("category) as seen from dim_items --")]),
    "rows behind it, a file": _drill(columns=[_adhoc("(select content from read_text('/etc/hostname'))")]),
    "rows behind it, FROM first": _drill(columns=[_adhoc("(from dim_items select max(category))")]),
    "rows behind it, exists": _drill(columns=[_adhoc("exists(from dim_items where category like 'C%')")]),
    "drill by the shop": lambda request: (
        _drill(metrics=["revenue"])(request)
        | {
            "form_data": request["form_data"]
            | {"slice_id": 0, "chart_id": request["form_data"]["slice_id"], "groupby": ["shop_id"]}
        }
    ),
    "a filter's values": lambda request: (
        _drill()(request)
        | {"form_data": {"dashboardId": 1, "type": "NATIVE_FILTER", "native_filter_id": "NATIVE_FILTER-shop_id"}}
    ),
    "another chart's number": lambda request: request | {"form_data": request["form_data"] | {"slice_id": 1}},
    "no form": lambda request: {name: request[name] for name in ("datasource", "queries")},
    "annotations": _with(annotation_layers=[{"name": "a", "value": 1, "sourceType": "table", "annotationType": "EVENT"}]),
    "a rule of one's own": lambda request: request | {"rls": [], "rls_rules": [{"clause": "1 = 1"}]},
}


def test_no_change_of_a_request_brings_a_foreign_row(superset: SupersetTwins) -> None:
    plain, request = superset.guest(PLAIN), superset.charts()["Top items 热销商品"]
    kinds = ("samples", "drill_detail", "query", "results", "columns", "timegrains", "post_processed")
    changed = {name: attack(request) for name, attack in ATTACKS.items()}
    changed |= {f"{kind} of it": _drill()(request) | {"result_type": kind} for kind in kinds}
    changed |= {f"data set {number}": request | {"datasource": {"id": number, "type": "table"}} for number in range(1, 20)}
    changed |= {kind: request | {"datasource": {"id": 1, "type": kind}} for kind in ("query", "saved_query", "view")}
    answered = set()
    for name, body in changed.items():
        answer = superset.ask("POST", "/api/v1/chart/data", plain, json=body)
        assert not is_foreign(answer), (name, answer.text[:500])
        assert not has_foreign_sum(answer), (name, answer.text[:500])
        answered |= {name} if answer.is_success else set()
    # The attacks that Superset answers did reach the data: with the twin's rule they show the twin.
    assert {"rows behind it", "filter by both", "or in where"} <= answered
    for name in ("rows behind it", "or in where"):
        assert is_foreign(superset.ask("POST", "/api/v1/chart/data", superset.guest(CANARY), json=changed[name])), name


@pytest.mark.parametrize(
    "attack", ["union in where", "a metric of SQL", "a column of SQL", "subquery in where", "brackets in where"]
)
def test_a_guest_reads_a_plain_sentence_where_a_chart_fails(superset: SupersetTwins, attack: str) -> None:
    answer = superset.ask(
        "POST", "/api/v1/chart/data", superset.guest(PLAIN), json=ATTACKS[attack](superset.charts()["Top items 热销商品"])
    )
    assert answer.status_code in (400, 403, 422)
    if answer.status_code != 403:
        assert [answer.json()["message"], answer.json()["errors"][0]["message"]] == [SENTENCE] * 2


def test_a_chart_whose_mart_is_gone_tells_a_guest_nothing_of_the_database(superset: SupersetTwins) -> None:
    """A column that the marts lack, as after an upgrade of the boards without new marts; an analyst reads why."""
    request = superset.charts("items")["Categories 类目"]
    number = request["datasource"]["id"]
    page = superset.of_page(superset.admin)
    dataset = superset.ask("GET", f"/api/v1/dataset/{number}", page).json()["result"]
    address = f"/api/v1/dataset/{number}"
    try:
        broken = {"sql": dataset["sql"].replace("dim_items.shop_id", "dim_items.no_such_column as shop_id")}
        assert superset.ask("PUT", address, page, json=broken).is_success
        to_guest, to_admin = (
            superset.ask("POST", "/api/v1/chart/data", who, json=request)
            for who in (superset.guest(PLAIN, "items"), superset.admin)
        )
    finally:
        assert superset.ask("PUT", address, page, json={"sql": dataset["sql"]}).is_success
    assert not to_guest.is_success
    assert to_guest.json()["message"] == SENTENCE
    assert not any(word in to_guest.text.lower() for word in ("no_such_column", "duckdb", "binder", "select", "dim_items"))
    assert "no_such_column" in to_admin.text
    assert superset.ask("POST", "/api/v1/chart/data", superset.guest(PLAIN, "items"), json=request).is_success


def test_no_token_but_the_portals_opens_anything(superset: SupersetTwins) -> None:
    request = superset.charts()["Top items 热销商品"]
    now = int(time.time())
    token = superset.guest(PLAIN)["X-GuestToken"]
    claims = {"user": {}, "resources": [{"type": "dashboard", "id": boards()["today"].uuid("merchant")}], "type": "guest"}
    claims |= {"rls_rules": [], "iat": now, "exp": now + 300, "aud": "jishi-boards"}
    tokens = {
        "of another key": superset.forged(key="x" * 64),
        "without a signature": {"X-GuestToken": signed(claims, "", "none")},
        "without a rule": superset.forged(rls_rules=None),
        "for another audience": superset.forged(aud="elsewhere"),
        "of another type": superset.forged(type="access"),
        "without an end": {"X-GuestToken": token.rpartition(".")[0] + "."},
        "the portal's login": {"X-GuestToken": superset.portal["Authorization"].removeprefix("Bearer ")},
        "expired": superset.forged(exp=now - 1),
    }
    for name, headers in tokens.items():
        answer = superset.ask("POST", "/api/v1/chart/data", headers, json=request)
        assert answer.status_code in (401, 403), (name, answer.status_code)
        assert not is_foreign(answer), name
    assert superset.ask("POST", "/api/v1/chart/data", superset.forged(), json=request).status_code == 200, "the forging works"


def test_a_guest_of_one_board_opens_no_other(superset: SupersetTwins) -> None:
    guest = superset.guest(PLAIN, "today")
    for board in boards().values():
        for layout in ("analyst", "merchant", "phone"):
            answer = superset.ask("GET", f"/api/v1/dashboard/{board.uuid(layout)}", guest)
            assert answer.is_success == (board.name == "today" and layout != "analyst"), (board.name, layout)


@pytest.mark.parametrize("rules", [[], [{"clause": "1 = 1"}], [{"clause": f"shop_id = '{PLAIN}'", "dataset": 1}]])
def test_superset_signs_no_token_for_more_than_a_shop(superset: SupersetTwins, rules: list[dict[str, Any]]) -> None:
    resources = [{"type": "dashboard", "id": boards()["today"].uuid("merchant")}]
    for account in (superset.portal, superset.admin):
        body = {"user": {"username": "u"}, "resources": resources, "rls": rules}
        answer = superset.ask("POST", "/api/v1/security/guest_token/", account, json=body)
        assert answer.status_code == 400
        assert "token" not in answer.json()


def test_only_the_portal_may_frame_a_board_and_nothing_else_is_framed(superset: SupersetTwins) -> None:
    portal = superset.twins.settings.portal_address
    board = f"/embedded/{boards()['today'].uuid('merchant')}"
    answer = superset.ask("GET", board, {"Referer": f"{portal}/"})
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert answer.status_code == 200
    assert policy["frame-ancestors"] == portal
    assert "x-frame-options" not in answer.headers
    assert {word for words in policy.values() for word in words.split() if "//" in word} == {portal}
    assert superset.ask("GET", board, {"Referer": "http://elsewhere.example/"}).status_code == 403
    assert superset.ask("GET", board).status_code == 403
    assert superset.ask("GET", f"/embedded/{boards()['today'].uuid('analyst')}", {"Referer": portal}).status_code == 404
    login = superset.ask("GET", "/login/")
    assert "frame-ancestors 'none'" in login.headers["content-security-policy"]
    assert login.headers["x-frame-options"] == "DENY"


def test_an_analyst_asks_the_marts_of_all_shops_by_sql_and_can_write_and_reach_nothing_else(superset: SupersetTwins) -> None:
    roles = superset.ask("GET", "/api/v1/security/roles/search/", superset.admin).json()["result"]
    [role] = [each["id"] for each in roles if each["name"] == "Analyst"]
    person = {"username": "ana", "first_name": "A", "last_name": "N", "email": "ana@example.org", "password": "a long password"}
    added = superset.ask(
        "POST", "/api/v1/security/users/", superset.of_page(superset.admin), json=person | {"roles": [role], "active": True}
    )
    assert added.status_code == 201, added.text
    analyst = superset.of_page(superset.account("ana", "a long password"))

    def run(sql: str) -> Any:
        body = {"database_id": 1, "schema": "main", "sql": sql, "runAsync": False, "queryLimit": 100}
        return superset.ask("POST", "/api/v1/sqllab/execute/", analyst, json=body)

    shops = run("select shop_id, count(*) as days from fct_shop_days group by 1 order by 1")
    assert [row["shop_id"] for row in shops.json()["data"]] == [PLAIN, CANARY], shops.text
    for sql in (
        "insert into fct_orders select * from fct_orders",
        "create table own as select 1 as a",
        "drop table fct_orders",
        "select * from read_text('/etc/hostname')",
        "select * from read_csv('http://127.0.0.1:1/x')",
        f"attach '{superset.twins.paths.portal_database}' as portal (type sqlite)",
        "copy fct_orders to '/tmp/copy-of-a-mart.csv'",
        "set enable_external_access = true",
        "install httpfs",
    ):
        assert not run(sql).is_success, sql
    assert len(run("from fct_shop_days").json()["data"]) == 2 * DAYS
    assert superset.ask("GET", f"/api/v1/dashboard/{boards()['today'].uuid('analyst')}", analyst).is_success
    for path in ("/api/v1/security/users/", "/api/v1/rowlevelsecurity/", "/api/v1/log/"):
        assert superset.ask("GET", path, analyst).status_code in (403, 404), path
    grant = superset.ask("POST", "/api/v1/security/guest_token/", analyst, json={"resources": [], "rls": []})
    assert grant.status_code == 403


def test_a_rule_that_lets_all_rows_through_would_be_seen(superset: SupersetTwins) -> None:
    everything, charts = superset.forged(rls_rules=[{"clause": "1 = 1"}]), superset.charts()
    for name in ("Top items 热销商品", "Orders 支付订单", "Customers by RFM segment 客户分群"):
        answer = superset.ask("POST", "/api/v1/chart/data", everything, json=charts[name])
        assert answer.status_code == 200
        assert is_foreign(answer) or has_foreign_sum(answer), name
