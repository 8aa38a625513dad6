"""Superset's configuration, made from Jishi's settings; Superset finds it through ``SUPERSET_CONFIG_PATH``."""

from __future__ import annotations

from dashboard.admin import secret_key_file
from jishi.paths import Paths
from jishi.settings import get_settings

_settings = get_settings()
_paths = Paths.of(_settings)
_home = _paths.superset
_MINUTE = 60

SECRET_KEY = secret_key_file(_paths).read_text().strip()
SQLALCHEMY_DATABASE_URI = f"sqlite:///{_home / 'superset.db'}?check_same_thread=false"
WTF_CSRF_ENABLED = True
TALISMAN_ENABLED = False  # it forces https; the embedded server listens on the loopback address only
RATELIMIT_ENABLED = False
SQLLAB_CTAS_NO_LIMIT = False
PREVENT_UNSAFE_DB_CONNECTIONS = False  # DuckDB is a file, like SQLite; only ``dashboard setup`` registers databases
PERMANENT_SESSION_LIFETIME = 12 * 60 * _MINUTE
BABEL_DEFAULT_LOCALE = "en"
FEATURE_FLAGS = {"DASHBOARD_NATIVE_FILTERS": True, "ALERT_REPORTS": False}
D3_FORMAT = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["", ""]}

# Results are not cached: DuckDB answers in milliseconds, and a board must show what was published last.
CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
# What the pages themselves keep (filter state) stays in files; Superset's default pickles it into the database.
_files = {"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": str(_home / "cache"), "CACHE_DEFAULT_TIMEOUT": 24 * 60 * _MINUTE}
FILTER_STATE_CACHE_CONFIG = _files | {"CACHE_KEY_PREFIX": "filter_"}
EXPLORE_FORM_DATA_CACHE_CONFIG = _files | {"CACHE_KEY_PREFIX": "explore_"}
