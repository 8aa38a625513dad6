"""Post a message into a group chat. The chats answer 200 to what they refuse, so their answer is read."""

from __future__ import annotations

import json
from typing import Any

import httpx

from dashboard.delivery.message import Destination, Message, NotDelivered
from dashboard.delivery.webhook_address import BadWebhook, checked_webhook

TIMEOUT_S = 10.0
_LARGEST_ANSWER = 64 * 1024
# Refusals that pass: a chat takes 20 (WeCom) or 100 (Feishu) messages a minute.
_TOO_OFTEN = ("45009", "9499", "11232")


def post(destination: Destination, message: Message, *, allow_private: bool = False) -> None:
    """Send. Raises NotDelivered, whose reason never holds the address, which is a secret."""
    try:
        webhook = checked_webhook(destination.address, allow_private=allow_private)
    except BadWebhook as error:
        raise NotDelivered(str(error), is_final=True) from None
    except OSError:
        raise NotDelivered("its host is not found") from None
    url = webhook.url
    # The checked address itself is called: a name that is looked up again may lead elsewhere by then.
    host = f"[{webhook.ip}]" if ":" in webhook.ip else webhook.ip
    target = url._replace(netloc=host if url.port is None else f"{host}:{url.port}").geturl()
    headers = {"Host": url.netloc, "Content-Type": "application/json; charset=utf-8"}
    body = json.dumps(message.chat_body(destination.kind), ensure_ascii=False).encode()
    try:
        with (
            httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", target, content=body, headers=headers, extensions={"sni_hostname": url.hostname}) as answer,
        ):
            text = _beginning(answer)
    except httpx.HTTPError as error:
        raise NotDelivered(f"no answer ({type(error).__name__})") from None
    if answer.status_code != 200:
        raise NotDelivered(
            f"it answered {answer.status_code}", is_final=300 <= answer.status_code < 500 and answer.status_code != 429
        )
    reason = refusal_in(destination.kind, text)
    if reason is not None:
        raise NotDelivered(f"it refused: {reason}"[:200], is_final=not reason.startswith(_TOO_OFTEN))


def refusal_in(kind: str, text: str) -> str | None:
    """Why a chat did not take what it answered 200 to; None when it took it.

    WeCom says ``errcode``, Feishu ``code`` or ``StatusCode``, Slack ``ok``.
    """
    if kind == "slack":
        return None if text.strip() == "ok" else text.strip() or "an empty answer"
    try:
        answer: Any = json.loads(text)
    except json.JSONDecodeError:
        return "an answer that is no JSON"
    if not isinstance(answer, dict):
        return "an answer that is no object"
    code = answer.get("errcode") if kind == "wecom" else answer.get("code", answer.get("StatusCode"))
    return None if code == 0 else f"{code} {answer.get('errmsg') or answer.get('msg') or ''}".strip()


def _beginning(answer: httpx.Response) -> str:
    data = b""
    for part in answer.iter_bytes():
        data += part
        if len(data) > _LARGEST_ANSWER:
            break
    return data[:_LARGEST_ANSWER].decode(errors="replace")
