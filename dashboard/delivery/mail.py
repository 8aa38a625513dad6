"""Send a message by e-mail: HTML with its pictures inside, and the same as plain text, over TLS."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Literal

from dashboard.delivery.message import Destination, Message, NotDelivered
from jishi.settings import Settings

TIMEOUT_S = 20.0
Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True)
class MailServer:
    """Where mail goes out. The password comes from a file, never from a command line."""

    host: str
    port: int
    security: Security
    sender: str
    user: str = ""
    password: str = ""
    ca_file: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> MailServer:
        """The server of the settings. Raises NotDelivered with the setting that is missing."""
        if not settings.smtp_host or not settings.smtp_from:
            raise NotDelivered("no mail server is set; set JISHI_SMTP_HOST and JISHI_SMTP_FROM", is_final=True)
        password = ""
        if settings.smtp_password_file:
            try:
                password = Path(settings.smtp_password_file).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise NotDelivered(f"JISHI_SMTP_PASSWORD_FILE: {error.strerror}", is_final=True) from None
        if settings.smtp_user and settings.smtp_security == "none":
            raise NotDelivered("JISHI_SMTP_SECURITY is none: a password is not sent in the clear", is_final=True)
        return cls(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_security,
            settings.smtp_from,
            settings.smtp_user,
            password,
            settings.smtp_ca_file or None,
        )


def send(server: MailServer, destination: Destination, message: Message) -> None:
    """Send. Raises NotDelivered."""
    mail = mail_of(server, destination, message)
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
        with _connected(server, context) as connection:
            if server.security == "starttls":
                connection.starttls(context=context)
            if server.user:
                connection.login(server.user, server.password)
            connection.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        [(code, reason)] = error.recipients.values()
        raise NotDelivered(f"the mail server refused the address ({code} {_shown(reason)})", is_final=code >= 500) from None
    except smtplib.SMTPAuthenticationError as error:
        raise NotDelivered(f"the mail server refused JISHI_SMTP_USER ({error.smtp_code})", is_final=True) from None
    except smtplib.SMTPResponseException as error:
        is_final = error.smtp_code >= 500
        raise NotDelivered(f"the mail server said {error.smtp_code} {_shown(error.smtp_error)}", is_final=is_final) from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(f"mail server {server.host}:{server.port}: {type(error).__name__}: {error}") from None


def mail_of(server: MailServer, destination: Destination, message: Message) -> EmailMessage:
    """The message in MIME: text, and HTML with its pictures beside it. Raises NotDelivered for what is no address."""
    mail = EmailMessage()
    try:
        mail["To"] = Address(addr_spec=destination.address)
        mail["From"] = server.sender
        mail["Subject"] = " ".join(message.title.split())
    except (ValueError, IndexError):
        raise NotDelivered("this is no e-mail address", is_final=True) from None
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain=server.sender.rpartition("@")[2].strip("> ") or "localhost")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html")
        html = mail.get_payload()[1]  # type: ignore[index]
        for name, picture in message.pictures.items():
            html.add_related(picture, "image", "png", cid=f"<{name}>", disposition="inline", filename=f"{name}.png")  # type: ignore[union-attr]
    return mail


def _connected(server: MailServer, context: ssl.SSLContext) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
    return smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)


def _shown(reason: bytes | str) -> str:
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
    return " ".join(text.split())[:120]
