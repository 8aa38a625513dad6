"""Customers of a channel, and how they moved between segments: what is shown adds up, what is not known is left out by name."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest

from tests.unit.dashboard.portal import twins as twin_shops
from tests.unit.dashboard.portal.test_numbers import tiles_of, words_of
from tests.unit.dashboard.portal.twins import CANARY, NEWEST, NOW, PLAIN, TwinShops

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
# Segments of persons at the end of October and of November; None: no customer then.
SEGMENTS = {
    "u:a": ("champions", "champions"),
    "u:b": ("champions", "at_risk"),
    "u:c": ("champions", "at_risk"),
    "u:d": (None, "new_customers"),
    "u:e": ("at_risk", None),
}
NOBODY = "not_a_customer"
NAMES = ("champions", "new_customers", "at_risk", NOBODY)
CHANNELS = {"u:a": "app", "u:b": "shop", "u:c": "app"}


@pytest.fixture(scope="module")
def movers(tmp_path_factory: pytest.TempPathFactory, semantic_manifest: dict[str, Any]) -> TwinShops:
    """The twins, with customers who moved."""
    fill = twin_shops._fill

    def fill_moves(connection: Any, mart: str) -> None:
        fill(connection, mart)
        match mart:
            case "fct_customer_months" | "dim_customers":
                [row] = connection.execute(f"select min(rowid) from {mart} where shop_id = ?", [PLAIN]).fetchall()
                connection.execute(f"delete from {mart} where shop_id = ? and rowid <> ?", [PLAIN, row[0]])
                for person, of_months in SEGMENTS.items():
                    for month, segment in zip((OCTOBER, NOVEMBER), of_months, strict=True):
                        if mart == "dim_customers" and month == NOVEMBER:
                            change = {"person_id": person, "segment": segment or NOBODY, "spent_minor": 1000, "orders": 1}
                        elif mart == "fct_customer_months" and segment:
                            change = {"person_id": person, "month": month, "segment": segment}
                        else:
                            continue
                        values = ", ".join(f"? as {name}" for name in change)
                        connection.execute(
                            f"insert into {mart} select * replace ({values}) from {mart} where rowid = ?",
                            [*change.values(), row[0]],
                        )
                if mart == "dim_customers":
                    connection.execute(
                        f"insert into {mart} select * replace ('u:clerk' as person_id, 'staff' as excluded_reason, "
                        f"'{NOBODY}' as segment, 1000000 as spent_minor) from {mart} where rowid = ?",
                        [row[0]],
                    )
                connection.execute(f"delete from {mart} where rowid = ?", [row[0]])
            case "fct_orders":
                for person, channel in CHANNELS.items():
                    connection.execute(
                        f"insert into {mart} by name select ? as shop_id, ? as person_id, ? as channel, ? as order_id, "
                        "? as paid_date, 1000 as paid_minor, false as is_repeat",
                        [PLAIN, person, channel, f"order of {person}", NEWEST - timedelta(days=2)],
                    )
            case "fct_segment_transitions":
                connection.execute(f"delete from {mart} where shop_id = ?", [PLAIN])
                moves = [(before or NOBODY, now or NOBODY) for before, now in SEGMENTS.values()]
                for before in NAMES:
                    for now in NAMES:
                        there = sum(move[0] == before for move in moves)
                        count = moves.count((before, now))
                        share = count / there if there and before != NOBODY else None
                        connection.execute(
                            f"insert into {mart} by name select ? as shop_id, ? as month, 'rfm' as scheme, ? as from_segment, "
                            "? as to_segment, true as is_over, ? as customers, ? as share_of_from",
                            [PLAIN, NOVEMBER, before, now, count, share],
                        )
            case "dim_segments":
                connection.execute(f"delete from {mart}")
                for place, name in enumerate(NAMES):
                    connection.execute(
                        f"insert into {mart} by name select 'rfm' as scheme, ? as segment, ? as place", [name, place]
                    )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(twin_shops, "_fill", fill_moves)
        return TwinShops(tmp_path_factory.mktemp("movers"), semantic_manifest)


@pytest.fixture(autouse=True)
def _clock(movers: TwinShops) -> None:
    movers.now = NOW


def matrix_of(text: str) -> dict[tuple[int, int], tuple[str, str | None, str | None]]:
    """Cells that are not empty by place: customers, share and address."""
    [table] = re.findall(r'<table class="cohorts moves">(.*?)</table>', text, re.S)
    cells = {}
    for row, line in enumerate(re.findall(r"<tr>(.*?)</tr>", table.partition("</thead>")[2], re.S)):
        for column, cell in enumerate(re.findall(r"<td(.*?)</td>", line, re.S)):
            share, address = re.search(r'title="(\S+) %"', cell), re.search(r'href="([^"]+)"', cell)
            shown = words_of(f"<td{cell}")
            if shown != "0":
                cells[row, column] = (shown, share and share[1], address and unescape(address[1]))
    return cells


def test_each_cell_of_the_matrix_leads_to_its_customers(movers: TwinShops) -> None:
    client = movers.client()
    cells = matrix_of(client.get(f"/shops/{PLAIN}/customers").text)
    assert {place: cell[:2] for place, cell in cells.items()} == {
        (0, 0): ("1", "33.33"),
        (0, 2): ("2", "66.67"),
        (2, 3): ("1", "100.00"),
        (3, 1): ("1", None),
    }
    for place, persons in {(0, 0): ["u:a"], (0, 2): ["u:b", "u:c"], (2, 3): ["u:e"], (3, 1): ["u:d"]}.items():
        address = cells[place][2] or ""
        text = client.get(address).text
        assert sorted(set(re.findall(r"u:[a-e]\b", text))) == persons, place
        exported = client.get(address.replace("/rows/customers-by-month", "/export/customers-by-month.csv"))
        [heading, *lines] = csv.reader(io.StringIO(exported.content.decode("utf-8-sig")))
        assert sorted(line[heading.index("Person")] for line in lines) == persons
        noted = movers.portal.audit.newest(PLAIN)[0]
        assert (noted.action, noted.detail["count"]) == ("exported", len(persons))


def test_who_sees_no_persons_is_led_to_the_cell_itself(movers: TwinShops) -> None:
    client = movers.client("analyst")
    cells = matrix_of(client.get(f"/shops/{PLAIN}/customers").text)
    text = client.get(cells[0, 2][2] or "").text
    assert text.count("<tr>") == 2
    assert "66.67" in text
    assert client.get(f"/shops/{PLAIN}/rows/customers-by-month").status_code == 404
    assert all(
        address is None
        for _, _, address in matrix_of(movers.client("read_only").get(f"/shops/{PLAIN}/customers").text).values()
    )


def test_the_matrix_is_in_the_readers_language_and_says_what_it_is(movers: TwinShops) -> None:
    client = movers.client(language="zh")
    text = client.get(f"/shops/{PLAIN}/customers").text
    [table] = re.findall(r'<table class="cohorts moves">.*?</table>', text, re.S)
    assert not re.search(r"[a-z]{3,}", words_of(table))
    assert f"/shops/{PLAIN}/meaning/fct_segment_transitions/customers" in text
    assert client.get(f"/shops/{PLAIN}/meaning/fct_segment_transitions/customers").status_code == 200
    rows = client.get(matrix_of(text)[0, 2][2] or "").text
    assert re.search(r"上月人群: [一-鿿]+", words_of(rows))
    assert "champions" not in words_of(rows)


@pytest.mark.parametrize(
    "address",
    ["customers?scheme=nothing", "customers?month=2026-13-01", "rows/customers-by-month?segment_before=champions"],
)
def test_a_choice_that_nobody_can_answer_is_refused(movers: TwinShops, address: str) -> None:
    assert movers.client().get(f"/shops/{PLAIN}/{address}").status_code == 400


def test_a_month_before_the_shops_first_has_no_moves(movers: TwinShops) -> None:
    text = movers.client().get(f"/shops/{PLAIN}/customers?month=2020-02-29").text
    assert '<table class="cohorts moves">' not in text
    assert "Nothing here" in text


def test_a_channel_chooses_buyers_segments_and_customers_and_no_repurchase(movers: TwinShops) -> None:
    client, day = movers.client(), NEWEST - timedelta(days=1)
    text = client.get(f"/shops/{PLAIN}/customers?channel=app").text
    tiles = tiles_of(text)
    assert "Repurchase 30 days" not in tiles
    [hint] = re.findall(r'<p class="hint">(Not known for this choice.*?)</p>', text, re.S)
    assert all(name in words_of(hint) for name in ("Repurchase 30 days", "Moves between segments", "Cohorts"))
    assert '<table class="cohorts' not in text
    assert (tiles["Buyers"][0], tiles["Value per buyer"][0]) == ("2 people", "10.00 CNY")
    [segments] = re.findall(r'<table class="bars">(.*?)</table>', text, re.S)
    shown = [words_of(row) for row in re.findall(r"<tr>(.*?)</tr>", segments, re.S)]
    assert sorted(shown) == ["at risk 1 people10.00 CNY", "champions 1 people10.00 CNY"]
    assert "ever ordered through app" in text
    listed = client.get(f"/shops/{PLAIN}/rows/customers?channel=app").text
    assert sorted(set(re.findall(r"u:[a-e]\b", listed))) == ["u:a", "u:c"]
    assert f"/shops/{PLAIN}/rows/customers?channel=app" in text
    assert movers.portal.audit.newest(PLAIN, action="saw")[0].detail["channel"] == "app"
    behind = {unescape(link) for link in re.findall(r'class="behind" href="([^"]+)"', text)}
    assert behind == {f"/shops/{PLAIN}/rows/orders?from={day - timedelta(days=29)}&to={day}&channel=app"}
    nobody = client.get(f"/shops/{PLAIN}/customers", params={"channel": "it's"}).text
    assert tiles_of(nobody)["Buyers"][0] == "0 people"
    assert tiles_of(nobody)["Share of repeat orders"][0] == "– unknown"


def test_who_is_no_customer_by_the_shops_rules_is_not_listed_as_one(movers: TwinShops) -> None:
    client = movers.client()
    text = client.get(f"/shops/{PLAIN}/customers").text
    assert sorted(set(re.findall(r"\bu:\w+", text.partition("Customers by what they spent")[2]))) == [*SEGMENTS]
    rows = client.get(f"/shops/{PLAIN}/rows/customers").text
    [clerk] = [words_of(row) for row in re.findall(r"<tr>(.*?)</tr>", rows, re.S) if "u:clerk" in row]
    assert "staff" in clerk


def test_another_shops_customers_of_the_channel_are_not_among_them(movers: TwinShops) -> None:
    assert "CANARY" not in movers.client().get(f"/shops/{PLAIN}/customers?channel=CANARY-channel").text.replace(
        "CANARY-channel", ""
    )
    assert movers.client("owner", CANARY).get(f"/shops/{PLAIN}/customers?channel=app").status_code == 404
