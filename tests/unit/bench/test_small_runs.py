"""Benches of memory, sparse graphs and served lists in runs of seconds: what they print is true of what they measured."""

from __future__ import annotations

import json
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.table import Table

from bench import memory, served, synthetic_graph
from jishi.paths import Paths
from jishi.tables import SILVER_INTERACTIONS, SILVER_ITEMS
from models.release.candidate import candidate_folder
from models.release.served_judgement import MODEL, read_served
from models.release.serving_index import Release
from tests.lake import newest, record
from tests.release_steps import RELEASE_STEPS

START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)


def test_workers_that_count_their_memory_have_answered_from_one_release() -> None:
    sizes = memory.measure(2_000, 500, 2)
    assert len(sizes) == 2
    assert all(0.01 < size < 2 for size in sizes)


def test_a_worker_that_cannot_load_the_release_is_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.write_made_release(tmp_path / "v1", 200, 50)
    assert len(Release.read(tmp_path / "v1", memory.SHOP, "v1").item_ids) == 200
    monkeypatch.setattr(memory, "write_made_release", lambda folder, *_: folder.mkdir())
    with pytest.raises(RuntimeError, match="before it was ready"):
        memory.measure(200, 50, 1)


def test_a_graph_is_of_its_seed_and_every_family_beats_what_is_popular(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    graph = synthetic_graph.make_graph(400, 300, 8_000, 1)
    assert not graph.duplicated().any()
    assert graph.equals(synthetic_graph.make_graph(400, 300, 8_000, 1))
    assert not graph.equals(synthetic_graph.make_graph(400, 300, 8_000, 2))
    assert 0.5 * 8_000 < len(graph) < 1.2 * 8_000
    command = "synthetic_graph --users 400 --items 300 --pairs 8000 --models popularity gf_cf"
    monkeypatch.setattr(sys, "argv", command.split())
    synthetic_graph.main()
    printed = capfd.readouterr().out
    assert f"{len(graph):,} pairs" in printed
    rows = [line.replace("│", " ").split() for line in printed.splitlines()]
    ndcg = {row[0]: float(row[1]) for row in rows if row and row[0] in ("popularity", "gf_cf")}
    assert ndcg["gf_cf"] > 1.5 * ndcg["popularity"] > 0


def test_served_lists_stand_in_the_table_as_they_were_judged(tmp_path: Path) -> None:
    """Sixty persons who each buy of one of four tastes."""
    luck = random.Random(5)
    rows: list[dict[str, Any]] = []
    for number in range(60 * 24):
        person, day = number % 60, number // 60
        if luck.random() < 0.5:
            at = START + timedelta(days=day, seconds=luck.randrange(86_400))
            row: dict[str, Any] = {"shop_id": "a", "person_id": f"p{person:02}"}
            row |= {"item_id": f"i{luck.randrange(10) * 4 + person % 4:02}"}
            row |= {"event_id": f"e{number}", "kind": "pay", "occurred_at": at, "received_at": at}
            rows.append({**row, "line_number": 1, "quantity": 1})
    paths = Paths(var=tmp_path / "var", envs=tmp_path)
    items = [{"shop_id": "a", "item_id": f"i{item:02}", "title": "t", "category": "c"} for item in range(40)]
    record(paths.var, {SILVER_ITEMS: items, SILVER_INTERACTIONS: rows})
    for step in ("train", "evaluate", "judge", "gate"):
        RELEASE_STEPS[step](paths, newest(paths.var), "a")
    table = Table(*("shop", "placement", "model", "served", "alone", "ladder", "popularity", "cases", "persons", "p50", "p99"))
    served.run(paths, newest(paths.var), "a", 20, table)
    cells = {str(heading.header): [str(cell) for cell in heading.cells] for heading in table.columns}
    folder = candidate_folder(paths, "a")
    home, (_, judged) = cells["placement"].index("home"), read_served(folder)
    model = cells["model"][home]
    evaluated = json.loads((folder / "evaluation.json").read_text())["placements"]["home"]["models"]
    assert float(cells["served"][home]) == pytest.approx(judged["home"].mean(MODEL).mean, abs=1e-4)
    if json.loads((folder / "gate.json").read_text())["placements"]["home"]["recipe"]["ranker"]:
        assert cells["alone"][home] == "–"  # a ranker orders at the request alone
    else:
        assert float(cells["alone"][home]) == pytest.approx(evaluated[model]["metrics"]["ndcg@10"]["mean"], abs=1e-4)
    assert float(cells["served"][home]) > 2 * float(cells["popularity"][home])
    assert 0 < float(cells["p50"][home]) <= float(cells["p99"][home])
    assert np.all([int(persons) <= int(cases) for persons, cases in zip(cells["persons"], cells["cases"], strict=True)])
