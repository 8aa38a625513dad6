"""Keys and settings of a shop: the registry of the command line, changed for this shop alone, with each change noted."""

from __future__ import annotations

import re

import pytest

from jishi.customer_rules import CustomerRules, Exclusion
from jishi.funnel_rules import FunnelRules
from jishi.item_thresholds import ItemThresholds
from jishi.quiet_hours import QuietHours
from jishi.shops import Shop, Shops
from tests.unit.dashboard.portal.twins import CANARY, PLAIN, TwinShops, post


def shop(twins: TwinShops, shop_id: str = PLAIN) -> Shop:
    """As the registry has it now."""
    return Shops.load(twins.paths.shops_file).get(shop_id)


def test_a_key_is_shown_once_and_opens_the_shop_until_it_is_taken_back(twins: TwinShops) -> None:
    client, address = twins.client(), f"/shops/{PLAIN}/keys"
    page = post(client, f"{address}/create", right="track", sites="https://Shop.example/ http://b.example:8080").text
    [text] = re.findall(r"<code>(jk_track_[\w-]+)</code>", page)
    assert text not in client.get(address).text
    registry = Shops.load(twins.paths.shops_file)
    opened = registry.shop_of_key(text, "track")
    assert opened is not None
    assert opened.shop_id == PLAIN
    [key] = opened.keys
    assert key.origins == ["https://shop.example", "http://b.example:8080"]
    assert key.created_at == twins.now
    # Another shop's owner cannot take it back, and is told nothing.
    other = twins.client(shop_id=CANARY)
    assert post(other, f"/shops/{CANARY}/keys/revoke", key_id=key.key_id).status_code == 404
    assert shop(twins).keys == [key]
    # A new one takes the place of the old one and of its sites.
    [newer] = re.findall(r"<code>(jk_track_[\w-]+)</code>", post(client, f"{address}/rotate", right="track").text)
    registry = Shops.load(twins.paths.shops_file)
    assert registry.shop_of_key(text, "track") is None
    assert registry.shop_of_key(newer, "track") is not None
    assert [each.origins for each in shop(twins).keys] == [["http://b.example:8080", "https://shop.example"]]
    assert post(client, f"{address}/revoke", key_id=shop(twins).keys[0].key_id).status_code == 303
    assert shop(twins).keys == []
    audit = client.get(f"/shops/{PLAIN}/audit").text
    assert [word in audit for word in ("made a key", "rotated keys", "revoked a key")] == [True] * 3
    assert text not in audit
    assert newer not in audit


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"right": "read", "test": "on"}, "A read key sends nothing"),
        ({"right": "write", "sites": "https://a.example"}, "track key alone"),
        ({"right": "track", "sites": "a.example"}, "write each as https://"),
        ({"right": "admin"}, "There is no such page"),
    ],
)
def test_what_no_key_can_be_is_said(twins: TwinShops, form: dict[str, str], complaint: str) -> None:
    before = shop(twins).keys
    answer = post(twins.client(), f"/shops/{PLAIN}/keys/create", **form)
    assert answer.status_code in (400, 404)
    assert complaint in answer.text
    assert shop(twins).keys == before


def test_settings_are_those_of_the_registry_and_each_change_is_in_the_history(twins: TwinShops) -> None:
    client = twins.client()
    days = {"active_days": "30", "silent_days": "60", "asleep_days": "90", "recency_days": "90，60, 30,7"}
    money = {"spent_minor": "10, 20.5, 300, 1000"}
    assert post(client, f"/shops/{PLAIN}/settings/customers", **days, **money).status_code == 303
    rules = CustomerRules(
        active_days=30, silent_days=60, asleep_days=90, recency_days=(90, 60, 30, 7), spent_minor=(1000, 2050, 30000, 100000)
    )
    assert shop(twins).customers == rules  # what the form does not show, such as exclusions, stays
    assert shop(twins, CANARY).customers == CustomerRules()
    page = client.get(f"/shops/{PLAIN}/settings").text
    assert 'name="spent_minor" value="10.00, 20.50, 300.00, 1000.00"' in page
    assert 'name="recency_days" value="90, 60, 30, 7"' in page
    # An empty field is derived again, and says so in the history.
    assert post(client, f"/shops/{PLAIN}/settings/customers", **days).status_code == 303
    assert shop(twins).customers.spent_minor is None
    rows = re.findall(r"<tr>(.*?)</tr>", client.get(f"/shops/{PLAIN}/settings").text, re.S)
    assert [re.sub(r"<.*?>", " ", cell).split() for cell in re.findall(r"<td>(.*?)</td>", rows[1])][-2:] == [
        ["10.00,", "20.50,", "300.00,", "1000.00"],
        ["derived"],
    ]
    assert (
        post(client, f"/shops/{PLAIN}/settings/shop", name="新店", orders_from="page", visits_end="midnight").status_code == 303
    )
    assert (shop(twins).name, shop(twins).orders_from) == ("新店", "page")
    assert "those that" in client.get(f"/shops/{PLAIN}/settings").text
    assert post(client, f"/shops/{PLAIN}/settings/shop", name="一样的店", orders_from="server").status_code == 303


