"""Every online store that Jishi knows, on servers of these tests' own; a server that is not installed skips what needs it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psutil
import pytest

from ops.ports import free_port

STORES = ("sqlite", "redis", "postgresql")
_HOST = "127.0.0.1"
_databases = count()


@dataclass
class Server:
    """A running server that listens on ``port``; it can be killed and started again by its command."""

    command: list[str]
    port: int
    user: str | None = None
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=self.user)
        deadline = time.monotonic() + 180
        while not _listens(self.port):
            assert self.process.poll() is None, f"{self.command} ended"
            assert time.monotonic() < deadline, f"{self.command} does not listen"
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9 of all its processes at once."""
        leader = psutil.Process(self.process.pid)
        members = [leader, *leader.children(recursive=True)]
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(members[1:], 30)
        self.process.wait(30)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Inside the block no process of the server does anything."""
        leader = psutil.Process(self.process.pid)
        members = [leader, *leader.children(recursive=True)]
        for member in members:
            member.suspend()
        try:
            yield
        finally:
            for member in members:
                member.resume()


@dataclass(frozen=True)
class OnlineStore:
    """An empty online store: the settings that choose it, and its server where it has one."""

    settings: dict[str, str]
    server: Server | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The settings as variables of a process."""
        return {f"JISHI_{name.upper()}": value for name, value in self.settings.items()}


@contextmanager
def running(command: Callable[[int], list[str]], user: str | None = None) -> Iterator[Server]:
    """A server that listens on a free port, which its command is made of; stopped at the end."""
    port = free_port()
    server = Server(command(port), port, user)
    try:
        server.start()
        yield server
    finally:
        server.process.send_signal(
            signal.SIGINT
        )  # of all signals the one at which PostgreSQL ends its sessions and then itself
        server.process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((_HOST, port)) == 0


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Redis server that keeps nothing on disk."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    folder = tmp_path_factory.mktemp("redis")
    fixed = ["--bind", _HOST, "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with running(lambda port: [binary, "--port", str(port), *fixed]) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server that trusts its one user, ``jishi``."""
    with postgresql(lambda data: []) as server:
        yield server


@contextmanager
def postgresql(prepare: Callable[[Path], list[str]]) -> Iterator[Server]:
    """A PostgreSQL server; ``prepare`` changes its folder before it starts and returns options of its command line."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not binaries:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to be root
    with tempfile.TemporaryDirectory(prefix="jishi-postgresql-") as folder:  # not pytest's own, which is closed to others
        if user is not None:
            shutil.chown(folder, user)
        data = Path(folder) / "data"
        command = ["initdb", "--pgdata", str(data), "--username", "jishi", "--auth", "trust", "--no-sync", "--encoding", "UTF8"]
        subprocess.run([f"{binaries[-1]}/{command[0]}", *command[1:]], check=True, stdout=subprocess.DEVNULL, user=user)
        fixed = ["-D", str(data), "-h", _HOST, "-c", "unix_socket_directories=", "-c", "fsync=off", *prepare(data)]
        with running(lambda port: [f"{binaries[-1]}/postgres", "-p", str(port), *fixed], user) as server:
            yield server


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """URL of a server that speaks S3 and keeps all in memory."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address=_HOST, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=STORES)
def online_store(request: pytest.FixtureRequest) -> OnlineStore:
    """Each store by turns, empty; a test of which one is enough says so by indirect parameters."""
    return _empty_store(request.param, request)


@pytest.fixture(scope="module")
def installed_stores(request: pytest.FixtureRequest) -> dict[str, OnlineStore]:
    """By name, every store whose server is installed, empty at the start of the module."""
    by_key = {}
    for name in STORES:
        with suppress(pytest.skip.Exception):
            by_key[name] = _empty_store(name, request)
    return by_key


def _empty_store(name: str, request: pytest.FixtureRequest) -> OnlineStore:
    if name == "redis":
        server: Server = request.getfixturevalue("redis_server")
        with socket.create_connection((_HOST, server.port)) as client:
            client.sendall(b"FLUSHALL\r\n")
            assert client.recv(16) == b"+OK\r\n"
        return OnlineStore({"online_store": name, "redis_url": f"{_HOST}:{server.port}"}, server)
    if name == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = f"postgresql://jishi@{_HOST}:{server.port}/{new_database(server)}"
        return OnlineStore({"online_store": name, "postgres_url": url}, server)
    return OnlineStore({"online_store": name})


def new_database(server: Server) -> str:
    """Name of a database that is made now."""
    from pg8000.exceptions import DatabaseError
    from pg8000.native import Connection

    name = f"test_{next(_databases)}"
    deadline = time.monotonic() + 180
    while True:
        try:
            with Connection("jishi", host=_HOST, port=server.port, database="postgres") as connection:
                connection.run(f"CREATE DATABASE {name}")
                return name
        except DatabaseError:  # it listens before it is ready
            assert time.monotonic() < deadline
            time.sleep(0.05)
