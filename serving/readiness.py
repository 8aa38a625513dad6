"""The body of ``/readyz``: for each shop the release, the catalogue and its problems, and the position of the stream."""

from __future__ import annotations

from typing import Any

from serving.engine import Engine


def readiness(engine: Engine, now: float) -> tuple[bool, dict[str, Any]]:
    """Whether at least one shop can be answered for, and the details; ``now`` is epoch seconds."""
    shops = {}
    known = {state.shop_id: state for state in engine.states.all()}
    for shop_id in sorted({*known, *engine.keys.shop_ids}):
        state = engine.states.find(shop_id)
        release = state.release
        shops[shop_id] = {
            "ready": state.shelf is not None,
            "release": release.version,
            "release_age_s": None if release.published_at is None else round(now - release.published_at, 1),
            "release_problem": release.problem,
            "placements": {} if state.shelf is None else dict(state.shelf.model.placement_notes),
            "catalogue_items": len(state.catalogue.items),
            "live_changes": state.changes,
        }
    age_s = engine.stream.age_s()
    is_ready = any(shop["ready"] for shop in shops.values()) and not engine.dead_threads()
    return is_ready, {
        "ready": is_ready,
        "shops": shops,
        "stream": {
            "waiting_for": engine.stream.waiting_for,
            "lag_records": sum(engine.stream.lag.values()),
            "age_s": None if age_s is None else round(age_s, 1),
            "applied": engine.stream.applied,
            "skipped": engine.stream.skipped,
        },
        "online_store": {"problem": engine.recent.health.problem, "reads": engine.recent.health.reads},
        "served_log": {"problem": engine.served_log.problem, "dropped": engine.served_log.dropped},
        "decision_log": {"problem": engine.decisions.problem, "dropped": engine.decisions.dropped},
        "problems": {**engine.watcher.problems, **({"registry": engine.keys.problem} if engine.keys.problem else {})},
        "dead_threads": engine.dead_threads(),
    }
