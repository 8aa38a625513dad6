"""The proof of the loop on one shopper: three clicks in another category change the list, a sold-out item leaves it."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from jishi.identity import USER
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.text_tables import TextTable
from ops.demo.options import DemoFailed

TIMEOUT_S = 30.0
LIST_LENGTH = 10


@dataclass(frozen=True)
class Delays:
    """Seconds from the collector's 200 to the first changed answer: after the clicks, and after the item sold out."""

    clicks_s: float
    sold_out_s: float


@dataclass(frozen=True)
class Endpoints:
    """Where events go and recommendations come from, with the shop's own keys."""

    shop_id: str
    collector_url: str
    serving_url: str
    write_key: str
    read_key: str

    def post(self, events: list[dict[str, Any]]) -> float:
        """Post events; returns the monotonic time of the acknowledgement. Raises DemoFailed unless all were accepted."""
        import httpx

        headers = {"Authorization": f"Bearer {self.write_key}"}
        answer = httpx.post(f"{self.collector_url}/v1/events", json=events, headers=headers, timeout=10)
        acknowledged = time.monotonic()
        if answer.status_code != 200 or any(r["status"] != "accepted" for r in answer.json()["results"]):
            raise DemoFailed(f"the collector answered {answer.status_code}: {answer.text[:500]}")
        return acknowledged

    def recommend(self, user_id: str) -> dict[str, Any]:
        """The shopper's list for the home placement."""
        import httpx

        answer = httpx.get(
            f"{self.serving_url}/v1/shops/{self.shop_id}/recommendations",
            params={"user_id": user_id, "placement": "home", "limit": LIST_LENGTH},
            headers={"Authorization": f"Bearer {self.read_key}"},
            timeout=10,
        )
        if answer.status_code != 200:
            raise DemoFailed(f"serving answered {answer.status_code}: {answer.text[:500]}")
        payload: dict[str, Any] = answer.json()
        return payload


def prove(endpoints: Endpoints, lake: LakeVersion, console: Console) -> Delays:
    """Run the proof and print both lists. Raises DemoFailed when an answer does not change within 30 seconds."""
    user_id = _a_regular(lake, endpoints.shop_id)
    before = endpoints.recommend(user_id)
    _show(console, f"{endpoints.shop_id}: shopper {user_id} before", before)
    clicked = _another_category(lake, endpoints.shop_id, {item["category"] for item in before["items"]})
    category = clicked[0]["category"]
    console.print(f"  three clicks in [bold]{category}[/]: " + ", ".join(str(row["title"]) for row in clicked))
    session_id = uuid.uuid4().hex
    sent_at = endpoints.post([_view(endpoints.shop_id, user_id, session_id, row) for row in clicked])
    after, clicks_s = _poll(endpoints, user_id, sent_at, lambda a: any(i["category"] == category for i in a["items"]), "change")
    _show(console, f"{endpoints.shop_id}: shopper {user_id} after {clicks_s:.2f} s", after, highlight=category)
    victim = next(item["item_id"] for item in after["items"] if item["category"] == category)
    sent_at = endpoints.post([_sold_out(lake, endpoints.shop_id, victim)])
    _, gone_s = _poll(
        endpoints, user_id, sent_at, lambda a: victim not in {i["item_id"] for i in a["items"]}, f"drop sold-out item {victim}"
    )
    console.print(f"  item {victim} marked sold out: gone from the answer after [bold]{gone_s:.2f} s[/]")
    return Delays(clicks_s, gone_s)


def _poll(endpoints: Endpoints, user_id: str, since: float, is_reached: Any, what: str) -> tuple[dict[str, Any], float]:
    while True:
        answer = endpoints.recommend(user_id)
        now = time.monotonic()
        if is_reached(answer):
            return answer, now - since
        if now - since > TIMEOUT_S:
            raise DemoFailed(f"the answer for {user_id} did not {what} within {TIMEOUT_S:.0f} s; see jishi status and var/log/")
        time.sleep(0.02)


def _rows(lake: LakeVersion, sql: str, *parameters: Any) -> list[dict[str, Any]]:
    with open_lake(lake) as connection:
        cursor = connection.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _a_regular(lake: LakeVersion, shop_id: str) -> str:
    """The user with the most purchases: somebody whose taste the model has learnt."""
    sql = (
        "select person_id from silver_interactions where shop_id = ? and kind = 'pay' and starts_with(person_id, ?) "
        "group by 1 order by count(*) desc, person_id limit 1"
    )
    rows = _rows(lake, sql, shop_id, USER)
    if not rows:
        raise DemoFailed(f"shop {shop_id} has no customer yet; run the pipeline step first")
    return str(rows[0]["person_id"]).removeprefix(USER)


def _another_category(lake: LakeVersion, shop_id: str, shown: set[str]) -> list[dict[str, Any]]:
    """The three most viewed items of the most viewed category that the list does not show."""
    sql = """
        with seen as (
            select i.item_id, i.title, i.category, i.unit_price_minor, count(*) as views
            from silver_interactions as a join silver_items as i using (shop_id, item_id)
            where shop_id = ? and a.kind = 'view' and i.status = 'active' and i.stock > 0 and not list_contains(?, i.category)
            group by all
        ),
        chosen as (select category from seen group by 1 having count(*) >= 5 order by sum(views) desc, category limit 1)
        select * from seen where category in (select category from chosen) order by views desc, item_id limit 3
    """
    rows = _rows(lake, sql, shop_id, sorted(shown))
    if len(rows) < 3:
        raise DemoFailed(f"shop {shop_id}: the list already shows every category, so no click can be in another one")
    return rows


def _envelope(shop_id: str, event_type: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "event_id": f"demo-{uuid.uuid4().hex}",
        "shop_id": shop_id,
        "type": event_type,
        "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "schema_version": 1,
        "context": {"channel": "app", "device": "demo"},
        "properties": properties,
    }


def _view(shop_id: str, user_id: str, session_id: str, item: dict[str, Any]) -> dict[str, Any]:
    properties = {key: item[key] for key in ("item_id", "category", "unit_price_minor")}
    return _envelope(shop_id, "item_viewed", properties) | {"user_id": user_id, "session_id": session_id}


def _sold_out(lake: LakeVersion, shop_id: str, item_id: str) -> dict[str, Any]:
    import json

    [row] = _rows(lake, "select * from silver_items where shop_id = ? and item_id = ?", shop_id, item_id)
    kept = ("item_id", "title", "title_en", "category", "brand", "unit_price_minor", "currency", "region", "unit_cost_minor")
    properties = {key: row[key] for key in kept if row[key] is not None}
    properties |= {"attributes": json.loads(row["attributes"] or "{}"), "stock": 0, "status": "active"}
    return _envelope(shop_id, "item_changed", properties)


def _show(console: Console, title: str, answer: dict[str, Any], highlight: str | None = None) -> None:
    table = TextTable(
        title=f"{title} · {answer['served_by']} by {answer['model']} of {answer['model_version']}", title_justify="left"
    )
    for heading in ("#", "item", "title", "category", "reason"):
        table.add_column(heading)
    for position, item in enumerate(answer["items"], 1):
        style = "bold green" if item["category"] == highlight else ""
        reason = item["reason"]
        table.add_row(
            str(position), item["item_id"], item["title"], item["category"], f"{reason['zh']} · {reason['en']}", style=style
        )
    console.print(table)
