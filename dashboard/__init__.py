"""What merchants read: one Superset board, kept as YAML in ``board/`` and imported by ``python -m dashboard setup``."""
