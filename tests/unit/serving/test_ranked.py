"""A ranker answers as it is judged: the same candidates and columns, live or of a thousand past requests; rules act after it,
an answer is made again exactly, and who opted out is answered without anything that is stored.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from jishi.tables import SILVER_EVENTS, SILVER_INTERACTIONS, SILVER_ITEMS
from models.candidates.recipes import RANKER, Recipe, named
from models.candidates.request_sources import REQUEST_SOURCES
from models.candidates.stored_models import FACTS, load, ranker_file
from models.data.last_acts import LastActs
from models.data.stored_features import ITEM_VIEWS, PERSON_VIEWS, numbers_of
from models.evaluation.placement_questions import cases_of
from models.ranking.context_facts import COLUMNS as VISIT
from models.ranking.known_facts import KnownFacts
from models.ranking.past_requests import PastRequests, neighbours_of
from models.ranking.request_ranker import RequestRanker
from models.release.artefact import load_ids, load_state, read_manifest, save
from models.release.candidate import candidate_folder, judged_by
from models.release.candidate_evaluation import evaluate_candidate
from models.training.train import train
from serving.catalogue import Catalogue
from serving.features.views import READABLE
from serving.judge import window_release
from serving.moment import UTC, Moment
from serving.past_catalogue import PastCatalogue
from serving.past_questions import moments_of, requests
from serving.recommend import recommend
from serving.request import Request, VisitContext
from serving.shelf import join_catalogue
from tests.lake import newest, record

START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)


def made_in(folder: Path) -> Paths:
    """Sixty persons of four tastes, which their devices and cities follow: visits of some views by one of three channels, of
    which two show a half of the items each, and now and then an order of two items. Item 39 is of another category since the
    last day.
    """
    luck, rows, events = random.Random(5), list[dict[str, Any]](), list[dict[str, Any]]()
    for person in range(60):
        liked = [item for item in range(40) if item % 4 == person % 4]
        for day in range(24):
            if luck.random() < 0.5:
                at = START + timedelta(days=day, seconds=luck.randrange(80_000))
                channel = ("douyin", " WeChat", None)[luck.randrange(3)]
                seen = luck.sample([item for item in liked if channel is None or (item < 20) == (channel == "douyin")], 3)
                acts = [(item, "view") for item in seen] + ([(item, "pay") for item in seen[:2]] if luck.random() < 0.6 else [])
                for place, (item, kind) in enumerate(acts):
                    when = at + timedelta(seconds=60 * min(place, 3))
                    row = {"shop_id": "a", "person_id": f"u:{person:02}", "item_id": f"i{item:02}", "kind": kind, "quantity": 1}
                    row |= {"event_id": f"e{len(rows)}", "line_number": place, "occurred_at": when, "received_at": when}
                    rows.append(row)
                    event = {name: row[name] for name in ("shop_id", "event_id", "person_id", "occurred_at", "received_at")}
                    came = {
                        "channel": channel,
                        "device": ("web", "ios")[person % 2],
                        "city": ("杭州", "厦门", "厦门", None)[person % 4],
                    }
                    events.append(event | came | {"type": "item_viewed" if kind == "view" else "order_paid"})
    items = [
        {"shop_id": "a", "item_id": f"i{n:02}", "title": f"i{n}", "category": f"c{n % 4}", "unit_price_minor": 100, "stock": 5}
        | {"currency": "CNY", "status": "active", "changed_at": START, "known_at": START}
        for n in range(40)
    ]
    for at, category in ((START - timedelta(days=60), "c3"), (START + timedelta(days=23), "c0")):
        properties = {"item_id": "i39", "title": "i39", "category": category, "unit_price_minor": 100, "currency": "CNY"}
        row = {"shop_id": "a", "event_id": category, "type": "item_changed", "item_id": "i39", "unit_price_minor": 100}
        row |= {"occurred_at": at, "received_at": at, "line": orjson.dumps({"properties": properties}).decode()}
        events.append(row)
        items[39] |= {"category": category}
    paths = Paths(var=folder / "var", envs=folder)
    record(paths.var, {SILVER_ITEMS: items, SILVER_INTERACTIONS: rows, SILVER_EVENTS: events})
    return paths


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Paths, Path, dict[str, Any]]:
    """A candidate with its report."""
    paths = made_in(tmp_path_factory.mktemp("ranked"))
    train(paths, newest(paths.var), "a")
    return paths, candidate_folder(paths, "a"), evaluate_candidate(paths, newest(paths.var), "a")


def catalogue_of(lake: LakeVersion) -> Catalogue:
    return PastCatalogue.read(lake, "a", np.datetime64(START + timedelta(days=24), "us")).catalogue


def all_ranked(report: dict[str, Any]) -> dict[str, Any]:
    return {
        placement: {"model": RANKER, "recipe": Recipe(RANKER, ranker=placement).as_json(), "sentence": ""}
        for placement in report["placements"]
    }


@pytest.mark.parametrize("placement", list(REQUEST_SOURCES))
def test_a_live_request_sees_what_a_past_one_saw(judged: Any, placement: str) -> None:
    paths, folder, report = judged
    lake, manifest = newest(paths.var), read_manifest(folder / "window")
    acts, window = judged_by(lake, "a", folder, manifest)
    release = window_release(folder, "a", all_ranked(report), report)
    catalogue = catalogue_of(lake)
    shelf = join_catalogue(release, catalogue)
    cases = cases_of(placement, acts, window, release.is_bought_again).sampled(25)
    assert len(cases) >= 20
    read = lambda name: load_state(folder / "window", manifest, name)  # noqa: E731
    [recipe] = [each for each in named(manifest["placements"])[placement] if each.ranker]
    fitted = load([recipe], read, release._knn, len(acts.person_ids))
    facts = KnownFacts.from_state(read(FACTS), len(acts.person_ids), len(acts.item_ids))
    ranker = RequestRanker.from_state(placement, read(ranker_file(placement)))
    neighbours = neighbours_of(release._knn.similarities())
    past = PastRequests(fitted.contexts, fitted.lists, neighbours, facts, LastActs(acts), UTC)
    [(_, pairs, table)] = past.tables(ranker.sources, cases.given, cases.person, cases.asked_at, cases.masked)
    asked = requests(placement, "a", cases, acts)  # type: ignore[arg-type]
    moments = [Moment(int(at.astype("datetime64[ms]").astype(np.int64))) for at in cases.asked_at]
    compared = 0
    for row, ((request, last), moment) in enumerate(zip(asked, moments, strict=True)):
        answer = recommend(request, shelf, catalogue, lambda *_, last=last: last, moment=moment)
        assert answer.model == RANKER
        ranked = answer.workings.ranked if answer.workings else None
        assert ranked is not None
        assert ranked.table is not None
        span = slice(pairs.starts[row], pairs.starts[row + 1])
        live = dict(zip(ranked.numbers.tolist(), ranked.table, strict=True))
        for item, then in zip(pairs.items[span].tolist(), table[span], strict=True):
            if placement != "item":  # there a request has each item of the visit once, a case has what was looked at twice
                np.testing.assert_allclose(live[item], then, rtol=1e-4, atol=1e-6, err_msg=f"{placement} {row} {item}")
            compared += item in live
    assert compared > 100
    of_visit = np.isfinite(table[:, [ranker.names.index(name) for name in VISIT]]).mean(axis=0)
    assert (of_visit[1], of_visit[4]) == (1, 1), "each act came on a device"
    assert (of_visit[[0, 2, 3, 5]] > 0.2).all()
    assert (of_visit[[0, 2, 3, 5]] < 1).all()


def test_what_a_ranker_is_judged_with_knows_no_later_category(judged: Any) -> None:
    _, folder, _ = judged
    category = {part: load_state(folder / part, read_manifest(folder / part), FACTS)["category"] for part in ("window", "full")}
    assert category["window"][39] == category["window"][35] != category["window"][36]
    assert category["full"][39] == category["full"][36] != category["full"][35]


def test_a_request_says_by_what_it_came_and_sees_it(judged: Any) -> None:
    paths, folder, report = judged
    release = window_release(folder, "a", all_ranked(report), report)
    catalogue = catalogue_of(newest(paths.var))
    shelf = join_catalogue(release, catalogue)

    def seen(visit: VisitContext) -> dict[str, float]:
        request = Request("a", "home", 10, ("u:01",), visit=visit)
        answer = recommend(request, shelf, catalogue, lambda *_: (), moment=Moment(1_790_000_000_000))
        assert answer.workings is not None
        assert answer.workings.ranked is not None
        columns = answer.workings.ranked.columns_of(int(answer.workings.ranked.numbers[0]))
        return {name: columns[name] for name in VISIT if name in columns}

    assert seen(VisitContext()) == {}
    assert seen(VisitContext("fax", "toaster", "火星")) == {}, "what the release does not know is unknown"
    assert set(seen(VisitContext("wechat", "IOS", "杭州"))) == set(VISIT)
    assert seen(VisitContext("WeChat", "ios")) == seen(VisitContext(" wechat ", " iOS", ""))


def test_a_channel_that_shows_other_items_is_answered_with_them(judged: Any) -> None:
    """In the cart, where one visit is judged by its own acts: a week's visits, as at home, come by several channels."""
    paths, folder, report = judged
    release = window_release(folder, "a", all_ranked(report), report)
    catalogue = catalogue_of(newest(paths.var))
    shelf, low = join_catalogue(release, catalogue), {"douyin": 0, "wechat": 0}
    for person in range(60):
        for channel in low:
            cart = (f"i{person % 4 + 4 * (person % 10):02}",)
            request = Request("a", "cart", 5, (f"u:{person:02}",), cart=cart, visit=VisitContext(channel))
            answer = recommend(request, shelf, catalogue, lambda *_: (), moment=Moment(1_790_000_000_000))
            low[channel] += sum(int(one.item.item_id[1:]) < 20 for one in answer.items)
    assert low["douyin"] > 2 * low["wechat"], low


