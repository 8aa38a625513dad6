"""``python -m ops.cli`` is ``jishi``."""

from ops.cli.app import app

app()
