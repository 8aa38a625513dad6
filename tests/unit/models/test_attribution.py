"""What channels bring: textbook chains and games by hand, brute force over orders of coming, made journeys with a truth."""

from __future__ import annotations

import itertools
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.attribution.effects import TooFewJourneys, channel_effects
from models.attribution.journeys import Floats, Journeys, VisitJourney
from models.attribution.markov import Masks, order_probabilities, removal_effects
from models.attribution.shapley import exact, sampled
from simulator.history import simulate
from simulator.linkable import PlayedVisit, channel_truth
from simulator.world import SimulationPlan

# Three journeys as in the example of Anderl et al.: c1 c2 c3 → order, c1 → nothing, c2 c3 → nothing.
EXAMPLE = [
    VisitJourney(("c1", "c2", "c3"), led_to_order=True),
    VisitJourney(("c1",), led_to_order=False),
    VisitJourney(("c2", "c3"), led_to_order=False),
]


def everything(size: int) -> Masks:
    return np.ones((1, size), dtype=bool)


def test_removal_effects_of_the_example_are_those_computed_by_hand() -> None:
    counts = Journeys.of(EXAMPLE).counts()
    # p = (2/3 · 1/2 + 1/3) · 1 · 1/2; without c1 only 1/3 · 1/2 is left, without c2 or c3 nothing.
    assert order_probabilities(counts, everything(3))[0] == pytest.approx(1 / 3)
    assert removal_effects(counts).tolist() == pytest.approx([1 / 2, 1, 1])


def test_a_channel_that_follows_itself_is_passed_as_often_as_it_is() -> None:
    journeys = [VisitJourney(("a", "a"), led_to_order=True), VisitJourney(("a",), led_to_order=False, number=3)]
    # a → a 1/5, a → order 1/5: the geometric series 1/5 · 1 / (1 − 1/5)
    assert order_probabilities(Journeys.of(journeys).counts(), everything(1))[0] == pytest.approx(1 / 4)


def glove_game(masks: Masks) -> Floats:
    """Player 0 has a left glove, 1 and 2 a right one each; a pair is worth 1."""
    return (masks[:, 0] & (masks[:, 1] | masks[:, 2])).astype(float)


def test_shapley_of_the_glove_game_is_that_of_the_textbooks() -> None:
    assert exact(glove_game, 3).tolist() == pytest.approx([2 / 3, 1 / 6, 1 / 6])


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.frozensets(st.integers(0, 4), min_size=1), st.integers(1, 50), min_size=1, max_size=8))
def test_where_worth_is_what_journeys_within_a_coalition_brought_each_journey_is_shared_equally(
    revenue: dict[frozenset[int], int],
) -> None:
    """The simplified formula of Zhao et al.: φ_j = Σ over the sets with j of R(S) / |S|."""

    def worth(masks: Masks) -> Floats:
        return np.array([sum(r for s, r in revenue.items() if s <= set(np.flatnonzero(mask))) for mask in masks], dtype=float)

    expected = [sum(r / len(s) for s, r in revenue.items() if player in s) for player in range(5)]
    assert exact(worth, 5).tolist() == pytest.approx(expected)


