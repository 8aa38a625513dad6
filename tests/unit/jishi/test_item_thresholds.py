"""What a shop sets about its items: refused where it means nothing, kept in the registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from jishi.item_thresholds import ItemThresholds
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from ops.cli import app
from ops.cli import shops as commands
from tests.lake import settings_in


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"price_bounds_minor": [10_000, 5_000]}, "price_bounds_minor"),
        ({"price_bounds_minor": [5_000, 5_000]}, "price_bounds_minor"),
        ({"price_bounds_minor": [0]}, "price_bounds_minor"),
        ({"restock_units_30d": 0}, "restock_units_30d"),
        ({"restock_units": 5}, "restock_units"),
    ],
)
def test_rules_that_mean_nothing_name_the_field(rules: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        ItemThresholds.model_validate(rules)


def test_the_command_sets_and_shows_them_and_they_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path)
    monkeypatch.setattr(commands, "get_settings", lambda: settings)
    registry, file = Paths.of(settings).shops_file, tmp_path / "rules.json"
    with Shops.edit(registry) as shops:
        shops.add(Shop(shop_id="a", name="A"))
    file.write_text('{"restock_units_30d": 200, "price_bounds_minor": [5000, 10000]}')
    done = CliRunner().invoke(app, ["shops", "items", "a", "--rules", str(file)])
    assert done.exit_code == 0, done.output
    with Shops.edit(registry) as shops:
        shops.add(Shop(shop_id="a", name="Another name"))
    kept = Shops.load(registry).get("a").items
    assert (kept.restock_units_30d, kept.slow_cover_days, kept.price_bounds_minor) == (200, 180, (5000, 10000))
    assert kept.thresholds[0] == ("restock_units_30d", 1, 200)
    assert kept.thresholds[-2:] == [("price_bound_minor", 1, 5000), ("price_bound_minor", 2, 10000)]
    file.write_text('{"slow_days": -1}')
    refused = CliRunner().invoke(app, ["shops", "items", "a", "--rules", str(file)])
    assert (refused.exit_code, "slow_days" in refused.output) == (2, True)
    assert CliRunner().invoke(app, ["shops", "items", "b"]).exit_code == 2
