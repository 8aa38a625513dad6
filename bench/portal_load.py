"""A portal over a big shop as a process of its own, with members who are logged in, and the addresses of its pages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import numpy as np

from bench.big_shop import SHOP, make_big_shop
from bench.measured_command import run_measured
from bench.one_shop import settings_of
from dashboard.portal.app import PAGES, people_of
from dashboard.portal.datasets import DATASETS
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from ops.ports import free_ports

PASSWORD = "a long enough word 7"
START_TIMEOUT_S = 60.0
LAST_DAY = date(2026, 11, 29)
# What stands in the places of addresses; a page with another place is named as not measured.
_PLACES = {
    **{"shop_id": [SHOP], "mart": ["fct_shop_days"], "column": ["net_gmv_minor"], "metric": ["gmv"], "dataset": [*DATASETS]},
    "item_id": ["i0"],
}


def built_shop(var: Path, events: int) -> tuple[int, float]:
    """Make a shop of so many events and its marts below ``var``; events and the seconds of the build."""
    count = make_big_shop(var, events, last=LAST_DAY)
    began = time.monotonic()
    run_measured([sys.executable, "-m", "ops.marts", "build"], var)
    return count, time.monotonic() - began


@contextmanager
def running_portal(var: Path) -> Iterator[str]:
    """The address of a portal over ``var``, until the block ends. Raises RuntimeError with its log when it does not start."""
    (port, metrics_port), log = free_ports(2), var / "portal.log"
    ports = {"JISHI_PORTAL_PORT": str(port), "JISHI_PORTAL_METRICS_PORT": str(metrics_port)}
    environment = os.environ | ports | {"JISHI_VAR": str(var), "PYTHONPATH": str(PROJECT_ROOT)}
    with log.open("wb") as out:
        command = [sys.executable, "-m", "dashboard.portal", "serve"]
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=PROJECT_ROOT, env=environment)
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                httpx.get(f"{base}/healthz", timeout=5)
                break
            except httpx.TransportError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the portal did not start: {log.read_text()[-2000:]}") from None
                time.sleep(0.2)
        yield base
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def logged_in(settings: Settings, base: str, number: int) -> Iterator[httpx.Client]:
    """A browser of an owner of the shop; ``number`` tells members apart, over all runs. Raises RuntimeError."""
    people, login, now = people_of(Paths.of(settings)), f"owner{number}@big.example", datetime.now(UTC)
    people.accept(people.invite(login, SHOP, "owner", now), login, PASSWORD, now)
    with httpx.Client(base_url=base, timeout=120, headers={"accept-language": "en"}) as client:
        [token, *_] = re.findall(r'name="form_token" value="([^"]*)"', client.get("/login").text)
        answer = client.post("/login", data={"form_token": token, "login": login, "password": PASSWORD})
        if answer.status_code != httpx.codes.SEE_OTHER:
            raise RuntimeError(f"{login} cannot log in: {answer.status_code}")
        yield client


def page_addresses() -> tuple[list[str], list[str]]:
    """Addresses of the shop's pages that only read, each place filled; and the paths that were left out."""
    measured, left_out = [], []
    for page in PAGES:
        if page.method != "GET" or "{shop_id}" not in page.path:
            continue
        if page.path.endswith("/stream"):  # never ends: `jishi bench live` is for it
            left_out.append(page.path)
            continue
        addresses = [page.path]
        for written, place in re.findall(r"(\{(\w+)(?::\w+)?\})", page.path):
            addresses = [each.replace(written, value) for each in addresses for value in _PLACES.get(place, [])]
        measured += addresses
        left_out += [] if addresses else [page.path]
    return measured, left_out


def timed_get(client: httpx.Client, address: str) -> float:
    """Seconds to the last byte of a page. Raises RuntimeError for any other answer than 200."""
    began = time.perf_counter()
    answer = client.get(address)
    seconds = time.perf_counter() - began
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"{address}: {answer.status_code} {answer.text[:300]}")
    return seconds


def quantile(seconds: list[float], share: float) -> float:
    """A quantile, in seconds to the millisecond."""
    return round(float(np.quantile(seconds, share)), 3)


def shop_settings(var: Path) -> Settings:
    """Settings of the platform below ``var``."""
    var.mkdir(parents=True, exist_ok=True)
    return settings_of(var)
