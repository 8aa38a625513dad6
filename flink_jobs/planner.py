"""Options of the SQL planner that decide which operators a statement becomes: state fits only a job that was planned alike."""

from __future__ import annotations

OPTIONS = {
    "table.exec.uid.generation": "PLAN_ONLY",
    "table.exec.iceberg.use-v2-sink": "true",  # the one whose operators have uids
    # Without it each sink would number deliveries for itself, with its own copy of the state.
    "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
    # Aggregating before the exchange costs more than it saves: within a slide few events share their key.
    "table.optimizer.agg-phase-strategy": "ONE_PHASE",
}
