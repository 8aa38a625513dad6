"""Every number that the documents claim, each a command: ``jishi bench NAME``."""
