"""Superset's configuration, made from Jishi's settings; Superset finds it through ``SUPERSET_CONFIG_PATH``."""

from __future__ import annotations

from typing import Any

from dashboard.admin import guest_key_file, secret_key_file
from dashboard.guests import AUDIENCE, ROLE, TOKEN_S, is_for_one_shop
from dashboard.plain_errors import speak_plainly
from dashboard.superset_files import guard_files
from jishi.paths import Paths
from jishi.settings import get_settings

_settings = get_settings()
_paths = Paths.of(_settings)
_home = _paths.superset
_MINUTE = 60

SECRET_KEY = secret_key_file(_paths).read_text(encoding="utf-8").strip()
SQLALCHEMY_DATABASE_URI = f"sqlite:///{_home / 'superset.db'}?check_same_thread=false"
WTF_CSRF_ENABLED = True
# Tokens are asked for by the portal's account, which has no cookie that another site could use; a chart's data is only read.
WTF_CSRF_EXEMPT_LIST = ["superset.charts.data.api.data", "superset.security.api.guest_token"]
RATELIMIT_ENABLED = False
SQLLAB_CTAS_NO_LIMIT = False
PREVENT_UNSAFE_DB_CONNECTIONS = False  # DuckDB is a file, like SQLite; only ``dashboard setup`` registers databases
PERMANENT_SESSION_LIFETIME = 12 * 60 * _MINUTE
BABEL_DEFAULT_LOCALE = "en"
# Superset's own words, such as "no results", in the language that the portal asks for (?_l_=zh) or an analyst chooses.
LANGUAGES = {"en": {"flag": "gb", "name": "English"}, "zh": {"flag": "cn", "name": "中文"}}
FEATURE_FLAGS = {"DASHBOARD_NATIVE_FILTERS": True, "ALERT_REPORTS": False, "EMBEDDED_SUPERSET": True}
D3_FORMAT = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["", ""]}

GUEST_ROLE_NAME = ROLE
GUEST_TOKEN_JWT_SECRET = guest_key_file(_paths).read_text(encoding="utf-8").strip()
GUEST_TOKEN_JWT_EXP_SECONDS = TOKEN_S
GUEST_TOKEN_JWT_AUDIENCE = AUDIENCE
GUEST_TOKEN_VALIDATOR_HOOK = is_for_one_shop

# Nothing but Superset's own files. Only the page that embeds a board may be framed, and only by the portal.
_POLICY: dict[str, Any] = {
    "default-src": "'self'",
    "base-uri": "'self'",
    "object-src": "'none'",
    "img-src": ["'self'", "blob:", "data:"],
    "worker-src": ["'self'", "blob:"],
    "style-src": ["'self'", "'unsafe-inline'"],
    "script-src": ["'self'", "'strict-dynamic'"],
    "frame-ancestors": "'none'",
}
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": _POLICY,
    "content_security_policy_nonce_in": ["script-src"],
    "frame_options": "DENY",
    "force_https": False,  # the server listens on the loopback address; a proxy before it speaks HTTPS
    "session_cookie_secure": _settings.superset_address.startswith("https:"),
}


def FLASK_APP_MUTATOR(app: Any) -> None:
    """Let the portal frame the one page that is made for it, guests read errors in plain words, and files compute nothing."""
    from superset.embedded.view import EmbeddedView

    policy = _POLICY | {"frame-ancestors": _settings.portal_address}
    speak_plainly(app)
    guard_files()
    EmbeddedView.embedded.talisman_view_options = {"content_security_policy": policy, "frame_options": None}


# Results are not cached: DuckDB answers in milliseconds, and a board must show what was published last.
CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
# What the pages themselves keep (filter state) stays in files; Superset's default pickles it into the database.
_files = {"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": str(_home / "cache"), "CACHE_DEFAULT_TIMEOUT": 24 * 60 * _MINUTE}
FILTER_STATE_CACHE_CONFIG = _files | {"CACHE_KEY_PREFIX": "filter_"}
EXPLORE_FORM_DATA_CACHE_CONFIG = _files | {"CACHE_KEY_PREFIX": "explore_"}
