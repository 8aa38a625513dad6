"""Which rows of published tables become arrays of a candidate, and what is told when they cannot; tables made by hand."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shop, Shops
from jishi.tables import (
    ALS_ITEM_FACTORS,
    ALS_PERSON_FACTORS,
    BEFORE_CUT,
    ITEM_NEIGHBOURS,
    PERSON_CANDIDATES,
    SILVER_INTERACTIONS,
    SILVER_ITEMS,
    TableSchema,
)
from models.__main__ import main
from models.algorithms.item_knn import ItemKNN
from models.algorithms.sparse_rows import unpack
from models.candidates.person_lists import PersonLists
from models.data.interactions import NoInteractions
from models.data.split import TooShort
from models.release.artefact import load_ids, load_state, read_manifest
from models.release.candidate import StepMissing, candidate_folder
from models.release.candidate_evaluation import evaluate_candidate
from models.training import from_tables
from models.training.from_tables import TablesMissing
from tests.lake import newest, record

START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
CUT = START + timedelta(days=7)  # of fifteen days with payments: seven to judge by, one between
Rows = list[dict[str, Any]]


def publish_table(paths: Paths, schema: TableSchema, rows: Rows) -> None:
    record(paths.var, {schema: rows})


def act(person: str, item: str, day: int, kind: str = "pay", **columns: Any) -> dict[str, Any]:
    at = START + timedelta(days=day)
    what = {"shop_id": "a", "event_id": f"{person}{item}{day}{kind}", "line_number": 1, "person_id": person, "item_id": item}
    return what | {"kind": kind, "occurred_at": at, "received_at": at + timedelta(seconds=1)} | columns


def acts(days: int = 15) -> Rows:
    """``p1`` pays for i1 every day and looks at i2 on the first; what became known late counts for all acts alone."""
    late = act("p1", "i2", 2, received_at=CUT)
    return [*(act("p1", "i1", day) for day in range(days)), act("p1", "i2", 0, "view"), act("p2", "i2", 8, "view"), late]


def near(item: str, neighbour: str, cosine: float, within: str = "person", shop_id: str = "a") -> dict[str, Any]:
    return {"shop_id": shop_id, "within": within, "item_id": item, "neighbour_id": neighbour, "cosine": cosine}


def candidate(person: str, item: str, place: int, because: str) -> dict[str, Any]:
    payload = {"place": place, "score": 1 / place, "because_item_id": because}
    return {"shop_id": "a", "person_id": person, "item_id": item} | payload


def tables() -> dict[TableSchema, Rows]:
    """What all acts taught and what was learnt up to the cut, when i9 was not known; rows of shop b are none of shop a's."""
    pairs = [near("i2", "i1", 0.5), near("i1", "i9", 0.25), near("i1", "i2", 0.9, "order"), near("i1", "b", 0.9, shop_id="b")]
    factors = {"i1": [1.0, 0.5], "i2": [2.0, 0.5]}
    full: dict[TableSchema, Rows] = {
        ITEM_NEIGHBOURS: pairs,
        ALS_ITEM_FACTORS: [{"shop_id": "a", "item_id": item, "factors": each} for item, each in factors.items()],
        ALS_PERSON_FACTORS: [{"shop_id": "a", "person_id": person, "factors": [3.0, 4.0]} for person in ("p1", "p2")],
        PERSON_CANDIDATES: [candidate("p1", "i9", 1, "i1"), candidate("p1", "i2", 2, "i1"), candidate("p2", "i1", 1, "i2")],
    }
    then: dict[TableSchema, Rows] = {
        ITEM_NEIGHBOURS: [near("i2", "i1", 0.75), near("i1", "i2", 0.75), near("i2", "i1", 0.3, "order")],
        ALS_ITEM_FACTORS: full[ALS_ITEM_FACTORS],
        ALS_PERSON_FACTORS: full[ALS_PERSON_FACTORS][:1],
        PERSON_CANDIDATES: [candidate("p1", "i2", 1, "i1")],
    }
    return full | {BEFORE_CUT[schema]: [row | {"known_before": CUT} for row in rows] for schema, rows in then.items()}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    built = Paths(var=tmp_path / "var", envs=tmp_path)
    items = [{"shop_id": "a", "item_id": item} for item in ("i1", "i2", "i9")]
    record(built.var, {SILVER_INTERACTIONS: acts(), SILVER_ITEMS: items} | tables())
    return built


def parts(paths: Paths) -> dict[str, Path]:
    folder = candidate_folder(paths, "a")
    return {name: folder / name for name in ("window", "full")}


