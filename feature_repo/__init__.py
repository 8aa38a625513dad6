"""Feast on Jishi's terms: views derived from the feature definitions, a monotonic online store, the writer that feeds it."""

from jishi import feast_import

feast_import.prepare()
