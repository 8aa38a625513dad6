"""The ``jishi`` command."""

from ops.cli.app import app

__all__ = ["app"]
