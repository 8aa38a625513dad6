"""``python -m serving.replay REQUEST_ID``: make a logged answer again, from its logged inputs and the release that it names.

The same code answers the same request over the catalogue of that moment. Nothing else has a part in it: what was read of the
person is in the log, and what is drawn at random follows from the request's id. With ``--without-rule`` a rule of the shop is
left out: what would have been shown then.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson

from jishi.paths import Paths
from jishi.pseudonyms import Pseudonyms
from jishi.rules.rule_set import RuleSet
from jishi.rules.selection import Selection
from jishi.rules.versions import NoSuchVersion, RulesUnreadable, RuleVersions
from jishi.settings import get_settings
from jishi.text_tables import TextTable, text_console
from models.algorithms.exploration import drawn_item
from serving.bundled import NO_VERSION
from serving.exploring import luck_of, with_explored
from serving.item_filter import ItemFilter
from serving.kept_catalogues import CatalogueLost, items_then
from serving.moment import Moment, UsedFeatures
from serving.recent import LastAct
from serving.recommend import Answer, recommend
from serving.releases import ReleaseUnusable, load_release
from serving.request import Request, VisitContext
from serving.rules.active import ActiveRules, ListContext
from serving.rules.impressions import Impressions
from serving.rules.shop_rules import ShopRules
from serving.shelf import ServedModel, Shelf
from serving.shop_state import ShopState
from serving.trials import arm_of, rung_of


class Loaded(ServedModel, Protocol):
    """A release, with those whom it knows."""

    @property
    def person_ids(self) -> Iterable[str]:
        """Ids of persons."""


Load = Callable[[Path, str, str], Loaded]  # folder of models, shop, version
Row = tuple[str, float, str, str | None]  # item, score, reason, item that was the cause


class NotReplayable(LookupError):
    """An answer that is not logged, or whose inputs are not there."""


@dataclass(frozen=True)
class ReplayedAnswer:
    """A logged answer and the same made again: rung and model, arm, and the rows of each list."""

    logged: list[Row]
    again: list[Row]
    logged_facts: dict[str, str]
    facts: dict[str, str]

    @property
    def differences(self) -> list[str]:
        """Where they differ, in words; none when they are equal."""
        facts = [f"{name}: {was}, now {self.facts[name]}" for name, was in self.logged_facts.items() if self.facts[name] != was]
        pairs = enumerate(zip_longest(self.logged, self.again), 1)
        return facts + [f"place {place}: {_words(was)}, now {_words(now)}" for place, (was, now) in pairs if was != now]


def find_decision(folder: Path, request_id: str) -> dict[str, Any]:
    """The logged answer of that id. Raises NotReplayable."""
    mark = orjson.dumps({"request_id": request_id})[1:-1]
    for file in sorted(folder.glob("*/*.jsonl"), reverse=True):
        with file.open("rb") as lines:
            for line in lines:
                if mark in line and line.endswith(b"\n") and (entry := orjson.loads(line))["request_id"] == request_id:
                    return dict(entry)
    raise NotReplayable(f"no answer {request_id} in {folder}; answers are kept for 8 days")


def replay(
    entry: dict[str, Any], paths: Paths, *, without_rules: Sequence[str] = (), load: Load = load_release
) -> ReplayedAnswer:
    """Make a logged answer again. Raises NotReplayable with the reason."""
    inputs = entry["inputs"]
    if inputs is None:
        raise NotReplayable("this answer was logged without its inputs: only a sample has them (JISHI_SERVED_ANSWERS_RATE)")
    if entry["model_version"] == NO_VERSION:
        raise NotReplayable("this answer came from the catalogue and the latest orders alone: there is no release to load")
    if not inputs["is_settled"]:
        raise NotReplayable("an item changed while this answer was made: which of its two states counted where is not known")
    model = _release(entry, paths, load)
    state = _state_then(entry, paths, model)
    shelf = state.shelf
    assert shelf is not None  # it was logged with items
    request = logged_request(entry, _persons(entry, model, Pseudonyms.of(paths, entry["shop_id"])))
    rules = _rules_here(entry, request, state, shelf, paths, without_rules)
    last_acts = [LastAct(item_id, age_s) for item_id, age_s in inputs["last_acts"]]
    used = inputs.get("features")
    moment = Moment(entry["answered_at_ms"]) if used is None else UsedFeatures(**used).moment()
    tried = rung_of(entry["arm"])
    answer = recommend(request, shelf, state.catalogue, lambda *_: last_acts, rules=rules, moment=moment, tried=tried)
    arm = "ranked" if tried is None else arm_of(tried)
    explored = _explored_item(entry, shelf)
    if explored is not None and all(one.item.item_id != explored for one in answer.items):  # else a rule less has listed it
        item = state.catalogue.get(explored)
        assert item is not None  # its chance was above 0
        answer, arm = with_explored(answer, item), "explored"
    logged = zip(entry["items"], entry["scores"], entry["reasons"], inputs["because"], strict=True)
    names = ("served_by", "model", "arm")
    return ReplayedAnswer(
        logged=[(str(item_id), float(score), str(reason), because) for item_id, score, reason, because in logged],
        again=_rows(answer),
        logged_facts={name: str(entry[name]) for name in names},
        facts={"served_by": answer.served_by, "model": answer.model, "arm": arm},
    )


def _release(entry: dict[str, Any], paths: Paths, load: Load) -> Loaded:
    shop_id, version = entry["shop_id"], entry["model_version"]
    try:
        return load(paths.models, shop_id, version)
    except ReleaseUnusable as error:
        raise NotReplayable(f"release {version} of {shop_id} cannot be loaded (five are kept): {error}") from error


def _state_then(entry: dict[str, Any], paths: Paths, model: Loaded) -> ShopState:
    """The shop as it was: the release joined with the items of that time, and the changes until the answer."""
    shop_id, inputs = entry["shop_id"], entry["inputs"]
    try:
        items, changes = items_then(paths.served_catalogues / shop_id, inputs["catalogue"], inputs["changes"])
    except CatalogueLost as error:
        raise NotReplayable(str(error)) from error
    state = ShopState(shop_id)
    state.use_snapshot(items)
    state.use_release(model, published_at=0.0)
    for item in changes:
        state.apply(item)
    return state


def _persons(entry: dict[str, Any], model: Loaded, pseudonyms: Pseudonyms) -> tuple[str, ...]:
    """The persons of the request whom the release knows by the ids of their pseudonyms; others stay as they are logged, for the
    release knows nothing of them.
    """
    wanted = set(entry["inputs"]["persons"])
    known = {name: person for person in model.person_ids if (name := pseudonyms.person(person)) in wanted} if wanted else {}
    return tuple(known.get(name, name) for name in entry["inputs"]["persons"])


def logged_request(entry: dict[str, Any], persons: tuple[str, ...]) -> Request:
    """The request of a logged answer, of these persons."""
    only = None
    if entry["only"] is not None:
        stated = dict(entry["only"])
        region = stated.pop("region", None)
        only = ItemFilter(Selection.model_validate(stated), region)
    return Request(
        entry["shop_id"],
        entry["placement"],
        entry["limit"],
        persons,
        entry["item_id"],
        tuple(entry["cart"]),
        tuple(entry["order"]),
        entry["exclude_purchased"],
        frozenset(entry["inputs"]["bought"]),
        entry["is_opted_out"],
        only,
        tuple(entry["excluded"]),
        entry.get("category"),  # lines of before have none
        VisitContext(**entry.get("visit", {})),
    )


class _LoggedImpressions(Impressions):
    """What the person was shown and did not click, as it was logged."""

    def __init__(self, ignored: dict[str, dict[str, int]], now_ms: int) -> None:
        super().__init__()
        self._by_days = {now_ms - int(days) * 86_400_000: Counter(counts) for days, counts in ignored.items()}

    def ignored(self, persons: Any, since_ms: int) -> Counter[str]:
        """The logged counts."""
        return self._by_days.get(since_ms, Counter())


def _rules_here(
    entry: dict[str, Any], request: Request, state: ShopState, shelf: Shelf, paths: Paths, without: Sequence[str]
) -> ActiveRules | None:
    """The rules that held, without those to leave out."""
    logged, number = entry["inputs"]["rules"], entry["rules_version"]
    if logged is None:
        if without:
            raise NotReplayable("no rule of the shop held for this answer")
        return None
    try:
        version = RuleVersions.of(paths, entry["shop_id"]).read(number)
    except (NoSuchVersion, RulesUnreadable) as error:
        raise NotReplayable(str(error)) from error
    named = {rule.name for rule in version.rules.rules}
    if unknown := [name for name in without if name not in named]:
        raise NotReplayable(f"version {number} has no rule {unknown[0]!r}; it has {', '.join(sorted(named))}")
    kept = RuleSet(rules=tuple(rule for rule in version.rules.rules if rule.name not in without))
    page = None if request.item_id is None else state.catalogue.get(request.item_id)
    context = ListContext(
        placement=request.placement,
        persons=request.persons,
        page=page,
        page_category=request.page_category if page is None else page.category,
        today=date.fromisoformat(logged["today"]),
        now_ms=logged["now_ms"],
    )
    impressions = _LoggedImpressions(logged["ignored"], logged["now_ms"])
    return ActiveRules.of(ShopRules(kept, number), context, shelf, state.catalogue, impressions)


def _explored_item(entry: dict[str, Any], shelf: Shelf) -> str | None:
    """The new item that the request's luck draws once more from the logged chances."""
    logged, newcomers = entry["exploration"], shelf.model.newcomers
    if logged is None or newcomers is None:
        return None
    chances = np.array([logged["eligible"].get(shelf.model.item_ids[number], 0.0) for number in newcomers.items.tolist()])
    drawn = drawn_item(logged["probability"], chances, luck_of(entry["request_id"]))
    return None if drawn is None else shelf.model.item_ids[int(newcomers.items[drawn])]


