"""Any logged answer is made again exactly from what is logged of it, and what cannot be made again says why."""

from __future__ import annotations

import json
import resource
import time
from dataclasses import MISSING, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi.paths import Paths
from jishi.rules.rule_set import RuleSet
from jishi.rules.selection import Selection
from jishi.rules.versions import RuleVersions
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from models.algorithms.exploration import Belief
from models.candidates.usual_prices import UsualPrices, currency_key
from serving.engine import Engine
from serving.item_filter import ItemFilter
from serving.kept_catalogues import KEPT_S, JoinedItems, KeptCatalogues, items_then
from serving.recent import LastAct
from serving.releases import ReleaseUnusable
from serving.replay import NotReplayable, ReplayedAnswer, find_decision, logged_request, replay
from serving.request import Request, VisitContext
from serving.rules.impressions import Seen

IDS = [f"i{number}" for number in range(30)]
KINDS = ["skirts", "tea", "lamps"]
RULES: list[dict[str, Any]] = [
    {"kind": "boost", "name": "more tea", "items": {"categories": ["tea"]}, "factor": 3},
    {"kind": "hide", "name": "no i7", "items": {"item_ids": ["i7"]}},
    {"kind": "pin", "name": "i9 third", "item_id": "i9", "slot": 3},
    {"kind": "diversity", "name": "mixed", "strength": 0.6},
    {"kind": "price_band", "name": "cheap", "max_minor": 2500},
    {"kind": "frequency_cap", "name": "not again", "shown": 2, "days": 3},
    {"kind": "new_items", "name": "some new", "share": 0.2},
]


@dataclass
class KnownRelease:
    """The tiny release with those whom it knows."""

    model: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    @property
    def person_ids(self) -> list[str]:
        return [*self.model.tastes, *self.model.bought]


