"""Which hosts are never asked through a proxy: this machine and the platform's servers, whatever the environment says.

A machine that reaches the internet through a proxy has ``HTTP_PROXY`` set for all programs, and the proxy knows none of them.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from jishi.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def direct_hosts(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """``NO_PROXY`` in both spellings: what ``environment`` has in either, and the platform's hosts."""
    servers = (settings.flink_address, settings.serving_address, settings.airflow_address, settings.superset_internal_address)
    hosts = [*_LOOPBACK, settings.host, *(urlsplit(address).hostname or "" for address in servers)]
    hosts += [entry.partition("=")[2].strip() for entry in settings.part_hosts.split(",")]
    given = ",".join(environment.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    known = ",".join(dict.fromkeys(filter(None, [*_readable(given), *hosts])))
    return {"NO_PROXY": known, "no_proxy": known}


def _readable(given: str) -> Iterator[str]:
    """Entries that every client reads: of ``[::1]`` or a network of IPv6 httpx makes an error of each request."""
    for entry in (each.strip() for each in given.split(",")):
        if "/" not in entry or not _is_ipv6_network(entry):
            yield entry.removeprefix("[").removesuffix("]")


def _is_ipv6_network(entry: str) -> bool:
    try:
        return ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False).version == 6
    except ValueError:
        return False
