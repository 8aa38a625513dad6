"""What went wrong elsewhere is said in the language of the reader, as far as the portal knows the sentence."""

from __future__ import annotations

import re

import pytest

from dashboard.delivery import NotDelivered
from dashboard.delivery.mail import MailServer
from dashboard.portal.reasons import delivery_reason, rule_complaint
from jishi.rules.complaints import BadRules, rules_of
from jishi.settings import Settings


@pytest.mark.parametrize(
    ("reason", "chinese"),
    [
        ("slack hooks.slack.com (1): it answered 404", "slack hooks.slack.com (1): 对方答复 404"),
        (
            "mei@example.org: the mail server refused the address (550 no such user)",
            "邮件服务器拒绝了该地址（550 no such user）",
        ),
        (
            "email a@b.c (2): mail server mx.b.c:25: TimeoutError: timed out",
            "邮件服务器 mx.b.c:25 出错：TimeoutError: timed out",
        ),
        ("127.0.0.1: A webhook begins with https://.", "127.0.0.1: 群机器人地址应以 https:// 开头。"),
        ("wecom h (3): it refused: 93000 {bad} key", "对方拒绝：93000 {bad} key"),
        ("its host is not found", "找不到该主机"),
        ("wecom h (3): a word of nobody's", "wecom h (3): a word of nobody's"),
    ],
)
def test_a_failed_delivery_is_said_in_the_readers_language(reason: str, chinese: str) -> None:
    assert delivery_reason(reason, "zh").endswith(chinese)
    assert delivery_reason(reason, "en") == reason


def test_a_platform_without_a_mail_server_says_so_in_chinese() -> None:
    with pytest.raises(NotDelivered) as error:
        MailServer.of(Settings(smtp_host="", smtp_from=""))
    assert "没有设置邮件服务器" in delivery_reason(f"a@b.c: {error.value}", "zh")


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "boost", "name": "x: y", "items": {"brands": ["b"]}, "factor": 0.5},
        {"kind": "boost", "name": "x", "items": {"brands": ["b"]}},
        {"kind": "hide", "name": "x", "items": {"brands": ["b"]}, "colour": 1},
        {"kind": "raise", "name": "x"},
        {"kind": "pin", "name": "x", "item_id": "i", "slot": "one"},
    ],
)
def test_a_fault_of_a_draft_is_said_in_the_readers_language(rule: dict[str, object]) -> None:
    with pytest.raises(BadRules) as error:
        rules_of({"rules": [rule]})
    for complaint in error.value.complaints:
        chinese = rule_complaint(complaint, "zh")
        assert re.search("[一-鿿]", chinese), complaint
        assert chinese.startswith("rules.0"), complaint
        assert rule_complaint(complaint, "en") == complaint
