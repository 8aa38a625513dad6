"""The state of a model that is made of others: each array of a part under ``<part>/<array>``."""

from __future__ import annotations

from collections.abc import Mapping

from models.algorithms.recommender import State, Stateful


def joined(parts: Mapping[str, Stateful]) -> State:
    """The arrays of all parts."""
    return {f"{name}/{key}": array for name, part in parts.items() for key, array in part.state().items()}


def restore(parts: Mapping[str, Stateful], state: State) -> None:
    """Give each part its own arrays; others in ``state`` are left alone."""
    for name, part in parts.items():
        part.from_state({key.removeprefix(f"{name}/"): array for key, array in state.items() if key.startswith(f"{name}/")})
