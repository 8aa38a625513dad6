"""OpenLineage events of a real build, by dbt's own wrapper: once each, into a file, with what each model reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jishi.paths import Paths
from ops.dbt_events import send_build
from ops.openlineage import airflow_variables
from tests.lake import settings_in

pytestmark = pytest.mark.integration


def events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_build_is_sent_once_with_the_inputs_of_each_model(built: Paths) -> None:
    settings = settings_in(built.var).model_copy(update={"openlineage": "file"})
    file = built.log / "openlineage" / "dbt.jsonl"
    sent = send_build(settings)
    assert sent
    assert send_build(settings) is None, "the same build is not sent again"
    completed = {event["job"]["name"]: event for event in events(file) if event["eventType"] == "COMPLETE"}
    assert sent == len(events(file))
    [orders] = [event for name, event in completed.items() if name.endswith(".fct_orders.build.run")]
    inputs = {each["name"].rsplit(".", 1)[1] for each in orders["inputs"]}
    assert inputs == {"int_orders_valued", "int_refunds_summed"}
    assert [each["name"].rsplit(".", 1)[1] for each in orders["outputs"]] == ["fct_orders"]


def test_nothing_is_sent_where_nobody_asked(built: Paths) -> None:
    settings = settings_in(built.var)
    assert send_build(settings) is None
    assert airflow_variables(settings) == {"AIRFLOW__OPENLINEAGE__DISABLED": "True"}
    to_url = airflow_variables(settings.model_copy(update={"openlineage": "http://127.0.0.1:5000"}))
    assert json.loads(to_url["AIRFLOW__OPENLINEAGE__TRANSPORT"]) == {"type": "http", "url": "http://127.0.0.1:5000"}
