"""Ask each part how it is: over HTTP, by its port, or by its heartbeat."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass

from jishi.heartbeat import last_beat
from jishi.paths import Paths
from jishi.settings import Settings
from ops.kafka import wait_for_port
from ops.parts import Part
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
    if part.port and part.health_path:
        return _ask_http(f"http://{settings.host}:{part.port}{part.health_path}")
    if part.port:
        is_open = wait_for_port(settings.host, part.port, 0.05)
        return is_open, f"port {part.port} is {'open' if is_open else 'closed'}"
    if part.watched_as:
        return _ask_airflow(part.watched_as, f"{settings.airflow_address}/api/v2/monitor/health")
    beat = last_beat(paths, part.name)
    if beat is None:
        return False, "no life sign yet"
    facts = ", ".join(f"{key} {value}" for key, value in beat.facts.items() if key != "pid")
    return beat.is_fresh, f"life sign {beat.age_s:.0f} s ago; {facts}"


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


def platform_health(parts: list[Part], settings: Settings, paths: Paths) -> list[PartHealth]:
    """Health of all parts."""
    known = states(paths)
    return [health_of(p, settings, paths, known.get(p.name, {}).get("statename", "DOWN")) for p in parts]
