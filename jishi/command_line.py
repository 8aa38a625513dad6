"""What commands of parts have in common: a shop's key comes by the environment, and an error that its user can mend is one
sentence with exit code 2.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

KEY_VARIABLE = "JISHI_KEY"  # arguments are seen by everybody on the machine


def run_command(command: Callable[[], object], errors: tuple[type[Exception], ...]) -> int:
    """Run a command; ``errors`` and those of the system become a sentence on stderr. Returns the exit code."""
    try:
        command()
    except errors as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"error: {error.filename or 'the disk'}: {error.strerror}; what was published before is untouched", file=sys.stderr
        )
        return 2
    return 0
