"""The ``jishi`` command."""

from jishi.cli.app import app

__all__ = ["app"]
