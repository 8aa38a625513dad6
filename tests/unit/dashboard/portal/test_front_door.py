"""Logging in, sessions, forms, one-time links, roles and the audit log."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard.portal.app import make_app
from dashboard.portal.pages.account import local_address
from dashboard.portal.passwords import Passwords, WeakPassword
from dashboard.portal.people import LINK_HOURS
from dashboard.portal.rate_limits import PER_ACCOUNT, PER_ADDRESS, WINDOW_S
from dashboard.portal.sessions import COOKIE, IDLE_S, LONGEST_S
from tests.unit.dashboard.portal.twins import CANARY, NOW, PASSWORD, PLAIN, TwinShops, post

OWNER = f"owner@{PLAIN}.example"


@pytest.fixture(autouse=True)
def _fresh(twins: TwinShops) -> Iterator[None]:
    """Each test starts with nothing failed and the clock back."""
    twins.now = NOW
    with twins.portal.audit.database.transaction() as connection:
        connection.execute("delete from failed_logins")
    yield
    twins.now = NOW


def test_a_session_is_a_secret_of_the_server(twins: TwinShops) -> None:
    client = twins.client()
    [cookie] = [line for line in client.cookies.jar if line.name == COOKIE]
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "lax"
    with sqlite3.connect(twins.paths.portal_database) as connection:
        everything = "\n".join(connection.iterdump())
    assert cookie.value is not None
    assert cookie.value not in everything
    assert PASSWORD not in everything
    assert "$argon2id$" in everything
    assert twins.paths.portal_database.stat().st_mode & 0o077 == 0


def test_a_login_gives_a_new_session_and_a_logout_ends_it_on_the_server(twins: TwinShops) -> None:
    client = twins.client()
    first = client.cookies[COOKIE]
    assert client.get(f"/shops/{PLAIN}/today").status_code == 200
    assert post(client, "/logout").headers["location"] == "/login"
    stolen = twins.visitor()
    stolen.cookies.set(COOKIE, first)
    assert stolen.get(f"/shops/{PLAIN}/today").status_code == 303
    assert twins.client().cookies[COOKIE] != first


def test_a_session_ends_when_it_is_idle_or_old(twins: TwinShops) -> None:
    client = twins.client()
    for _ in range(LONGEST_S // (IDLE_S - 60) - 1):
        twins.now += timedelta(seconds=IDLE_S - 60)
        assert client.get("/shops").status_code == 200
    twins.now = NOW + timedelta(seconds=LONGEST_S)
    assert client.get("/shops").status_code == 303
    twins.now = NOW
    client = twins.client()
    twins.now += timedelta(seconds=IDLE_S)
    assert client.get("/shops").status_code == 303


def test_a_lost_role_is_lost_at_once(twins: TwinShops) -> None:
    twins.add("leaving@example.org", PLAIN, "marketer")
    client = twins.visitor()
    post(client, "/login", login="leaving@example.org", password=PASSWORD)
    assert client.get(f"/shops/{PLAIN}/rows/orders").status_code == 200
    twins.portal.people.set_role("leaving@example.org", PLAIN, "read_only")
    assert client.get(f"/shops/{PLAIN}/rows/orders").status_code == 403
    twins.portal.people.set_role("leaving@example.org", PLAIN, None)
    assert client.get(f"/shops/{PLAIN}/today").status_code == 404


@pytest.mark.parametrize("token", ["", "0" * 64, "another's"])
def test_a_form_without_this_browsers_token_changes_nothing(twins: TwinShops, token: str) -> None:
    client, invite = twins.client(), f"/shops/{PLAIN}/members/invite"
    if token == "another's":
        token = twins.client(shop_id=CANARY).get("/shops").text.partition('name="form_token" value="')[2].partition('"')[0]
    form = {"form_token": token, "login": "csrf@example.org", "role": "owner"}
    assert client.post(invite, data=form).status_code == 403
    assert "csrf@example.org" not in client.get(f"/shops/{PLAIN}/members").text


def test_a_form_of_another_site_changes_nothing(twins: TwinShops) -> None:
    client = twins.client()
    client.headers["sec-fetch-site"] = "cross-site"
    answer = post(client, f"/shops/{PLAIN}/members/invite", login="csrf@example.org", role="owner")
    assert answer.status_code == 403
    assert "csrf@example.org" not in client.get(f"/shops/{PLAIN}/members").text


def test_a_wrong_password_and_a_stranger_look_alike_and_both_are_counted(twins: TwinShops) -> None:
    client = twins.visitor()
    wrong = post(client, "/login", login=OWNER, password="not the password")
    stranger = post(client, "/login", login="stranger@plain.example", password="not the password")
    assert wrong.status_code == stranger.status_code == 403
    assert wrong.text.replace(OWNER, "") == stranger.text.replace("stranger@plain.example", "")
    for _ in range(PER_ACCOUNT - 1):
        post(client, "/login", login=OWNER, password="not the password")
    locked = post(client, "/login", login=OWNER, password=PASSWORD)
    assert locked.status_code == 429
    assert 0 < int(locked.headers["retry-after"]) <= WINDOW_S
    twins.now += timedelta(seconds=WINDOW_S)
    assert post(client, "/login", login=OWNER, password=PASSWORD).status_code == 303


def test_one_address_cannot_try_many_accounts(twins: TwinShops) -> None:
    client = twins.visitor()
    for number in range(PER_ADDRESS):
        assert post(client, "/login", login=f"guess{number}", password="not the password").status_code == 403
    assert post(client, "/login", login=OWNER, password=PASSWORD).status_code == 429


def test_a_network_of_ipv6_is_one_sender(twins: TwinShops) -> None:
    """zulip #21544: who has one line has 2^64 addresses, and so as many first tries."""

    def tried(address: str, login: str, password: str) -> int:
        client = TestClient(twins.app, follow_redirects=False, client=(address, 50000))
        client.get("/login")
        return int(post(client, "/login", login=login, password=password).status_code)

    for number in range(PER_ADDRESS):
        assert tried(f"2001:db8:0:1::{number:x}", f"guess{number}", "not the password") == 403
    assert tried("2001:db8:0:1:ffff::1", OWNER, PASSWORD) == 429
    assert tried("2001:db8:0:2::1", OWNER, PASSWORD) == 303
    assert tried("203.0.113.7", OWNER, PASSWORD) == 303


