"""No number is defined twice: what people read comes from the metric layer, and planted second definitions are caught."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from jishi.metrics import MetricUndefined, metrics_of
from jishi.settings import PROJECT_ROOT
from quality.second_definitions import EXCEPTIONS, Vocabulary, find_in, same_metrics

DATASET = "dashboard/board/datasets/jishi_marts/shop_days.yaml"


@pytest.fixture(scope="module")
def words(semantic_manifest: dict[str, Any]) -> Vocabulary:
    return Vocabulary.of(semantic_manifest)


def test_the_project_defines_every_number_once(words: Vocabulary, semantic_manifest: dict[str, Any]) -> None:
    findings = find_in(PROJECT_ROOT, words)
    assert [str(finding) for finding in findings if finding.file not in EXCEPTIONS] == []
    assert {finding.file for finding in findings} == set(EXCEPTIONS), "an exception that is needed no more has to go"
    assert same_metrics(semantic_manifest) == []


def test_every_metric_speaks_both_languages(words: Vocabulary) -> None:
    assert len(words.metrics) > 35
    for metric in words.metrics.values():
        for text in (metric.label, metric.meaning, metric.grain, metric.owner):
            assert any("一" <= letter <= "鿿" for letter in text.zh), metric.name
            assert text.en.isascii(), metric.name
        assert metric.formula, metric.name


def _dataset(**changes: Any) -> str:
    content = yaml.safe_load((PROJECT_ROOT / DATASET).read_text())
    metrics = {metric["metric_name"]: metric for metric in content["metrics"]}
    for name, expression in changes.pop("metrics", {}).items():
        metrics[name] = {"metric_name": name, "expression": expression}
    return yaml.safe_dump(content | {"metrics": list(metrics.values())} | changes)


def _notebook(code: str) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": code.splitlines(keepends=True)}]})


COLUMN = {"column_name": "kept", "expression": "gmv - refunds"}
CHART = {"metric": {"expressionType": "SQL", "sqlExpression": "SUM(gmv) / SUM(orders)", "label": "AOV"}}
GROUPED = 'def of_days(rows):\n    return rows.groupby("day").agg(turnover=("paid_minor", "sum"))\n'
SPLIT = 'def page(shop):\n    return f"select sum(paid_minor) / count(*) as aov from fct_orders where shop_id = {shop}"\n'
JOINED = "with d as (select shop_id, sum(counted_minor) as r from marts.fct_refunds group by 1) select r from d"
PLANTED = {
    "a metric of the board by another formula": (
        _dataset(metrics={"conversion": "SUM(orders) / SUM(visitors)"}),
        ".yaml",
        "shows conversion as",
    ),
    "visitors added up over days": (_dataset(metrics={"visitors": "SUM(visitors)"}), ".yaml", "shows visitors as"),
    "a metric that nobody defined": (_dataset(metrics={"arpu": "SUM(gmv) / NULLIF(SUM(visitors), 0)"}), ".yaml", "shows arpu"),
    "a data set that adds up a mart": (
        _dataset(sql="select shop_id, sum(paid_minor) as gmv from fct_orders group by 1"),
        ".yaml",
        "the metric gmv",
    ),
    "a calculated column": (_dataset(columns=[COLUMN]), ".yaml", "computes gmv - refunds"),
    "a chart's own metric": (yaml.safe_dump({"slice_name": "AOV", "params": CHART}), ".yaml", "makes up the metric 'AOV'"),
    "a semantic model outside of dbt": ("semantic_models: [{name: orders}]", ".yaml", "belong to dbt/models/"),
    "SQL of a notebook": (
        _notebook('%sql\nrows = mart_rows(lake, """\nselect count(distinct person_id) from fct_sessions""")'),
        ".ipynb",
        "over fct_sessions",
    ),
    "a sum of a mart that no metric reads": (
        _notebook('cohorts = numbers.mart("fct_cohorts")\nnewest = cohorts.tail(1)\nback = newest["active_customers"].sum()'),
        ".ipynb",
        "cell 0:3 computes sum of what it read",
    ),
    "a share in a notebook": (
        _notebook('steps = numbers.whole(names)\nfor step in steps:\n    share = step / steps["all"]'),
        ".ipynb",
        "computes step / steps['all']",
    ),
    "a ratio in pandas": (_notebook('rate = days["refunds"].sum() / days["gmv"].sum()'), ".ipynb", "computes days['refunds']"),
    "a groupby in pandas": (GROUPED, ".py", "agg of paid_minor"),
    "SQL in a formatted string": (SPLIT, ".py", "divides SUM(paid_minor) / COUNT(*)"),
    "SQL behind a name": (f'QUERY = "{JOINED}"\n', ".py", "the metric refunds"),
    "a ratio of a row": (
        'def rate(row):\n    return row["refunds"] / row["gmv"]\n',
        ".py",
        "computes row['refunds'] / row['gmv']",
    ),
}


@pytest.mark.parametrize(("text", "suffix", "what"), PLANTED.values(), ids=PLANTED)
def test_a_planted_second_definition_is_caught(tmp_path: Path, words: Vocabulary, text: str, suffix: str, what: str) -> None:
    file = tmp_path / "dashboard" / f"planted{suffix}"
    file.parent.mkdir()
    file.write_text(text)
    findings = [str(finding) for finding in find_in(tmp_path, words)]
    assert any(what in finding for finding in findings), findings
    assert all(finding.startswith(f"dashboard/planted{suffix}") for finding in findings)


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ('QUERY = "select shop, gmv / power(10, shop__minor_digits) as gmv from board_days"\n', ".py"),
        ('"""Select from the sum of orders, as a docstring may say."""\n', ".py"),
        ('total = days["gmv"] / 10**digits\n', ".py"),
        ('QUERY = "select max(metric_time__day) from board_days"\n', ".py"),
        ('sizes = files["size"].sum() / files["rows"].sum()\n', ".py"),
        (_notebook('rows = numbers.mart("dim_items")\nbest = rows[rows["views"] > 3].sort_values("views").head(9)'), ".ipynb"),
        (_notebook('lines = report["values"].sum() / report["rows"].mean()'), ".ipynb"),
        (_dataset(), ".yaml"),
    ],
)
def test_reading_and_scaling_are_no_definitions(tmp_path: Path, words: Vocabulary, text: str, suffix: str) -> None:
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / f"fine{suffix}").write_text(text)
    assert find_in(tmp_path, words) == []


def _named(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    [metric] = [metric for metric in manifest["metrics"] if metric["name"] == name]
    return metric


def test_a_metric_under_two_names_is_caught(semantic_manifest: dict[str, Any]) -> None:
    manifest = deepcopy(semantic_manifest)
    manifest["metrics"] += [deepcopy(_named(manifest, name)) | {"name": f"{name}_again"} for name in ("conversion", "gmv")]
    assert set(same_metrics(manifest)) == {("gmv", "gmv_again"), ("conversion", "conversion_again")}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("label_zh", None, "config.meta.label_zh"),
        ("unit", "dollars", "the unit 'dollars'"),
        ("description_zh", "", "description_zh"),
    ],
)
def test_a_metric_that_says_too_little_is_refused(
    semantic_manifest: dict[str, Any], field: str, value: Any, message: str
) -> None:
    manifest = deepcopy(semantic_manifest)
    _named(manifest, "gmv")["config"]["meta"][field] = value
    with pytest.raises(MetricUndefined, match=f"metric 'gmv'.*{message}"):
        metrics_of(manifest)


def test_zero_of_nothing_is_in_the_source(semantic_manifest: dict[str, Any]) -> None:
    """jishi.metrics fills counts and sums, as dbt drops the key: whoever reads the YAML itself must find the same."""
    files = [*(PROJECT_ROOT / "dbt" / "models").rglob("*.yml")]
    contents = [yaml.safe_load(file.read_text()) for file in files]
    models = [model for content in contents for model in content.get("models") or []]
    defined = [metric for model in models for metric in model.get("metrics") or []]
    defined += [metric for content in contents for metric in content.get("metrics") or []]
    assert sorted(metric["name"] for metric in defined) == sorted(metric["name"] for metric in semantic_manifest["metrics"])
    metrics = metrics_of(semantic_manifest)
    for metric in defined:
        is_filled = metrics[metric["name"]].is_zero_without_rows
        assert metric.get("fill_nulls_with") == (0 if is_filled else None), metric["name"]
    unknown = {name for name, metric in metrics.items() if metric.is_additive and not metric.is_zero_without_rows}
    assert unknown == {"page_views", "compared_spend", "spend", "monthly_cohort_revenue", "expected_customer_value"}
