"""The benches of serving on a small shop: what they measure answers rightly; how fast is not asked here."""

from __future__ import annotations

import json
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from bench import release
from bench.open_loop import OpenLoad, run_open_load
from bench.retrieve import measure
from bench.serve import best_of
from bench.serve_shop import SHOP, MadeShop, baseline_app, make_engine, paths_of, questions_of, serve_app, serving

ITEMS = 20_000


def test_the_index_finds_nearly_all_of_a_small_shop() -> None:
    result = measure(3_000, 40, 1)
    assert result.recall >= 0.95
    assert result.index_bytes > 0


def test_two_processes_answer_home_and_pages_with_rules_and_reasons(tmp_path: Path) -> None:
    shop = MadeShop.of(ITEMS, 300)
    engine, key = make_engine(shop, tmp_path)
    questions = questions_of(shop, 6)
    with serving(partial(serve_app, engine, questions), 2) as (port, pids):
        assert len(pids) == 2
        for path in paths_of(questions):
            asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {key}"})
            with urllib.request.urlopen(asked, timeout=120) as answer:
                payload = json.load(answer)
            listed = [each["item_id"] for each in payload["items"]]
            assert len(set(listed)) == 10
            assert payload["rules_version"] == 1
            assert payload["model"] == "ranker"
            assert not {each["category"] for each in payload["items"]} & {"c7"}, "a rule hides it"
            assert not any(int(item_id[2:]) % 20 == 0 for item_id in listed), "sold out"
            assert ("placement=item" in path) or listed[1] == "i-3", "a rule pins it"
        request = f"GET {path} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        load = run_open_load(port, [request], 40, 1.0, pids, connections=4)
    assert load.latencies_s
    assert load.refused == 0
    assert load.cpu_s > 0


def test_the_baseline_answers_the_same_questions(tmp_path: Path) -> None:
    shop = MadeShop.of(2_000, 50)
    with serving(partial(baseline_app, shop), 1) as (port, _):
        for path in paths_of(questions_of(shop, 2)):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=120) as answer:
                payload = json.load(answer)
            assert payload["shop_id"] == SHOP
            assert len(payload["items"]) >= 10


def test_every_worker_switches_while_all_requests_are_answered(tmp_path: Path) -> None:
    switched = release.measure(2_000, 300, 2, 20.0, 1.0, tmp_path)
    assert len(switched.seconds) == 2
    for load in (switched.before, switched.during, switched.after):
        assert load.latencies_s
        assert load.refused == load.unanswered == 0


def test_the_best_rate_is_the_highest_that_was_held() -> None:
    loads = [(rate, OpenLoad([latency] * 200, seconds=1.0)) for rate, latency in ((10, 0.001), (20, 0.02), (40, 0.9))]
    loads.append((80, OpenLoad([0.001] * 90, unanswered=10, seconds=1.0)))
    held = best_of(loads, 25.0)
    assert held is not None
    assert held[0] == 20
    assert best_of(loads[2:], 25.0) is None
    assert loads[3][1].quantile_ms(0.99) == pytest.approx(float("inf"))
