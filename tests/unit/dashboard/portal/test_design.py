"""The design system by computation: contrast, tokens, both languages, nothing from elsewhere."""

from __future__ import annotations

import re
from itertools import product
from typing import get_args

import pytest

from dashboard.delivery.message import Kind
from dashboard.portal import rule_drafts
from dashboard.portal.app import PAGES
from dashboard.portal.columns import COLUMNS
from dashboard.portal.datasets import DATASETS
from dashboard.portal.pages import boards, keys, rules, settings
from dashboard.portal.roles import ROLES
from dashboard.portal.rule_forms import CUSTOMER_FIELDS
from dashboard.portal.words import CHINESE, preferred, translated
from jishi.settings import PROJECT_ROOT
from tests.unit.dashboard.portal.twins import PLAIN, TwinShops

PORTAL = PROJECT_ROOT / "dashboard" / "portal"
CSS = (PORTAL / "static" / "portal.css").read_text("utf-8")
TEMPLATES = {file.name: file.read_text("utf-8") for file in (PORTAL / "templates").glob("*.html")}
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): ([^;]+);", block)) for block in re.findall(r":root \{(.*?)\n ?\s*\}", CSS, re.S)[:2]
)
TEXTS = ("text", "text-soft", "link", "bad", "old")
SURFACES = ("paper", "card", "tint")
MARKS = ("edge", "mark", "mark-2", "link")  # controls, lines of charts, focus


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def blended(shade: str, share: float, surface: str) -> str:
    """A translucent shade over a surface."""
    over = [int(channel) for channel in shade.split()]
    under = [int(surface[place : place + 2], 16) for place in (1, 3, 5)]
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in zip(over, under, strict=True))


def test_the_ratio_is_that_of_wcag() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48  # WCAG's well-known grey that just fails


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_can_be_read_on_every_surface(tokens: dict[str, str]) -> None:
    for text, surface in product(TEXTS, SURFACES):
        assert contrast(tokens[text], tokens[surface]) >= 4.5, (text, surface)
    assert contrast(tokens["on-accent"], tokens["accent"]) >= 4.5
    for mark, surface in product(MARKS, SURFACES):
        assert contrast(tokens[mark], tokens[surface]) >= 3, (mark, surface)
    assert contrast(tokens["mark"], tokens["track"]) >= 3
    for share in re.findall(r"rgb\(var\(--shade\) / (\.\d+)\)", CSS):
        assert contrast(tokens["text"], blended(tokens["shade"], float(share), tokens["card"])) >= 4.5, share


def test_colours_are_tokens_that_were_tested() -> None:
    rules = CSS.split("/* frame */")[0].split("color-scheme: dark;")[1] + CSS.split("/* frame */")[1].split("@media print")[0]
    colours = set(re.findall(r"(?<![\w-])color: ([^;]+);", rules))
    assert colours <= {f"var(--{name})" for name in (*TEXTS, "on-accent")}
    grounds = set(re.findall(r"background(?:-color)?: ([^;]+);", rules))
    known = {f"var(--{name})" for name in (*SURFACES, "accent", "mark")} | {"none", "#0007"}
    assert {ground for ground in grounds if not ground.startswith("rgb(var(--shade)")} <= known
    assert DARK.keys() == {name for name in LIGHT if not re.fullmatch(r"[st]\d", name)}


def test_numbers_have_digits_of_one_width_and_pages_print() -> None:
    assert "font-variant-numeric: tabular-nums" in CSS
    assert "@media print" in CSS
    assert "prefers-reduced-motion" in CSS
    assert ":focus-visible" in CSS


