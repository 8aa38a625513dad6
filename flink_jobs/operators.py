"""Names of the job's operators that outlive an upgrade: a savepoint gives each operator the state under its uid.

The planner would number operators through, so that a new view renames all behind it. Here an operator is called
``<owner>@<version>.<kind>.<n>``. The owner is the view, the table of counters or the other sink that it alone serves, ``views``
or ``counters`` where several of these share it, or ``events`` for what lies before all of them. The version names what it
computes, so that state never passes to a computation that means something else. ``n`` counts the operators of one kind of an
owner and version. A view that is added or taken away changes no other name, unless it shares state with others and so changes
what is computed there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jishi.files import write_json

SHARED = "events"
SHARED_BY_VIEWS = "views"
SHARED_BY_COUNTERS = "counters"
_FEATURES_SINK = "features-1"
_VIEW = re.compile(r'"view":"(\w+)"')
_SINK = re.compile(r"^Sink\(table=\[(?:\w+\.)*(\w+)\]")
# Kinds that keep nothing between two records, or hand on what they keep with each checkpoint.
_STATELESS = frozenset(
    {"calc", "exchange", "union", "correlate", "watermark-assigner", "local-window-aggregate", "window-table-function"}
)
_FILE = "operators.json"
_UID = "table.exec.uid.format"
_TRANSFORMATION = ".<transformation>"  # a node may become several operators


@dataclass(frozen=True)
class Operators:
    """The uids of a job's operators that have state, sorted."""

    uids: tuple[str, ...]

    def lost_to(self, new: Operators) -> list[str]:
        """Those whose state finds no operator in ``new``."""
        return [uid for uid in self.uids if uid not in new.uids]

    def kept_by(self, new: Operators) -> list[str]:
        """Those whose state goes on in ``new``."""
        return [uid for uid in self.uids if uid in new.uids]

    def note(self, flink: Path) -> None:
        """Leave them in the job's folder, for the upgrade that comes one day."""
        write_json(flink / _FILE, {"uids": self.uids})

    @classmethod
    def noted(cls, flink: Path) -> Operators:
        """Those of the job that runs or ran last. Raises FileNotFoundError."""
        file = flink / _FILE
        if not file.exists():
            raise FileNotFoundError(
                f"{file} is missing: no job of this version has run here yet, so there is nothing to upgrade"
            )
        return cls(tuple(json.loads(file.read_text(encoding="utf-8"))["uids"]))


def assign_uids(plan: dict[str, Any], versions: Mapping[str, str]) -> None:
    """Give each node of a compiled plan its name; ``versions`` by view and table of counters, under ``SHARED`` for all else.

    Raises RuntimeError when a branch of the features tells no view.
    """
    nodes = {node["id"]: node for node in plan["nodes"]}
    owners = _owners(plan, nodes, versions)
    before: dict[int, list[int]] = defaultdict(list)
    for edge in plan["edges"]:
        before[edge["target"]].append(edge["source"])
    computed: dict[int, str] = {}
    counted: Counter[tuple[str, str]] = Counter()
    for number in sorted(nodes):  # the planner numbers from sources to sinks
        owner, kind = owners[number], _kind(nodes[number])
        version = versions.get(owner, versions[SHARED])
        if owner in (SHARED_BY_VIEWS, SHARED_BY_COUNTERS):
            version = version_of(version, nodes[number]["description"], *(computed.get(n, "") for n in before[number]))
            computed[number] = version
        name = f"{owner}@{version}"
        counted[name, kind] += 1
        uid = f"{name}.{kind}.{counted[name, kind]}"
        nodes[number].setdefault("configuration", {})[_UID] = uid + _TRANSFORMATION


def operators_of(plan: dict[str, Any]) -> Operators:
    """The operators of a plan whose uids were assigned."""
    stateful = [node for node in plan["nodes"] if _kind(node) not in _STATELESS]
    return Operators(tuple(sorted(node["configuration"][_UID].removesuffix(_TRANSFORMATION) for node in stateful)))


def version_of(*statements: str) -> str:
    """Names a computation by its statements."""
    return hashlib.sha256("\n;\n".join(statements).encode()).hexdigest()[:8]


def _owners(plan: dict[str, Any], nodes: Mapping[int, dict[str, Any]], versions: Mapping[str, str]) -> dict[int, str]:
    """By node: the one view or sink that it leads to, else what views or tables of counters share, else SHARED."""
    after: dict[int, list[int]] = defaultdict(list)
    for edge in plan["edges"]:
        after[edge["source"]].append(edge["target"])
    views: set[str] = set()
    leads_to: dict[int, frozenset[str]] = {}
    sinks = _sinks(nodes, versions)
    takes_views: set[int] = set()  # where views end: their union, or the sink of features where there is one view only
    for number in sorted(nodes, reverse=True):
        if number in sinks:
            leads_to[number] = frozenset({sinks[number]})
        elif _kind(nodes[number]) != "union" and any(n in takes_views for n in after[number]):
            views.add(_view_of(nodes[number]))
            leads_to[number] = frozenset({_view_of(nodes[number])})
        else:
            leads_to[number] = frozenset().union(*(leads_to[n] for n in after[number]))
        if leads_to[number] == {_FEATURES_SINK} and (number in sinks or _kind(nodes[number]) == "union"):
            takes_views.add(number)
    counters = versions.keys() & frozenset(sinks.values())
    shared = ((views, SHARED_BY_VIEWS), (counters, SHARED_BY_COUNTERS), (frozenset(sinks.values()) | views, SHARED))
    return {
        number: next(iter(names)) if len(names) == 1 else next(owner for members, owner in shared if names <= members)
        for number, names in leads_to.items()
    }


def _sinks(nodes: Mapping[int, dict[str, Any]], versions: Mapping[str, str]) -> dict[int, str]:
    """Sinks by node: the table where it has a version of its own, else the table and which of its sinks."""
    sinks: dict[int, str] = {}
    counted: Counter[str] = Counter()
    for number in sorted(nodes):
        if sink := _SINK.match(nodes[number]["description"]):
            counted[sink[1]] += 1
            sinks[number] = sink[1] if sink[1] in versions else f"{sink[1]}-{counted[sink[1]]}"
    return sinks


def _view_of(node: dict[str, Any]) -> str:
    view = _VIEW.search(node["description"])
    if view is None:
        raise RuntimeError(f"the plan's node {node['id']} makes messages and names no view: {node['description'][:200]}")
    return view[1]


def _kind(node: dict[str, Any]) -> str:
    return str(node["type"]).removeprefix("stream-exec-").rsplit("_", 1)[0]
