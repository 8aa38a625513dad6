"""Choose each model's parameters for one shop on a validation window that lies before the test window.

Shops differ: in a grocery most of a basket was bought before, in a fashion shop little is. What is chosen follows from acts
that had happened and were known before the test window's cut; the test stays unseen until the choice is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.algorithms.ladder import Parameters, make_model
from models.algorithms.recommender import Recommender
from models.data.interactions import Interactions
from models.data.sequences import evenly_spaced
from models.data.split import SplitWindow, TooShort, last_active_days
from models.evaluation.metrics import MAIN_METRIC
from models.evaluation.time_split import NobodyToTest, evaluate_model, make_test_set

# Enough to tell candidates of a grid this coarse apart: whom they are judged on, and whose histories they learn from.
MOST_PERSONS, MOST_TEACHERS = 300, 2_000
# The first of each is the default, taken when the history is too short to choose.
GRID: dict[str, tuple[dict[str, Any], ...]] = {
    "popularity": ({},),
    "item_knn": ({"self_weight": 1.0}, {"self_weight": 10.0}),
    "als": ({"alpha": 10.0, "regularization": 20.0}, {"alpha": 0.3, "regularization": 5.0}),
}
# Parameters that change how a fitted model scores, and not the fit.
SCORING_ONLY = {"self_weight"}
# What candidates are fitted with besides, so that comparing them costs less. The four shops of the demo, each with two or three
# ends of its history, choose after four sweeps of ALS what they choose after eight; half of the teachers changed two choices.
WHILE_CHOOSING: dict[str, dict[str, Any]] = {"als": {"iterations": 4}}


def choose_parameters(interactions: Interactions, window: SplitWindow) -> tuple[Parameters, dict[str, Any]]:
    """The best parameters of each model before ``window.cut``, and a report with the validation score of each candidate.

    Validation repeats the test's form one step earlier: the last days before the cut are predicted from the days before those.
    """
    defaults = {name: grid[0] for name, grid in GRID.items()}
    known = interactions.where(window.is_training(interactions.occurred_at, interactions.known_at))
    try:
        inner = last_active_days(known.occurred_at[known.kind == "pay"])
        tests = make_test_set(known, inner).sampled(MOST_PERSONS)
    except (TooShort, NobodyToTest) as error:
        return defaults, {"skipped": str(error)}
    training = known.where(inner.is_training(known.occurred_at, known.known_at))
    histories, sales = training.matrix(), training.sales()
    histories = histories[evenly_spaced(histories.shape[0], MOST_TEACHERS)]
    chosen: Parameters = {}
    report: dict[str, Any] = {"metric": MAIN_METRIC, "persons": tests.persons, "candidates": {}}
    for name, grid in GRID.items():
        if len(grid) == 1:
            chosen[name] = grid[0]
            continue
        scores: list[float] = []
        fitted: Recommender | None = None
        for parameters in grid:
            model = make_model(name, parameters | WHILE_CHOOSING.get(name, {}))
            if fitted is None or not set(parameters) <= SCORING_ONLY:
                fitted = model.fit(histories, sales)
            model = model.from_state(fitted.state())
            scores.append(float(evaluate_model(model, tests, only_new=False).values[MAIN_METRIC].mean()))
        chosen[name] = grid[int(np.argmax(scores))]
        report["candidates"][name] = [
            parameters | {MAIN_METRIC: round(score, 6)} for parameters, score in zip(grid, scores, strict=True)
        ]
    return chosen, report
