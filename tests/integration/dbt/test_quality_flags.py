"""Faults that no key shows are flagged by name on the day they hit, and shops without faults are left in peace."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from jishi.paths import Paths
from tests.integration.dbt.customer_faults import CUSTOMER_FAULTS
from tests.integration.dbt.day_faults import DAY_FAULTS
from tests.integration.dbt.day_mutants import DAY_MUTANTS, DayMutant
from tests.integration.dbt.made_shops import FAULTY, ShopShape, insert_made, make_shop
from tests.integration.dbt.model_faults import MODEL_FAULTS
from tests.integration.dbt.rebuilt import Project
from tests.integration.dbt.row_faults import ROW_FAULTS

pytestmark = pytest.mark.integration
QUIET = {
    "steady": ShopShape(),
    "small": ShopShape(visits=12),
    "tiny": ShopShape(visits=2, paid_share=0.1),
    "till": ShopShape(visits=60, paid_share=1.0),
    "growing": ShopShape(visits=60, growth=0.15),
    "fading": ShopShape(visits=300, growth=-0.12),
    "closed-at-weekends": ShopShape(visits=150, closed=(5, 6)),
    "three-weeks-old": ShopShape(first_day=49),
}
SEEDS = range(2)
HAND_COUNTED = {"spend_without_rate"}  # made shops have no spend; test_hand_counted.py plants it
Flags = dict[str, set[tuple[date, str]]]


@pytest.fixture(scope="module")
def flags(built: Paths, tmp_path_factory: pytest.TempPathFactory) -> Flags:
    """By shop: the faulty ones, each with a mutant, and those without a fault; one build for all."""
    shops = []
    for number, mutant in enumerate(DAY_MUTANTS):
        frames = make_shop(mutant.name, number, ShopShape())
        mutant.plant(frames)
        shops.append(frames)
    for name, shape in QUIET.items():
        shops += [make_shop(f"{name}-{seed}", 100 + seed, shape) for seed in SEEDS]
    rows = insert_made(shops, tmp_path_factory.mktemp("made"))
    by_shop: Flags = {frames["shops"]["shop_id"][0]: set() for frames in shops}
    with Project.of(built.warehouse).built(rows, only="fct_quality_flags") as marts:
        for shop_id, day, check in marts.execute("select shop_id, shop_date, check_name from fct_quality_flags").fetchall():
            by_shop.setdefault(shop_id, set()).add((day, check))
    return by_shop


@pytest.mark.parametrize("mutant", DAY_MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_of_a_day_is_flagged_by_name_on_that_day(flags: Flags, mutant: DayMutant) -> None:
    on_the_day = {check for day, check in flags[mutant.name] if day == FAULTY or check == "texts_garbled"}
    assert mutant.flagged_by <= on_the_day, flags[mutant.name]


def test_shops_without_a_fault_are_left_in_peace(flags: Flags) -> None:
    """Shops of all sizes and shapes: not one flag in ten weeks, whose last six can be compared."""
    quiet = {f"{name}-{seed}": flags[f"{name}-{seed}"] for name in QUIET for seed in SEEDS}
    assert {shop_id: flagged for shop_id, flagged in quiet.items() if flagged} == {}


def test_every_named_fault_is_stopped_or_flagged() -> None:
    """Those that are stopped run in test_mutants.py."""
    stopped = Counter(fault.name for fault in (*ROW_FAULTS, *MODEL_FAULTS, *CUSTOMER_FAULTS, *DAY_FAULTS))
    flagged = Counter(mutant.name for mutant in DAY_MUTANTS)
    assert set((stopped + flagged).values()) == {1}
    assert {
        "a day of orders is loaded twice",
        "the sign of a payment is flipped",
        "quantity and price change places",
        "payments are eight hours late",
        "refunds of another order join too",
        "more of an item comes back than it cost",
        "an item is in the catalogue twice",
        "an event has no shop",
        "a visit begins in 2206",
    } <= stopped.keys()
    assert len(stopped) + len(flagged) >= 20


def test_the_checks_of_the_table_are_those_of_the_mutants(built: Paths) -> None:
    accepted = next(
        node
        for node in Project.of(built.warehouse).tests
        if node["name"].startswith("accepted_values_fct_quality_flags_check_name")
    )
    values = set(accepted["test_metadata"]["kwargs"]["values"])
    assert values == {check for mutant in DAY_MUTANTS for check in mutant.flagged_by} | HAND_COUNTED
