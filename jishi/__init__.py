"""What all parts of Jishi agree on: contract, features, tables, topics, paths, settings, and the ``jishi`` command."""

__version__ = "0.1.0"