def behind(twins: TwinShops, **settings: Any) -> Starlette:
    """The portal as a proxy on another machine asks it: over HTTP, from the proxy's address."""
    return make_app(replace(twins.portal, settings=twins.settings.model_copy(update=settings)))


def test_behind_a_proxy_of_another_machine_cookies_are_for_https_alone(twins: TwinShops) -> None:
    """linagora/openrag 384: uvicorn believes X-Forwarded-Proto of the own machine alone, so no cookie was Secure."""
    app = behind(twins, portal_url="https://portal.example.org")
    client = TestClient(app, base_url="https://portal.example.org", follow_redirects=False)
    client.headers["x-forwarded-proto"] = "https"
    app_over_http = TestClient(app, base_url="http://portal.example.org", follow_redirects=False)
    for answer in (client.get("/login"), app_over_http.get("/login"), app_over_http.get("/shops")):
        assert answer.headers["set-cookie"].endswith("; Secure")
    assert "Secure" not in twins.visitor().get("/shops").headers.get("set-cookie", "")


def test_behind_proxies_wrong_passwords_are_each_visitors_own(twins: TwinShops) -> None:
    """StuMason/polar-flow-server 51: a proxy in another container was one sender, and one visitor kept everybody out."""

    def tried(app: Starlette, forwarded: str, login: str, password: str) -> int:
        client = TestClient(app, follow_redirects=False, client=("172.18.0.5", 50000))
        client.headers["x-forwarded-for"] = forwarded
        client.get("/login")
        return int(post(client, "/login", login=login, password=password).status_code)

    one, none = behind(twins, trusted_proxies=1), behind(twins)
    for number in range(PER_ADDRESS):
        assert tried(one, f"10.0.0.{number}, 203.0.113.7:{4000 + number}", f"guess{number}", "not the password") == 403
    assert tried(one, "198.51.100.1, 203.0.113.7", OWNER, PASSWORD) == 429, "what the visitor wrote is not believed"
    assert tried(one, "203.0.113.8", OWNER, PASSWORD) == 303
    for number in range(PER_ADDRESS):
        assert tried(none, f"10.0.0.{number}", f"guess{number}", "not the password") == 403
    assert tried(none, "203.0.113.8", OWNER, PASSWORD) == 429


