"""Names of the job's operators that outlive an upgrade: a savepoint gives each operator the state under its uid.

The planner would number operators through, so that a new view renames all behind it. Here an operator is called
``<owner>@<version>.<kind>.<n>``. The owner is the view or the sink that it alone serves, or ``events`` for what several share.
The version names the statements that decide what it computes, so that state never passes to a computation that means
something else. ``n`` counts the owner's operators of one kind. A view that is added or taken away changes no other name.
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

from jishi.lake import write_json

SHARED = "events"
_VIEW = re.compile(r"'view', '(\w+)'")
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
        return cls(tuple(json.loads(file.read_text())["uids"]))


def assign_uids(plan: dict[str, Any], versions: Mapping[str, str]) -> None:
    """Give each node of a compiled plan its name; ``versions`` by view, and under ``SHARED`` for all else."""
    owners = _owners(plan)
    counted: Counter[tuple[str, str]] = Counter()
    for node in sorted(plan["nodes"], key=lambda node: int(node["id"])):
        owner, kind = owners[node["id"]], _kind(node)
        counted[owner, kind] += 1
        uid = f"{owner}@{versions.get(owner, versions[SHARED])}.{kind}.{counted[owner, kind]}"
        node.setdefault("configuration", {})[_UID] = uid + _TRANSFORMATION


def operators_of(plan: dict[str, Any]) -> Operators:
    """The operators of a plan whose uids were assigned."""
    stateful = [node for node in plan["nodes"] if _kind(node) not in _STATELESS]
    return Operators(tuple(sorted(node["configuration"][_UID].removesuffix(_TRANSFORMATION) for node in stateful)))


def version_of(*statements: str) -> str:
    """Names a computation by its statements."""
    return hashlib.sha256("\n;\n".join(statements).encode()).hexdigest()[:8]


def _owners(plan: dict[str, Any]) -> dict[int, str]:
    """By node: the one view or sink that it leads to, or SHARED."""
    after: dict[int, list[int]] = defaultdict(list)
    for edge in plan["edges"]:
        after[edge["source"]].append(edge["target"])
    leads_to: dict[int, frozenset[str]] = {}
    sinks: Counter[str] = Counter()
    nodes = {node["id"]: node for node in plan["nodes"]}
    for number in sorted(nodes):
        if sink := _SINK.match(nodes[number]["description"]):
            sinks[sink[1]] += 1
            leads_to[number] = frozenset({f"{sink[1]}-{sinks[sink[1]]}"})
    for number in sorted(nodes, reverse=True):  # the planner numbers from sources to sinks
        if number in leads_to:
            continue
        view = _VIEW.search(nodes[number]["description"]) if any(_is_end(nodes[n]) for n in after[number]) else None
        leads_to[number] = frozenset({view[1]}) if view else frozenset().union(*(leads_to[n] for n in after[number]))
    return {number: next(iter(names)) if len(names) == 1 else SHARED for number, names in leads_to.items()}


def _is_end(node: dict[str, Any]) -> bool:
    """Whether views end here: in their union, or in the sink itself where there is one view only."""
    return _kind(node) in ("union", "sink")


def _kind(node: dict[str, Any]) -> str:
    return str(node["type"]).removeprefix("stream-exec-").rsplit("_", 1)[0]