def test_both_parts_have_the_same_numbers_and_the_rows_of_their_own_tables(paths: Paths) -> None:
    assert from_tables.train(paths, newest(paths.var), "a") == candidate_folder(paths, "a").name
    by_key: dict[str, dict[str, Any]] = {}
    for name, folder in parts(paths).items():
        manifest = read_manifest(folder)
        assert list(load_ids(folder, manifest, "items")) == ["i1", "i2", "i9"]
        assert list(load_ids(folder, manifest, "persons")) == ["p1", "p2"]
        by_key[name] = {file: load_state(folder, manifest, file) for file in manifest["shapes"]}
        by_key[name]["manifest"] = manifest
    window, full = by_key["window"], by_key["full"]
    knn = [ItemKNN().from_state(part["item_knn"]).similarities().toarray().tolist() for part in (window, full)]
    assert knn == [[[1, 0.75, 0], [0.75, 1, 0], [0, 0, 1]], [[1, 0, 0.25], [0.5, 1, 0], [0, 0, 1]]]
    together = [unpack("rules", part["context_bought_together"]).toarray() for part in (window, full)]
    assert [np.argwhere(each).tolist() for each in together] == [[[1, 0]], [[0, 1]]]
    assert window["popularity"]["sales"].tolist() == pytest.approx([7, 0.01, 0])  # not the late payment for i2
    assert full["popularity"]["sales"].tolist() == pytest.approx([15, 1.02, 0])
    assert full["als"]["item_factors"].tolist() == [[1, 0.5], [2, 0.5], [0, 0]]  # the factorisation did not know i9
    # i1 was bought again after a day 14 times of 15, all items 14 of 16; log-normal around a day, spread 0.6, within a week.
    again = np.array([(14 + 5 * 14 / 16) / 20, (5 * 14 / 16) / 6, 14 / 16]) * 0.999408
    assert full["repurchase"]["chance"].tolist() == pytest.approx(again.tolist(), abs=1e-5)
    assert [part["als"]["person_factors"].tolist() for part in (window, full)] == [[[3, 4], [0, 0]], [[3, 4], [3, 4]]]
    mine = PersonLists.from_state(full["lists_person_candidates"], 2, 3).of_person(0)
    assert (mine.items.tolist(), mine.weights.tolist(), mine.because.tolist()) == ([2, 1], [1, 0.5], [0, 0])
    assert mine.origins == ("like_yours", "like_yours")
    assert PersonLists.from_state(window["lists_person_candidates"], 2, 3).of_person(1).items.tolist() == []
    # p1 paid for i1 on fifteen days and for i2 once, to which i1 leads, too: log(1 + 5 · 15), log(1 + 1 + 5) + 1/2; i9 has 1.
    both = PersonLists.from_state(full["lists_person_candidates_and_own"], 2, 3).of_person(0)
    assert (both.items.tolist(), both.because.tolist()) == ([0, 1, 2], [-1, -1, 0])
    assert both.origins == ("bought_often", "bought_before", "like_yours")
    assert both.weights.tolist() == pytest.approx([np.log(76), np.log(7) + 0.5, 1])
    then = PersonLists.from_state(window["lists_person_candidates_and_own"], 2, 3).of_person(0)
    assert (then.items.tolist(), then.origins) == ([0, 1], ("bought_often", "seen_before"))  # i2 was looked at
    assert then.weights.tolist() == pytest.approx([np.log(36), np.log(2) + 1])
    assert [part["manifest"]["trained_on"]["to"] for part in (window, full)] == ["2026-09-07T00:00:00", "2026-09-15T00:00:00"]


def test_the_same_rows_give_the_same_bytes_and_other_rows_another_candidate(paths: Paths) -> None:
    first = from_tables.train(paths, newest(paths.var), "a")
    files = {file: file.read_bytes() for folder in parts(paths).values() for file in folder.iterdir()}
    for schema, rows in tables().items():
        publish_table(paths, schema, rows[::-1])  # another version and order, the same rows
    assert from_tables.train(paths, newest(paths.var), "a") == first
    assert {file: file.read_bytes() for folder in parts(paths).values() for file in folder.iterdir()} == files
    publish_table(paths, ITEM_NEIGHBOURS, [*tables()[ITEM_NEIGHBOURS], near("i2", "i9", 0.1)])
    assert from_tables.train(paths, newest(paths.var), "a") != first


