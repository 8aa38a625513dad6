"""Recommend the next item of a session from what came before it in the session."""
