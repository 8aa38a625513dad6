"""Ask each part how it is: over HTTP, by its port, or by its heartbeat."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from jishi.heartbeat import TAKEN_AWAY_S, Heartbeat, beats
from jishi.paths import Paths
from jishi.settings import Settings
from ops.kafka import wait_for_port
from ops.parts import Part, UnknownPart
from ops.supervisor import states


@dataclass(frozen=True)
class PartHealth:
    """State of a part's process, whether the part answers, what it said, and its page."""

    name: str
    state: str
    is_healthy: bool
    message: str
    url: str


def health_of(part: Part, settings: Settings, paths: Paths, state: str) -> PartHealth:
    """Health of one part; ``state`` is what the supervisor says of its process."""
    url = f"http://{settings.host}:{part.port}{part.page}" if part.port and part.page else ""
    if part.port and not part.page:
        url = f"{settings.host}:{part.port}"
    if part.name == "flink":
        url = f"{settings.flink_address}/"
    if state != "RUNNING":
        return PartHealth(part.name, state, False, "its process does not run", url)
    is_healthy, message = _ask(part, settings, paths)
    return PartHealth(part.name, state, is_healthy, message, url)


def _ask(part: Part, settings: Settings, paths: Paths) -> tuple[bool, str]:
    if part.port:
        return _ask_server(part, part.port, settings.host)
    if part.watched_as:
        return _ask_airflow(part.watched_as, f"{settings.airflow_address}/api/v2/monitor/health")
    here = [sign for sign in beats(paths, part.name) if sign.host == socket.gethostname()]
    return _read(here[0]) if here else (False, "no life sign yet")


def _ask_elsewhere(part: Part, settings: Settings, paths: Paths, hosts: list[str]) -> tuple[bool, str]:
    """Whether every one of the part is healthy, and what they said."""
    if part.watched_as:
        return _ask(part, settings, paths)
    if part.port:
        answers = {host: _ask_server(part, part.port, host) for host in hosts}
        nothing = "JISHI_PART_HOSTS names no host of it"
    else:
        signs = [sign for sign in beats(paths, part.name) if sign.age_s < TAKEN_AWAY_S]
        answers = {sign.host: _read(sign) for sign in signs}
        nothing = "no life sign yet"
    message = "; ".join(f"{host}: {words}" for host, (_, words) in sorted(answers.items()))
    return bool(answers) and all(is_healthy for is_healthy, _ in answers.values()), message or nothing


def _ask_server(part: Part, port: int, host: str) -> tuple[bool, str]:
    if part.health_path:
        return _ask_http(f"http://{host}:{port}{part.health_path}")
    is_open = wait_for_port(host, port, 0.05)
    return is_open, f"port {port} is {'open' if is_open else 'closed'}"


def _read(sign: Heartbeat) -> tuple[bool, str]:
    facts = ", ".join(f"{key} {value}" for key, value in sign.facts.items() if key != "pid")
    return sign.is_fresh, f"life sign {sign.age_s:.0f} s ago; {facts}"


def _ask_airflow(component: str, url: str) -> tuple[bool, str]:
    """What Airflow's server says of one of its processes, from the heartbeats in its database."""
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            reported = json.load(answer).get(component) or {}
    except OSError as error:
        return False, f"Airflow's server does not answer: {error}"
    beats = reported.get(f"latest_{component}_heartbeat") or "none yet"
    return reported.get("status") == "healthy", f"{reported.get('status') or 'unknown'} to Airflow, last heartbeat {beats[:19]}"


def _ask_http(url: str) -> tuple[bool, str]:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return True, f"answers {answer.status}"
    except urllib.error.HTTPError as error:
        return False, f"answers {error.code} to {url}"
    except OSError as error:
        return False, f"does not answer: {error}"


def hosts_of_parts(settings: Settings) -> dict[str, list[str]]:
    """The hosts of each part by ``part_hosts``. Raises UnknownPart for what is not PART=HOST."""
    return hosts_in(settings.part_hosts)


def hosts_in(part_hosts: str) -> dict[str, list[str]]:
    """The hosts of each part that PART=HOST,… names. Raises UnknownPart for what is not PART=HOST."""
    hosts: dict[str, list[str]] = {}
    for entry in filter(None, (each.strip() for each in part_hosts.split(","))):
        name, sign, host = entry.partition("=")
        if not (name and sign and host):
            raise UnknownPart(f"JISHI_PART_HOSTS: {entry} is not PART=HOST")
        hosts.setdefault(name, []).append(host)
    return hosts


def _place(part: Part, hosts: dict[str, list[str]]) -> str:
    return ", ".join(f"{host}:{part.port}" for host in hosts.get(part.name, []))


def platform_health(parts: list[Part], settings: Settings, paths: Paths) -> list[PartHealth]:
    """Health of all parts: of those of this machine's supervisor, or where none runs, of the parts on ``part_hosts``."""
    known = states(paths)
    if not known and settings.part_hosts:
        hosts = hosts_of_parts(settings)
        with ThreadPoolExecutor(len(parts)) as pool:
            asked = pool.map(lambda part: _ask_elsewhere(part, settings, paths, hosts.get(part.name, [])), parts)
            return [
                PartHealth(part.name, "RUNNING" if is_healthy else "DOWN", is_healthy, message, _place(part, hosts))
                for part, (is_healthy, message) in zip(parts, asked, strict=True)
            ]
    return [health_of(p, settings, paths, known.get(p.name, {}).get("statename", "DOWN")) for p in parts]
