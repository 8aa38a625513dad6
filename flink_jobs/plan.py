"""From statements to a compiled plan, whose operators have fixed uids and whose state has a time to live where it needs one."""

from __future__ import annotations

import json
from typing import Any

from pyflink.table import CompiledPlan, PlanReference, TableEnvironment

from flink_jobs.job import FlinkJob
from flink_jobs.operators import Operators, assign_uids, operators_of
from flink_jobs.outcomes import COUNTED_DAY_TTL_S, DEDUPLICATION_TTL_S, QUIET_TTL_S

_OVER_AGGREGATE = "stream-exec-over-aggregate"
_BY_DELIVERY = "partitionBy=[shop_id, event_id"
# Of counters, and of nothing else in the job.
_OF_COUNTERS = ("stream-exec-deduplicate", "stream-exec-group-aggregate", "stream-exec-rank")
_BY_MINUTE = "groupBy=[shop_id, occurred_date, minute]"


def compile_job(environment: TableEnvironment, job: FlinkJob, *, state_age_s: float = 0.0) -> CompiledPlan:
    """Declare the tables and views of ``job`` and compile its inserts into one plan, ready to be executed.

    ``state_age_s`` is how old the state is that the job goes on from.
    """
    for statement in (*job.tables, *job.definitions):
        environment.execute_sql(statement)
    statements = environment.create_statement_set()
    for insert in job.inserts:
        statements.add_insert_sql(insert)
    plan = json.loads(statements.compile_plan().as_json_string())
    limit_state(plan, state_age_s)
    assign_uids(plan, job.versions)
    loaded = environment.load_plan(PlanReference.from_json_string(json.dumps(plan)))
    # PyFlink 2.3.0 hands load_plan's answer the Java environment, whose plans cannot be executed.
    return CompiledPlan(loaded._j_compiled_plan, environment)


def operators(compiled: CompiledPlan) -> Operators:
    """The operators with state of a compiled job."""
    return operators_of(json.loads(compiled.as_json_string()))


def limit_state(plan: dict[str, Any], state_age_s: float = 0.0) -> None:
    """Let the counters of deliveries expire, those of a shop's day, and what is known of a person who has gone quiet; SQL has
    no hint for an OVER aggregate. Windows let go of their state by themselves.

    Time to live goes by the wall clock, also while the job is down: it is longer by ``state_age_s``, so that a repetition which
    lay in the log meanwhile is known as one. Raises RuntimeError when the plan has not one operator that counts deliveries.
    """
    overs = [node for node in plan["nodes"] if node["type"].startswith(_OVER_AGGREGATE)]
    counters = [node for node in overs if _BY_DELIVERY in node["description"]]
    if len(counters) != 1:
        raise RuntimeError(f"expected one operator that counts deliveries, the plan has {len(counters)}")
    for node in overs:
        ttl_s = (DEDUPLICATION_TTL_S if node is counters[0] else QUIET_TTL_S) + state_age_s
        node.setdefault("configuration", {})["table.exec.state.ttl"] = _ttl(ttl_s)
    for node in plan["nodes"]:
        if node["type"].startswith(_OF_COUNTERS):
            # No event on time comes to a minute that long after it.
            ttl_s = (DEDUPLICATION_TTL_S if _BY_MINUTE in node["description"] else COUNTED_DAY_TTL_S) + state_age_s
            for state in node["state"]:
                state["ttl"] = _ttl(ttl_s)


def _ttl(seconds: float) -> str:
    return f"{round(seconds * 1000)} ms"
