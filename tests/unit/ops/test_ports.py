"""A free port is one that no server has and that no client's connection is given by the system."""

from __future__ import annotations

import socket

import pytest

from ops import ports


def test_ports_are_different_free_and_below_those_of_clients() -> None:
    given = ports.free_ports(50)
    assert len(set(given)) == 50
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", given[0]))
        server.listen()
        client.connect(("127.0.0.1", given[0]))
        assert max(given) < client.getsockname()[1]


def test_a_port_in_use_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = ports.free_port()
    monkeypatch.setattr(ports, "_LOWEST", taken)
    monkeypatch.setattr(ports, "_first_of_clients", lambda: taken + 1)
    assert ports.free_ports(1) == [taken]
    with socket.socket() as server:
        server.bind(("127.0.0.1", taken))
        server.listen()
        with pytest.raises(OSError, match="only 0 of 1 ports"):
            ports.free_ports(1)
