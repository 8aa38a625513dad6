"""The ranker that answers requests (``models.ranking.request_ranker``) on a simulated shop, learnt and asked as in releases."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
from scipy import sparse

from bench.simulated_data import ShopData
from models.algorithms.ladder import Parameters
from models.algorithms.recommender import Scores
from models.candidates.recipes import Recipe
from models.candidates.training_context import TrainingContext
from models.data.last_acts import LastActs
from models.data.sequences import Numbers, Sequences
from models.data.split import SplitWindow
from models.ranking.past_requests import PastRequests, neighbours_of
from models.training.fit import fit, matrix_models
from models.training.parameter_choice import choose_parameters
from models.training.rankers import learn_both
from models.training.request_rankers import facts_of

ZONE = ZoneInfo("Asia/Shanghai")
HOME = "home"


def served_scores(shop: ShopData, window: SplitWindow, persons: Numbers) -> Scores | None:
    """Persons × items at the cut on the home page: what the placement's ranker gives its candidates, 0 for others. Without
    features of a store, which a release without them lacks, too; None for a shop that taught no ranker.
    """
    acts, cut = shop.interactions, window.cut
    known = acts.where(window.is_training(acts.occurred_at, acts.known_at))
    parameters: Parameters = choose_parameters(acts, window)[0]
    category_of = {item_id: facts["category"] for item_id, facts in zip(acts.item_ids.tolist(), shop.facts, strict=True)}
    ranker = learn_both(known, cut, parameters, category_of, ZONE, None)[1].rankers.get(HOME)
    if ranker is None:
        return None
    context = TrainingContext.of(known, cut, *matrix_models(known, parameters))
    fitted = fit(context, [Recipe("ranker", ranker=HOME)], None)
    neighbours = neighbours_of(context.item_knn.similarities())
    past = PastRequests(fitted.contexts, fitted.lists, neighbours, facts_of(context, category_of), LastActs(known), ZONE)
    nothing = sparse.csr_matrix((len(persons), context.items), dtype=np.float32)
    given = Sequences(np.empty(0, dtype=np.int64), np.zeros(len(persons) + 1, dtype=np.int64), context.items)
    at = np.full(len(persons), cut, dtype="datetime64[us]")
    return np.asarray(past.score(ranker, given, persons, at, nothing).toarray(), dtype=np.float32)
