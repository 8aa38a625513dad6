"""What does not answer requests: models and parts that only ``jishi evaluate`` and the benches know.

Each module says why it does not serve. ``tests/contracts/test_models_are_reachable.py`` holds that nothing which serves or
releases imports this package.
"""