def link_of(text: str) -> str:
    """The one-time link that a page shows."""
    return urlsplit("http" + text.partition("<code>http")[2].partition("</code>")[0]).path


def test_an_invitation_works_once_and_for_three_days(twins: TwinShops) -> None:
    owner = twins.client()
    page = post(owner, f"/shops/{PLAIN}/members/invite", login="New.One@example.org", role="analyst")
    link = link_of(page.text)
    assert link_of(owner.get(f"/shops/{PLAIN}/members").text) != link
    guest = twins.visitor()
    assert "new.one@example.org" in guest.get(link).text
    assert post(guest, link, name="New", password="short").status_code == 400
    assert post(guest, link, name="New", password="a long new password").status_code == 303
    assert post(guest, link, name="Again", password="another long password").status_code == 404
    assert post(guest, "/login", login="new.one@example.org", password="a long new password").status_code == 303
    assert guest.get(f"/shops/{PLAIN}/rows/orders").status_code == 200
    late = link_of(post(owner, f"/shops/{PLAIN}/members/invite", login="late@example.org", role="owner").text)
    twins.now += timedelta(hours=LINK_HOURS)
    assert twins.visitor().get(late).status_code == 404
    joined = [entry for entry in twins.portal.audit.newest(PLAIN) if entry.action == "joined"]
    assert joined[0].login == "new.one@example.org"


def test_a_shops_owner_cannot_take_over_an_account_of_another_shop(twins: TwinShops) -> None:
    twins.add("shared@example.org", CANARY, "owner")
    owner = twins.client()
    link = link_of(post(owner, f"/shops/{PLAIN}/members/invite", login="shared@example.org", role="read_only").text)
    thief = twins.visitor()
    assert post(thief, link, name="x", password="a password of the owner").status_code == 403
    assert post(thief, link, name="x", password=PASSWORD).status_code == 303
    answer = post(owner, f"/shops/{PLAIN}/members/reset", login="shared@example.org")
    assert answer.status_code == 403
    assert "/links/" not in answer.text
    assert post(owner, f"/shops/{PLAIN}/members/reset", login=f"owner@{CANARY}.example").status_code == 404


def test_a_reset_from_before_opens_no_shop_that_was_added_since(twins: TwinShops) -> None:
    twins.add("moving@example.org", PLAIN, "analyst")
    link = link_of(post(twins.client(), f"/shops/{PLAIN}/members/reset", login="moving@example.org").text)
    twins.add("moving@example.org", CANARY, "owner")
    assert post(twins.visitor(), link, password="a password of the owner").status_code == 404
    assert post(twins.visitor(), "/login", login="moving@example.org", password=PASSWORD).status_code == 303


def test_a_reset_ends_sessions_and_changes_the_password(twins: TwinShops) -> None:
    twins.add("forgot@example.org", PLAIN, "analyst")
    old = twins.visitor()
    post(old, "/login", login="forgot@example.org", password=PASSWORD)
    link = link_of(post(twins.client(), f"/shops/{PLAIN}/members/reset", login="forgot@example.org").text)
    assert post(twins.visitor(), link, password="quite another password").status_code == 303
    assert old.get("/shops").status_code == 303
    assert post(twins.visitor(), "/login", login="forgot@example.org", password=PASSWORD).status_code == 403
    assert post(twins.visitor(), "/login", login="forgot@example.org", password="quite another password").status_code == 303