def test_trees_from_before_the_columns_of_the_visit_answer_as_they_did(judged: Any, tmp_path: Path) -> None:
    paths, folder, report = judged
    manifest = read_manifest(folder / "window")
    states = {name: load_state(folder / "window", manifest, name) for name in manifest["shapes"]}
    luck = np.random.default_rng(4)
    for placement in REQUEST_SOURCES:
        state = states[ranker_file(placement)]
        earlier = int(state["features"][0]) - len(VISIT)
        state["feature"] = luck.integers(0, earlier, state["feature"].shape).astype(np.int32)
        state["border"] = luck.random(state["border"].shape, dtype=np.float32)
    ids = {name: list(load_ids(folder / "window", manifest, name)) for name in ("items", "persons")}
    facts = {name: value for name, value in manifest.items() if name not in ("format", "sha256", "shapes", "canaries")}
    files = {name: (folder / "window" / name).read_bytes() for name in manifest["sha256"] if "." in name}
    files = {name: content for name, content in files.items() if not name.endswith((".npz", ".arrow"))}
    save(tmp_path / "now" / "window", states, ids, facts, files)
    states[FACTS] = {name: array for name, array in states[FACTS].items() if not name.startswith("context_")}
    for placement in REQUEST_SOURCES:
        state = states[ranker_file(placement)]
        state["features"] = state["features"] - len(VISIT)
    save(tmp_path / "before" / "window", states, ids, facts, files)
    catalogue, lists = catalogue_of(newest(paths.var)), []
    for name in ("now", "before"):
        release = window_release(tmp_path / name, "a", all_ranked(report), report)
        shelf = join_catalogue(release, catalogue)
        request = Request("a", "item", 10, ("u:01",), item_id="i03", visit=VisitContext("wechat", "ios", "杭州"))
        answer = recommend(request, shelf, catalogue, lambda *_: (), moment=Moment(1_790_000_000_000))
        assert answer.model == RANKER
        lists.append([(one.item.item_id, one.score) for one in answer.items])
        assert answer.workings is not None
        assert answer.workings.ranked is not None
        names = answer.workings.ranked.columns_of(int(answer.workings.ranked.numbers[0]))
        assert ("device" in names) == (name == "now")
    assert lists[0] == lists[1]


