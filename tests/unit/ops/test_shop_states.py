"""Shops pause, come back, are exported and leave, by a command each and without an edit of anything else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from collector.keys import KeyRing
from collector.refusals import RequestRefused
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shop, Shops, WrongState
from jishi.tables import SILVER_ITEMS, SILVER_ORDERS
from ops.cli.app import app
from ops.export_folder import FolderNotEmpty
from ops.shop_export import export_shop
from serving.keys import ReadKeys, Unauthorised
from tests.lake import publish, settings_in
from tests.unit.dashboard.portal.twins import CANARY, NUMBER_CANARY, PLAIN, TEXT_CANARY, TwinShops

NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    get_settings.cache_clear()
    paths = Paths.of(get_settings())
    with Shops.edit(paths.shops_file) as registry:
        for shop_id in ("a", "b", "c"):
            registry.add(Shop(shop_id=shop_id, name=shop_id))
    yield paths
    get_settings.cache_clear()


def shops(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["shops", *arguments], env={"COLUMNS": "170"})


def scheduled() -> str:
    return " ".join(group["SHOPS"] for group in json.loads(shops("groups").output))


def test_a_paused_shop_is_in_no_schedule_until_it_is_resumed(paths: Paths) -> None:
    assert shops("pause", "b").exit_code == 0
    assert scheduled() == "--shop a --shop c"
    assert json.loads(shops("groups", "--shop", "b").output)[0]["SHOPS"] == "--shop b"  # who names it means it
    assert "paused since" in shops("list").output
    assert "is paused already" in shops("pause", "b").output
    assert shops("resume", "b").exit_code == 0
    assert scheduled() == "--shop a --shop b --shop c"
    assert "is active: there is nothing to resume" in shops("resume", "b").output
    assert "unknown shop 'typo'" in shops("pause", "typo").output


def test_after_a_long_pause_the_command_that_works_up_all_of_it_is_named(paths: Paths) -> None:
    with Shops.edit(paths.shops_file) as registry:
        registry.pause("b", datetime.now(UTC) - timedelta(days=20))
    output = shops("resume", "b").output
    first, last = (datetime.now(UTC) - timedelta(days=days) for days in (21, 1))  # of the day before the pause, too
    assert f"jishi backfill --from {first.date()} --to {last.date()} --shop b" in output
    with Shops.edit(paths.shops_file) as registry:
        registry.pause("b", datetime.now(UTC) - timedelta(days=3))
    assert "backfill" not in shops("resume", "b").output


def test_a_paused_shop_goes_on_sending_and_being_answered_and_one_that_left_does_not(paths: Paths) -> None:
    with Shops.edit(paths.shops_file) as registry:
        write, read = registry.issue_key("b", "write"), registry.issue_key("b", "read")
        registry.pause("b", NOW)
    intake, answers = KeyRing(paths.shops_file), ReadKeys(paths.shops_file)
    answers.reload()
    assert intake.writer(f"Bearer {write}").shop_id == "b"
    assert answers.authorise(f"Bearer {read}", "b").shop_id == "b"
    assert shops("leave", "b", "--yes").output.startswith("b has left: 2 keys ended")
    intake, answers = KeyRing(paths.shops_file), ReadKeys(paths.shops_file)
    answers.reload()
    with pytest.raises(RequestRefused):
        intake.writer(f"Bearer {write}")
    with pytest.raises(Unauthorised):
        answers.authorise(f"Bearer {read}", "b")
    assert (answers.shop_ids, answers.shop("b")) == (["a", "c"], None)
    assert scheduled() == "--shop a --shop c"


def test_a_shop_that_left_gets_no_key_until_it_is_taken_back(paths: Paths) -> None:
    assert shops("leave", "b", "--yes").exit_code == 0
    refused = CliRunner().invoke(app, ["keys", "create", "b"], env={"COLUMNS": "170"})
    assert refused.exit_code == 2
    assert "has left; take it back first: jishi shops resume b" in refused.output
    assert "has left already" in shops("leave", "b", "--yes").output
    assert "its keys ended when it left" in shops("resume", "b").output
    assert CliRunner().invoke(app, ["keys", "create", "b"]).exit_code == 0


def test_who_does_not_say_yes_stays(paths: Paths) -> None:
    assert CliRunner().invoke(app, ["shops", "leave", "b"], input="n\n").exit_code == 1
    assert Shops.load(paths.shops_file).get("b").state == "active"


def test_a_registry_of_before_has_active_shops_alone(tmp_path: Path) -> None:
    (tmp_path / "shops.json").write_text('{"shops": {"a": {"shop_id": "a", "name": "a"}}}')
    assert Shops.load(tmp_path / "shops.json").active == ["a"]


def test_of_a_thousand_shops_the_active_ones_are_scheduled(paths: Paths) -> None:
    with Shops.edit(paths.shops_file) as registry:
        for number in range(1000):
            registry.add(Shop(shop_id=f"s{number:04}", name="s"))
        for number in range(0, 1000, 10):
            registry.pause(f"s{number:04}", NOW)
        registry.leave("s0001", NOW)
        with pytest.raises(WrongState):
            registry.issue_key("s0001", "write")
    wanted = ["a", "b", "c", *(f"s{number:04}" for number in range(1000) if number % 10 and number != 1)]
    groups = json.loads(shops("groups").output)
    assert sorted(word for group in groups for word in group["SHOPS"].split() if word != "--shop") == wanted
    assert [len(group["SHOPS"].split()) // 2 for group in groups] == [225, 226, 225, 226]


def row(schema: Any, **values: Any) -> dict[str, Any]:
    return dict.fromkeys(schema.columns) | values


def test_an_export_has_the_rows_of_its_shop_and_sums_that_agree(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    paths = Paths.of(settings)
    with Shops.edit(paths.shops_file) as registry:
        for shop_id in ("a", "it"):
            registry.add(Shop(shop_id=shop_id, name="一样的店"))
        registry.issue_key("a", "read")
    orders = [("a", "o1"), ("a", "o2"), ("it", "o1")]
    publish(
        settings.var,
        {
            SILVER_ITEMS: [row(SILVER_ITEMS, shop_id=shop, item_id="i1", title=f"of {shop}") for shop in ("a", "it")],
            SILVER_ORDERS: [
                row(SILVER_ORDERS, shop_id=shop, order_id=order, paid_date=date(2026, 11, 30)) for shop, order in orders
            ],
        },
    )
    exported = export_shop(settings, "a", tmp_path / "out", NOW)
    assert (exported["lake/silver_items"], exported["lake/silver_orders"], exported["lake/bronze_all"]) == (1, 2, 0)
    folder = tmp_path / "out"
    with duckdb.connect() as connection:
        read = f"from read_parquet('{folder}/lake/silver_orders.parquet')"
        assert connection.execute(f"select shop_id, order_id {read} order by 2").fetchall() == [("a", "o1"), ("a", "o2")]
        read = f"from read_parquet('{folder}/lake/silver_items.parquet')"
        assert connection.execute(f"select title {read}").fetchall() == [("of a",)]
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} - {"manifest.json"}
    assert manifest["sha256"].keys() == files
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == sum_ for name, sum_ in manifest["sha256"].items())
    assert "keys" not in json.loads((folder / "shop.json").read_text())
    with pytest.raises(FolderNotEmpty, match="is not empty"):
        export_shop(settings, "a", folder, NOW)


def test_an_export_is_exact_and_for_its_maker_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path / "var")
    with Shops.edit(Paths.of(settings).shops_file) as registry:
        registry.add(Shop(shop_id="a", name="a"))
    publish(settings.var, {SILVER_ITEMS: [row(SILVER_ITEMS, shop_id="a", item_id="i1")]})
    marts = tmp_path / "marts.duckdb"
    with duckdb.connect(str(marts)) as connection:
        connection.execute("create table sums as select 'a' as shop_id, sum(9007199254740993::bigint) as \"net gmv\"")
    version = replace(open_version(settings), marts=marts)
    monkeypatch.setattr("ops.shop_export.open_version", lambda _: version)
    (tmp_path / "out").mkdir(mode=0o755)
    export_shop(settings, "a", tmp_path / "out", NOW)
    with duckdb.connect() as connection:
        [(type_, value)] = connection.execute(
            f"""select typeof("net gmv"), "net gmv" from read_parquet('{tmp_path}/out/marts/sums.parquet')"""
        ).fetchall()
    assert (type_, value) == ("DECIMAL(38,0)", 9007199254740993)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


@pytest.fixture
def interrupted(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an export of the shop ``a`` that was cut off when its tables were written."""
    rules = paths.rules / "a" / "1.yaml"
    rules.parent.mkdir(parents=True)
    rules.write_text("rules: []\n")

    def cut(path: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ops.shop_export._sum", cut)
        with pytest.raises(KeyboardInterrupt):
            export_shop(get_settings(), "a", tmp_path / "out", NOW)
    assert (tmp_path / "out" / "lake").is_dir()
    return tmp_path / "out"


def test_what_an_interrupted_export_left_is_replaced_by_the_next(interrupted: Path) -> None:
    (interrupted / "lake" / "silver_items.parquet").write_bytes(b"half")
    again = shops("export", "a", str(interrupted))
    assert again.exit_code == 0, again.output
    assert "was interrupted" in again.output
    manifest = json.loads((interrupted / "manifest.json").read_text())
    files = {str(file.relative_to(interrupted)) for file in interrupted.rglob("*") if file.is_file()}
    assert (files - {"manifest.json"}, "rules/1.yaml" in files) == (manifest["sha256"].keys(), True)
    assert "is not empty" in shops("export", "a", str(interrupted)).output, "a whole one stays"


def test_an_interrupted_export_is_replaced_by_its_own_shop_alone_and_without_other_files(
    interrupted: Path, tmp_path: Path
) -> None:
    before = sorted(interrupted.rglob("*"))
    assert "an interrupted export of shop 'a'" in shops("export", "b", str(interrupted)).output
    beside = interrupted / "lake" / "mine.parquet"
    beside.write_bytes(b"mine")
    assert "other files (lake/mine.parquet)" in shops("export", "a", str(interrupted)).output
    assert sorted(interrupted.rglob("*")) == sorted([*before, beside])
    beside.unlink()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("")
    with (interrupted / ".unfinished").open("a") as note:
        note.write(f"../outside/file\n{outside}/file\n")
    assert shops("export", "a", str(interrupted)).exit_code == 0
    assert (outside / "file").exists()


def test_an_export_into_a_file_is_refused(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = shops("export", "a", str(tmp_path / "file"))
    assert refused.exit_code == 2
    assert "FOLDER" in refused.output


def test_an_export_and_a_portal_have_nothing_of_a_twin(tmp_path: Path, semantic_manifest: dict[str, Any]) -> None:
    twins = TwinShops(tmp_path, semantic_manifest)
    exported = export_shop(twins.settings, PLAIN, tmp_path / "out", NOW)
    theirs = export_shop(twins.settings, CANARY, tmp_path / "theirs", NOW)
    assert sum(exported.values()) > 0
    leaks = []
    for folder in ("out", "theirs"):
        with duckdb.connect() as connection:
            text = ""
            for file in (tmp_path / folder).rglob("*.parquet"):
                text += str(connection.execute(f"from read_parquet('{file}')").fetchall())
            text += "".join(file.read_text() for file in (tmp_path / folder).rglob("*.json"))
        leaks.append((TEXT_CANARY in text, str(NUMBER_CANARY) in text))
    assert leaks == [(False, False), (True, True)]
    assert theirs.keys() == exported.keys()


def test_the_portal_of_a_shop_that_left_is_closed_and_that_of_a_paused_one_is_not(
    tmp_path: Path, semantic_manifest: dict[str, Any]
) -> None:
    twins = TwinShops(tmp_path, semantic_manifest)
    client = twins.client()
    assert client.get(f"/shops/{PLAIN}/today").status_code == 200
    with Shops.edit(twins.paths.shops_file) as registry:
        registry.pause(PLAIN, NOW)
    assert client.get(f"/shops/{PLAIN}/today").status_code == 200
    with Shops.edit(twins.paths.shops_file) as registry:
        registry.leave(PLAIN, NOW)
    assert client.get(f"/shops/{PLAIN}/today").status_code == 404
