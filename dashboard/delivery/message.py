"""What is sent and where to: one message in the forms that mail and the three group chats take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

Kind = Literal["email", "wecom", "feishu", "slack"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# What the chats take: bytes of a WeCom markdown, characters of a Slack header and section, of a Feishu text.
_WECOM_BYTES, _SLACK_HEADER, _SLACK_SECTION, _FEISHU_TEXT = 4096, 150, 3000, 8000
# Marks of the chats' markups, full-width: a shop's item named "<@all>" calls nobody, one named "[x](…)" is no link.
_PLAIN = str.maketrans("<>[]*`~|_", "＜＞［］＊｀～｜＿")


class NotDelivered(RuntimeError):
    """A receiver did not take a message. ``is_final``: trying again cannot help, such as a refused address."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


@dataclass(frozen=True)
class Destination:
    """An e-mail address or the address of a webhook, which is a secret: whoever knows it can write into the chat."""

    kind: Kind
    address: str = field(repr=False)

    @property
    def shown(self) -> str:
        """What people may see of it: the address of mail, of a webhook the host alone."""
        return self.address if self.kind == "email" else urlsplit(self.address).hostname or self.kind


@dataclass(frozen=True)
class Message:
    """Text with a heading and a link. Mail takes ``html`` too, with pictures by their content id (PNG)."""

    title: str
    paragraphs: tuple[str, ...]
    link: str
    link_text: str
    html: str | None = None
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Everything as plain text."""
        return "\n\n".join([self.title, *self.paragraphs, f"{self.link_text}: {self.link}"]) + "\n"

    def chat_body(self, kind: Kind) -> dict[str, Any]:
        """The JSON that a group chat takes: WeCom's markdown, Feishu's card, Slack's blocks."""
        title = self.title.translate(_PLAIN)
        text = "\n".join(paragraph.translate(_PLAIN) for paragraph in self.paragraphs)
        match kind:
            case "wecom":
                end = f"\n[{self.link_text}]({self.link})"
                room = _WECOM_BYTES - len(end.encode())
                return {"msgtype": "markdown", "markdown": {"content": _within(f"**{title}**\n{text}", room) + end}}
            case "feishu":
                button = {"tag": "button", "text": {"tag": "plain_text", "content": self.link_text}, "type": "primary"}
                elements = [
                    {"tag": "div", "text": {"tag": "lark_md", "content": text[:_FEISHU_TEXT]}},
                    {"tag": "action", "actions": [button | {"url": self.link}]},
                ]
                header = {"title": {"tag": "plain_text", "content": title}, "template": "blue"}
                return {"msg_type": "interactive", "card": {"header": header, "elements": elements}}
            case "slack":
                escaped = text.replace("&", "&amp;")
                sections = [escaped[at : at + _SLACK_SECTION] for at in range(0, len(escaped), _SLACK_SECTION)][:40]
                blocks: list[dict[str, Any]] = [
                    {"type": "header", "text": {"type": "plain_text", "text": title[:_SLACK_HEADER]}},
                    *({"type": "section", "text": {"type": "mrkdwn", "text": section}} for section in sections),
                    {"type": "section", "text": {"type": "mrkdwn", "text": f"<{self.link}|{self.link_text}>"}},
                ]
                return {"text": title, "blocks": blocks}
            case _:
                raise ValueError(f"{kind} is no group chat")


def _within(text: str, size: int) -> str:
    """The text cut to so many bytes of UTF-8, with a mark that it was cut."""
    data = text.encode()
    return text if len(data) <= size else data[: size - 3].decode(errors="ignore") + "…"