def test_the_funnel_of_a_shop_is_set_by_its_owner_and_noted(twins: TwinShops) -> None:
    client, form = twins.client(), {"name": shop(twins).name, "orders_from": "server", "visits_end": "pause"}
    assert shop(twins).funnel == FunnelRules()

    def change(**funnel: str) -> int:
        return int(post(client, f"/shops/{PLAIN}/settings/shop", **form, **funnel).status_code)

    assert change(funnel_order="any", funnel_minutes="45") == 303
    assert shop(twins).funnel == FunnelRules(in_order=False, window_minutes=45)
    assert shop(twins, CANARY).funnel == FunnelRules()
    page = client.get(f"/shops/{PLAIN}/settings").text
    assert 'value="any" selected' in page
    assert 'name="funnel_minutes" value="45"' in page
    assert "in which steps count" in page
    for minutes in ("0", "1441", "soon", "1.5"):
        assert change(funnel_order="strict", funnel_minutes=minutes) == 400
    assert shop(twins).funnel == FunnelRules(in_order=False, window_minutes=45)
    assert change(funnel_order="strict", funnel_minutes="") == 303
    assert shop(twins).funnel == FunnelRules()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"new_days": "0"}, "A first order makes a customer new for"),
        ({"new_days": "many"}, "A first order makes a customer new for"),
        ({"new_days": "1e400"}, "A first order makes a customer new for"),
        ({"recency_days": "7, 30, 60, 90"}, "Days since the last order for the scores"),
        ({"orders": "4, 3, 2, 1"}, "Orders for the scores"),
        ({"orders": "1, 2, 3"}, "Orders for the scores"),
        ({"spent_minor": "0.001, 1, 2, 3"}, "Spend for the scores"),
        ({"high_value_score": "6"}, "High value from the spend score"),
        ({"active_days": "30"}, "are set together"),
        ({"active_days": "30", "silent_days": "20", "asleep_days": "90"}, "are set together"),
    ],
)
def test_a_setting_that_cannot_hold_changes_nothing(
    twins: TwinShops, form: dict[str, str], complaint: str, language: str
) -> None:
    before = shop(twins).customers
    answer = post(twins.client(language=language), f"/shops/{PLAIN}/settings/customers", **form)
    assert answer.status_code == 400
    assert (complaint in answer.text) == (language == "en")
    assert shop(twins).customers == before


GUESTS = Exclusion(reason="guest", person="a:", is_prefix=True)


def history(page: str) -> list[list[str]]:
    """Setting, before and after of each change, newest first."""
    rows = re.findall(r"<tr>(.*?)</tr>", page.partition("What was changed")[2], re.S)[1:]
    return [[re.sub(r"<.*?>", "", cell).strip() for cell in re.findall(r"<td>(.*?)</td>", row)][-3:] for row in rows]


def test_limits_of_items_and_quiet_hours_are_set_and_taken_back(twins: TwinShops) -> None:
    client, address = twins.client(), f"/shops/{PLAIN}/settings"
    form = {"restock_units_30d": "500", "slow_days": "90", "price_bounds_minor": "50，99.90, 200"}
    assert post(client, f"{address}/items", **form).status_code == 303
    limits = ItemThresholds(restock_units_30d=500, slow_days=90, price_bounds_minor=(5000, 9990, 20000))
    assert shop(twins).items == limits
    assert post(client, f"{address}/quiet-hours", begins="22", ends="8").status_code == 303
    assert shop(twins).quiet_hours == QuietHours(begins=22, ends=8)
    page = client.get(address).text
    assert 'name="price_bounds_minor" value="50.00, 99.90, 200.00"' in page
    assert 'name="begins" value="22"' in page
    assert history(page)[0] == ["Quiet hours", "–", "22:00 – 8:00"]
    assert ["Slow mover when listed for at least", "60", "90"] in history(page)
    assert (shop(twins, CANARY).items, shop(twins, CANARY).quiet_hours) == (ItemThresholds(), None)
    # What is left empty is the default, or none, again.
    assert post(client, f"{address}/items").status_code == post(client, f"{address}/quiet-hours").status_code == 303
    assert (shop(twins).items, shop(twins).quiet_hours) == (ItemThresholds(), None)


