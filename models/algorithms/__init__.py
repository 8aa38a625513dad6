"""Algorithms that a release holds or is made with, one a file: fit, score, state."""
