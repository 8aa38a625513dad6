"""What the recommendations of one shop do, asked of the running platform at the end of the demo and shown as a short table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
from rich.console import Console

from jishi.rules.preview_client import NoPreview, PreviewClient
from jishi.text_tables import TextTable
from ops.demo.options import DemoFailed

SHOWN = 3  # items of a list
LIMIT, PAGE = 10, 100


def gather(
    client: httpx.Client, preview: PreviewClient, shop_id: str, read_key: str, shoppers: Sequence[str]
) -> dict[str, Any]:
    """A list for each placement, a category's page in order, a rule before and after, what two who opted out get; plain values.

    ``shoppers`` are user ids: the first whom the shop's release knows is asked for. Raises DemoFailed.
    """
    headers = {"Authorization": f"Bearer {read_key}"}

    def ask(**parameters: Any) -> httpx.Response:
        asked = {name: value for name, value in parameters.items() if value is not None}
        answer = client.get(f"/v1/shops/{shop_id}/recommendations", params={"limit": LIMIT} | asked, headers=headers)
        return _checked(answer, shop_id)

    user = next((each for each in shoppers if ask(user_id=each, limit=1).json()["served_by"] == "personalised"), None)
    home = ask(user_id=user).json()
    if not home["items"]:
        raise DemoFailed(f"{shop_id} has no list for its home page: nothing in its catalogue can be sold")
    first = [item["item_id"] for item in home["items"][:2]]
    questions: dict[str, dict[str, Any]] = {
        "item": {"item_id": first[0]},
        "cart": {"cart_item_id": first},
        "after_payment": {"order_item_id": first[:1]},
        "search_empty": {},
    }
    lists = {"home": home} | {
        placement: ask(user_id=user, placement=placement, **more).json() for placement, more in questions.items()
    }
    category = home["items"][0]["category"]
    page = sorted(item["item_id"] for item in ask(category=category, limit=PAGE).json()["items"])
    answer = client.post(f"/v1/shops/{shop_id}/category-order", json=_page(page, category, user), headers=headers)
    lists["category"] = _checked(answer, shop_id).json()
    opted_out = [ask(user_id=each, personalised="false").content for each in shoppers[:2]]
    return {
        "shop_id": shop_id,
        "shopper": user,
        "placements": {placement: _list(answer) for placement, answer in lists.items()},
        "rule": _rule(preview, shop_id, user, home["items"]),
        "opted_out": {
            "shoppers": list(shoppers[:2]),
            "bytes": len(opted_out[0]),
            "are_equal": len(set(opted_out)) == 1,
            **_list(ask(user_id=shoppers[0], personalised="false").json()),
        },
    }


def _checked(answer: httpx.Response, shop_id: str) -> httpx.Response:
    if answer.status_code != httpx.codes.OK:
        raise DemoFailed(f"serving answered {answer.status_code} for {shop_id}: {answer.text[:300]}")
    return answer


def _page(item_ids: list[str], category: str, user: str | None) -> dict[str, Any]:
    """A category's page with the items in no order of ours."""
    return {"item_ids": item_ids, "category": category, "limit": LIMIT} | ({} if user is None else {"user_id": user})


def _list(answer: dict[str, Any]) -> dict[str, Any]:
    items = [{"title": item["title"], "reason": item["reason"]["en"]} for item in answer["items"][:SHOWN]]
    return {"served_by": answer["served_by"], "model": answer["model"], "items": items}


def _rule(preview: PreviewClient, shop_id: str, user: str | None, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The list's first item put behind all others: tried, and not published."""
    rule = {"kind": "bury", "name": "tried", "items": {"item_ids": [items[0]["item_id"]]}}
    try:
        tried = preview.preview(shop_id, {"rules": [rule], "placement": "home", "user_id": user, "limit": LIMIT})
    except NoPreview as error:
        raise DemoFailed(f"no rule of {shop_id} can be tried: {error}") from None
    titles = {when: [item["title"] for item in tried[when]["items"][:SHOWN]] for when in ("before", "after")}
    return {"buried": items[0]["title"], **titles}


def show(console: Console, showcase: dict[str, Any], storefront: str) -> None:
    """Print it."""
    who = showcase["shopper"] or "a stranger"
    table = TextTable(title=f"Recommendations of {showcase['shop_id']} for {who}", title_justify="left")
    for heading in ("placement", "answered by", f"first {SHOWN}, and why"):
        table.add_column(heading)
    for placement, each in showcase["placements"].items():
        table.add_row(placement, f"{each['served_by']}, {each['model']}", _lines(each))
    rule, opted_out = showcase["rule"], showcase["opted_out"]
    tried = f"before: {' · '.join(rule['before'])}\nafter: {' · '.join(rule['after'])}"
    table.add_row("home, a rule tried", f"bury {rule['buried']}", tried)
    sameness = "the same" if opted_out["are_equal"] else "NOT the same"
    sentence = f"{' and '.join(opted_out['shoppers'])} get {sameness} {opted_out['bytes']:,} bytes"
    table.add_row("home, opted out", f"{opted_out['served_by']}, {opted_out['model']}", f"{sentence}\n{_lines(opted_out)}")
    table.add_row("try it yourself", "", storefront)
    console.print(table, highlight=False)


def _lines(each: dict[str, Any]) -> str:
    return "\n".join(f"{item['title']} ({item['reason']})" for item in each["items"])
