"""Gates of silver: what is on the branches is judged shop by shop before it is published (``spark_jobs.silver.audit``)."""
