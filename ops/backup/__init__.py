"""Copies of a platform's state: ``jishi backup`` makes one beside the running parts, ``jishi restore`` a platform of it."""
