"""Uploads: the platform's own commands look and import, in the shop's own folder, one at a time, for those with the right."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import dashboard.portal.uploads as uploads_module
from dashboard.portal.upload_kinds import KINDS, UploadKind, import_steps, look_steps
from dashboard.portal.uploads import LARGEST_UPLOAD, safe_name
from tests.unit.dashboard.portal.twins import CANARY, PLAIN, TwinShops, post

ORDERS = """订单号,商品编码,商品数量,商品单价,买家付款时间,买家手机号,订单状态
A1,D1,2,12.50,2026-10-31 23:30:00,138,交易成功
A2,D1,x,12.50,2026-11-02 10:00:00,139,交易成功
A3,D2,1,99,2026-11-03 10:00:00,139,交易成功
A4,D2,1,1,2026-11-03 10:00:00,139,交易关闭
"""


def send(client: TestClient, shop_id: str, files: dict[str, str], mapping: str | None = None, **fields: str) -> Any:
    """Upload files as the page does."""
    token = re.findall(r'name="form_token" value="(.*?)"', client.get("/shops").text)[0]
    sent = [("files", (name, text.encode())) for name, text in files.items()]
    sent += [("mapping", ("m.yaml", mapping.encode()))] if mapping is not None else []
    return client.post(f"/shops/{shop_id}/uploads/send", data={"form_token": token, **fields}, files=sent)


def ended(client: TestClient, address: str) -> str:
    """The page of an upload when its process has ended."""
    for _ in range(600):
        page = client.get(address).text
        if "every 2s" not in page:
            return page
        time.sleep(0.1)
    raise AssertionError(page)


def folder_of(twins: TwinShops, shop_id: str) -> Path:
    return twins.portal.uploads._of_shop(shop_id)


def test_orders_are_looked_at_and_imported_only_when_it_is_confirmed(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> None:
    client = twins.client("marketer")
    address = send(client, PLAIN, {"../../o 1.csv": ORDERS}, kind="orders", layout="youzan").headers["location"]
    page = ended(client, address)
    text = re.sub(r"\s+", " ", re.sub(r"<.*?>", " ", page))
    # by hand: A1 is paid at 23:30 of the shop's October, A2 has no quantity, A4 was closed
    assert "2026-10 1 25.00 CNY 0 0.00 CNY" in text
    assert "2026-11 1 99.00 CNY 0 0.00 CNY" in text
    assert "1-o_1.csv 2 properties.lines.0.quantity A value has the wrong form" in text
    assert "item_id D1, quantity 2, unit_price_minor 12.50 CNY" in text
    assert "left out 1 rows" in text
    history = twins.paths.history / PLAIN
    assert not history.exists()
    # nobody of another shop reaches it
    other = twins.client(shop_id=CANARY)
    foreign = address.replace(f"/{PLAIN}/", f"/{CANARY}/")
    assert other.get(foreign).status_code == 404
    assert post(other, f"{foreign}/start", act="import").status_code == 404
    assert post(other, f"{address}/start", act="import").status_code == 404
    # only the landing is real here: Spark and dbt have tests of their own
    monkeypatch.setattr(uploads_module, "import_steps", lambda *asked: import_steps(*asked)[:1])
    assert post(client, f"{address}/start", act="import").status_code == 303
    page = ended(client, address)
    assert "imported" in page
    assert str(twins.paths.var) not in page
    lines = [json.loads(line) for file in history.glob("events-*.jsonl") for line in file.read_text().splitlines()]
    assert [line["event_id"] for line in lines] == ["order-A1", "order-A2", "order-A3"]
    assert not (twins.paths.history / CANARY).exists()
    assert (folder_of(twins, PLAIN).stat().st_mode & 0o777) == 0o700
    assert post(client, f"{address}/start", act="delete").status_code == 303
    assert client.get(address).status_code == 404
    audit = twins.client().get(f"/shops/{PLAIN}/audit").text
    assert [word in audit for word in ("uploaded", "imported", "deleted an upload")] == [True] * 3


def test_a_file_that_is_none_fails_with_what_the_command_says(twins: TwinShops) -> None:
    client = twins.client()
    mapping = "columns: {order_id: No, item_id: SKU, quantity: n, unit_price: p, occurred_at: t}\n"
    answer = send(client, PLAIN, {"o.csv": "a,b\n1,2\n"}, mapping, kind="orders", layout="own")
    page = ended(client, answer.headers["location"])
    assert "It failed; what was there before is kept" in page
    assert re.search(r"1-o.csv.*No", page)
    assert str(twins.paths.var) not in page


@pytest.mark.parametrize(
    ("files", "fields"),
    [
        ({}, {"kind": "orders", "layout": "youzan"}),
        ({"a.csv": "x"}, {"kind": "orders"}),
        ({"a.csv": "x"}, {"kind": "orders", "layout": "../../etc/passwd"}),
        ({"a.csv": "x"}, {"kind": "orders", "layout": "own"}),
        ({"a.csv": "x"}, {"kind": "rates", "layout": "youzan"}),
        ({"a.csv": "x", "b.csv": "y"}, {"kind": "rates"}),
    ],
)
def test_what_cannot_be_looked_at_is_not_kept(twins: TwinShops, files: dict[str, str], fields: dict[str, str]) -> None:
    before = len(twins.portal.uploads.all(PLAIN))
    answer = send(twins.client(), PLAIN, files, **fields)
    assert answer.status_code == 400
    assert "Choose a file" in answer.text
    assert len(twins.portal.uploads.all(PLAIN)) == before


def test_a_body_is_refused_before_it_is_read(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, visitor, analyst, other = twins.client(), twins.visitor(), twins.client("analyst"), twins.client(shop_id=CANARY)

    async def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the body was read")

    monkeypatch.setattr("starlette.requests.Request._get_form", never)
    path, files = f"/shops/{PLAIN}/uploads/send", {"files": ("a.csv", b"x")}
    too_large = {"content-length": str(LARGEST_UPLOAD + 1)}
    assert owner.post(path, headers=too_large, content=b"x").status_code == 413
    assert visitor.post(path, files=files).status_code == 303
    assert analyst.post(path, files=files).status_code == 403
    assert other.post(path, files=files).status_code == 404
    assert owner.post(path, files=files, headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_one_upload_of_a_shop_runs_at_a_time_and_a_cut_off_one_says_so(
    twins: TwinShops, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, kept = twins.client(), twins.portal.uploads
    monkeypatch.setattr(uploads_module, "look_steps", lambda *_: [["json.tool", "--help"]])
    address = send(client, PLAIN, {"r.csv": "date,currency,rate\n2026-03-01,USD,7\n"}, kind="rates").headers["location"]
    upload_id = address.rpartition("/")[2]
    assert "usage: " in ended(client, address)  # what is no JSON is shown as it is
    with (folder_of(twins, PLAIN) / ".lock").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "Another upload of this shop runs" in post(client, f"{address}/start", act="import").text
        assert "Another upload of this shop runs" in post(client, f"{address}/start", act="delete").text
        assert not kept.is_busy(CANARY)
    progress = folder_of(twins, PLAIN) / upload_id / "progress.json"
    progress.write_text('{"act": "import", "step": 1, "steps": 2, "code": null}')
    assert kept.progress(PLAIN, upload_id)[0] == "cut off"
    assert "cut off; start it again" in client.get(address).text


def test_the_newest_uploads_are_kept_whatever_the_clock_says(twins: TwinShops) -> None:
    kept = twins.portal.uploads

    def keep(number: int) -> str:
        return kept.keep(PLAIN, KINDS["rates"], [(f"{number}.csv", BytesIO(b"x"))], None, None, [], "x", twins.now).upload_id

    ids = [keep(number) for number in range(uploads_module.KEPT_UPLOADS + 2)]  # all at the same time
    newest_first = ids[: -uploads_module.KEPT_UPLOADS - 1 : -1]
    assert [upload.upload_id for upload in kept.all(PLAIN)] == newest_first
    with (folder_of(twins, PLAIN) / ".lock").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        last = keep(100)  # while another runs nothing is deleted
        assert [upload.upload_id for upload in kept.all(PLAIN)] == [last, *newest_first]
    assert keep(101) == kept.all(PLAIN)[0].upload_id
    assert len(kept.all(PLAIN)) == uploads_module.KEPT_UPLOADS


def test_no_value_of_a_form_becomes_another_option() -> None:
    kind, files = KINDS["orders"], [Path("/var/x/1--shop=other.csv")]
    mapping = ["--preset", "youzan", "--decimal=--shop"]
    for steps in (look_steps(kind, PLAIN, files, mapping), import_steps(kind, PLAIN, files, mapping)):
        for arguments in steps:
            [place] = [place for place, word in enumerate(arguments) if word == "--shop"]
            assert arguments[place + 1] == PLAIN
            assert not [word for word in arguments[:place] if word.startswith("-")]
    added = UploadKind("spend", "Spend", "spend", look=("--dry-run",))
    assert look_steps(added, PLAIN, files, [])[0][:2] == ["imports", "spend"]


@pytest.mark.parametrize("name", ["../../../etc/passwd", "..\\..\\x.csv", "/etc/passwd", ".ssh", "-rf", "a\0b\n.csv", "", "."])
def test_a_name_stays_a_name(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert re.fullmatch(r"[^./\\\0\n-][^/\\\0\n]*", safe)


def test_each_kind_of_file_names_its_own_columns(twins: TwinShops) -> None:
    forms = twins.client().get(f"/shops/{PLAIN}/uploads").text.split("<form")
    hints = {re.findall(r'name="kind" value="(\w+)"', form)[0]: form for form in forms if 'name="kind"' in form}
    assert "date, channel, amount" in hints["spend"]
    assert "date, currency, rate" in hints["rates"]
    assert "date, currency, rate" not in hints["spend"]


def test_what_was_rejected_has_its_place_and_its_fix(twins: TwinShops) -> None:
    page = twins.client("marketer").get(f"/shops/{PLAIN}/rejected").text
    assert "plain.csv · line 3" in page
    assert "A needed field is empty: fill the column" in page
    assert "CANARY.csv" in twins.client(shop_id=CANARY).get(f"/shops/{CANARY}/rejected").text
    assert "必填字段为空" in twins.client(language="zh").get(f"/shops/{PLAIN}/rejected").text


def test_an_upload_that_is_cut_off_leaves_nothing_behind(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> None:
    """zoekt 94, ondemand 260: each try at a full disk took more of it, and nothing ever gave it back."""
    client, folder = twins.client("marketer"), folder_of(twins, PLAIN)
    folder.mkdir(parents=True, exist_ok=True)
    before = sorted(folder.iterdir())

    def full(content: Any, out: Any) -> None:
        out.write(content.read(10))
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(uploads_module.shutil, "copyfileobj", full)
        assert send(client, PLAIN, {"o.csv": ORDERS}, kind="orders", layout="youzan").status_code == 500
    assert sorted(folder.iterdir()) == before
    for name, age_s in (("0" * 16, 0), ("1" * 16, 2 * 24 * 3600)):
        (folder / name).mkdir()
        os.utime(folder / name, (time.time() - age_s,) * 2)
    ended(client, send(client, PLAIN, {"o.csv": ORDERS}, kind="orders", layout="youzan").headers["location"])
    assert (folder / ("0" * 16)).exists(), "one that is being sent"
    assert not (folder / ("1" * 16)).exists()
    (folder / ("0" * 16)).rmdir()
