"""Real time: one Flink SQL job that decides fates, archives bronze and computes features as they become known."""
