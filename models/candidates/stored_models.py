"""Fitted models of placements as arrays of an artefact, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from models.algorithms.item_knn import ItemKNN
from models.algorithms.item_rules import ItemRules, RulesOfItems
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
    """The models of the recipes. ``read`` gives the arrays of a file. Raises what ``read`` raises, KeyError for an unknown
    model, and ValueError, which names the file, for arrays that are none of it.
    """
    items = item_knn.similarities().shape[0]
    contexts: dict[str, SessionModel] = {}
    lists: dict[str, PersonLists] = {}
    for recipe in recipes:
        for context in recipe.contexts:
            if context not in contexts:
                contexts[context] = _load_context(context, read, item_knn)
        for personal in recipe.lists:
            if personal not in lists:
                state = read(_lists(personal))
                with _of_file(_lists(personal)):
                    lists[personal] = PersonLists.from_state(state, persons, items)
    return Fitted(contexts, lists)


def _load_context(name: str, read: Callable[[str], State], item_knn: ItemKNN) -> SessionModel:
    model = CONTEXTS[name].make()
    if CONTEXTS[name].is_of_persons:
        assert isinstance(model, ItemRules)
        return model.use(item_knn.similarities())
    state, items = read(_context(name)), item_knn.similarities().shape[0]
    with _of_file(_context(name)):
        model = model.from_state(state)
        known = model.rules().shape[0] if isinstance(model, RulesOfItems) else len(state["idf"])
        if known != items:
            raise ValueError(f"it is of {known} items, not of {items}")
    return model


@contextmanager
def _of_file(name: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{name}.npz: {f'{error} is missing' if isinstance(error, KeyError) else error}") from error


def ranker_file(placement: str) -> str:
    """Name of the file of a placement's trees."""
    return f"ranker_{placement}"


def _context(name: str) -> str:
    return f"context_{name}"


def _lists(name: str) -> str:
    return f"lists_{name}"