def test_who_is_no_customer_is_a_list_that_grows_and_shrinks(twins: TwinShops) -> None:
    client, address = twins.client(), f"/shops/{PLAIN}/settings"
    assert shop(twins).customers.exclusions == (GUESTS,)
    for who, person in [("user", "7"), ("users", "dist-"), ("device", "till 1"), ("user", "7")]:
        answer = post(client, f"{address}/exclusions/add", reason="staff", who=who, person=f" {person} ")
        assert answer.status_code == 303
    added = [("u:7", False), ("u:dist-", True), ("a:till 1", False)]
    rules = tuple(Exclusion(reason="staff", person=person, is_prefix=is_prefix) for person, is_prefix in added)
    assert shop(twins).customers.exclusions == (GUESTS, *rules), "each once, and in the order that decides"
    page = client.get(address).text
    assert "all users whose id begins with <code>dist-</code>" in " ".join(page.split())
    assert ["Who is no customer", "–", "staff u:dist-*"] in history(page)
    # The days and scores stay when who is no customer changes, and the other way round.
    assert post(client, f"{address}/customers", new_days="20").status_code == 303
    assert post(client, f"{address}/exclusions/remove", reason="guest", person="a:", is_prefix="1").status_code == 303
    assert shop(twins).customers == CustomerRules(exclusions=rules, new_days=20)
    assert history(client.get(address).text)[0] == ["Who is no customer", "guest a:*", "–"]
    assert post(client, f"{address}/exclusions/remove", reason="staff", person="u:7", is_prefix="1").status_code == 404
    for rule in rules:
        prefix = {"is_prefix": "1"} if rule.is_prefix else {}
        post(client, f"{address}/exclusions/remove", reason="staff", person=rule.person, **prefix)
    assert "Everybody who orders is a customer." in client.get(address).text
    post(client, f"{address}/exclusions/add", reason="guest", who="guests", person="is not read")
    assert shop(twins).customers.exclusions == (GUESTS,)
    assert shop(twins, CANARY).customers == CustomerRules()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("path", "form", "complaint"),
    [
        ("items", {"restock_units_30d": "0"}, "To be restocked from so many sold"),
        ("items", {"slow_cover_days": "4000"}, "and a stock that lasts for more than"),
        ("items", {"price_bounds_minor": "100, 50"}, "Lowest prices of the price bands"),
        ("items", {"price_bounds_minor": "1.999"}, "Lowest prices of the price bands"),
        ("quiet-hours", {"begins": "22"}, "two different hours"),
        ("quiet-hours", {"begins": "24", "ends": "8"}, "two different hours"),
        ("quiet-hours", {"begins": "8", "ends": "8"}, "two different hours"),
        ("quiet-hours", {"begins": "ten", "ends": "8"}, "two different hours"),
        ("exclusions/add", {"reason": "staff", "who": "user"}, "Write the id of the person"),
        ("exclusions/add", {"reason": "staff", "who": "users"}, "Write the id of the person"),
        ("exclusions/add", {"reason": "staff", "who": "device", "person": "x" * 257}, "Write the id of the person"),
        ("exclusions/add", {"reason": "rival", "who": "user", "person": "7"}, "Reason is not one of the choices"),
        ("exclusions/add", {"reason": "staff", "who": "all", "person": "7"}, "Who is not one of the choices"),
    ],
)
def test_what_no_limit_hour_or_person_can_be_changes_nothing(
    twins: TwinShops, path: str, form: dict[str, str], complaint: str, language: str
) -> None:
    before = shop(twins)
    answer = post(twins.client(language=language), f"/shops/{PLAIN}/settings/{path}", **form)
    assert answer.status_code == 400
    assert (complaint in answer.text) == (language == "en")
    assert shop(twins) == before


def test_only_owners_set_them(twins: TwinShops) -> None:
    for path in ("items", "quiet-hours", "exclusions/add", "exclusions/remove"):
        assert post(twins.client("marketer"), f"/shops/{PLAIN}/settings/{path}").status_code == 403
