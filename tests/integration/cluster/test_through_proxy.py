"""Two collectors and two serving processes behind the proxy of ``deploy/``: one of each dies, and every request is answered.

Named so that it runs after ``test_stream.py``, whose first test counts all that the brokers have.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import httpx
import pytest

from chaos.kills import prepare
from chaos.shopper import SHOP
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shops import Shop, Shops
from ops.ports import free_port, free_ports
from tests.integration.cluster.conftest import BROKERS, HOST, Brokers
from tests.integration.cluster.test_stream import intakes, log_of, records_of
from tests.integration.collector.conftest import CollectorFolder
from tests.integration.conftest import Server, new_database, running
from tests.integration.stream.conftest import wait_until
from tests.releases import item_ids

__all__ = ["intakes"]  # a fixture
pytestmark = pytest.mark.integration
NEW = "without-release"
ASKED = ("list", "batch", "events")
PAUSE_S = 0.04  # of each lane, of which every kind has two


@dataclass
class Servings:
    """Two serving processes over one folder of state, as two containers have it; each can be killed and started again."""

    settings: Settings
    variables: dict[str, str]
    ports: Sequence[int]
    key: str
    key_of_new: str
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, number: int) -> None:
        """Start one and wait until it can answer."""
        url, variables = f"http://{HOST}:{self.ports[number]}/readyz", {"JISHI_SERVING_PORT": str(self.ports[number])}
        with self.log(number).open("ab") as out:
            self.processes[number] = subprocess.Popen(
                [sys.executable, "-m", "serving"],
                cwd=PROJECT_ROOT,
                env=os.environ | self.variables | variables,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        wait_until(lambda: answers(url), lambda: self.log(number).read_text()[-3000:], 180)

    def kill(self, number: int) -> None:
        """kill -9 of all its processes."""
        process = self.processes.pop(number)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def log(self, number: int) -> Path:
        return self.settings.var / f"serving-{number}.log"


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=60).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def servings(
    brokers: Brokers,
    bucket: dict[str, str],
    postgres_server: Server,
    redis_server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Servings]:
    """Both run; one shop has a release, the other has nothing yet."""
    for number in set(range(BROKERS)) - brokers.processes.keys():
        brokers.start(number)
    values = bucket | {
        "var": str(tmp_path_factory.mktemp("servings")),
        "host": HOST,
        "profile": "cluster",
        "kafka_bootstrap": brokers.bootstrap,
        "redis_url": f"{HOST}:{redis_server.port}",
        "lake_catalog_uri": f"postgresql://jishi@{HOST}:{postgres_server.port}/{new_database(postgres_server)}",
        "serving_workers": "1",
        "trusted_proxies": "1",
    }
    settings = Settings(_env_file=None, **values)  # type: ignore[call-arg,arg-type]
    with Shops.edit(Paths.of(settings).shops_file) as shops:
        for shop_id in (SHOP, NEW):
            shops.add(Shop(shop_id=shop_id, name=shop_id))
        key, key_of_new = (shops.issue_key(shop_id, "read") for shop_id in (SHOP, NEW))
    prepare(settings)
    built = Servings(
        settings, {f"JISHI_{name.upper()}": value for name, value in values.items()}, free_ports(2), key, key_of_new
    )
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(built.start, range(2)))
        yield built
    finally:
        for number in list(built.processes):
            built.kill(number)


@dataclass(frozen=True)
class Proxy:
    """nginx, its two addresses, and what it noted of each request: the servers that it asked, in turn, and what they said."""

    collectors: str
    serving: str
    log: Path

    def asked(self) -> list[list[tuple[str, str]]]:
        lines = [line.split("|") for line in self.log.read_text().splitlines() if line.count("|") == 2]
        return [list(zip(*(re.split(r", | : ", words) for words in line[:2]), strict=True)) for line in lines]


@pytest.fixture(scope="module")
def proxy(intakes: list[CollectorFolder], servings: Servings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The proxy as ``deploy/nginx.conf`` has it: only hosts, ports and places of files are those of this test."""
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx)")
    folder, listens = tmp_path_factory.mktemp("proxy"), free_port()
    addresses = {
        "collector-1:18080": f"{HOST}:{intakes[0].settings.collector_port}",
        "collector-2:18080": f"{HOST}:{intakes[1].settings.collector_port}",
        "serving:18081": f"{HOST}:{servings.ports[0]}",
        "serving-2:18081": f"{HOST}:{servings.ports[1]}",
        "listen 18080": f"listen {HOST}:{listens}",
        "/dev/stdout": str(folder / "access.log"),
    }
    places = [f"{each}_temp_path {folder / each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    places += ["log_format asked '$upstream_addr|$upstream_status|$request';", f"access_log {folder / 'asked.log'} asked;"]

    def command(port: int) -> list[str]:
        text = (PROJECT_ROOT / "deploy" / "nginx.conf").read_text()
        for named, here in (addresses | {"listen 18081": f"listen {HOST}:{port}"}).items():
            assert named in text
            text = text.replace(named, here)
        (folder / "nginx.conf").write_text(text.replace("http {", "\n".join(["http {", *places]), 1))
        user = ["user root;"] if os.geteuid() == 0 else []  # its own could not write to this folder
        more = " ".join(["daemon off;", f"pid {folder / 'pid'};", *user])
        return [binary, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log"), "-g", more]

    with running(command) as server:
        yield Proxy(f"http://{HOST}:{listens}", f"http://{HOST}:{server.port}", folder / "asked.log")


class Requests:
    """Steady requests to the proxy by clients that try nothing again; ``bad`` has every answer that is not the asked one."""

    def __init__(self, proxy: Proxy, servings: Servings, key: str) -> None:
        self._proxy, self._servings, self._key = proxy, servings, key
        self._stopping, self._lock = threading.Event(), threading.Lock()
        self.good, self.bad, self.acknowledged = Counter[str](), list[str](), set[str]()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """As long as the block lasts."""
        runs = [(kind, lane) for kind in (*ASKED, "new") for lane in range(2)]
        with ThreadPoolExecutor(len(runs)) as pool:
            lanes = [pool.submit(self._run, *run) for run in runs]
            try:
                yield
            finally:
                self._stopping.set()
        for lane in lanes:
            lane.result()

    def wait_for(self, more: int) -> None:
        """Until so many more of each kind are answered."""
        wanted = {kind: self.good[kind] + more for kind in (*ASKED, "new")}
        wait_until(lambda: all(self.good[kind] >= count for kind, count in wanted.items()), lambda: self.bad[:10], 120)

    def _run(self, kind: str, lane: int) -> None:
        number = 0
        with httpx.Client(timeout=60) as client:
            while not self._stopping.wait(PAUSE_S):
                number += 1
                problem = getattr(self, f"_{kind}")(client, f"{kind}-{lane}-{number}")
                with self._lock:
                    self.good[kind] += problem is None
                    if problem is not None:
                        self.bad.append(f"{kind}: {problem}")

    def _list(self, client: httpx.Client, request: str) -> str | None:
        answer = client.get(f"{self._url(SHOP)}?user_id=u1&limit=4", headers=_bearer(self._servings.key))
        named = [item["item_id"] for item in answer.json()["items"]] if answer.status_code == 200 else []
        return None if len(set(named) & set(item_ids(SHOP))) == 4 else answer.text

    def _batch(self, client: httpx.Client, request: str) -> str | None:
        asked = {"shoppers": [{"user_id": f"u{each}"} for each in range(3)], "limit": 4}
        answer = client.post(f"{self._url(SHOP)}/batch", json=asked, headers=_bearer(self._servings.key))
        return None if answer.status_code == 200 and len(answer.json()["lists"]) == 3 else answer.text

    def _events(self, client: httpx.Client, request: str) -> str | None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        seen = {"shop_id": "a", "type": "item_viewed", "occurred_at": at, "user_id": request, "properties": {"item_id": "i"}}
        ids = [f"{request}-{each}" for each in range(5)]
        answer = client.post(
            f"{self._proxy.collectors}/v1/events", json=[seen | {"event_id": each} for each in ids], headers=_bearer(self._key)
        )
        if answer.status_code != 200:
            return answer.text
        with self._lock:
            self.acknowledged |= set(ids)
        return None

    def _new(self, client: httpx.Client, request: str) -> str | None:
        """What a shop gets that has no release: no answer, from nobody."""
        answer = client.get(self._url(NEW), headers=_bearer(self._servings.key_of_new))
        return None if answer.status_code in (502, 503) else answer.text

    def _url(self, shop_id: str) -> str:
        return f"{self._proxy.serving}/v1/shops/{shop_id}/recommendations"


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("deaths", [1, pytest.param(20, marks=pytest.mark.survive)])
def test_one_of_two_dies_and_every_request_is_answered(
    brokers: Brokers, intakes: list[CollectorFolder], servings: Servings, proxy: Proxy, deaths: int
) -> None:
    requests = Requests(proxy, servings, intakes[0].key)
    with requests.going_on():
        for dying in islice(cycle(range(2)), deaths):
            requests.wait_for(20)
            seen = len(proxy.asked())
            collector = intakes[dying].processes[0]
            collector.kill()
            servings.kill(dying)
            requests.wait_for(20)
            gone = {f"{HOST}:{servings.ports[dying]}", f"{HOST}:{intakes[dying].settings.collector_port}"}
            met = {server for attempts in proxy.asked()[seen:] for server, status in attempts[:-1] if status == "502"}
            assert gone <= met, "no request met the dead one, so none was tried again"
            seen = len(proxy.asked())
            collector.wait()
            intakes[dying].serve()
            intakes[dying].processes.insert(0, intakes[dying].processes.pop())
            servings.start(dying)
            wait_until(  # each has answered again
                lambda gone=gone, seen=seen: (
                    gone <= {each for row in proxy.asked()[seen:] for each, status in row if status == "200"}
                ),
                lambda: proxy.asked()[-20:],
            )
    assert requests.bad == []
    print({"good answers": dict(requests.good), "events acknowledged": len(requests.acknowledged)})
    stored = {record["event_id"] for intake in intakes for record in intake.stored()}
    assert requests.acknowledged <= stored
    wait_until(lambda: requests.acknowledged <= ids_in_log(brokers.bootstrap), log_of(intakes[0]), 120)


def ids_in_log(bootstrap: str) -> set[str]:
    return {record["event_id"] for record in records_of(bootstrap)}
