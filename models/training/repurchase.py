"""Of each item the chance that who bought it buys it again within a week."""

from __future__ import annotations

import numpy as np

from models.algorithms.buy_again import BuyAgain
from models.algorithms.recommender import State
from models.candidates.training_context import TrainingContext


def repurchase_chances(training_context: TrainingContext) -> State:
    """Of each item the chance that who bought it buys it again within a week (``models.algorithms.buy_again``)."""
    return chances_of(BuyAgain().fit(training_context.moment))


def chances_of(model: BuyAgain) -> State:
    """The array of the file."""
    return {"chance": model.again_soon().astype(np.float32)}
