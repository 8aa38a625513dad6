"""Fitted models of placements as arrays of an artefact, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from models.algorithms.item_knn import ItemKNN
from models.algorithms.item_rules import ItemRules
from models.algorithms.recommender import State
from models.algorithms.session_model import SessionModel
from models.candidates.context_models import CONTEXTS
from models.candidates.person_lists import PersonLists
from models.candidates.recipes import Fitted, Recipe

FACTS = "known_facts"  # the file of what rankers know of items, persons and pairs


def states_of(fitted: Fitted) -> dict[str, State]:
    """Arrays by file name; what follows from the release's item-kNN is not stored twice."""
    contexts = {_context(name): model.state() for name, model in fitted.contexts.items() if not CONTEXTS[name].is_of_persons}
    return contexts | {_lists(name): lists.state() for name, lists in fitted.lists.items()}


def files_of(recipes: Iterable[Recipe]) -> list[str]:
    """Names of the files that the recipes need."""
    files: dict[str, None] = {}
    for recipe in recipes:
        for context in recipe.contexts:
            if not CONTEXTS[context].is_of_persons:
                files[_context(context)] = None
        for personal in recipe.lists:
            files[_lists(personal)] = None
        if recipe.ranker is not None:
            files |= dict.fromkeys((FACTS, ranker_file(recipe.ranker)))
    return list(files)


def load(recipes: Iterable[Recipe], read: Callable[[str], State], item_knn: ItemKNN, persons: int) -> Fitted:
    """The models of the recipes. ``read`` gives the arrays of a file. Raises what ``read`` raises, BadLists and KeyError."""
    items = item_knn.similarities().shape[0]
    contexts: dict[str, SessionModel] = {}
    lists: dict[str, PersonLists] = {}
    for recipe in recipes:
        for context in recipe.contexts:
            if context not in contexts:
                contexts[context] = _load_context(context, read, item_knn)
        for personal in recipe.lists:
            if personal not in lists:
                lists[personal] = PersonLists.from_state(read(_lists(personal)), persons, items)
    return Fitted(contexts, lists)


def _load_context(name: str, read: Callable[[str], State], item_knn: ItemKNN) -> SessionModel:
    model = CONTEXTS[name].make()
    if CONTEXTS[name].is_of_persons:
        assert isinstance(model, ItemRules)
        return model.use(item_knn.similarities())
    return model.from_state(read(_context(name)))


def ranker_file(placement: str) -> str:
    """Name of the file of a placement's trees."""
    return f"ranker_{placement}"


def _context(name: str) -> str:
    return f"context_{name}"


def _lists(name: str) -> str:
    return f"lists_{name}"
