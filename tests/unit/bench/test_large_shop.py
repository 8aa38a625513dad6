"""The made shop that training is measured on: small, it has what a large one is to have."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.large_silver import DAYS, SHOP, make_large_shop
from bench.one_shop import settings_of
from bench.train import LAST_DAY
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.paths import Paths
from models.release.candidate_evaluation import evaluate_candidate
from models.release.gate import gate
from models.release.registry import current_version, publish
from models.training.train import train
from serving.judge import judge_served

ITEMS, PERSONS, ACTS = 400, 300, 6_000


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    make_large_shop(folder, ITEMS, PERSONS, ACTS, LAST_DAY)
    return folder


def test_it_has_about_so_many_acts_and_all_that_models_learn_from(var: Path) -> None:
    with open_lake(open_version(settings_of(var))) as connection:
        [(acts, persons, items, days, last)] = connection.execute(
            "select count(*), count(distinct person_id), count(distinct item_id), count(distinct occurred_at::date), "
            "max(occurred_at)::date from silver_interactions"
        ).fetchall()
        assert 0.9 * ACTS < acts < 1.1 * ACTS
        assert 0.9 * PERSONS < persons <= PERSONS
        assert 0.5 * ITEMS < items <= ITEMS
        assert days == DAYS
        assert last == LAST_DAY
        [(again,)] = connection.execute(
            "select count(*) from (select person_id, item_id from silver_interactions where kind = 'pay' group by all "
            "having count(distinct occurred_at) > 1)"
        ).fetchall()
        assert again > 0, "nothing is bought again"
        [(strangers,)] = connection.execute(
            "select count(*) from silver_interactions as a anti join silver_items as i using (item_id)"
        ).fetchall()
        assert strangers == 0
        [(listed,)] = connection.execute("select count(*) from silver_events where type = 'item_changed'").fetchall()
        assert listed == ITEMS


def test_the_steps_lead_from_its_tables_to_a_release(var: Path) -> None:
    settings = settings_of(var)
    paths, lake = Paths.of(settings), open_version(settings)
    candidate = train(paths, lake, SHOP)
    report = evaluate_candidate(paths, lake, SHOP)
    assert all(report["placements"][placement]["models"] for placement in ("home", "item", "cart", "after_payment"))
    judge_served(paths, lake, SHOP)
    assert gate(paths, lake, SHOP)["is_released"]
    assert publish(paths, SHOP) == candidate == current_version(paths.models, SHOP)
