"""Metrics, intervals, and the questions by which a shop's models are judged."""
