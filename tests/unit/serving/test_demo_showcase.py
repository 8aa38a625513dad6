"""What the demo shows at its end, asked of a real engine: lists with reasons, a rule tried, an opted-out person, an address."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import httpx
from rich.console import Console

from jishi.rules.preview_client import PreviewClient
from ops.demo import showcase

ADDRESS = "http://127.0.0.1:18081/storefront/a"


@dataclass
class ThroughClient(httpx.BaseTransport):
    """Sends what one client is asked through another, which reaches the application."""

    client: httpx.Client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path, content = request.url.raw_path.decode(), request.read()
        answer = self.client.request(request.method, path, content=content, headers=request.headers)
        return httpx.Response(answer.status_code, content=answer.content)


def test_the_showcase_is_what_serving_answers(api: Any) -> None:
    preview = PreviewClient(api.engine.settings, transport=ThroughClient(api.client))
    shown = showcase.gather(api.client, preview, "a", api.keys["a"], ("nobody-knows", "u-skirts", "u-other"))
    assert shown["shopper"] == "u-skirts"
    assert list(shown["placements"]) == ["home", "item", "cart", "after_payment", "search_empty", "category"]
    home = api.get(user_id="u-skirts", limit=3).json()["items"]
    assert shown["placements"]["home"]["items"] == [{"title": each["title"], "reason": each["reason"]["en"]} for each in home]
    skirts = {"item_ids": [f"i{number}" for number in range(10)], "category": "skirts", "user_id": "u-skirts"}
    headers = {"Authorization": f"Bearer {api.keys['a']}"}
    page = api.client.post("/v1/shops/a/category-order", json=skirts, headers=headers).json()["items"]
    assert [each["title"] for each in shown["placements"]["category"]["items"]] == [each["title"] for each in page[:3]]
    assert shown["rule"]["before"] == [each["title"] for each in home]
    assert shown["rule"]["buried"] == shown["rule"]["before"][0]
    assert shown["rule"]["after"][:2] == shown["rule"]["before"][1:]
    assert shown["opted_out"]["are_equal"] is True
    assert shown["opted_out"]["items"] != shown["placements"]["home"]["items"]
    file = io.StringIO()
    showcase.show(Console(file=file, width=140), shown, ADDRESS)
    text = file.getvalue()
    for wanted in (
        "Recommendations of a for u-skirts",
        "search_empty",
        "category",
        home[0]["title"],
        "before: ",
        "the same",
        ADDRESS,
    ):
        assert wanted in text, wanted
    assert len(text.splitlines()) < 40
