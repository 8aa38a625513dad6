"""Recommenders at scale, beside the in-memory ones of ``models/``: item co-occurrence and matrix factorisation by MLlib."""