def test_every_text_is_in_both_languages() -> None:
    used = {
        text
        for page in TEMPLATES.values()
        for text in re.findall(r'\bt\("([^"]+)"', page) + re.findall(r"\bt\('([^']+)'", page)
    }
    for file in PORTAL.rglob("*.py"):
        used |= set(re.findall(r'(?:visit\.text|BadRequest|error=|error, )\(?"([A-Z{][^"]+)"', file.read_text("utf-8")))
    used |= {dataset.title for dataset in DATASETS.values()} | set(ROLES)
    used |= {field.title for field in CUSTOMER_FIELDS} | {
        *keys.TITLES.values(),
        *settings.SOURCES.values(),
        *boards.KINDS.values(),
        *boards.TIME_TITLES.values(),
        *rules.PROBLEMS.values(),
    }
    for texts in (rule_drafts.TITLES, rule_drafts.SENTENCES, rule_drafts.NOTES, rule_drafts.PLACES):
        used |= set(texts.values())
    used |= {
        *("Items", "Category", "Brand", "Attributes", "Price from", "Price to", "On pages of the category", "From", "Until"),
    }
    assert used <= CHINESE.keys(), used - CHINESE.keys()
    for english, chinese in CHINESE.items():
        assert re.search("[一-鿿]", chinese), english
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", chinese)), english
    for column in COLUMNS.values():
        assert column.en.isascii(), column.name
        assert column.unit == "score" or re.search("[一-鿿]", column.zh), column.name


def test_a_page_is_wholly_in_one_language(twins: TwinShops) -> None:
    for page in ("today", "traffic", "items", "members", "rules"):
        english = twins.client(language="en").get(f"/shops/{PLAIN}/{page}").text
        outside = re.sub(r'<(summary|a|button|title)\b.*?</\1>|一样的店|lang="zh-CN"|"title": ".*?"', "", english, flags=re.S)
        assert not re.search("[一-鿿]", outside), (page, re.findall(".{20}[一-鿿].{20}", outside)[:3])
        assert '<html lang="zh-CN">' in twins.client(language="zh").get(f"/shops/{PLAIN}/{page}").text


def test_a_switch_changes_the_language_and_comes_back(twins: TwinShops) -> None:
    from tests.unit.dashboard.portal.twins import post

    client = twins.client(language="en")
    answer = post(client, "/language", language="zh", next=f"/shops/{PLAIN}/items")
    assert answer.headers["location"] == f"/shops/{PLAIN}/items"
    assert '<html lang="zh-CN">' in client.get(answer.headers["location"]).text
    assert preferred("de, en-GB;q=0.8, zh;q=0.5") == "en"
    assert preferred("fr") == "zh"
    assert translated("Rows {first} to {last}", "zh", first=1, last=2) == "第 1 至 2 行"
    assert [translated(kind, "en") for kind in get_args(Kind)] == ["E-mail", "WeCom", "Feishu", "Slack"]
    assert translated("read_only", "en") == "read only"


def test_nothing_comes_from_elsewhere(twins: TwinShops) -> None:
    texts = [*TEMPLATES.values(), CSS, (PORTAL / "static" / "portal.js").read_text("utf-8")]
    assert not [text for text in texts if re.search(r"(?:https?:)?//[a-z]", re.sub(r"/\*.*?\*/|// .*", "", text, flags=re.S))]
    assert not [name for name, page in TEMPLATES.items() if re.search(r"\bstyle=|\bon[a-z]+=|<script>", page)]
    answer = twins.client().get(f"/shops/{PLAIN}/today")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    notice = (PROJECT_ROOT / "NOTICE").read_text("utf-8")
    for file in (PORTAL / "static" / "vendor").glob("*.js"):
        name, _, version = file.name.removesuffix(".min.js").partition("-")
        assert (PORTAL / "static" / "vendor" / f"{name}-LICENSE").exists()
        assert re.search(rf"{name}\S* {re.escape(version)}", notice, re.IGNORECASE), f"NOTICE lacks {name} {version}"


def test_every_page_of_a_shop_states_what_it_needs() -> None:
    assert all(page.needs != "nothing" for page in PAGES if "{shop_id}" in page.path)
    assert all(page.needs not in ("nothing", "login") for page in PAGES if "{shop_id}" in page.path)
