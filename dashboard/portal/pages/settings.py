"""Settings of the shop, checked by the rules that the command line checks them by; each change is in the history."""

from __future__ import annotations

from starlette.responses import Response

from dashboard.portal.rule_forms import CUSTOMER_FIELDS, BadSetting, rules_of_form, written
from dashboard.portal.visit import BadRequest, PageVisit
from jishi.contract.sender import OrderSource
from jishi.funnel_rules import FunnelRules
from jishi.money import CURRENCY_DIGITS
from jishi.shops import Shop, Shops

CHANGED = "changed a setting"
_LONGEST_NAME = 80
_TITLES = {
    "name": "Name of the shop",
    "orders_from": "Whose orders count",
    "visits_end": "Visits end",
    "funnel_order": "Steps of the funnel",
    "funnel_minutes": "Minutes after the first view in which steps count",
}
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
        titles={field.name: field.title for field in CUSTOMER_FIELDS} | _TITLES,
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
    for name, was, now in pairs:
        if was != now:
            visit.audit(CHANGED, setting=name, before=was, after=now)
