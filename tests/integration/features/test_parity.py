"""Every engine and the online store give the oracle's values on golden, simulated, real and made logs, to the last one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jishi.features import FEATURES
from jishi.features.event_log import read_log
from jishi.features.oracle import good_acts, values
from jishi.landing import ShopFacts, write_landing
from jishi.settings import PROJECT_ROOT

pytestmark = pytest.mark.integration
GOLDEN = PROJECT_ROOT / "tests" / "golden" / "features"
FACTS = ShopFacts(name="golden", time_zone="America/New_York", currency="CNY")


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of landing files: golden logs, a simulated shop, the whole history of three households of Complete Journey (of
    all of them: ``jishi bench journey_parity``), and a shop for each log that hypothesis made.
    """
    from imports.journey import SHOP, SOURCE, journey_lines, load_journey, part_of
    from simulator.history import simulate
    from simulator.world import SimulationPlan
    from tests.integration.features.made_logs import write_made_logs

    root = tmp_path_factory.mktemp("events")
    for case in sorted(folder for folder in GOLDEN.iterdir() if folder.is_dir()):
        by_shop: dict[str, list[bytes]] = {"lanting": [], "shanhai": []}
        for line in (case / "events.jsonl").read_bytes().split(b"\n")[:-1]:
            by_shop["shanhai" if b'"shanhai"' in line else "lanting"].append(line)
        for shop_id, lines in by_shop.items():
            renamed = f"{case.name}-{shop_id}"
            with write_landing(root, renamed, FACTS, "golden") as writer:
                writer.write(line.replace(f'"{shop_id}"'.encode(), f'"{renamed}"'.encode(), 1) for line in lines)
    simulate(SimulationPlan("xinghe", users=40, days=3, seed=5), root)
    shutil.rmtree(root / "truth")
    with write_landing(root, "journey", SHOP, SOURCE) as writer:
        writer.write(journey_lines(part_of(load_journey(), part=5, parts=1000), "journey"))
    write_made_logs(root, 40)
    # One shop's server takes more than 64 bits hold, and in two currencies: no engine wraps, none dies.
    with write_landing(root, "wealthy", FACTS, "hand") as writer:
        writer.write(_largest_order(number) for number in range(1100))
    return root


def _largest_order(number: int) -> bytes:
    line = {"item_id": "gold", "quantity": 1, "unit_price_minor": 2**53 - 1}
    properties: dict[str, Any] = {"order_id": f"o{number}", "currency": "CNY", "lines": [line]}
    if number % 2:
        home = {"home_discount_minor": 0, "home_shipping_minor": 0, "home_currency": "JPY", "fx_rate": "1"}
        properties |= home | {"lines": [{**line, "unit_price_minor": 5, "home_net_minor": 2**53 - 1}]}
    at = f"2026-09-01T10:{number // 60:02}:{number % 60:02}Z"
    event = {"event_id": f"e{number}", "shop_id": "wealthy", "type": "order_paid", "occurred_at": at, "user_id": "midas"}
    return json.dumps(event | {"properties": properties}).encode()


def features(*arguments: str | Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ops.cli", "features", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT_ROOT,
        timeout=900,
        env=os.environ | (environment or {}),
    )