def test_a_large_shop_is_ranked_at_the_request_by_trees_that_a_sample_of_its_persons_taught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.ranking.list_ranker.MOST_ITEMS", 39)
    monkeypatch.setattr("models.training.rankers.MOST_PERSONS", 45)
    monkeypatch.setattr("models.training.request_rankers.LEAST_QUESTIONS", 20)
    paths = made_in(tmp_path)
    train(paths, newest(paths.var), "a")
    folder = candidate_folder(paths, "a")
    manifest, report = read_manifest(folder / "full"), evaluate_candidate(paths, newest(paths.var), "a")
    assert manifest["ranker"] is None  # the one of lists
    assert set(manifest["rankers"]) == set(REQUEST_SOURCES)
    for placement, judged in report["placements"].items():
        assert (
            judged["models"][RANKER]["metrics"]["ndcg@10"]["mean"]
            > judged["models"]["popularity"]["metrics"]["ndcg@10"]["mean"]
        )
        assert len(load_state(folder / "full", manifest, FACTS)["starts"]) == 60 + 1, placement  # serving knows everybody
    release = window_release(folder, "a", all_ranked(report), report)
    catalogue = catalogue_of(newest(paths.var))
    shelf = join_catalogue(release, catalogue)
    for person in range(60):
        request = Request("a", "home", 10, (f"u:{person:02}",))
        answer = recommend(request, shelf, catalogue, lambda *_: (), moment=Moment(1_790_000_000_000))
        assert answer.model == RANKER
        assert {int(one.item.item_id[1:]) % 4 for one in answer.items[:3]} == {person % 4}


