"""Arrays of releases in these tests are views of their files, however small, as those of a large shop are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.release import plain_arrays


@pytest.fixture(scope="module", autouse=True)
def every_array_is_mapped() -> Iterator[None]:
    """Code that writes into an array of a release, or a library that asks to, fails here and not in a large shop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_arrays, "MAPPED", 0)
        yield
