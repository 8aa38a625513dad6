"""dbt's cross-database macros for sqlfluff, which renders the models without dbt: one line of SQL of the right shape each."""


def datediff(first: str, second: str, part: str) -> str:
    """Whole ``part``s between two instants."""
    return f"date_diff('{part}', {first}, {second})"