def test_the_last_owner_stays(twins: TwinShops) -> None:
    owner = twins.client(shop_id=CANARY)
    last = f"owner@{CANARY}.example"
    for member in twins.portal.people.members(CANARY):
        if member.role == "owner" and member.login != last:
            twins.portal.people.set_role(member.login, CANARY, "analyst")
    for path in ("role", "remove"):
        answer = post(owner, f"/shops/{CANARY}/members/{path}", login=last, role="read_only")
        assert answer.status_code == 409
        assert "at least one owner" in answer.text


def test_the_audit_log_says_who_saw_and_exported_what(twins: TwinShops) -> None:
    client = twins.client("analyst")
    client.get(f"/shops/{PLAIN}/today?date=2026-11-20")
    client.get(f"/shops/{PLAIN}/export/orders.csv?from=2026-11-20&to=2026-11-21")
    exported, saw = twins.portal.audit.newest(PLAIN)[:2]
    assert (exported.login, exported.action) == (f"analyst@{PLAIN}.example", "exported")
    assert exported.detail == {"rows": "orders", "format": "csv", "count": 2, "from": "2026-11-20", "to": "2026-11-21"}
    assert (saw.action, saw.detail) == ("saw", {"page": "today", "date": "2026-11-20"})
    page = twins.client().get(f"/shops/{PLAIN}/audit").text
    assert "exported" in page
    assert f"{CANARY}.example" not in page


def test_an_owner_reads_the_audit_log_by_what_was_done_and_by_whom(twins: TwinShops) -> None:
    analyst, owner = twins.client("analyst"), twins.client()
    analyst.get(f"/shops/{PLAIN}/today")
    analyst.get(f"/shops/{PLAIN}/export/orders.csv")
    owner.get(f"/shops/{PLAIN}/settings")

    def lines(**query: str) -> list[tuple[str, str]]:
        text = owner.get(f"/shops/{PLAIN}/audit", params=query).text
        return [(who, what) for who, what in re.findall(r"<tr><td>.*?</td><td>(.*?)</td><td>(.*?)</td>", text)]

    assert {action for _, action in lines(action="exported")} == {"exported"}
    assert {login for login, _ in lines(who=f"analyst@{PLAIN}.example")} == {f"analyst@{PLAIN}.example"}
    assert (f"owner@{PLAIN}.example", "saw") in lines(who=f"owner@{PLAIN}.example", action="saw")
    assert lines(action="it's") == []
    assert lines(page="1000") == []


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("/shops/a/today?date=2026-01-01", "/shops/a/today?date=2026-01-01"),
        *((foreign, "/") for foreign in ("https://evil.example", "//evil.example", "/\\evil.example", "", None, "/a\r\nb: c")),
    ],
)
def test_after_the_login_nobody_is_sent_to_another_site(address: str | None, local: str) -> None:
    assert local_address(address) == local


def test_a_password_is_argon2id_of_its_normal_form() -> None:
    passwords = Passwords()
    kept = passwords.hash("café au lait, s'il vous plaît")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.matches("café au lait, s'il vous plaît", kept)
    assert not passwords.matches("cafe au lait, s'il vous plait", kept)
    assert not passwords.matches("anything", None)
    for weak in ("short", "a" * 20, "x" * 201):
        with pytest.raises(WeakPassword):
            passwords.hash(weak)


def test_a_large_or_endless_form_is_refused(twins: TwinShops) -> None:
    client = twins.client()
    assert client.post("/language", data={"language": "x" * 70_000}).status_code == 413
    assert client.post("/language", content=iter([b"language=zh"])).status_code == 413


def test_a_part_of_a_page_without_a_session_takes_the_page_to_the_login(twins: TwinShops) -> None:
    answer = twins.visitor().get(f"/shops/{PLAIN}/items", headers={"hx-request": "true"})
    assert (answer.headers["hx-redirect"], answer.content) == ("/login", b"")
    asked_for = twins.visitor().get(f"/shops/{PLAIN}/items?category=a&page=2").headers["location"]
    client = twins.visitor()
    form = client.get(asked_for).text
    back = unescape(form.partition('name="next" value="/shops')[2].partition('"')[0])
    answer = post(client, "/login", login=OWNER, password=PASSWORD, next=f"/shops{back}")
    assert answer.headers["location"] == f"/shops/{PLAIN}/items?category=a&page=2"
