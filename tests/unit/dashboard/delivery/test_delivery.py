"""Messages reach a real mail server over TLS and a real webhook, in the forms that those take; others are refused by name."""

from __future__ import annotations

import base64
import email
import email.policy
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dashboard.delivery.webhook_address as webhook_address
from dashboard.delivery import Destination, Message, NotDelivered, deliver
from dashboard.delivery.mail import MailServer
from dashboard.delivery.webhook_address import BadWebhook, checked_form, checked_webhook, is_public
from jishi.settings import Settings
from tests.unit.dashboard.delivery.servers import Chat, Mailbox, chat_server, mail_server

PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
MESSAGE = Message(
    "集市 week\r\nBcc: everybody@example.org",
    ("净支付金额 1,200.00 CNY", "Best: <@all> [here](https://evil.example) *bold* & more"),
    "https://shop.example/shops/s/today",
    "Open",
    '<p>净支付金额 <img src="cid:days" alt=""></p>',
    {"days": PICTURE},
)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Mailbox]:
    with mail_server(tmp_path) as box:
        yield box


@pytest.fixture
def chat() -> Iterator[Chat]:
    with chat_server() as chat:
        yield chat


def settings_for(box: Mailbox, tmp_path: Path, **more: Any) -> Settings:
    (tmp_path / "password").write_text("s3cret\n")
    return Settings(
        smtp_host="127.0.0.1",
        smtp_port=box.port,
        smtp_from="Jishi <reports@example.org>",
        smtp_ca_file=str(box.certificate),
        smtp_user="jishi",
        smtp_password_file=str(tmp_path / "password"),
        **more,
    )


def sent(settings: Settings, kind: Any, address: str, message: Message = MESSAGE) -> list[float]:
    """Deliver; returns the pauses between attempts."""
    pauses: list[float] = []
    deliver(settings, Destination(kind, address), message, pauses.append)
    return pauses


def test_mail_goes_out_over_tls_with_text_html_and_its_picture(box: Mailbox, tmp_path: Path) -> None:
    assert sent(settings_for(box, tmp_path), "email", "mei@example.org") == []
    [(to, data)] = box.mails
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert (to, mail["To"], mail["From"]) == ("mei@example.org", "mei@example.org", "Jishi <reports@example.org>")
    assert mail["Subject"] == "集市 week Bcc: everybody@example.org"
    assert mail["Bcc"] is None
    assert base64.b64decode(box.logins[0].partition(" ")[2]) == b"\0jishi\0s3cret"
    text = mail.get_body(("plain",))
    assert text is not None
    assert "净支付金额 1,200.00 CNY" in text.get_content()
    html = mail.get_body(("related", "html"))
    assert html is not None
    [page, picture] = html.iter_parts()
    assert "cid:days" in page.get_content()
    assert (picture["Content-ID"], picture.get_content()) == ("<days>", PICTURE)
    assert mail.get_content_type() == "multipart/alternative"


def test_a_server_whose_certificate_is_not_trusted_gets_no_password(box: Mailbox, tmp_path: Path) -> None:
    settings = settings_for(box, tmp_path).model_copy(update={"smtp_ca_file": ""})
    with pytest.raises(NotDelivered, match="CERTIFICATE_VERIFY_FAILED"):
        sent(settings, "email", "mei@example.org")
    assert (box.logins, box.mails) == ([], [])
    with pytest.raises(NotDelivered, match="not sent in the clear"):
        MailServer.of(settings.model_copy(update={"smtp_security": "none"}))


def test_tls_from_the_first_byte(tmp_path: Path) -> None:
    with mail_server(tmp_path, security="tls") as box:
        sent(settings_for(box, tmp_path, smtp_security="tls"), "email", "mei@example.org")
        assert len(box.mails) == 1


def test_a_busy_server_is_tried_again_and_a_refused_address_is_not(box: Mailbox, tmp_path: Path) -> None:
    box.busy = 2
    assert sent(settings_for(box, tmp_path), "email", "mei@example.org") == [2, 4]
    box.refused, before = {"gone@example.org"}, box.connections
    with pytest.raises(NotDelivered, match="refused the address \\(550 nobody\\)"):
        sent(settings_for(box, tmp_path), "email", "gone@example.org")
    assert box.connections == before + 1
    for address in ("nobody", "a@b\r\nBcc: c@d", "a@b, c@d"):
        with pytest.raises(NotDelivered, match="no e-mail address"):
            sent(settings_for(box, tmp_path), "email", address)


def test_without_a_mail_server_the_setting_is_named() -> None:
    with pytest.raises(NotDelivered, match="JISHI_SMTP_HOST"):
        sent(Settings(), "email", "mei@example.org")
    with pytest.raises(NotDelivered, match="JISHI_SMTP_PASSWORD_FILE"):
        MailServer.of(Settings(smtp_host="h", smtp_from="a@b", smtp_password_file="/no/such/file"))


