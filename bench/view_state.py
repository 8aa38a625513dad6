"""State of one feature view in plain Python, as the baseline job keeps it: a value for each slide, or the last few acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jishi.features import Feature

Pane = dict[str, Any]


class RunningView:
    """A view whose value changes with each act; last entries may have their times beside them."""

    def __init__(self, members: Sequence[Feature]) -> None:
        feature = self._feature = members[0]
        self._times = members[1].name if len(members) > 1 else None
        self._column = feature.column or "occurred_at_ms"
        self.entity = feature.entity

    def takes(self, act: Mapping[str, Any]) -> bool:
        """Whether the act changes the value."""
        return act[self._column] is not None and self._feature.takes(act)

    def reduced(self, act: Mapping[str, Any]) -> dict[str, Any]:
        """What of an act is needed."""
        return {name: act[name] for name in (self._column, "received_at_ms")}

    def added(self, state: Any, act: Mapping[str, Any]) -> Any:
        """The state after one more act."""
        value = act[self._column]
        if self._feature.aggregation == "last_n":
            return [(value, act["received_at_ms"]), *(state or [])[: (self._feature.n or 1) - 1]]
        return min(state, value) if self._feature.aggregation == "first_seen" and state is not None else value

    def values(self, state: Any) -> dict[str, Any]:
        """The feature's value."""
        if self._feature.aggregation != "last_n":
            return {self._feature.name: state}
        values_now = {self._feature.name: [value for value, _ in state]}
        return values_now if self._times is None else values_now | {self._times: [at_ms for _, at_ms in state]}


class WindowedView:
    """A view of windows; a pane holds what the acts of one slide come to."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self._parts = features
        self._columns = sorted(
            {"kind", "occurred_at_ms"}
            | {part.column for part in self._parts if part.column}
            | {where.column for part in self._parts for where in part.where}
        )
        self.entity = features[0].entity
        self.slide_ms = features[0].slide * 1000
        self._offset_ms = features[0].offset_s * 1000
        self.size_ms = features[0].size * 1000 + self._offset_ms

    def takes(self, act: Mapping[str, Any]) -> bool:
        """Whether one of the features counts the kind of act."""
        return any(act["kind"] in part.acts for part in self._parts)

    def reduced(self, act: Mapping[str, Any]) -> dict[str, Any]:
        """What of an act is needed."""
        return {name: act[name] for name in self._columns}

    def slide_end(self, at_ms: int) -> int:
        """End of the slide that holds an instant."""
        return (at_ms // self.slide_ms + 1) * self.slide_ms

    def added(self, pane: Pane | None, act: Mapping[str, Any]) -> Pane:
        """The pane after one more act."""
        pane = pane if pane is not None else {}
        for part in self._parts:
            if part.takes(act):
                pane[part.name] = _merged(part, pane.get(part.name), _of_act(part, act))
        return pane

    def values(self, panes: Mapping[int, Pane], end_ms: int) -> dict[str, Any]:
        """Values of all features from the panes of one window, by their ends."""
        totals: dict[str, Any] = {}
        for part in self._parts:
            for at_ms, pane in panes.items():
                if part.name in pane and at_ms <= end_ms - self._offset_ms:
                    totals[part.name] = _merged(part, totals.get(part.name), pane[part.name])
        counted = {part.name for part in self._parts if part.aggregation == "distinct"}
        for name, total in totals.items():
            if isinstance(total, set):
                totals[name] = len(total) if name in counted else sorted(total)
        return {part.name: _value(part, totals) for part in self._parts}


def view_state(view: str, members: Sequence[Feature]) -> RunningView | WindowedView:
    """The state of a view."""
    return RunningView(members) if members[0].is_running else WindowedView(members)


def _of_act(part: Feature, act: Mapping[str, Any]) -> Any:
    if part.aggregation == "count":
        return 1
    value = act[part.column or ""]
    if value is None:
        return None
    if part.aggregation in ("distinct", "values"):
        return {value}
    return (value, 1) if part.aggregation == "mean" else value


def _merged(part: Feature, one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    if part.aggregation in ("count", "sum"):
        return one + other
    if part.aggregation in ("distinct", "values"):
        return one | other
    if part.aggregation == "mean":
        return one[0] + other[0], one[1] + other[1]
    return min(one, other) if part.aggregation == "min" else max(one, other)


def _value(feature: Feature, totals: Mapping[str, Any]) -> Any:
    total = totals.get(feature.name)
    if total is None:
        return [] if feature.default == () else feature.default
    return float(total[0]) / float(total[1]) if feature.aggregation == "mean" else total
