"""``python -m ops.monitoring.files``: what Prometheus and Grafana read, made from objectives and alerts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from jishi.settings import PROJECT_ROOT, Settings
from jishi.settings_sources import PROFILES
from ops.health import hosts_in
from ops.monitoring.alerts import ALERTS
from ops.monitoring.objectives import OBJECTIVES

FOLDER = Path(__file__).parent
RULES, SCRAPES, DASHBOARD = FOLDER / "prometheus.rules.yaml", FOLDER / "prometheus.yaml", FOLDER / "grafana.json"
COMPOSE_SCRAPES = PROJECT_ROOT / "deploy" / "prometheus.yaml"
# The parts that have a page of metrics, with the setting of its port.
PORTS = {
    "collector": "collector_port",
    "serving": "serving_port",
    "feature_writer": "feature_writer_port",
    "exporter": "exporter_port",
    "portal": "portal_metrics_port",
}
RUNBOOKS = "docs/operations/runbooks.md"
_LAG = "sum by (partition) (jishi_serving_stream_lag_records)"
# Title, unit, and queries by legend.
PANELS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Answers a second", "reqps", {"{{status}}": "sum by (status) (rate(jishi_recommendation_requests_total[5m]))"}),
    (
        "Time to answer",
        "s",
        {
            f"p{100 * share:g}": f"histogram_quantile({share}, sum by (le) (rate(jishi_recommendation_seconds_bucket[5m])))"
            for share in (0.5, 0.95, 0.99)
        },
    ),
    (
        "Which rung answers",
        "percentunit",
        {"{{served_by}}": "sum by (served_by) (rate(jishi_recommendation_requests_total[5m]))"},
    ),
    (
        "Acknowledged events a second",
        "eps",
        {"{{sent_by}}": "sum by (sent_by) (rate(jishi_collector_accepted_events_total[5m]))"},
    ),
    (
        "Refused events a second",
        "eps",
        {"{{reason}}": "sum by (reason) (rate(jishi_collector_quarantined_events_total[5m]))"},
    ),
    ("Refused requests a second", "reqps", {"{{code}}": "sum by (code) (rate(jishi_collector_refused_requests_total[5m]))"}),
    (
        "Write and fsync of a group",
        "s",
        {"p99": "histogram_quantile(0.99, sum by (le) (rate(jishi_collector_fsync_seconds_bucket[5m])))"},
    ),
    (
        "Behind",
        "short",
        {
            "forwarder, events": "jishi_forwarder_lag_events",
            "features, messages": "sum(jishi_feature_lag_messages)",
            "serving, partition {{partition}}": _LAG,
        },
    ),
    (
        "Stream",
        "short",
        {"checkpoints in 10 min": "increase(jishi_flink_checkpoints[10m])", "restarts": "jishi_flink_restarts"},
    ),
    ("Pages a second", "reqps", {"{{status}}": "sum by (status) (rate(jishi_portal_requests_total[5m]))"}),
    (
        "Slowest pages, p95",
        "s",
        {"{{page}}": "topk(5, histogram_quantile(0.95, sum by (le, page) (rate(jishi_portal_seconds_bucket[15m]))))"},
    ),
    (
        "Open pages and exports",
        "short",
        {
            "open streams": "sum(jishi_portal_open_streams)",
            "{{format}} files in an hour": "sum by (format) (increase(jishi_portal_exports_total[1h]))",
            "{{format}} rows in an hour": "sum by (format) (increase(jishi_portal_exported_rows_total[1h]))",
        },
    ),
    ("Parts", "bool_on_off", {"{{part}}": "jishi_part_up"}),
    ("What jishi watch finds", "short", {"{{check}}": "jishi_watch_problems"}),
    ("Free disk", "bytes", {"free": "jishi_disk_free_bytes"}),
    ("Age of what is published", "s", {"marts": "jishi_marts_age_seconds", "release": "jishi_release_age_seconds"}),
    ("Wrong values that serving used", "percentunit", {"worst feature": "jishi_online_parity_wrong_ratio"}),
    (
        "Online store",
        "ops",
        {
            "written {{view}}": "sum by (view) (rate(jishi_feature_rows_written_total[5m]))",
            "read, {{outcome}}": "sum by (outcome) (rate(jishi_online_store_reads_total[5m]))",
        },
    ),
)


def rules() -> str:
    """Recording and alerting rules of Prometheus."""
    entries: list[dict[str, Any]] = [
        {"record": objective.record, "expr": objective.recorded} for objective in OBJECTIVES if objective.recorded
    ]
    entries += [
        {
            "alert": alert.name,
            "expr": alert.expression,
            "for": alert.lasts,
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.summary, "runbook": f"{RUNBOOKS}#{alert.runbook}"},
        }
        for alert in ALERTS
    ]
    return _HEADER + yaml.safe_dump({"groups": [{"name": "jishi", "rules": entries}]}, sort_keys=False, width=200)


def scrapes(part_hosts: str = "") -> str:
    """Where Prometheus finds the parts: on the hosts of ``part_hosts``, or on that of an embedded platform; default ports."""
    fields, hosts = Settings.model_fields, hosts_in(part_hosts)
    targets = [
        f"{host}:{fields[port].default}"
        for part, port in PORTS.items()
        for host in hosts.get(part, [fields["host"].default] if not hosts else [])
    ]
    content = {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": [RULES.name],
        "scrape_configs": [{"job_name": "jishi", "static_configs": [{"targets": targets}]}],
    }
    return _HEADER + yaml.safe_dump(content, sort_keys=False)


def dashboard() -> str:
    """A dashboard of Grafana, to be imported; it asks which Prometheus to read."""
    source = {"type": "prometheus", "uid": "${source}"}
    left = [
        {
            "id": number,
            "type": "timeseries",
            "title": title,
            "datasource": source,
            "gridPos": {"h": 8, "w": 8, "x": 8 * (number % 3), "y": 8 * (number // 3)},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "targets": [
                {"refId": chr(65 + n), "expr": query, "legendFormat": legend, "datasource": source}
                for n, (legend, query) in enumerate(queries.items())
            ],
        }
        for number, (title, unit, queries) in enumerate([*PANELS, *_budgets()])
    ]
    content: dict[str, Any] = {
        "uid": "jishi",
        "title": "Jishi",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]},
        "panels": left,
    }
    return json.dumps(content, indent=1) + "\n"


def _budgets() -> Iterator[tuple[str, str, dict[str, str]]]:
    for objective in OBJECTIVES:
        query = f"({objective.bad_over('3d')}) / {objective.budget}"
        yield f"Budget of {objective.name} burnt (1 is as fast as it may), 3 days", "short", {objective.name: query}


def files() -> dict[Path, str]:
    """What each file has to hold."""
    of_compose = scrapes(str(PROFILES["cluster"]["part_hosts"]))
    return {RULES: rules(), SCRAPES: scrapes(), COMPOSE_SCRAPES: of_compose, DASHBOARD: dashboard()}


def metrics_in(text: str) -> set[str]:
    """Names of this project's metrics in PromQL."""
    return set(re.findall(r"\bjishi_[a-z0-9_]+", text))


def main() -> None:
    """Write the files."""
    for file, text in files().items():
        file.write_text(text, encoding="utf-8")


_HEADER = "# Made from ops/monitoring by `make docs`.\n"

if __name__ == "__main__":
    main()
