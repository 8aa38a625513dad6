"""What other parts say went wrong, in English, in the language of the reader; what is known to nobody here stays as it is."""

from __future__ import annotations

import re

from dashboard.portal.words import CHINESE, Language, translated

# Texts of words; what stands in braces is kept. The first that fits counts.
_OF_DELIVERY = (
    "no mail server is set; set JISHI_SMTP_HOST and JISHI_SMTP_FROM",
    "JISHI_SMTP_SECURITY is none: a password is not sent in the clear",
    "JISHI_SMTP_PASSWORD_FILE: {reason}",
    "the mail server refused the address ({reason})",
    "the mail server refused JISHI_SMTP_USER ({reason})",
    "the mail server said {reason}",
    "mail server {host}: {reason}",
    "this is no e-mail address",
    "its host is not found",
    "no answer ({reason})",
    "it answered {reason}",
    "it refused: {reason}",
    "This is no address: copy it from the group chat's settings.",
    "A webhook begins with https://.",
    "A webhook listens on port 443.",
    "This host lies in a private network.",
)
_OF_RULES = (
    "is missing; give it",
    "is no field here; leave it out, or choose {names}",
    "is no field here; leave it out",
    "kind: choose {names}",
    "Input should be greater than or equal to {bound}",
    "Input should be greater than {bound}",
    "Input should be less than or equal to {bound}",
    "Input should be less than {bound}",
    "Input should be a valid {kind}",
    "Input should be {names}",
    "String should have at least {bound} characters",
    "String should have at least {bound} character",
    "String should have at most {bound} characters",
    "this is no JSON that can be read: {reason}",
    "this is not JSON: {reason}",
)
_PLACE = re.compile(r'(?P<place>[\w.]+(?: of ".*")?): (?P<message>.*)', re.S)


def delivery_reason(text: str, language: Language) -> str:
    """Why a receiver did not take a message; its name may stand before that, with a colon."""
    receiver, colon, reason = text.partition(": ")
    if (whole := _translated(text, _OF_DELIVERY, language)) != text or not colon:
        return whole
    return f"{receiver}: {_translated(reason, _OF_DELIVERY, language)}"


def rule_complaint(text: str, language: Language) -> str:
    """What is wrong with a draft of rules, behind the field and the name of the rule."""
    placed = _PLACE.fullmatch(text)
    if (whole := _translated(text, _OF_RULES, language)) != text or placed is None:
        return whole
    return f"{placed['place']}: {_translated(placed['message'], _OF_RULES, language)}"


def _translated(text: str, known: tuple[str, ...], language: Language) -> str:
    for template in known if language == "zh" else ():
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(template))
        if template in CHINESE and (parts := re.fullmatch(pattern, text, re.S)):
            return translated(template, language, **parts.groupdict())
    return text
