"""Real time: one Flink SQL job that decides outcomes, archives bronze and computes features as they become known."""
