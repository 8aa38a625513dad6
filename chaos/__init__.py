"""Chaos: faults against a running platform, and the proof that nothing acknowledged was lost or counted twice."""