def test_each_chat_gets_its_own_form_and_no_markup_of_the_shops_words(chat: Chat) -> None:
    settings = Settings(webhook_allow_private=True)
    for kind in ("wecom", "feishu"):
        sent(settings, kind, chat.url)
    chat.answers = [(200, "ok")]
    sent(settings, "slack", chat.url)
    wecom, feishu, slack = chat.bodies
    assert wecom["msgtype"] == "markdown"
    assert "净支付金额 1,200.00 CNY" in wecom["markdown"]["content"]
    assert wecom["markdown"]["content"].endswith("[Open](https://shop.example/shops/s/today)")
    assert feishu["msg_type"] == "interactive"
    assert feishu["card"]["elements"][1]["actions"][0]["url"] == MESSAGE.link
    assert slack["blocks"][0]["type"] == "header"
    assert slack["blocks"][-1]["text"]["text"] == "<https://shop.example/shops/s/today|Open>"
    for body in (wecom, feishu, slack):
        assert not any(mark in str(body) for mark in ("<@all>", "](https://evil", "*bold*"))
    long = Message("标题", ("很长" * 4000,), MESSAGE.link, "Open")
    assert len(long.chat_body("wecom")["markdown"]["content"].encode()) <= 4096
    assert all(len(block["text"]["text"]) <= 3000 for block in long.chat_body("slack")["blocks"])


def test_a_chat_that_answers_200_to_what_it_refuses_is_not_believed(chat: Chat) -> None:
    settings = Settings(webhook_allow_private=True)
    refusals = {"wecom": '{"errcode":93000,"errmsg":"invalid webhook url"}', "feishu": '{"code":19001,"msg":"param invalid"}'}
    for kind, answer in {**refusals, "slack": "invalid_token"}.items():
        chat.answers, chat.bodies = [(200, answer)], []
        with pytest.raises(NotDelivered, match="it refused") as refusal:
            sent(settings, kind, chat.url)
        assert "SECRET" not in str(refusal.value)
        assert len(chat.bodies) == 1
    chat.answers, chat.bodies = [(500, "x"), (429, "x"), (200, "ok")], []
    assert sent(settings, "slack", chat.url) == [2, 4]
    chat.answers, chat.bodies = [(200, '{"errcode":45009,"errmsg":"freq out of limit"}'), (200, '{"errcode":0}')], []
    assert sent(settings, "wecom", chat.url) == [2]
    chat.answers, chat.bodies = [(302, "x")], []
    with pytest.raises(NotDelivered, match="302"):
        sent(settings, "wecom", chat.url)
    assert len(chat.bodies) == 1  # never followed to where it leads


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
        *("::1", "fe80::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1", "::"),
    ],
)
def test_no_address_of_a_private_network_is_called(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_public(address)
    monkeypatch.setattr(webhook_address.socket, "getaddrinfo", lambda *_, **__: looked_up("93.184.216.34", address))
    with pytest.raises(BadWebhook, match="private network"):
        checked_webhook("https://chat.example/hook")


def test_public_addresses_are_called_and_odd_forms_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_address.socket, "getaddrinfo", lambda *_, **__: looked_up("93.184.216.34"))
    assert checked_webhook("https://chat.example/hook?key=1").ip == "93.184.216.34"
    assert is_public("2606:4700::1111")
    for text in ("http://chat.example/", "ftp://chat.example/", "https://u:p@chat.example/", "https://chat.example:8443/", "x"):
        with pytest.raises(BadWebhook):
            checked_form(text)


def test_what_was_checked_is_what_is_called(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere when it is looked up again (DNS rebinding) gains nothing."""
    answers = [looked_up("127.0.0.1"), looked_up("192.0.2.1")]
    lookup = socket.getaddrinfo

    def rebinding(host: Any, *rest: Any, **more: Any) -> Any:
        return answers.pop(0) if host == "chat.example" else lookup(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    sent(Settings(webhook_allow_private=True), "wecom", f"http://chat.example:{chat.port}/hook")
    assert (len(chat.bodies), chat.hosts, len(answers)) == (1, [f"chat.example:{chat.port}"], 1)
    with pytest.raises(NotDelivered, match="https"):
        sent(Settings(), "wecom", chat.url)


def test_a_secret_is_in_no_text_of_a_destination() -> None:
    destination = Destination("slack", "https://hooks.slack.com/services/T0/B0/SECRET")
    assert destination.shown == "hooks.slack.com"
    assert "SECRET" not in repr(destination)


def looked_up(*addresses: str) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]
