"""What a shop sets about its customers: refused where it contradicts itself, kept in the registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from jishi.customer_rules import CustomerRules
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from ops.cli import app
from ops.cli import shops as commands
from tests.lake import settings_in


def test_guests_are_no_customers_unless_the_shop_says_so() -> None:
    assert [(rule.reason, rule.person, rule.is_prefix) for rule in CustomerRules().exclusions] == [("guest", "a:", True)]
    assert CustomerRules(exclusions=()).exclusions == ()


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"recency_days": [7, 30, 60, 90]}, "recency_days"),
        ({"orders": [4, 3, 2, 1]}, "orders"),
        ({"spent_minor": [1, 2, 3]}, "spent_minor"),
        ({"active_days": 30}, "active_days"),
        ({"active_days": 30, "silent_days": 30, "asleep_days": 90}, "active_days"),
        ({"exclusions": [{"reason": "staff", "person": "clerk"}]}, "person"),
        ({"exclusions": [{"reason": "friend", "person": "u:1"}]}, "reason"),
        ({"recency": [4, 3, 2, 1]}, "recency"),
    ],
)
def test_rules_that_contradict_themselves_name_the_field(rules: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        CustomerRules.model_validate(rules)


def test_thresholds_are_rows_of_measure_and_score() -> None:
    rules = CustomerRules(recency_days=(90, 60, 30, 7), new_days=14, high_value_score=4)
    assert CustomerRules().thresholds == []
    assert rules.thresholds == [
        *[("recency", 2, 90), ("recency", 3, 60), ("recency", 4, 30), ("recency", 5, 7)],
        *[("new_days", 1, 14), ("high_value_score", 1, 4)],
    ]


def test_the_command_sets_and_shows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path)
    monkeypatch.setattr(commands, "get_settings", lambda: settings)
    file = tmp_path / "rules.json"
    registry = Paths.of(settings).shops_file
    with Shops.edit(registry) as shops:
        shops.add(Shop(shop_id="a", name="A"))
    file.write_text('{"exclusions": [{"reason": "staff", "person": "u:clerk-", "is_prefix": true}], "new_days": 10}')
    done = CliRunner().invoke(app, ["shops", "customers", "a", "--rules", str(file)])
    assert done.exit_code == 0, done.output
    assert CustomerRules.model_validate_json(done.stdout) == Shops.load(registry).get("a").customers
    with Shops.edit(registry) as shops:
        shops.add(Shop(shop_id="a", name="A again"))
    assert Shops.load(registry).get("a").customers.new_days == 10
    file.write_text('{"new_days": 0}')
    refused = CliRunner().invoke(app, ["shops", "customers", "a", "--rules", str(file)])
    assert refused.exit_code == 2
    assert "new_days" in refused.output
    assert Shops.load(registry).get("a").customers.new_days == 10
    assert CliRunner().invoke(app, ["shops", "customers", "nobody"]).exit_code == 2
