"""The body of ``/readyz``, which everybody can read and which names no shop, and of one shop's readiness behind its key."""

from __future__ import annotations

from typing import Any

from serving.engine import Engine


def shop_readiness(engine: Engine, shop_id: str, now: float) -> dict[str, Any]:
    """The release, its age, the catalogue and their problems of one shop; ``now`` is epoch seconds."""
    state = engine.states.find(shop_id)
    release = state.release
    return {
        "ready": state.shelf is not None and engine.stream.has_caught_up,
        "answers_from_catalogue": state.shelf is None and bool(state.catalogue.items) and engine.stream.has_caught_up,
        "catching_up": not engine.stream.has_caught_up,
        "release": release.version,
        "release_age_s": None if release.published_at is None else round(now - release.published_at, 1),
        "release_problem": release.problem,
        "rules": state.rules.version,
        "rules_problem": state.rules.problem,
        "placements": {} if state.shelf is None else dict(state.shelf.model.placement_notes),
        "catalogue_items": len(state.catalogue.items),
        "live_changes": state.changes,
    }


def readiness(engine: Engine) -> tuple[bool, dict[str, Any]]:
    """Whether at least one shop can be answered for, and how the process is."""
    known = {state.shop_id for state in engine.states.all()} | set(engine.keys.shop_ids)
    ready = sum(engine.states.find(shop_id).shelf is not None for shop_id in known)
    age_s = engine.stream.age_s()
    is_ready = ready > 0 and engine.stream.has_caught_up and not engine.dead_threads()
    return is_ready, {
        "ready": is_ready,
        "shops": {"ready": ready, "known": len(known)},
        "stream": {
            "waiting_for": engine.stream.waiting_for,
            "has_caught_up": engine.stream.has_caught_up,
            "lag_records": sum(engine.stream.lag.values()),
            "age_s": None if age_s is None else round(age_s, 1),
            "applied": engine.stream.applied,
            "skipped": engine.stream.skipped,
        },
        "features": {
            "rows": len(engine.recent.features.table),
            "lag_records": sum(engine.followed.lag.values()),
            "waiting_for": engine.followed.waiting_for,
            "reads": engine.recent.features.counts,
        },
        "online_store": {"problem": engine.recent.health.problem, "reads": engine.recent.health.reads},
        "served_log": {"problem": engine.served_log.problem, "dropped": engine.served_log.dropped},
        "decision_log": {"problem": engine.decisions.problem, "dropped": engine.decisions.dropped},
        "decision_topic": {"problem": engine.topic.problem, "sent": engine.topic.sent, "lost": engine.topic.lost},
        "problems": {**engine.watcher.problems, **({"registry": engine.keys.problem} if engine.keys.problem else {})},
        "dead_threads": engine.dead_threads(),
    }
