"""``python -m jishi.cli`` is ``jishi``."""

from jishi.cli.app import app

app()
