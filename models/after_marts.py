"""``python -m models.after_marts``: all that is fitted to the newest marts and shown by the next, one after the other.

Lifetime values of customers (``models.lifetime``) and effects of channels (``models.attribution``); each also runs alone.
"""

from __future__ import annotations

import sys

from models.attribution import __main__ as attribution
from models.lifetime import __main__ as lifetime


def main() -> int:
    """Run all; the exit code is the first that is not 0."""
    codes = [fit.main() for fit in (lifetime, attribution)]
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