journeys_of_channels = st.lists(
    st.builds(
        VisitJourney,
        st.lists(st.sampled_from("abcd"), min_size=1, max_size=5).map(tuple),
        st.booleans(),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=12,
)


def walked(journeys: list[VisitJourney], there: set[str]) -> float:
    """The probability of an order by walking the chain of the journeys until next to nobody is on the way."""
    steps: dict[str, dict[str, int]] = {}
    for journey in journeys:
        stations = ["start", *journey.channels, "order" if journey.led_to_order else "nothing"]
        for here, onward in itertools.pairwise(stations):
            row = steps.setdefault(here, {})
            row[onward] = row.get(onward, 0) + journey.number
    on_the_way, arrived = {"start": 1.0}, 0.0
    while sum(on_the_way.values()) > 1e-13:
        after: dict[str, float] = {}
        for here, amount in on_the_way.items():
            for onward, count in steps[here].items():
                part = amount * count / sum(steps[here].values())
                arrived += part if onward == "order" else 0
                if onward in there:
                    after[onward] = after.get(onward, 0) + part
        on_the_way = after
    return arrived


@settings(max_examples=40, deadline=None)
@given(journeys_of_channels)
def test_both_models_are_what_walking_the_chain_and_every_order_of_coming_give(journeys: list[VisitJourney]) -> None:
    counted = Journeys.of(journeys)
    channels, counts = counted.channels, counted.counts()
    whole = walked(journeys, set(channels))
    lost = [1 - walked(journeys, set(channels) - {channel}) / whole if whole else 0 for channel in channels]
    assert removal_effects(counts).tolist() == pytest.approx(lost, abs=1e-9)
    added = dict.fromkeys(channels, 0.0)
    for coming in itertools.permutations(channels):
        for place, channel in enumerate(coming):
            added[channel] += walked(journeys, set(coming[: place + 1])) - walked(journeys, set(coming[:place]))
    orders_of_coming = len(list(itertools.permutations(channels)))
    expected = [added[channel] / orders_of_coming for channel in channels]
    assert exact(partial(order_probabilities, counts), len(channels)).tolist() == pytest.approx(expected, abs=1e-9)


# A world whose channels are known: from each place to each channel, an order or nothing.
NAMES = ("app", "moments", "search", "wechat")
START = (0.4, 0.3, 0.2, 0.1)
ONWARD = np.array(
    [  # app, moments, search, wechat, order, nothing
        (0.10, 0.05, 0.05, 0.05, 0.20, 0.55),
        (0.20, 0.05, 0.15, 0.05, 0.02, 0.53),
        (0.10, 0.02, 0.05, 0.03, 0.30, 0.50),
        (0.05, 0.10, 0.05, 0.10, 0.10, 0.60),
    ]
)


def made_journeys(number: int, seed: int, without: str | None = None) -> list[VisitJourney]:
    """Journeys of the world; ``without`` a channel, who would have come to it comes to nothing."""
    random = np.random.default_rng(seed)
    journeys = []
    for _ in range(number):
        here, passed = int(random.choice(4, p=START)), []
        while here < 4 and NAMES[here] != without:
            passed.append(NAMES[here])
            here = int(random.choice(6, p=ONWARD[here]))
        journeys.append(VisitJourney(tuple(passed) or ("none",), here == 4))
    return journeys


def test_the_true_effect_of_each_channel_lies_within_the_intervals_of_both_models() -> None:
    orders = sum(journey.led_to_order for journey in made_journeys(30_000, 1))
    lost = np.array([orders - sum(j.led_to_order for j in made_journeys(30_000, 2, without=name)) for name in NAMES])
    rows = channel_effects("s", made_journeys(6_000, 3), date(2026, 11, 29), replicates=100)
    markov = [row for row in rows if row["model"] == "markov"]
    for row, truth in zip(markov, lost / lost.sum(), strict=True):
        assert row["effect_low"] <= truth <= row["effect_high"], row
        assert row["effect_high"] - row["effect_low"] < 0.1
    true_counts = np.vstack([[*START, 0, 0], ONWARD])
    values = exact(partial(order_probabilities, true_counts), 4)
    shapley = [row for row in rows if row["model"] == "shapley"]
    for row, truth in zip(shapley, values / values.sum(), strict=True):
        assert row["effect_low"] <= truth <= row["effect_high"], row
    for model in (markov, shapley):
        assert [row["channel"] for row in model] == list(NAMES)
        assert sum(row["effect"] for row in model) == pytest.approx(1)


def test_drawn_orders_of_coming_agree_with_all_of_them() -> None:
    counts = Journeys.of(made_journeys(2_000, 4)).counts()
    worth = partial(order_probabilities, counts)
    of_all, drawn = exact(worth, 4), sampled(worth, 4, np.random.default_rng(5), draws=300)
    assert drawn.tolist() == pytest.approx(of_all.tolist(), rel=0.05)
    assert drawn.sum() == pytest.approx(of_all.sum())
    assert sampled(worth, 4, np.random.default_rng(5), draws=300).tolist() == drawn.tolist()


def test_more_channels_than_can_be_counted_are_drawn_and_the_rarest_are_one() -> None:
    many = [VisitJourney((f"c{number:02}",), led_to_order=True, number=40 - number) for number in range(40)]
    rows = channel_effects(
        "s", [*many, VisitJourney(("c00",), led_to_order=False, number=50)], date(2026, 11, 29), replicates=3
    )
    by_channel = {row["channel"]: row["effect"] for row in rows if row["model"] == "shapley"}
    assert len(by_channel) == 40
    assert sum(by_channel.values()) == pytest.approx(1)
    # Each journey has one channel, so that each channel has what its journeys brought.
    assert by_channel["c00"] == pytest.approx(40 / 820)
    assert by_channel["c39"] == pytest.approx(1 / 820)


def test_too_few_orders_are_named() -> None:
    with pytest.raises(TooFewJourneys, match="1 journeys of visits led to an order; 20 are needed"):
        channel_effects("s", EXAMPLE, date(2026, 11, 29))


def journeys_of_shop(played: list[PlayedVisit]) -> list[VisitJourney]:
    """Visits of each shopper in time, cut behind each one with an order."""
    journeys = []
    for _, visits in itertools.groupby(sorted(played, key=lambda v: (v.shopper, v.first_ms)), key=lambda v: v.shopper):
        passed: list[str] = []
        for visit in visits:
            passed.append(str(visit.channel))
            if visit.is_paid:
                journeys.append(VisitJourney(tuple(passed), led_to_order=True))
                passed = []
        journeys += [VisitJourney(tuple(passed), led_to_order=False)] if passed else []
    return journeys


def test_on_a_simulated_shop_the_truth_lies_in_shapleys_intervals_and_markov_flattens(tmp_path: Path) -> None:
    truth = simulate(SimulationPlan("lanting", users=500, days=30, seed=7), tmp_path)
    by_channel = channel_truth(truth.played)
    lost = {name: of_channel["visits_with_order"] for name, of_channel in by_channel.items()}
    rows = channel_effects("lanting", journeys_of_shop(truth.played), date(2026, 11, 29), replicates=100)
    largest = max(lost, key=lambda name: lost[name])
    for row in rows:
        share = lost[row["channel"]] / sum(lost.values())
        if row["model"] == "shapley":
            assert row["effect_low"] <= share <= row["effect_high"], row
        elif row["channel"] == largest:
            assert row["effect"] < share
