"""Ports of this machine that nobody uses."""

from __future__ import annotations

import socket


def free_ports(count: int) -> list[int]:
    """So many different ports on which nothing listens now; another process may still take one before it is used."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def free_port() -> int:
    """A port on which nothing listens now."""
    return free_ports(1)[0]
