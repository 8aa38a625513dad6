"""The site of a platform: its home page and what the pipelines leave there."""