@pytest.fixture(scope="module")
def proof(events: Path, installed_stores: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """``jishi features parity`` over all events, all engines and every online store whose server is here."""
    environment = {name: value for store in installed_stores.values() for name, value in store.environment.items()}
    stores = [argument for name in installed_stores for argument in ("--store", name)]
    return features("parity", "--events", events, *stores, environment=environment)


def columns(proof: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    """The table that the command printed: cells by feature."""
    rows = (line.split("│")[1:-1] for line in proof.stdout.splitlines() if line.startswith("│"))
    return {name.strip(): [cell.strip() for cell in cells] for name, *cells in rows}


def test_all_engines_and_stores_agree_with_the_oracle(
    proof: subprocess.CompletedProcess[str], installed_stores: dict[str, Any]
) -> None:
    assert proof.returncode == 0, proof.stdout[-4000:] + proof.stderr[-6000:]
    engines = ", ".join(["spark", "flink", *installed_stores])
    summary = re.search(rf"(\d+) events, (\d+) good acts, (\d+) values in {engines}: 0 differ", proof.stdout)
    assert summary is not None
    events_read, acts, values = map(int, summary.groups())
    assert events_read > 500
    assert acts > 300
    assert values > 30_000
    assert re.search(r"outcomes: good \d+, late \d+, duplicate \d+, future \d+, invalid \d+", proof.stdout)
    for engine in ("spark", "flink"):
        assert f"{engine}: {values} values of the oracle compared" in proof.stdout


def test_a_sum_beyond_64_bits_is_the_largest_one(events: Path, proof: subprocess.CompletedProcess[str]) -> None:
    log = [row for row in read_log(events) if row["shop_id"] == "wealthy"]
    acts = good_acts(log, allowed_lateness_s=30, future_tolerance_s=5)
    spend = next(feature for feature in FEATURES if feature.name == "person_spend_minor_30d")
    assert {value.value for value in values([spend], acts, allowed_lateness_s=30)} == {2**63 - 1}
    assert 1100 * (2**53 - 1) > 2**63
    assert proof.returncode == 0  # so that Spark and Flink say the same


@pytest.mark.parametrize("online_store", ["sqlite", "redis", "postgresql"], indirect=True)
def test_no_feature_is_left_out(
    proof: subprocess.CompletedProcess[str], installed_stores: dict[str, Any], online_store: Any
) -> None:
    engines = ["spark", "flink", online_store.settings["online_store"]]
    place = {name: place for place, name in enumerate(["oracle", "spark", "flink", *installed_stores])}
    table = columns(proof)
    for feature in FEATURES:
        cells = table[feature.name]
        if feature.aggregation != "age":  # it has another value at each instant: online stores alone are compared
            assert int(cells[0]) > 0, f"no log gives {feature.name} a value, so that nothing was proved"
        for engine in engines:
            assert re.fullmatch(r"\d+ =", cells[place[engine]]), f"{feature.name} in {engine}: {cells}"


def test_values_are_written_as_parquet_and_a_value_names_its_events(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    result = features("compute", "--engine", "oracle", "--events", GOLDEN / "edges", "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    table = pq.read_table(tmp_path / "values.parquet")
    assert table.column_names == ["feature", "shop_id", "entity_id", "as_of", "value", "valid_until"]
    why = features(
        *("why", "--entity", "user:u1", "--feature", "spend_minor_30d", "--as-of", "2026-09-02T00:00:30Z"),
        *("--events", GOLDEN / "edges", "--shop", "lanting", "--json"),
    )
    assert why.returncode == 0, why.stderr
    payload = json.loads(why.stdout)
    assert payload["value"] == 40500
    assert [act["amount_minor"] for act in payload["acts"]] == [300, 38800, 1000, 0, 0, 0, 400]
    rows = table.to_pylist()
    assert any(row["feature"] == "person_spend_minor_30d" and row["value"] == "40500" for row in rows)


def test_a_file_that_is_not_what_its_manifest_says_is_not_computed(tmp_path: Path) -> None:
    with write_landing(tmp_path / "in", "a", FACTS, "golden") as writer:
        writer.write([b'{"event_id": "e"}'])
    file = tmp_path / "in" / "a" / "events-00000.jsonl"
    file.write_bytes(file.read_bytes() * 2)
    result = features("compute", "--events", tmp_path / "in", "--out", tmp_path / "out")
    assert result.returncode == 2
    assert "another content than manifest.json says" in result.stderr
    file.unlink()
    assert (
        "is named by manifest.json and is not there"
        in features("compute", "--events", tmp_path / "in", "--out", tmp_path / "out").stderr
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("parity", "--events", "/nowhere"), "holds no events"),
        (("compute", "--engine", "pandas", "--events", "/nowhere", "--out", "/tmp"), "oracle, spark, flink"),
        (("why", "--entity", "planet:1", "--feature", "x", "--as-of", "2026-09-01T00:00:00Z"), "planet:1"),
        (("why", "--entity", "user:1", "--feature", "x", "--as-of", "2026-09-01T00:00:00Z"), "person_views_1h"),
        (("why", "--entity", "user:1", "--feature", "views_1h", "--as-of", "yesterday"), "--as-of"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence(arguments: tuple[str, ...], expected: str) -> None:
    done = features(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
