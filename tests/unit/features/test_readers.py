"""The catalogue's readers come from the code that reads."""

from __future__ import annotations

from pathlib import Path

from jishi.features import FEATURES
from jishi.features.readers import readers_of_features


def test_a_feature_is_read_where_its_name_stands_or_that_of_one_made_of_it(tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "serving" / "a.py").write_text(
        "'item_orders_24h is in a sentence'\nREAD = ('item_add_rate_24h', 'recent_items')\n"
    )
    (tmp_path / "models" / "b.py").write_text("READ = 'person_items_24h'\n# item_orders_24h\n")
    readers = {name: modules for name, modules in readers_of_features(FEATURES, tmp_path).items() if modules}
    in_serving = {"item_add_rate_24h", "item_carts_24h", "item_views_24h", "recent_items", "last_items", "last_items_known_ms"}
    in_serving |= {"shop_add_rate_24h", "shop_carts_24h", "shop_views_24h"}
    in_models = {"person_items_24h", "person_items_24h_values"}
    expected = {name: ["serving/a.py"] for name in in_serving} | {name: ["models/b.py"] for name in in_models}
    assert readers == expected


def test_the_project_reads_what_its_ranker_names() -> None:
    readers = readers_of_features()
    assert "models/lab/feature_ranker/situation.py" in readers["item_return_rate_30d"]
    assert "serving/recent.py" in readers["last_items"]
    assert any(not modules for modules in readers.values())
