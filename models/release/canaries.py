"""What a few persons and items get of each stored model, written down when it is saved and compared when it is loaded.

Checksums say that a file is the one that was written; they say nothing of a list of ids in another order, or of arrays of
another training. A canary is a person or an item with the best that a file has for it, by id: what is found under the same ids
later must be the same. Only stored numbers are compared, so that another version of the code changes none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.algorithms.recommender import State

SUBJECTS, BEST = 8, 5  # persons or items a file, and how much of each is written down
ITEMS, PERSONS = "items", "persons"
Canaries = dict[str, list[list[Any]]]  # by file: subject's id, item's id, number
_RELATIVE, _ABSOLUTE = 1e-3, 1e-6


def record(states: Mapping[str, State], ids: Mapping[str, Sequence[str]]) -> Canaries:
    """The canaries of these files; none without items."""
    if ITEMS not in ids:
        return {}
    kept: Canaries = {}
    for name, state in states.items():
        kind = _kind(name, state)
        if kind is None or kind not in ids:
            continue
        rows = []
        for subject in _spread(_subjects(name, state, len(ids[kind]))):
            for item, value in _best(name, state, subject).items():
                rows.append([ids[kind][subject], ids[ITEMS][item], float(f"{value:.6g}")])
        kept[name] = rows
    return kept


def differences(
    canaries: Canaries, states: Mapping[str, State], numbers: Mapping[str, Mapping[str, int]]
) -> tuple[str, str] | None:
    """The first file whose canaries are not found again by the ``numbers`` of ids, and a sentence on it; None where all are."""
    for name, rows in canaries.items():
        if name not in states:
            continue
        kind = _kind(name, states[name])
        for subject_id, item_id, value in rows:
            subject, item = numbers[kind or ITEMS].get(subject_id), numbers[ITEMS].get(item_id)
            who = "a person" if kind == PERSONS else repr(subject_id)  # the sentence is shown; it names nobody
            if kind is None or subject is None or item is None:
                return name, f"{who} and {item_id!r} are not both there, as they were when it was saved"
            now = _value(name, states[name], subject, item)
            if now is None or not np.isclose(now, value, rtol=_RELATIVE, atol=_ABSOLUTE):
                return name, f"{item_id!r} for {who} is {now}, it was {value} when it was saved: ids or arrays are others"
    return None


def _kind(name: str, state: State) -> str | None:
    """What the rows of a file are of; None for a file without canaries."""
    if name.startswith("lists_") or (name == "als" and "person_factors" in state):
        return PERSONS
    if name in ("popularity", "item_knn", "newcomers", "repurchase") or name.startswith("context_"):
        return ITEMS
    return None


def _subjects(name: str, state: State, size: int) -> np.ndarray:
    """Numbers of the persons or items of whom a file says something."""
    if name == "popularity":
        return np.flatnonzero(state["sales"])
    if name == "repurchase":
        return np.flatnonzero(state["chance"])
    if name == "newcomers":
        return state["items"]
    if name == "als":
        return np.flatnonzero(np.abs(state["person_factors"]).sum(axis=1))
    if name.startswith("lists_"):
        lists = state["items"].astype(np.int64)
        return np.arange(size) if len(lists) == 1 else np.flatnonzero((lists >= 0).any(axis=1))
    if "idf" in state:
        return np.flatnonzero(state["idf"])
    return np.flatnonzero(np.diff(_rows(state)[0]))


def _spread(subjects: np.ndarray) -> list[int]:
    places = np.unique(np.linspace(0, len(subjects) - 1, min(SUBJECTS, len(subjects))).astype(np.int64))
    return [int(subjects[place]) for place in places]


def _best(name: str, state: State, subject: int) -> dict[int, float]:
    """The items that a file has for a person or an item, largest numbers first."""
    if name == "als":
        scores = state["item_factors"] @ state["person_factors"][subject]
        numbers, values = np.arange(len(scores)), scores
    elif name.startswith("lists_"):
        row = subject if len(state["items"]) > 1 else 0
        numbers, values = state["items"][row], np.where(state["items"][row] >= 0, state["weights"][row], -np.inf)
    elif name == "item_knn" or (name.startswith("context_") and "idf" not in state):
        starts, columns, data = _rows(state)
        span = slice(int(starts[subject]), int(starts[subject + 1]))
        numbers, values = columns[span], data[span]
    else:
        value = _value(name, state, subject, subject)
        return {} if value is None else {subject: value}
    best = np.argsort(-values, kind="stable")[:BEST]
    return {int(numbers[place]): float(values[place]) for place in best if np.isfinite(values[place])}


def _value(name: str, state: State, subject: int, item: int) -> float | None:
    """The number that a file has for a person or an item, and an item; None where it has none."""
    if name == "popularity":
        return float(state["sales"][item])
    if name == "repurchase":
        return float(state["chance"][item])
    if name == "newcomers":
        [here] = np.nonzero(state["items"] == item)
        return float(state["a"][here[0]] / (state["a"][here[0]] + state["b"][here[0]])) if len(here) else None
    if name == "als":
        return float(state["item_factors"][item] @ state["person_factors"][subject])
    if name.startswith("lists_"):
        row = subject if len(state["items"]) > 1 else 0
        [here] = np.nonzero(state["items"][row] == item)
        return float(state["weights"][row][here[0]]) if len(here) else None
    if "idf" in state:
        return float(state["idf"][item])
    starts, columns, data = _rows(state)
    span = slice(int(starts[subject]), int(starts[subject + 1]))
    [here] = np.nonzero(columns[span] == item)
    return float(data[span][here[0]]) if len(here) else None


def _rows(state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts, columns and numbers of a sparse matrix, as item-kNN or ``models.algorithms.sparse_rows`` stores it."""
    prefix = "" if "indptr" in state else "rules_"
    return state[f"{prefix}indptr"], state[f"{prefix}indices"], state[f"{prefix}data"]
