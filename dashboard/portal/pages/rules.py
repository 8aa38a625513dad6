"""The rules of the shop's lists: those in use and their versions; a draft is tried on a list, published, and taken back."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from dashboard.portal.reasons import rule_complaint
from dashboard.portal.rule_drafts import NOTES, PLACES, SENTENCES, TITLES, conditions_of, number_of, rule_of_form, several
from dashboard.portal.visit import BadRequest, NoSuchPage, PageVisit
from jishi.rules.complaints import BadRules, rules_of
from jishi.rules.preview_client import NoPreview
from jishi.rules.rule_set import RuleSet
from jishi.rules.versions import NoSuchVersion, RulesChanged, RulesUnreadable, RuleVersion, RuleVersions

PREVIEWED = 10
_SHOWN_VERSIONS = 20
_LONGEST_NOTE = 200
_LONGEST = 500
_MOST_IDS = 100
# Field of the form → field of serving's preview, and whether it takes several ids.
_CONTEXT = {
    **{"placement": ("placement", False), "user_id": ("user_id", False), "item_id": ("item_id", False)},
    **{"page_category": ("category", False), "cart_items": ("cart_item_ids", True), "paid_items": ("order_item_ids", True)},
    **{"channel": ("channel", False), "device": ("device", False), "region": ("region", False)},
}
_NEEDED = {
    "item": ("item_id", "An item page is tried with its item: fill it in."),
    "category": ("page_category", "A category page is tried with its category: fill it in."),
}
# What serving says instead of a preview → a text of words.
PROBLEMS = {
    "no_answer": "Serving does not answer, so there is no preview. Try again in a minute.",
    "catching_up": "Serving has just started and still reads what was sold out meanwhile. Try again in a minute.",
    "no_release": "This shop has no items yet, so there is no list to preview.",
}


def rules(visit: PageVisit) -> Response:
    """The rules in use; the draft begins with them."""
    visit.audit("saw", page="rules")
    in_use, _ = _versions(visit).in_use()
    return _page(visit, [] if in_use is None else in_use.rules.stated(), after=_newest(visit))


def preview(visit: PageVisit) -> Response:
    """The draft with a rule more or less, and a list as it is and as it would be."""
    draft, complaints = _draft(visit), []
    if visit.form.get("act") == "add":
        draft = [*draft, rule_of_form(visit.form, visit.shop.shop.currency)]
    draft = [rule for rule in draft if not (isinstance(rule, dict) and rule.get("name") == visit.form.get("drop"))]
    tried, problem = None, _missing(visit)
    try:
        checked = _checked(draft)
        if problem is None:
            tried = visit.portal.previews.preview(visit.shop.shop.shop_id, _asked(visit, checked))
    except BadRules as error:
        complaints = error.complaints
    except NoPreview as error:
        problem = PROBLEMS.get(error.code)
        complaints = [] if problem else [str(error)]
    visit.audit("previewed rules", rules=len(draft), placement=visit.form.get("placement", "home"))
    after = _number(visit, "after")
    return _page(visit, draft, after, complaints, problem, tried, 400 if complaints and not problem else 200)


def publish(visit: PageVisit) -> Response:
    """Make the draft the rules in use, unless somebody was faster."""
    draft, after = _draft(visit), _number(visit, "after")
    note = visit.form.get("note", "").strip()[:_LONGEST_NOTE]
    try:
        version = _versions(visit).publish(_checked(draft), visit.person.login, visit.now, note=note, after=after)
    except BadRules as error:
        return _page(visit, draft, after, error.complaints, status=400)
    except RulesChanged:
        problem = "Somebody has published rules meanwhile. Look at them, and then publish this draft if it is still right."
        return _page(visit, draft, _newest(visit), problem=problem, status=409)
    visit.audit("published rules", version=version.facts.version, rules=len(version.rules.rules), note=note)
    return visit.redirect(visit.path("rules"))


def roll_back(visit: PageVisit) -> Response:
    """Bring back an older version."""
    number = _number(visit, "version")
    try:
        version = _versions(visit).roll_back(number, visit.person.login, visit.now)
    except (NoSuchVersion, RulesUnreadable):
        raise NoSuchPage from None
    visit.audit("rolled back rules", version=version.facts.version, restores=number)
    return visit.redirect(visit.path("rules"))


def _page(
    visit: PageVisit,
    draft: list[Any],
    after: int,
    complaints: list[str] | None = None,
    problem: str | None = None,
    tried: dict[str, Any] | None = None,
    status: int = 200,
) -> Response:
    versions, currency = _versions(visit), visit.shop.shop.currency
    in_use, unreadable = versions.in_use()
    try:
        drafted = _checked(draft)
    except BadRules:
        drafted = RuleSet()
    return visit.page(
        "rules.html",
        status,
        in_use=in_use,
        is_unreadable=unreadable is not None,
        history=[(number, _read(versions, number)) for number in versions.numbers()[:_SHOWN_VERSIONS]],
        lines=[(rule, number_of(rule), conditions_of(rule, currency)) for rule in (in_use.rules.rules if in_use else ())],
        drafted=[(rule, number_of(rule), conditions_of(rule, currency)) for rule in drafted.rules],
        draft=json.dumps(draft, indent=1, ensure_ascii=False),
        after=after,
        complaints=[rule_complaint(each, visit.language) for each in complaints or ()],
        problem=problem,
        tried=tried,
        context={name: visit.form.get(name, "") for name in _CONTEXT},
        titles=TITLES,
        sentences=SENTENCES,
        places=PLACES,
        notes=NOTES,
    )


def _versions(visit: PageVisit) -> RuleVersions:
    return RuleVersions.of(visit.portal.paths, visit.shop.shop.shop_id)


def _newest(visit: PageVisit) -> int:
    return next(iter(_versions(visit).numbers()), 0)


def _read(versions: RuleVersions, number: int) -> RuleVersion | None:
    try:
        return versions.read(number)
    except (NoSuchVersion, RulesUnreadable):
        return None


def _draft(visit: PageVisit) -> list[Any]:
    try:
        draft = json.loads(visit.form.get("draft", "") or "[]")
        json.dumps(draft, indent=1, ensure_ascii=False).encode()  # as the page shows it: half a character cannot be shown
    except (ValueError, RecursionError):
        raise BadRequest("The draft is not JSON: write a list of rules, such as [].") from None
    if isinstance(draft, dict):
        draft = draft.get("rules")
    if not isinstance(draft, list):
        raise BadRequest("The draft is not JSON: write a list of rules, such as [].")
    return draft


def _checked(draft: list[Any]) -> RuleSet:
    return rules_of({"rules": draft})


def _asked(visit: PageVisit, draft: RuleSet) -> dict[str, Any]:
    """What serving is asked; an empty field says nothing."""
    asked: dict[str, Any] = {"rules": draft.stated(), "limit": PREVIEWED}
    for name, (field, takes_several) in _CONTEXT.items():
        text = visit.form.get(name, "").strip()
        value = several(text)[:_MOST_IDS] if takes_several else text[:_LONGEST]
        asked |= {field: value} if value else {}
    return asked


def _missing(visit: PageVisit) -> str | None:
    """What the page to try the draft on cannot do without, as a text of words."""
    field, text = _NEEDED.get(visit.form.get("placement", ""), ("", ""))
    return text if field and not visit.form.get(field, "").strip() else None


def _number(visit: PageVisit, field: str) -> int:
    text = visit.form.get(field, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadRequest("{field} is not a number from 1 on.", field=field)
    return int(text)