def test_nothing_stored_is_read_of_who_opted_out_and_two_get_the_same(judged: Any) -> None:
    paths, folder, report = judged
    release = window_release(folder, "a", all_ranked(report), report)
    catalogue = catalogue_of(newest(paths.var))
    shelf = join_catalogue(release, catalogue)
    lists = []
    for person in ("u:01", "u:02"):
        request = Request("a", "item", 10, (person,), item_id="i03").of_nobody()
        answer = recommend(request, shelf, catalogue, lambda *_: (), moment=Moment(1_790_000_000_000))
        assert answer.workings is not None
        assert answer.workings.ranked is not None
        assert (answer.workings.ranked.used.items, answer.workings.ranked.used.person) == ({}, [])  # type: ignore[union-attr]
        lists.append([(one.item.item_id, one.score) for one in answer.items])
    assert lists[0] == lists[1]


def test_what_was_read_is_logged_and_gives_the_same_answer_again(judged: Any) -> None:
    paths, folder, report = judged
    release = window_release(folder, "a", all_ranked(report), report)
    catalogue = catalogue_of(newest(paths.var))
    shelf = join_catalogue(release, catalogue)
    ranker = release.ranker("home")
    assert ranker is not None
    ranker.item_views, ranker.person_views = ITEM_VIEWS, PERSON_VIEWS  # as if the trees looked at all of them
    luck = np.random.default_rng(3)

    def read(views: tuple[str, ...], ids: Any) -> np.ndarray:
        values = luck.random((len(ids), sum(len(numbers_of(view)) for view in views)))
        values[luck.random(values.shape) < 0.3] = np.nan
        return values

    request = Request("a", "home", 10, ("u:01",))
    moment = Moment(1_790_000_000_000, UTC, read, read)
    first = recommend(request, shelf, catalogue, lambda *_: (), moment=moment)
    assert first.workings is not None
    assert first.workings.ranked is not None
    used = first.workings.ranked.used
    assert used is not None
    again = recommend(request, shelf, catalogue, lambda *_: (), moment=used.moment())
    assert [(one.item.item_id, one.score) for one in again.items] == [(one.item.item_id, one.score) for one in first.items]
    np.testing.assert_array_equal(again.workings.ranked.table, first.workings.ranked.table)  # type: ignore[union-attr]
    explained = first.workings.ranked.columns_of(int(first.workings.ranked.numbers[0]))
    assert any(name.startswith("item_daily__") for name in explained)


def test_a_request_reads_the_numbers_that_training_reads() -> None:
    for view in (*ITEM_VIEWS, *PERSON_VIEWS):
        assert READABLE[view].numbers == numbers_of(view)


def test_trees_of_other_columns_are_refused(judged: Any) -> None:
    _, folder, _ = judged
    manifest = read_manifest(folder / "window")
    state = load_state(folder / "window", manifest, ranker_file("home"))
    for broken in (
        state | {"features": state["features"] + 1},
        state | {"leaf": state["leaf"][:, :3]},
        state | {"feature": state["feature"] + 1_000},
        {name: array for name, array in state.items() if name != "border"},
    ):
        with pytest.raises(ValueError, match="ranker of home"):
            RequestRanker.from_state("home", broken)
    facts = load_state(folder / "window", manifest, FACTS)
    with pytest.raises(ValueError, match="not those of"):
        KnownFacts.from_state(facts, 61, 40)


def test_the_judge_gives_each_case_its_moment(judged: Any) -> None:
    paths, folder, _ = judged
    acts, window = judged_by(newest(paths.var), "a", folder, read_manifest(folder / "window"))
    cases = replace(cases_of("home", acts, window, np.zeros(40, dtype=np.bool_)).sampled(3))

    class Features:
        def at(self, views: Any, ids: Any, at_ms: Any) -> np.ndarray:
            return np.column_stack([at_ms, at_ms])

    moments = list(moments_of(cases, UTC, Features()))  # type: ignore[arg-type]
    for moment, asked_at in zip(moments, cases.asked_at, strict=True):
        assert moment.now_ms == int(asked_at.astype("datetime64[ms]").astype(np.int64))
        assert moment.items is not None
        assert moment.items(("item_daily",), ["x"]).tolist() == [[moment.now_ms, moment.now_ms]]
