"""Every number that the pages claim, each a command: ``python -m bench.<name>``."""
