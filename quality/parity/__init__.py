"""Parity: the same events through every engine, and the values compared key by key and slide by slide."""
