"""``jishi portal``: let people in, and serve them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from dashboard.portal.__main__ import address_problem
from dashboard.portal.app import people_of, utc_now
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from jishi.shops import Shop, Shops
from ops.airflow import write_secrets
from ops.demo.options import DemoFailed
from ops.demo.tenants import invitation
from ops.parts import parts
from ops.ports import free_ports
from tests.lake import settings_in


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A platform with one shop, which commands find by JISHI_VAR."""
    paths = Paths.of(settings_in(tmp_path / "var"))
    shops = Shops()
    shops.add(Shop(shop_id="a", name="A"))
    shops.save(paths.shops_file)
    monkeypatch.setenv("JISHI_VAR", str(paths.var))
    return paths


def portal(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``jishi portal``."""
    command = [sys.executable, "-m", "ops.cli", "portal", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT, timeout=120)


def test_a_link_of_the_command_line_makes_a_member(paths: Paths) -> None:
    link = portal("users", "add", "Mei@example.org", "--shop", "a", "--role", "analyst").stdout.strip()
    token = urlsplit(link).path.removeprefix("/links/")
    people = people_of(paths)
    [listed] = [line for line in portal("users", "list", "--shop", "a").stdout.splitlines() if "mei@example.org" in line]
    assert "invited" in listed
    assert people.accept(token, "Mei", "a good long password", utc_now()).role == "analyst"
    assert [member.login for member in people.members("a")] == ["mei@example.org"]
    assert portal("users", "reset", "mei@example.org").stdout.startswith("http://127.0.0.1:18087/links/")
    owner = invitation(paths, "a")
    assert people.invitation(urlsplit(owner).path.removeprefix("/links/"), utc_now()).login == "owner.a"


@pytest.mark.parametrize(
    ("arguments", "said_why"),
    [
        (["add", "mei", "--shop", "b"], "unknown shop 'b'; known: a"),
        (["add", "no login", "--shop", "a"], "is no login"),
        (["add", "mei", "--shop", "a", "--role", "king"], "choose owner, marketer"),
        (["reset", "nobody"], "nobody is called 'nobody'"),
        (["remove", "nobody", "--shop", "a"], "is no member"),
    ],
)
def test_what_is_wrong_is_named(paths: Paths, arguments: list[str], said_why: str) -> None:
    done = portal("users", *arguments)
    assert done.returncode == 2
    assert said_why in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize("address", ["https://example.org/jishi", "https://example.org/jishi/", "example.org"])
def test_an_address_with_a_path_is_refused_with_the_fix(paths: Paths, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Its links begin at the root: a proxy that serves it below a path would show pages without styles, and no way in."""
    monkeypatch.setenv("JISHI_PORTAL_URL", address)
    refused = portal("serve")
    assert refused.returncode == 1
    assert f"JISHI_PORTAL_URL is {address}, but the portal is served at the root of a host alone" in refused.stderr
    assert "such as https://portal.example.org" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_address_of_a_host_is_none_to_refuse(paths: Paths) -> None:
    for address in ("", "https://portal.example.org", "https://portal.example.org/", "http://[::1]:18087"):
        assert address_problem(settings_in(paths.var).model_copy(update={"portal_url": address})) is None


def test_the_demo_says_when_nobody_can_be_invited(paths: Paths) -> None:
    with pytest.raises(DemoFailed, match="portal of no-shop"):
        invitation(paths, "no-shop")


def test_the_part_serves_and_names_a_taken_port(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    port, metrics_port = free_ports(2)
    monkeypatch.setenv("JISHI_PORTAL_PORT", str(port))
    monkeypatch.setenv("JISHI_PORTAL_METRICS_PORT", str(metrics_port))
    write_secrets(paths)
    [part] = [part for part in parts(settings_in(paths.var), paths) if part.name == "portal"]
    command = [sys.executable, *part.command[1:]]
    serving = subprocess.Popen(command, cwd=PROJECT_ROOT, env=os.environ)
    try:
        for _ in range(600):
            try:
                with urlopen(f"http://127.0.0.1:{port}{part.health_path}", timeout=60) as answer:
                    assert answer.read() == b"ok"
                break
            except (URLError, ConnectionError):
                assert serving.poll() is None
                time.sleep(0.1)
        else:
            pytest.fail("the portal does not answer")
        second = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert "set JISHI_PORTAL_PORT" in second.stderr
        with urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=60) as answer:
            assert b'jishi_portal_requests_total{method="GET",page="/healthz",status="200"}' in answer.read()
        elsewhere = os.environ | {"JISHI_PORTAL_PORT": str(free_ports(1)[0])}
        third = subprocess.run(command, cwd=PROJECT_ROOT, env=elsewhere, capture_output=True, text=True, check=False)
        assert third.returncode == 1
        assert "set JISHI_PORTAL_METRICS_PORT" in third.stderr
    finally:
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) in (0, -signal.SIGTERM)
