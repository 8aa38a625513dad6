"""From statements to a compiled plan, whose operators have fixed uids and whose state has a time to live where it needs one."""

from __future__ import annotations

import json
from typing import Any

from pyflink.table import CompiledPlan, PlanReference, TableEnvironment

from flink_jobs.job import FlinkJob
from flink_jobs.operators import Operators, assign_uids, operators_of
from flink_jobs.outcomes import DEDUPLICATION_TTL_S

_OVER_AGGREGATE = "stream-exec-over-aggregate"
_BY_DELIVERY = "partitionBy=[shop_id, event_id"


def compile_job(environment: TableEnvironment, job: FlinkJob) -> CompiledPlan:
    """Declare the tables and views of ``job`` and compile its inserts into one plan, ready to be executed."""
    for statement in (*job.tables, *job.definitions):
        environment.execute_sql(statement)
    statements = environment.create_statement_set()
    for insert in job.inserts:
        statements.add_insert_sql(insert)
    plan = json.loads(statements.compile_plan().as_json_string())
    limit_deduplication_state(plan)
    assign_uids(plan, job.versions)
    loaded = environment.load_plan(PlanReference.from_json_string(json.dumps(plan)))
    # PyFlink 2.3.0 hands load_plan's answer the Java environment, whose plans cannot be executed.
    return CompiledPlan(loaded._j_compiled_plan, environment)


def operators(compiled: CompiledPlan) -> Operators:
    """The operators with state of a compiled job."""
    return operators_of(json.loads(compiled.as_json_string()))


def limit_deduplication_state(plan: dict[str, Any]) -> None:
    """Let the counters of deliveries expire. Only they: the same setting for the whole job would forget the last items of a
    person who was away, and SQL has no hint for an OVER aggregate. Raises RuntimeError when the plan has not one such operator.
    """
    counters = [
        node for node in plan["nodes"] if node["type"].startswith(_OVER_AGGREGATE) and _BY_DELIVERY in node["description"]
    ]
    if len(counters) != 1:
        raise RuntimeError(f"expected one operator that counts deliveries, the plan has {len(counters)}")
    counters[0].setdefault("configuration", {})["table.exec.state.ttl"] = f"{DEDUPLICATION_TTL_S * 1000} ms"
