"""Features over years: the same definitions as the real-time job's, compiled to Spark DataFrames."""
