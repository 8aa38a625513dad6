"""The target for which sqlfluff renders the models."""

type = "duckdb"
