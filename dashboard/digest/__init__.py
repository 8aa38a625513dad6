"""The weekly digest: what happened in a shop, for people who do not open a board."""
