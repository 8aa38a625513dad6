"""Feast on Jishi's terms: views derived from the feature definitions, a monotonic online store, the writer that feeds it."""

from jishi.feast_import import skip_runtime_type_checks

skip_runtime_type_checks()
