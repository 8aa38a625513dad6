"""The workbench asks Superset for one shop's token and frames nobody else."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from dashboard.guests import is_for_one_shop, token_request
from dashboard.portal.guest_tokens import GuestTokens, SupersetUnavailable
from dashboard.superset_boards import boards
from tests.unit.dashboard.portal.twins import CANARY, PLAIN, TwinShops, post


@pytest.mark.parametrize("board", boards())
def test_a_token_is_for_the_members_shop_and_the_boards_two_layouts(twins: TwinShops, board: str) -> None:
    twins.asked.clear()
    answer = post(twins.client("analyst"), f"/shops/{PLAIN}/workbench/{board}/token")
    assert answer.json() == {"token": "a guest token"}
    [body] = twins.asked
    assert body["rls"] == [{"clause": f"shop_id = '{PLAIN}'"}]
    shown = {resource["id"] for resource in body["resources"]}
    assert shown == {boards()[board].uuid("merchant"), boards()[board].uuid("phone")}
    assert boards()[board].uuid("analyst") not in json.dumps(body)


def test_nobody_gets_a_token_for_a_shop_that_is_not_theirs(twins: TwinShops) -> None:
    twins.asked.clear()
    assert post(twins.client("owner"), f"/shops/{CANARY}/workbench/today/token").status_code == 404
    assert post(twins.client("read_only"), f"/shops/{PLAIN}/workbench/today/token").status_code == 403
    assert twins.client("owner").post(f"/shops/{PLAIN}/workbench/today/token").status_code == 403  # no form of this portal
    assert post(twins.visitor(), f"/shops/{PLAIN}/workbench/today/token").status_code == 303
    assert twins.asked == []


def test_the_page_may_frame_superset_alone_and_other_pages_nothing(twins: TwinShops) -> None:
    client = twins.client()
    policy = client.get(f"/shops/{PLAIN}/workbench/today").headers["content-security-policy"]
    assert policy.split("; ")[-1] == f"frame-src {twins.settings.superset_address}"
    assert "frame-ancestors 'none'" in policy
    assert "frame-src" not in client.get(f"/shops/{PLAIN}/today").headers["content-security-policy"]


def test_a_superset_that_is_gone_is_said(tmp_path: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    password = tmp_path / "portal_password"
    with pytest.raises(SupersetUnavailable, match="does not answer"):
        GuestTokens("http://superset", password, httpx.MockTransport(refuse)).of_shop("s", [])
    unauthorized = httpx.MockTransport(lambda _: httpx.Response(401, text="Invalid login"))
    with pytest.raises(SupersetUnavailable, match="dashboard setup"):
        GuestTokens("http://superset", password, unauthorized).of_shop("s", [])
    password.write_text("wrong")
    with pytest.raises(SupersetUnavailable, match="Invalid login"):
        GuestTokens("http://superset", password, unauthorized).of_shop("s", [])


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"clause": "1 = 1"}],
        [{"clause": "shop_id = 'a' or 1 = 1"}],
        [{"clause": "shop_id = 'a'\n"}],
        [{"clause": "shop_id = 'a', shop_id = 'b'"}],
        [{"clause": "shop_id = 'a'", "dataset": 1}],
        [{"clause": "shop_id = 'a'"}, {"clause": "shop_id = 'a'"}],
    ],
)
def test_superset_signs_for_one_shop_and_every_data_set_or_not_at_all(rules: list[dict[str, object]]) -> None:
    assert is_for_one_shop(token_request("a", []))
    assert not is_for_one_shop({"rls": rules})


@pytest.mark.parametrize("shop_id", ["", "a' or 1=1 --", "A", "a b", "a\n"])
def test_what_is_no_shops_id_is_in_no_rule(shop_id: str) -> None:
    with pytest.raises(ValueError, match="no shop's id"):
        token_request(shop_id, [])
