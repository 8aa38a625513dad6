"""Settings of the shop, checked by the rules that the command line checks them by; each change is in the history."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError
from starlette.responses import Response

from dashboard.portal.rule_forms import (
    CUSTOMER_FIELDS,
    ITEM_FIELDS,
    QUIET_FIELDS,
    BadSetting,
    rules_from,
    rules_of_form,
    written,
)
from dashboard.portal.visit import BadRequest, NoSuchPage, PageVisit
from jishi.contract.sender import OrderSource
from jishi.customer_rules import MOST_EXCLUSIONS, CustomerRules, Exclusion
from jishi.funnel_rules import FunnelRules
from jishi.identity import DEVICE, USER
from jishi.money import CURRENCY_DIGITS
from jishi.quiet_hours import QuietHours
from jishi.shops import Shop, Shops

CHANGED = "changed a setting"
_LONGEST_NAME = 80
_TITLES = {
    **{"name": "Name of the shop", "orders_from": "Whose orders count", "visits_end": "Visits end"},
    **{"funnel_order": "Steps of the funnel", "funnel_minutes": "Minutes after the first view in which steps count"},
    **{"quiet_hours": "Quiet hours", "exclusions": "Who is no customer"},
}
# Who an exclusion names: how the person ids begin, and whether all that begin so are meant.
PERSONS = {
    "user": ("the user with the id", USER, False),
    "users": ("all users whose id begins with", USER, True),
    "device": ("the visitor of the device", DEVICE, False),
    "guests": ("all who never logged in", DEVICE, True),
}
REASONS = {"guest": "guest", "staff": "staff", "distributor": "distributor"}
SOURCES: dict[OrderSource, str] = {"server": "those that the shop's server sends", "page": "those that the shop's pages send"}

VISIT_ENDS = {"pause": "after 30 minutes without an act", "midnight": "after 30 minutes without an act, and at midnight"}
FUNNEL_ORDERS = {"strict": "each after the one before it", "any": "in any order within the visit"}


def settings(visit: PageVisit) -> Response:
    """What is set, and what was changed."""
    shop = visit.shop.shop
    digits = CURRENCY_DIGITS[shop.currency]
    return visit.page(
        "settings.html",
        fields=[(field, written(shop.customers, field, digits)) for field in CUSTOMER_FIELDS],
        item_fields=[(field, written(shop.items, field, digits)) for field in ITEM_FIELDS],
        quiet_fields=[(field, written(shop.quiet_hours, field, digits)) for field in QUIET_FIELDS],
        titles={field.name: field.title for field in (*CUSTOMER_FIELDS, *ITEM_FIELDS)} | _TITLES,
        derived={field.name for field in CUSTOMER_FIELDS},
        exclusions=[(rule, *_named(rule)) for rule in shop.customers.exclusions],
        persons=PERSONS,
        reasons=REASONS,
        sources=SOURCES,
        visit_ends=VISIT_ENDS,
        visits_end=_visits_end(shop),
        funnel_orders=FUNNEL_ORDERS,
        funnel_order=_funnel_order(shop.funnel),
        changes=visit.portal.audit.newest(shop.shop_id, 50, CHANGED),
    )


def change_shop(visit: PageVisit) -> Response:
    """Another name, another sender whose orders count, another end of visits, or other steps of the funnel.

    Orders and ends of visits hold from now on, the funnel for all visits from the next numbers on.
    """
    name, source = visit.form.get("name", "").strip()[:_LONGEST_NAME], visit.form.get("orders_from")
    if not name or not name.isprintable():
        raise BadRequest("A shop needs a name.")
    orders_from: OrderSource = "page" if source == "page" else "server"
    funnel = _funnel_of(visit)
    with Shops.edit(visit.portal.paths.shops_file) as shops:
        before = shops.get(visit.shop.shop.shop_id)
        shops.shops[before.shop_id] = before.model_copy(update={"name": name})
        if orders_from != before.orders_from:
            shops.choose_order_source(before.shop_id, orders_from)
        shops.end_visits_at_midnight(before.shop_id, visit.form.get("visits_end") == "midnight")
        shops.set_funnel_rules(before.shop_id, funnel)
        after = shops.get(before.shop_id)
    _note(visit, before, after)
    return visit.redirect(visit.path("settings"))


def change_customers(visit: PageVisit) -> Response:
    """Other days of the layers and thresholds of the scores, from the next numbers on."""
    try:
        with Shops.edit(visit.portal.paths.shops_file) as shops:
            before = shops.get(visit.shop.shop.shop_id)
            digits = CURRENCY_DIGITS[before.currency]
            rules = rules_of_form(before.customers, CUSTOMER_FIELDS, visit.form, digits)
            shops.set_customer_rules(before.shop_id, rules)
            after = shops.get(before.shop_id)
    except BadSetting as error:
        if error.field is None:
            raise BadRequest("Silent, asleep and lost are set together, each later than the one before.") from None
        text = "{field}: write whole numbers from 1 on, four that rise (days: that fall) where four are asked for."
        raise BadRequest(text, field=visit.text(error.field.title)) from None
    _note(visit, before, after)
    return visit.redirect(visit.path("settings"))


def change_items(visit: PageVisit) -> Response:
    """Other limits of items, from the next numbers on; an empty field is the default again."""
    try:
        with Shops.edit(visit.portal.paths.shops_file) as shops:
            before = shops.get(visit.shop.shop.shop_id)
            digits = CURRENCY_DIGITS[before.currency]
            shops.set_item_rules(before.shop_id, rules_of_form(before.items, ITEM_FIELDS, visit.form, digits))
            after = shops.get(before.shop_id)
    except BadSetting as error:
        title = visit.text(error.field.title if error.field else "Items")
        raise BadRequest(
            "{field}: write whole numbers from 1 on; prices of bands rise and stand between commas.", field=title
        ) from None
    _note(visit, before, after)
    return visit.redirect(visit.path("settings"))


def change_quiet_hours(visit: PageVisit) -> Response:
    """Hours at which alerts wait; none when both fields are empty."""
    is_set = any(visit.form.get(field.name, "").strip() for field in QUIET_FIELDS)
    try:
        hours = rules_from(QuietHours, QUIET_FIELDS, visit.form, 0) if is_set else None
    except BadSetting:
        raise BadRequest("Quiet hours: write two different hours from 0 to 23, or leave both empty.") from None
    with Shops.edit(visit.portal.paths.shops_file) as shops:
        before = shops.get(visit.shop.shop.shop_id)
        shops.set_quiet_hours(before.shop_id, hours)
        after = shops.get(before.shop_id)
    _note(visit, before, after)
    return visit.redirect(visit.path("settings"))


def add_exclusion(visit: PageVisit) -> Response:
    """Persons more who count as no customers, from the next numbers on."""
    if visit.form.get("who") not in PERSONS:
        raise BadRequest("{field} is not one of the choices.", field=visit.text("Who"))
    _, prefix, is_prefix = PERSONS[visit.form["who"]]
    person = prefix + ("" if visit.form["who"] == "guests" else visit.form.get("person", "").strip())
    try:
        rule = Exclusion.model_validate({"reason": visit.form.get("reason"), "person": person, "is_prefix": is_prefix})
        _change_exclusions(visit, lambda rules: rules if rule in rules else (*rules, rule))
    except ValidationError as error:
        [first, *_] = error.errors()
        if "exclusions" in first["loc"]:
            raise BadRequest(
                "A shop has at most {most} of these rules; take one out first.", most=f"{MOST_EXCLUSIONS}"
            ) from None
        if "reason" in first["loc"]:
            raise BadRequest("{field} is not one of the choices.", field=visit.text("Reason")) from None
        raise BadRequest("Write the id of the person, or how the ids begin, with at most 256 signs.") from None
    return visit.redirect(visit.path("settings"))


def remove_exclusion(visit: PageVisit) -> Response:
    """These persons count again, from the next numbers on."""
    wanted = (visit.form.get("reason"), visit.form.get("person"), "is_prefix" in visit.form)
    if wanted not in [_key(rule) for rule in visit.shop.shop.customers.exclusions]:
        raise NoSuchPage
    _change_exclusions(visit, lambda rules: tuple(rule for rule in rules if _key(rule) != wanted))
    return visit.redirect(visit.path("settings"))


def _key(rule: Exclusion) -> tuple[str, str, bool]:
    return rule.reason, rule.person, rule.is_prefix


def _change_exclusions(visit: PageVisit, change: Callable[[tuple[Exclusion, ...]], tuple[Exclusion, ...]]) -> None:
    with Shops.edit(visit.portal.paths.shops_file) as shops:
        before = shops.get(visit.shop.shop.shop_id)
        values = before.customers.model_dump() | {"exclusions": change(before.customers.exclusions)}
        shops.set_customer_rules(before.shop_id, CustomerRules.model_validate(values))
        after = shops.get(before.shop_id)
    _note(visit, before, after)


def _named(rule: Exclusion) -> tuple[str, str]:
    """Whom a rule names, as a text of words, and the id or its beginning."""
    kind, rest = rule.person[: len(USER)], rule.person[len(USER) :]
    if kind == DEVICE and rule.is_prefix and rest:
        return "all devices whose id begins with", rest
    return next(text for text, prefix, is_prefix in PERSONS.values() if (prefix, is_prefix) == (kind, rule.is_prefix)), rest


def _visits_end(shop: Shop) -> str:
    return "midnight" if shop.visits_end_at_midnight else "pause"


def _funnel_of(visit: PageVisit) -> FunnelRules:
    """The funnel that a form sets. Raises BadRequest for minutes that cannot be."""
    minutes = visit.form.get("funnel_minutes", "").strip()
    try:
        return FunnelRules(in_order=visit.form.get("funnel_order") != "any", window_minutes=int(minutes) if minutes else None)
    except ValueError:
        title = visit.text(_TITLES["funnel_minutes"])
        raise BadRequest("{field}: write a whole number from 1 to {most}.", field=title, most="1440") from None


def _funnel_order(rules: FunnelRules) -> str:
    return "strict" if rules.in_order else "any"


def _funnel_minutes(rules: FunnelRules) -> str:
    return f"{rules.window_minutes or ''}"


def _note(visit: PageVisit, before: Shop, after: Shop) -> None:
    """Each setting that is another one now, as it was and as it is."""
    digits = CURRENCY_DIGITS[before.currency]
    pairs = [(name, f"{getattr(before, name)}", f"{getattr(after, name)}") for name in ("name", "orders_from")]
    pairs.append(("visits_end", _visits_end(before), _visits_end(after)))
    pairs.append(("funnel_order", _funnel_order(before.funnel), _funnel_order(after.funnel)))
    pairs.append(("funnel_minutes", _funnel_minutes(before.funnel), _funnel_minutes(after.funnel)))
    pairs += [
        (field.name, written(before.customers, field, digits), written(after.customers, field, digits))
        for field in CUSTOMER_FIELDS
    ]
    pairs += [(field.name, written(before.items, field, digits), written(after.items, field, digits)) for field in ITEM_FIELDS]
    pairs.append(("quiet_hours", _hours(before.quiet_hours), _hours(after.quiet_hours)))
    old, new = [
        {f"{rule.reason} {rule.person}{'*' * rule.is_prefix}" for rule in shop.customers.exclusions} for shop in (before, after)
    ]
    pairs += [("exclusions", "", each) for each in sorted(new - old)] + [("exclusions", each, "") for each in sorted(old - new)]
    for name, was, now in pairs:
        if was != now:
            visit.audit(CHANGED, setting=name, before=was, after=now)


def _hours(hours: QuietHours | None) -> str:
    return f"{hours.begins}:00 – {hours.ends}:00" if hours else ""
