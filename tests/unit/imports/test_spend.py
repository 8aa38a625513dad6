"""``import spend``: what it takes, what it names and leaves out, and how a later file restates an earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from imports.__main__ import app
from jishi.lake.query import open_lake
from jishi.paths import Paths
from jishi.shops import Shop
from jishi.tables import SILVER_SESSIONS
from tests.lake import newest, platform_of_commands, publish

SHOP = "kissa"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    kissa, other = (
        Shop(shop_id=SHOP, name="喫茶", time_zone="Asia/Tokyo", currency="JPY"),
        Shop(shop_id="other", name="Other", currency="EUR"),
    )
    with platform_of_commands(tmp_path / "var", monkeypatch, kissa, other) as paths:
        yield paths


def run(file: Path, *arguments: str, shop: str = SHOP) -> Result:
    return CliRunner().invoke(app, ["spend", str(file), "--shop", shop, *arguments], env={"COLUMNS": "200"})


def written(
    folder: Path, *rows: str, header: str = "date,channel,campaign,amount,currency,clicks", encoding: str = "utf-8"
) -> Path:
    file = folder / "spend.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
    return file


def kept(paths: Paths, shop: str = SHOP) -> list[tuple[Any, ...]]:
    columns = "spend_date, channel, campaign, amount_minor, currency, clicks, impressions"
    with open_lake(newest(paths.var)) as connection:
        sql = f"select {columns} from bronze_spend where shop_id = ? order by all"
        return connection.execute(sql, [shop]).fetchall()


def test_rows_of_a_campaign_are_added_up_and_a_corrected_file_restates_them(paths: Paths, tmp_path: Path) -> None:
    assert run(written(tmp_path, "2026-03-01,app,,5,EUR,"), shop="other").exit_code == 0
    first = written(
        tmp_path,
        "2026-03-01,wechat,spring,1200,JPY,10",
        "2026-03-01,wechat,spring,300,,5",  # another ad group; the shop's own currency
        "2026-03-01,wechat,,12.345,KWD,",
        "2026-03-02,wechat,spring,0,,",
    )
    done = run(first)
    assert done.exit_code == 0, done.output
    rows = [
        (date(2026, 3, 1), "wechat", "spring", 1500, "JPY", 15, None),
        (date(2026, 3, 1), "wechat", None, 12345, "KWD", None, None),
        (date(2026, 3, 2), "wechat", "spring", 0, "JPY", None, None),
    ]
    assert kept(paths) == rows
    again = run(first)
    assert "3 rows of spend are kept, 3 of them restated" in again.output
    assert kept(paths) == rows
    assert run(written(tmp_path, "2026-03-01,wechat,spring,1400,JPY,10")).exit_code == 0
    assert kept(paths) == [(date(2026, 3, 1), "wechat", "spring", 1400, "JPY", 10, None), *rows[1:]]
    assert kept(paths, "other") == [(date(2026, 3, 1), "app", None, 500, "EUR", None, None)]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2026-03-32,app,,1,JPY,", "date: '2026-03-32' is no date; write it as 2026-03-01"),
        (",app,,1,JPY,", "date"),
        ("2026-03-01,,,1,JPY,", "channel: it is empty"),
        ("2026-03-01,app,,,JPY,", "amount: it is empty; write 0"),
        ("2026-03-01,app,,much,JPY,", "amount: 'much' is no number"),
        ("2026-03-01,app,,-1,JPY,", "amount: -1 is below 0"),
        ("2026-03-01,app,,99999999999999999,JPY,", "is more than"),
        ("2026-03-01,app,,1,ZZZ,", "currency: 'ZZZ' is not an ISO 4217 code"),
        ("2026-03-01,tv,,1,USD,", "currency: USD, but an earlier row of its campaign and date has JPY"),
        ("2026-03-01,app,,1,JPY,1.5", "clicks: 1.5 is no whole number"),
        ("2026-03-01,app,,1,JPY,1,7", "cells under"),
    ],
)
def test_a_wrong_row_is_named_and_left_out(paths: Paths, tmp_path: Path, row: str, problem: str) -> None:
    done = run(written(tmp_path, "2026-03-01,tv,,100,JPY,", row))
    assert done.exit_code == 0, done.output
    assert "spend.csv row 3: " in done.output
    assert problem in done.output.replace("\n", " ")
    assert kept(paths) == [(date(2026, 3, 1), "tv", None, 100, "JPY", None, None)]


def test_a_file_without_a_good_row_and_an_unknown_shop_are_refused(paths: Paths, tmp_path: Path) -> None:
    refused = run(written(tmp_path, "soon,app,,1,JPY,"))
    assert refused.exit_code != 0
    assert "row 2: date: 'soon' is no date" in str(refused.exception)
    unclear = run(written(tmp_path, "2026-03-01,app,,1.012,EUR,"))
    assert "nothing tells whether the amounts in EUR have decimals or thousands" in str(unclear.exception)
    assert "--shop" in str(run(written(tmp_path, "2026-03-01,app,,1,JPY,"), shop="nobody").exception)


def test_a_dry_run_writes_nothing_and_shows_sums_and_channels_that_no_visit_names(paths: Paths, tmp_path: Path) -> None:
    publish(paths.var, {SILVER_SESSIONS: [{"shop_id": SHOP, "session_key": "s", "channel": "wechat"}]})
    done = run(written(tmp_path, "2026-03-01,wechat,,1200,,", "2026-03-02,wechatt,,7,,"), "--dry-run")
    assert done.exit_code == 0, done.output
    assert "no visit came by channel 'wechatt'" in done.output
    assert "'wechat':" not in done.output
    assert "1,200 JPY" in done.output
    assert "nothing was written" in done.output
    assert kept(paths) == []


def test_a_dry_run_as_json_has_sums_refused_rows_and_doubts_alone(paths: Paths, tmp_path: Path) -> None:
    publish(paths.var, {SILVER_SESSIONS: [{"shop_id": SHOP, "session_key": "s", "channel": "app"}]})
    rows = ("2026-03-01,app,spring,1200,,3", "2026-03-04,app,,300,,", "2026-03-04,tv,,2.50,EUR,", "2026-03-05,app,,much,,")
    done = run(written(tmp_path, *rows), "--dry-run", "--json")
    assert done.exit_code == 0, done.output
    known = orjson.loads(done.output)
    assert known["counts"] == {"app": 2, "tv": 1}
    days = {"first_date": "2026-03-01", "last_date": "2026-03-04"}
    assert known["sums"] == [
        {"channel": "app", "currency": "JPY", "amount_minor": 1500, "days": 2} | days,
        {"channel": "tv", "currency": "EUR", "amount_minor": 250, "days": 1} | days | {"first_date": "2026-03-04"},
    ]
    assert known["first"][0] == {
        **{"spend_date": "2026-03-01", "channel": "app", "campaign": "spring", "amount_minor": 1200, "currency": "JPY"},
        **{"clicks": 3, "impressions": None},
    }
    assert known["refused"] == {"invalid": 1}
    assert [(row["file"], row["row"], row["detail"]) for row in known["rows"]] == [
        ("spend.csv", 5, "amount: 'much' is no number")
    ]
    assert [note.partition(":")[0] for note in known["notes"]] == ["no visit came by channel 'tv'"]
    assert kept(paths) == []


def test_an_export_of_an_advertising_system_is_read_by_its_own_names(paths: Paths, tmp_path: Path) -> None:
    header = "日期\t渠道\t计划\t消耗\t展示\t点击"
    export = written(tmp_path, "2026/3/1\t抖音\t春季\t1,234.50\t10,000\t12", header=header, encoding="gb18030")
    assert run(export, shop="other").exit_code == 0
    assert kept(paths, "other") == [(date(2026, 3, 1), "抖音", "春季", 123450, "EUR", 12, 10000)]
    mapping = tmp_path / "map.yaml"
    mapping.write_text("columns: {date: Tag, amount: Kosten}\ndefaults: {channel: google}\ntime_format: '%d.%m.%Y'\n")
    other = written(tmp_path, "02.03.2026;1.234,50", header="Tag;Kosten")
    assert run(other, "--map", str(mapping), shop="other").exit_code == 0
    assert kept(paths, "other")[1] == (date(2026, 3, 2), "google", None, 123450, "EUR", None, None)