class Logging:
    """An engine of one shop that logs every answer with its inputs."""

    def __init__(self, var: Path, tiny: Any, *, rules: list[dict[str, Any]] | None = None, has_models: bool = True) -> None:
        config = Settings(var=var, served_answers_rate=1.0, _env_file=None)  # type: ignore[call-arg]
        self.paths, shops = Paths.of(config), Shops()
        shops.add(Shop(shop_id="a", name="a"))
        shops.save(self.paths.shops_file)
        self.engine = Engine.of(config, self.paths)
        self.engine.keys.reload()
        self.engine.stream.has_caught_up = True
        near = {n: {n + 1: 0.9, n + 2: 0.3} for n in range(30) if n % 10 < 8}
        model = tiny.model(IDS, near, {"u:1": {3: 2.0, 14: 1.0}}, bought={"u:1": [4], "a:d": [5]})
        belief = Belief(np.full(6, 2.0), np.full(6, 50.0))
        model.usual_prices = UsualPrices(np.tile(np.float32([1900, 2500]), 15), np.full(30, currency_key("CNY")))
        model.quotas = {"home": {"new": 4, "on_sale": 4, "beside": 4}}
        model.newcomers = tiny.newcomers(np.arange(24, 30), belief, {"u:1": np.array([25, 26])})
        if has_models:
            lists = {"u:1": [(number, 1.0 / (1 + number), "like_yours", number - 1) for number in range(1, 12)]}
            follows = {number: {(number + 3) % 30: 1.0, (number + 7) % 30: 0.4} for number in range(30)}
            for name in ("home", "item", "cart"):
                model.placed[name] = tiny.placed(30, follows if name != "home" else {}, lists, reason="viewed_next")
        self.tiny, self.model, self.acts = tiny, KnownRelease(model), []
        self.engine.recent.last_acts = lambda _, persons: self.acts if persons else []  # type: ignore[method-assign]
        self.state = self.engine.states.of("a")
        self.state.use_snapshot({item_id: self.item(item_id, number) for number, item_id in enumerate(IDS)})
        self.state.use_release(self.model, published_at=0.0)
        if rules:
            versions = RuleVersions.of(self.paths, "a")
            versions.publish(RuleSet.model_validate({"rules": rules}), "a test", datetime.now(UTC))
            self.state.rules.look(versions)

    def item(self, item_id: str, number: int, at_ms: int = 1, **state: Any) -> Any:
        offered = {name: state.pop(name) for name in ("unit_price_minor", "stocked_at_ms") if name in state}
        plain = self.tiny.item(item_id, **{"category": KINDS[number // 10], "at_ms": at_ms} | state)
        known = {"home_price_minor": 1000 + 100 * number, "brand": f"b{number % 4}", "attributes": (("n", str(number)),)}
        return replace(plain, **known | offered)

    def change(self, number: int, at_ms: int, **state: Any) -> None:
        self.state.apply(self.item(IDS[number], number, at_ms, **state))

    def logged(self, request: Request, request_id: str = "r1") -> dict[str, Any]:
        self.engine.answer(request, request_id)
        self.engine.decisions.flush()
        return find_decision(self.paths.served_decisions, request_id)

    def again(self, entry: dict[str, Any], *without: str) -> ReplayedAnswer:
        return replay(entry, self.paths, without_rules=without, load=lambda *_: self.model)


NUMBERS = st.lists(st.integers(0, 29), max_size=5, unique=True)
STATES = st.sampled_from(
    [
        *({"stock": 0}, {"stock": 3}, {"status": "inactive"}, {"category": "moved"}),
        *({"unit_price_minor": 900}, {"stocked_at_ms": int(time.time() * 1000) - 86_400_000}),
    ]
)
CHANGES = st.lists(st.tuples(st.integers(0, 29), STATES), max_size=6)


@settings(deadline=None, max_examples=60)
@given(
    where=st.sampled_from(["home", "item", "cart", "after_payment"]),
    numbers=NUMBERS,
    acts=st.lists(st.tuples(st.integers(0, 29), st.floats(0, 90_000)), max_size=6, unique_by=lambda act: act[0]),
    persons=st.sampled_from([(), ("u:1",), ("u:1", "a:d"), ("a:d",), ("u:stranger",)]),
    excludes=st.sampled_from([None, True, False]),
    only=st.sampled_from([None, Selection(categories=("tea", "lamps")), Selection(price_max_minor=2200, brands=("b1", "b2"))]),
    rules=st.lists(st.sampled_from(RULES), max_size=4, unique_by=lambda rule: rule["name"]),
    changes=CHANGES,
    later=CHANGES,
    has_models=st.booleans(),
    request_id=st.uuids(version=4).map(lambda each: each.hex),
)
def test_an_answer_is_made_again_exactly(
    tiny: Any,
    where: str,
    numbers: list[int],
    acts: list[tuple[int, float]],
    persons: tuple[str, ...],
    excludes: bool | None,
    only: Selection | None,
    rules: list[dict[str, Any]],
    changes: list[tuple[int, dict[str, Any]]],
    later: list[tuple[int, dict[str, Any]]],
    has_models: bool,
    request_id: str,
) -> None:
    items = tuple(IDS[number] for number in numbers)
    with TemporaryDirectory() as var:
        shop = Logging(Path(var), tiny, rules=rules, has_models=has_models)
        shop.acts = [LastAct(IDS[number], age) for number, age in sorted(acts, key=lambda act: act[1])]
        for seen in (IDS[:6], IDS[:4]):
            at_ms = int(datetime.now(UTC).timestamp() * 1000) - len(seen)
            shop.state.impressions.put(Seen("a", ("u:1",), tuple(seen), is_click=False, known_at_ms=at_ms, event_id=f"{at_ms}"))

        def apply(some: list[tuple[int, dict[str, Any]]], at_ms: int) -> None:
            for place, (number, state) in enumerate(some):
                shop.change(number, at_ms + place, **state)

        apply(changes, 100)
        request = Request(
            "a",
            where,  # type: ignore[arg-type]
            8,
            persons,
            item_id=items[0] if where == "item" and items else ("i3" if where == "item" else None),
            cart=items if where == "cart" else (),
            order=items if where == "after_payment" else (),
            excludes_purchased=excludes,
            only=None if only is None else ItemFilter(only),
            excluded=("i11",),
        )
        entry = shop.logged(request, request_id)
        apply(later, 200)  # what comes after the answer has no part in it
        shop.engine.decisions.flush()
        result = shop.again(entry)
    assert result.differences == []
    assert [row[0] for row in result.logged] == entry["items"]


@pytest.mark.parametrize("has_models", [True, False])
def test_a_rung_that_was_tried_is_tried_again(tiny: Any, tmp_path: Path, has_models: bool) -> None:
    """By the arm of the log: the shop may have another share by then."""
    shop, arms = Logging(tmp_path, tiny, has_models=has_models), set()
    shop.engine.settings.ladder_trials = 1.0
    shop.acts = [LastAct("i12", 30.0), LastAct("i3", 90_000.0)]
    entries = []
    for number in range(40):
        page = "i3" if number % 2 else None
        request = Request("a", "item" if page else "home", 8, ("u:1",), item_id=page)
        entries.append(shop.logged(request, f"r{number}"))
    shop.engine.settings.ladder_trials = 0.0
    for entry in entries:
        assert shop.again(entry).differences == []
        arms.add(entry["arm"])
    assert {arm for arm in arms if arm.startswith("tried_")} == {"tried_session", "tried_segment", "tried_popular"}
    assert "ranked" in arms, "no order is known, so that there is no bundled list to try"


def test_an_explored_item_is_drawn_again(tiny: Any, tmp_path: Path) -> None:
    shop, arms = Logging(tmp_path, tiny), set()
    for number in range(60):
        entry = shop.logged(Request("a", "home", 10, ("u:1",)), f"request {number}")
        arms.add(entry["arm"])
        assert shop.again(entry).differences == []
    assert arms == {"explored", "ranked"}


def test_a_category_page_is_made_again_by_the_rules_of_its_category(tiny: Any, tmp_path: Path) -> None:
    scope = {"placements": ["category"], "page_categories": ["tea"]}
    shop = Logging(tmp_path, tiny, rules=[{"kind": "pin", "name": "i15 first", "item_id": "i15", "slot": 1} | scope])
    items = Selection(item_ids=tuple(IDS[10:20]))
    entry = shop.logged(Request("a", "category", 10, ("u:1",), only=ItemFilter(items), category="tea"))
    assert entry["items"][0] == "i15"
    assert shop.again(entry).differences == []
    assert shop.again(entry, "i15 first").again[0][0] != "i15"


def test_nothing_that_a_request_carries_is_left_out_of_the_log(tiny: Any, tmp_path: Path) -> None:
    chosen = Selection(
        item_ids=("i1",),
        categories=("tea",),
        brands=("b1",),
        attributes={"n": ("1",)},
        price_min_minor=1,
        price_max_minor=9_000,
    )
    request = Request(
        "a",
        "category",
        5,
        persons=("u:1",),
        item_id="i2",
        cart=("i3",),
        order=("i4",),
        excludes_purchased=False,
        bought=frozenset({"i5"}),
        is_opted_out=True,
        only=ItemFilter(chosen, "north"),
        excluded=("i6",),
        category="tea",
        visit=VisitContext("wechat", None, "north"),
    )
    carried: list[Any] = [request, request.only]
    plain = {
        field.name for each in carried for field in fields(each) if getattr(each, field.name) == field.default is not MISSING
    }
    plain |= {name for name, field in Selection.model_fields.items() if getattr(chosen, name) == field.default}
    assert not plain, f"give {plain} a value here, log it in serving.decisions and restore it in serving.replay"
    assert logged_request(Logging(tmp_path, tiny).logged(request), ("u:1",)) == request


def test_a_difference_is_named(tiny: Any, tmp_path: Path) -> None:
    shop = Logging(tmp_path, tiny)
    entry = shop.logged(Request("a", "item", 3, ("u:1",), item_id="i2"))
    entry["items"][1], entry["model"] = "i29", "another"
    first, second = shop.again(entry).differences
    assert first == "model: another, now tiny"
    assert second.startswith("place 2: i29 ")


def test_without_a_rule_the_list_is_what_it_would_have_been(tiny: Any, tmp_path: Path) -> None:
    pin, hide = RULES[2], RULES[1]
    shop = Logging(tmp_path / "with", tiny, rules=[pin, hide], has_models=False)
    entry = shop.logged(Request("a", "home", 5))
    assert entry["rules_version"] == 1
    assert entry["touched_by_rules"] == {"i9": ["i9 third"]}
    bare = Logging(tmp_path / "bare", tiny, rules=[hide], has_models=False).logged(Request("a", "home", 5))
    result = shop.again(entry, "i9 third")
    assert [row[0] for row in result.again] == bare["items"] != entry["items"]
    with pytest.raises(NotReplayable, match="has no rule 'another'; it has i9 third, no i7"):
        shop.again(entry, "another")


def test_what_cannot_be_made_again_says_why(tiny: Any, tmp_path: Path) -> None:
    shop = Logging(tmp_path, tiny)
    entry = shop.logged(Request("a", "home", 5, ("u:1",)))
    with pytest.raises(NotReplayable, match="no answer r2 in"):
        find_decision(shop.paths.served_decisions, "r2")
    with pytest.raises(NotReplayable, match="only a sample has them"):
        shop.again(entry | {"inputs": None})
    with pytest.raises(NotReplayable, match="no release to load"):
        shop.again(entry | {"model_version": "none"})
    with pytest.raises(NotReplayable, match="an item changed while"):
        shop.again(entry | {"inputs": entry["inputs"] | {"is_settled": False}})
    with pytest.raises(NotReplayable, match=r"changes of 7"):
        shop.again(entry | {"inputs": entry["inputs"] | {"changes": 7}})
    with pytest.raises(NotReplayable, match="release v1 of a cannot be loaded"):
        replay(entry, shop.paths)
    for file in shop.paths.served_catalogues.glob("*/*"):
        file.unlink()
    with pytest.raises(NotReplayable, match="cannot be read"):
        shop.again(entry)


def test_a_person_is_in_the_log_by_a_pseudonym_alone(tiny: Any, tmp_path: Path) -> None:
    entry = Logging(tmp_path, tiny).logged(Request("a", "home", 5, ("u:1", "a:d")))
    assert all(person.startswith(("u:p", "a:p")) and len(person) == 19 for person in entry["inputs"]["persons"])
    assert '"u:1"' not in json.dumps(entry)


def test_a_change_while_an_answer_is_made_is_noticed(tiny: Any, tmp_path: Path) -> None:
    shop = Logging(tmp_path, tiny)

    def late(*_: Any) -> list[LastAct]:
        shop.change(3, 50, stock=0)
        return []

    shop.engine.recent.last_acts = late  # type: ignore[method-assign]
    assert not shop.logged(Request("a", "home", 5, ("u:1",)))["inputs"]["is_settled"]
    assert shop.logged(Request("a", "home", 5), "r2")["inputs"]["is_settled"]


def test_kept_items_come_back_as_they_were_and_old_ones_go(tiny: Any, tmp_path: Path) -> None:
    shop = Logging(tmp_path / "var", tiny)
    items, now_s = dict(shop.state.catalogue.items), 0.0
    joined, kept = JoinedItems(dict(items)), KeptCatalogues(tmp_path / "kept", lambda: now_s)

    @dataclass
    class Entry:
        joined: JoinedItems | None
        shop_id: str = "a"

    changes = [shop.item("i1", 1, at_ms, stock=at_ms) for at_ms in (5, 6, 7)]
    for change in changes[:2]:
        joined.begin(change)
        joined.end()
    kept.keep([Entry(joined), Entry(None)])
    joined.begin(changes[2])
    kept.keep([Entry(joined)])
    assert items_then(tmp_path / "kept" / "a", joined.id, 3) == (items, changes)
    assert items_then(tmp_path / "kept" / "a", joined.id, 1) == (items, changes[:1])
    now_s = datetime.now(UTC).timestamp() + KEPT_S + 60
    kept.keep([Entry(None)])  # also where no answer is logged with its inputs any more
    assert not list((tmp_path / "kept").glob("*/*"))
    (tmp_path / "kept" / "b").write_text("in the way")
    again = JoinedItems(dict(items))
    with pytest.raises(OSError, match="exists") as raised:
        kept.keep([Entry(JoinedItems(dict(items)), "b"), Entry(again, "c")])
    assert "kept/b" not in str(raised.value), "what is told of it on an open page names no shop"
    assert items_then(tmp_path / "kept" / "c", again.id, 0) == (items, []), "one shop's disk is not another's"


def test_a_disk_that_is_full_for_a_while_leaves_no_half_of_a_change(tiny: Any, tmp_path: Path) -> None:
    shop = Logging(tmp_path / "var", tiny)
    joined, changes = JoinedItems(dict(shop.state.catalogue.items)), [shop.item("i1", 1, at_ms, stock=5) for at_ms in (5, 6, 7)]
    joined.write(tmp_path)
    for change in changes:
        joined.begin(change)
        joined.end()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))  # a line and a part of the next
    try:
        with pytest.raises(OSError, match="space"):
            joined.write(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    joined.write(tmp_path)
    assert items_then(tmp_path, joined.id, 3)[1] == changes


def test_a_join_is_written_as_it_was_though_the_catalogue_went_on(tiny: Any, tmp_path: Path) -> None:
    live = {f"i{n}": tiny.item(f"i{n}") for n in range(3)}
    joined, then = JoinedItems(live), dict(live)
    changes = [tiny.item("i1", stock=1), tiny.item("new", stock=2), tiny.item("i1", stock=3)]
    for change in changes:
        joined.begin(change)
        live[change.item_id] = change
        joined.end()
    joined.write(tmp_path)
    assert items_then(tmp_path, joined.id, 3) == (then, changes)


def test_a_release_that_is_gone_is_an_error_of_the_command(tmp_path: Path, tiny: Any) -> None:
    entry = Logging(tmp_path, tiny).logged(Request("a", "home", 5))

    def gone(*_: Any) -> Any:
        raise ReleaseUnusable("it is not kept")

    with pytest.raises(NotReplayable, match=r"five are kept\): it is not kept"):
        replay(entry, Paths.of(Settings(var=tmp_path, _env_file=None)), load=gone)  # type: ignore[call-arg]
