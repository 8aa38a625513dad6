"""Batch over the lake with Spark: bronze → silver, and the at-scale recommenders. Pure transforms, thin entry points."""