@pytest.mark.parametrize("is_of_cut", [False, True])
@pytest.mark.parametrize(
    ("schema", "kept", "message"),
    [
        (ITEM_NEIGHBOURS, "order", "within persons in {table}; run: python -m spark_jobs cooccurrence --within person"),
        (ALS_ITEM_FACTORS, None, "in {table}; run: python -m spark_jobs als"),
        (PERSON_CANDIDATES, None, "in {table}; run: python -m spark_jobs candidates"),
    ],
)
def test_a_missing_table_is_told_with_its_command(
    paths: Paths, schema: TableSchema, kept: str | None, message: str, is_of_cut: bool
) -> None:
    table = BEFORE_CUT[schema] if is_of_cut else schema
    others = [row | {"shop_id": "b"} for row in tables()[table]]
    publish_table(paths, table, [*others, *(row for row in tables()[table] if row.get("within", "") == kept)])
    option = " --before 2026-09-08T00:00:00Z" if is_of_cut else ""
    with pytest.raises(TablesMissing) as error:
        from_tables.train(paths, newest(paths.var), "a")
    assert str(error.value).endswith(f"has no rows {message.format(table=table.name)} --shop a{option}")
    assert not paths.models.exists()


def test_a_shop_in_which_nothing_is_bought_together_has_empty_rules(paths: Paths) -> None:
    for schema in (ITEM_NEIGHBOURS, BEFORE_CUT[ITEM_NEIGHBOURS]):
        publish_table(paths, schema, [row for row in tables()[schema] if row["within"] == "person"])
    from_tables.train(paths, newest(paths.var), "a")
    for folder in parts(paths).values():
        assert unpack("rules", load_state(folder, read_manifest(folder), "context_bought_together")).nnz == 0
    of_another_cut = near("i1", "i2", 0.5, "order") | {"known_before": CUT - timedelta(days=1)}
    publish_table(paths, BEFORE_CUT[ITEM_NEIGHBOURS], [*tables()[BEFORE_CUT[ITEM_NEIGHBOURS]][:2], of_another_cut])
    with pytest.raises(TablesMissing, match=r"within orders: known_before is 2026-09-07T00:00:00Z"):
        from_tables.train(paths, newest(paths.var), "a")


def test_tables_of_another_cut_or_older_than_the_acts_are_refused(paths: Paths) -> None:
    table = BEFORE_CUT[PERSON_CANDIDATES]
    publish_table(paths, table, [row | {"known_before": CUT - timedelta(days=1)} for row in tables()[table]])
    message = (
        r"known_before is 2026-09-07T00:00:00Z, the cut of the shop is 2026-09-08T00:00:00Z; run: .* candidates --shop a --bef"
    )
    with pytest.raises(TablesMissing, match=message):
        from_tables.train(paths, newest(paths.var), "a")
    publish_table(paths, table, tables()[table])
    publish_table(paths, SILVER_INTERACTIONS, [*acts(), act("p3", "i1", 9, "view")])
    with pytest.raises(TablesMissing, match=r"older than its acts .*'p3' on 'i1'.*run again: cooccurrence, als and candidates"):
        from_tables.train(paths, newest(paths.var), "a")


def test_acts_that_changed_after_training_are_told_at_the_judge(paths: Paths) -> None:
    from_tables.train(paths, newest(paths.var), "a")
    publish_table(paths, SILVER_INTERACTIONS, [*acts(), act("p1", "i1", 9, "view")])
    with pytest.raises(StepMissing, match=r"interactions of 'a' changed .* run train again"):
        evaluate_candidate(paths, newest(paths.var), "a")


def test_a_shop_without_days_or_acts_is_told(paths: Paths) -> None:
    with pytest.raises(NoInteractions, match="shop 'b'"):
        from_tables.train(paths, newest(paths.var), "b")
    publish_table(paths, SILVER_INTERACTIONS, acts(days=9))
    with pytest.raises(TooShort, match="only 9 days"):
        from_tables.train(paths, newest(paths.var), "a")


@pytest.mark.parametrize(
    ("arguments", "code", "out", "error"),
    [
        (["cut", "--shop", "a"], 0, "2026-09-08T00:00:00Z\n", ""),
        (
            ["cut", "--shop", "b"],
            99,
            "",
            "models cut: shop 'b' has no interactions in silver; run the silver step for it first\n",
        ),
        (["cut", "--shop", "typo"], 1, "", "models cut: unknown shop 'typo'; known: a, b\n"),
        (["train", "--from-tables", "--shop", "a"], 0, "train a: candidate ", ""),
    ],
)
def test_the_commands(
    paths: Paths,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    out: str,
    error: str,
) -> None:
    with Shops.edit(paths.shops_file) as shops:
        for shop_id in ("a", "b"):
            shops.add(Shop(shop_id=shop_id, name=shop_id))
    monkeypatch.setenv("JISHI_VAR", str(paths.var))
    monkeypatch.setattr(sys, "argv", ["models", *arguments])
    get_settings.cache_clear()
    try:
        assert main() == code
    finally:
        get_settings.cache_clear()
    result = capsys.readouterr()
    assert result.out.startswith(out)
    assert result.err == error
