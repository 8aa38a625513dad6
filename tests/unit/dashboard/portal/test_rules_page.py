"""The page of rules: a draft is made, tried on serving, published once, and taken back, each act in the audit log."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import httpx
import pytest

from jishi.rules.preview_client import PreviewClient
from jishi.rules.versions import RuleVersions
from tests.unit.dashboard.portal.twins import CANARY, PLAIN, TwinShops, canaries_in, post

URL = f"/shops/{PLAIN}/rules"
ADDED = {"act": "add", "name": "双十二", "kind": "boost", "number": "2.5", "categories": "plain，other", "on_home": "1"}
ADDED |= {"price_to": "199.90", "from_date": "2099-12-01"}
PIN = {"kind": "pin", "name": "first", "item_id": "i2", "slot": 1}


def draft_of(page: str) -> list[Any]:
    return json.loads(html.unescape(page.partition('spellcheck="false">')[2].partition("</textarea>")[0]))  # type: ignore[no-any-return]


def newest(twins: TwinShops, shop_id: str = PLAIN) -> int:
    return RuleVersions.of(twins.paths, shop_id).numbers()[0]


def test_a_rule_of_the_form_is_tried_published_and_taken_back(twins: TwinShops) -> None:
    client, before = twins.client("marketer"), newest(twins)
    page = post(client, f"{URL}/preview", draft="[]", after=f"{before}", **ADDED)
    assert page.status_code == 200, page.text
    [rule] = draft_of(page.text)
    assert rule == {
        **{"kind": "boost", "name": "双十二", "factor": 2.5, "placements": ["home"], "from_date": "2099-12-01"},
        "items": {"categories": ["plain", "other"], "price_max_minor": 19990},
    }
    assert "does not hold for this list" in page.text, "it begins later"
    pinned = post(client, f"{URL}/preview", draft=json.dumps([rule, PIN]), after=f"{before}", drop="双十二", placement="home")
    assert draft_of(pinned.text) == [PIN]
    lists = [re.findall(r"plain \d", part) for part in pinned.text.partition('id="preview"')[2].split("As it would be", 1)]
    assert (lists[0][0], lists[1][0]) == ("plain 4", "plain 2")
    assert "slot 1" in pinned.text
    assert newest(twins) == before, "a preview publishes nothing"
    assert post(client, f"{URL}/publish", draft=json.dumps([PIN]), after=f"{before}", note="why").status_code == 303
    version = RuleVersions.of(twins.paths, PLAIN).read(before + 1)
    assert (version.facts.published_by, version.facts.note, version.rules.stated()) == (
        f"marketer@{PLAIN}.example",
        "why",
        [PIN],
    )
    late = post(client, f"{URL}/publish", draft="[]", after=f"{before}")
    assert (late.status_code, "Somebody has published rules meanwhile" in late.text) == (409, True)
    assert post(client, f"{URL}/rollback", version=f"{before}").status_code == 303
    assert newest(twins) == before + 2
    assert post(client, f"{URL}/rollback", version="999").status_code == 404
    audit = twins.client().get(f"/shops/{PLAIN}/audit").text
    assert [word in audit for word in ("previewed rules", "published rules", "rolled back rules")] == [True] * 3


def test_what_a_draft_cannot_be_is_told_and_kept(twins: TwinShops) -> None:
    bad = json.dumps([PIN | {"slot": 0}])
    for act in ("preview", "publish"):
        answer = post(twins.client(), f"{URL}/{act}", draft=bad, after=f"{newest(twins)}")
        assert answer.status_code == 400
        assert "rules.0.slot of &#34;first&#34;: Input should be greater than or equal to 1" in answer.text
        assert draft_of(answer.text) == [PIN | {"slot": 0}]
    for draft in ("{", "7", '"x"', '["\\ud800"]', "[" * 2_000 + "]" * 2_000):
        assert "The draft is not JSON" in post(twins.client(), f"{URL}/preview", draft=draft, after="0").text
    for field, value in (("number", "many"), ("price_to", "cheap"), ("kind", "sofa")):
        assert post(twins.client(), f"{URL}/preview", draft="[]", after="0", **ADDED | {field: value}).status_code == 400


@pytest.mark.parametrize(("language", "needs"), [("en", "tried with its category"), ("zh", "请填写本页类目")])
def test_a_draft_is_tried_on_a_category_page_and_after_a_payment(twins: TwinShops, language: str, needs: str) -> None:
    client, pin = twins.client(language=language), PIN | {"placements": ["category"], "page_categories": ["plain"]}
    asked = {"draft": json.dumps([pin]), "after": "0", "act": "preview", "placement": "category"}
    assert needs in post(client, f"{URL}/preview", **asked).text
    page = post(client, f"{URL}/preview", **asked, page_category="plain").text
    assert ('name="page_category" maxlength="500" value="plain"' in page, "slot 1" in page) == (True, True)
    elsewhere = post(client, f"{URL}/preview", **asked, page_category="other").text
    assert ("slot 1" in elsewhere, 'id="preview"' in elsewhere) == (False, True)
    paid = post(client, f"{URL}/preview", **asked | {"placement": "after_payment"}, paid_items="i4，i3", cart_items="i1").text
    assert re.findall(r"plain \d", paid.partition('id="preview"')[2])[:1] == ["plain 2"], (
        "nothing that was paid or is in the cart"
    )


def test_a_draft_is_tried_as_a_visit_of_a_channel_device_and_region(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return httpx.Response(200, json={"in_use": None, "before": {"items": []}, "after": {"items": []}, "notes": []})

    monkeypatch.setattr(twins.portal.previews, "_client", PreviewClient(twins.settings, httpx.MockTransport(answer))._client)
    visit = {"channel": "live", "device": "手机", "region": "上海"}
    page = post(twins.client(), f"{URL}/preview", draft="[]", after="1", act="preview", **visit).text
    assert {name: asked[0].get(name) for name in visit} == visit
    for name, value in visit.items():
        assert re.search(f'name="{name}" maxlength="[0-9]+" value="{value}"', page), name
    post(twins.client(), f"{URL}/preview", draft="[]", after="1", act="preview", channel=" ")
    assert set(asked[1]) == {"rules", "limit"}


@pytest.mark.parametrize("role", ["analyst", "read_only"])
def test_who_may_not_change_rules_sees_them_alone(twins: TwinShops, role: Any) -> None:
    client = twins.client(role)
    page = client.get(URL)
    assert (page.status_code, "<textarea" in page.text, "plain rule" in page.text) == (200, False, True)
    for act in ("preview", "publish", "rollback"):
        assert post(client, f"{URL}/{act}", draft="[]", after="0", version="1").status_code == 403
    assert client.post(f"{URL}/publish", data={"draft": "[]", "after": "0"}).status_code == 403


def test_the_preview_is_of_the_shop_of_the_address(twins: TwinShops) -> None:
    mine = post(twins.client(), f"{URL}/preview", draft="[]", after="1", act="preview")
    theirs = post(twins.client(shop_id=CANARY), f"/shops/{CANARY}/rules/preview", draft="[]", after="1", act="preview")
    assert ("plain 4" in mine.text, canaries_in(mine.content)) == (True, [])
    assert canaries_in(theirs.content)


def test_serving_that_does_not_answer_is_said(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    monkeypatch.setattr(twins.portal.previews, "_client", PreviewClient(twins.settings, httpx.MockTransport(refuse))._client)
    page = post(twins.client(language="zh"), f"{URL}/preview", draft="[]", after="1")
    assert (page.status_code, "推荐服务没有响应" in page.text) == (200, True)


def test_an_unreadable_version_is_told_and_the_one_before_is_shown(twins: TwinShops) -> None:
    versions = RuleVersions.of(twins.paths, CANARY)
    broken = versions.publish(versions.read(1).rules, "owner", twins.now).facts.version
    (twins.paths.rules / CANARY / f"{broken:06d}.json").write_text("{")
    page = twins.client(shop_id=CANARY).get(f"/shops/{CANARY}/rules").text
    assert "The newest version cannot be read" in page
    assert "CANARY rule" in page
