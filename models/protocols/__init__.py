"""Judge models on any data set, whatever its origin: interactions, sessions or baskets in Parquet, the whole catalogue ranked.

``python -m models.protocols interactions|sessions|baskets --train T.parquet --test E.parquet --model NAME|auto`` (or ``jishi
evaluate …``). Each protocol's module says what its columns mean and how it treats what is odd in them.
"""