def _rows(answer: Answer) -> list[Row]:
    return [(one.item.item_id, one.score, one.reason.code, one.reason.because_item_id) for one in answer.items]


def _words(row: Row | None) -> str:
    if row is None:
        return "nothing"
    item_id, score, reason, because = row
    return f"{item_id} {score:g} {reason}" + ("" if because is None else f" ({because})")


def _tables(result: ReplayedAnswer) -> Iterator[TextTable]:
    table = TextTable("#", "logged", "score", "reason", "replayed", "score", "reason", "")
    for place, (was, now) in enumerate(zip_longest(result.logged, result.again), 1):
        cells = [cell for row in (was, now) for cell in (("", "", "") if row is None else (row[0], f"{row[1]:g}", row[2]))]
        table.add_row(str(place), *cells, "" if was == now else "differs")
    yield table


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: equal, or a question of what would have been; 1: it differs; 2: it cannot be replayed."""
    parser = argparse.ArgumentParser(prog="jishi decisions replay", description=__doc__.partition("\n\n")[0])
    parser.add_argument("request_id", help="X-Request-ID of the answer")
    parser.add_argument("--without-rule", action="append", default=[], metavar="NAME", help="leave out a rule; may repeat")
    chosen = parser.parse_args(arguments)
    paths, console = Paths.of(get_settings()), text_console(markup=False)
    try:
        entry = find_decision(paths.served_decisions, chosen.request_id)
        result = replay(entry, paths, without_rules=chosen.without_rule)
    except NotReplayable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for table in _tables(result):
        console.print(table)
    for difference in result.differences:
        console.print(difference, highlight=False, markup=False, soft_wrap=True)
    if chosen.without_rule:
        print("the list would have been the same" if not result.differences else f"{len(result.differences)} differences")
        return 0
    print("equal" if not result.differences else f"{len(result.differences)} differences")
    return 1 if result.differences else 0


if __name__ == "__main__":
    sys.exit(main())
