"""Where each setting's value comes from, and the value as it may be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, SecretsSettingsSource

from jishi.settings import PROJECT_ROOT, Settings, env_files
from jishi.settings_sources import ADDRESSES, PROFILES, is_secret

_PASSWORD = re.compile(r"(?<=password=)[^,]+|(?<=:)[^:/@]+(?=@)")  # of Feast's form, and of a URL


@dataclass(frozen=True)
class EffectiveSetting:
    """A setting: its variable, its value with secrets hidden, and what set it."""

    variable: str
    value: str
    origin: str


def effective(settings: Settings) -> list[EffectiveSetting]:
    """Every setting as this process has it, in the order of their declaration; ``settings`` are those of ``get_settings``."""
    origins = _origins(settings)
    return [
        EffectiveSetting(f"JISHI_{name.upper()}", shown(name, value), origins.get(name, "default"))
        for name, value in settings.model_dump().items()
    ]


def shown(name: str, value: Any) -> str:
    """A value as it may be shown: of a secret only that it is set, of an address all but the password."""
    text = str(value)
    if name in ADDRESSES:
        return _PASSWORD.sub("…", text)
    return "…" if text and is_secret(name) else text


def _origins(settings: Settings) -> dict[str, str]:
    """What set each setting that something did; the sources as ``Settings`` asks them, the one that counts last."""
    origins = dict.fromkeys(PROFILES[settings.profile], f"profile {settings.profile}")
    if settings.secrets:
        files = SecretsSettingsSource(Settings, secrets_dir=settings.secrets, env_prefix="JISHI_")()
        origins |= {name: f"{settings.secrets}/jishi_{name}" for name in files}
    for file in env_files(PROJECT_ROOT / settings.var):
        origins |= dict.fromkeys(DotEnvSettingsSource(Settings, env_file=file, env_prefix="JISHI_")(), str(file))
    return origins | dict.fromkeys(EnvSettingsSource(Settings, env_prefix="JISHI_")(), "environment")
