"""Money says its unit where it is added up, and nobody divides it by a hundred: digits are the currency's."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from jishi.features import FEATURES
from jishi.settings import PROJECT_ROOT

MONEY = {"amount_minor", "unit_price_minor"}
AS_IT_CAME = {"paid_in_currency_minor", "amount_in_currency_minor", "unit_price_minor"}  # beside a column currency
HUNDRED = re.compile(r"_minor\b[^,]{0,16}?[/*]\s*100(?:\.0)?\b")
CODE = ("*.py", "*.sql", "*.yml", "*.yaml", "*.ipynb")
PARTS = (
    "chaos collector dags dashboard dbt decision_log feature_repo flink_jobs imports jishi models notebooks ops quality "
    "serving spark_jobs"
)


def test_every_feature_of_money_is_in_the_home_currency() -> None:
    by_name = {feature.name: feature for feature in FEATURES}
    for feature in FEATURES:
        above = by_name.get(feature.numerator or "")
        below = by_name.get(feature.denominator or "")
        is_money = feature.column in MONEY and feature.aggregation != "distinct"
        is_money |= above is not None and above.unit is not None and below is not None and below.unit is None
        assert feature.unit == ("home_minor" if is_money else None), feature.name


def test_every_money_column_of_a_mart_says_its_unit() -> None:
    files = (PROJECT_ROOT / "dbt" / "models" / "marts").rglob("*__models.yml")
    models = [model for file in files for model in yaml.safe_load(file.read_text())["models"]]
    columns = {(model["name"], column["name"]): column for model in models for column in model["columns"]}
    money = {
        key: column for key, column in columns.items() if "minor" in key[1] and key[1] not in {*AS_IT_CAME, "minor_digits"}
    }
    assert len(money) > 12
    for key, column in money.items():
        assert column.get("config", {}).get("meta", {}).get("unit") == "home_minor", key
    for model, name in columns:
        assert name not in AS_IT_CAME or (model, "currency") in columns, (model, name)


def test_nobody_divides_minor_units_by_a_hundred() -> None:
    wrong = [
        f"{file.relative_to(PROJECT_ROOT)}: {match[0]}"
        for part in PARTS.split()
        for pattern in CODE
        for file in Path(PROJECT_ROOT / part).rglob(pattern)
        for match in HUNDRED.finditer(file.read_text("utf-8"))
    ]
    assert not wrong, "an amount has the digits of its currency (jishi.money.shown, dim_shops.minor_digits):\n" + "\n".join(
        wrong
    )
