"""Ports of this machine that nobody uses."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

# A client's end of any connection gets a port of the system's own range, so a port of that range may be gone before the server
# that wants it is there. Below it only servers stand; above 10,240 few have one of their own.
_LOWEST, _USUAL_END = 10_240, 32_768
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """So many different ports on which nothing listens now and which no client's connection takes before they are used.
    Raises OSError when there are not so many.
    """
    candidates = list(range(_LOWEST, _first_of_clients()))
    random.SystemRandom().shuffle(candidates)
    result: list[int] = []
    for port in candidates:
        if len(result) == count:
            break
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            result.append(port)
    if len(result) < count:
        raise OSError(f"only {len(result)} of {count} ports between {_LOWEST} and {_first_of_clients()} are free")
    return result


def free_port() -> int:
    """A port on which nothing listens now."""
    return free_ports(1)[0]


def _first_of_clients() -> int:
    first = int(_RANGE.read_text(encoding="utf-8").split()[0]) if _RANGE.exists() else _USUAL_END
    return first if first > _LOWEST + 1000 else 65_536
