"""Superset over one platform's folders, prepared and served by one process (superset environment): the tests' only start of it.

It writes every route to ``var/superset/routes.json`` once it listens.
"""

from __future__ import annotations

import json

from werkzeug.serving import make_server

from dashboard.superset_app import prepare
from jishi.files import write_atomically
from jishi.paths import Paths
from jishi.settings import get_settings


def main() -> None:
    """Serve until the process is stopped."""
    settings = get_settings()
    paths = Paths.of(settings)
    app = prepare(paths, settings.portal_address, lambda step: print(step, flush=True))
    routes = [
        {"rule": rule.rule, "methods": sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}), "endpoint": rule.endpoint}
        for rule in app.url_map.iter_rules()
    ]
    server = make_server(settings.host, settings.superset_port, app, threaded=True)
    write_atomically(paths.superset / "routes.json", json.dumps(routes))
    server.serve_forever()


if __name__ == "__main__":
    main()
