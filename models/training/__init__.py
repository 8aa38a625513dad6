"""From a shop's interactions, or from tables, to a candidate."""
