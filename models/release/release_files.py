"""The files of one release while it is read: each is verified, and whatever its content raises names the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.algorithms.recommender import State
from models.release import canaries
from models.release.artefact import CorruptArtefact, load_state

# Arrays that hold numbers of items, persons or places, by the last word of their name.
_WHOLE = {"items", "indices", "indptr", "shape", "starts", "because", "origins"}


@dataclass
class ReleaseFiles:
    """The arrays of a release, each read once."""

    folder: Path
    manifest: dict[str, Any]
    _states: dict[str, State] = field(default_factory=dict)

    def state(self, name: str) -> State:
        """The arrays of one file. Raises CorruptArtefact."""
        if name not in self._states:
            state = load_state(self.folder, self.manifest, name)
            for key, array in state.items():
                if key.rsplit("_", 1)[-1] in _WHOLE and array.dtype.kind not in "iu":
                    raise CorruptArtefact(f"{self.folder / name}.npz: {key} holds {array.dtype}, not whole numbers")
            self._states[name] = state
        return self._states[name]

    @contextmanager
    def understood(self, name: str, what: str = "it") -> Iterator[None]:
        """Make of whatever goes wrong while a file's arrays are taken over a CorruptArtefact that names the file."""
        file = self.folder / (name if "." in name else f"{name}.npz")
        try:
            yield
        except CorruptArtefact:
            raise
        except (KeyError, IndexError, AttributeError, TypeError, ValueError, OverflowError) as error:
            sentence = f"{error} is missing or unknown" if isinstance(error, KeyError) else str(error)
            raise CorruptArtefact(f"{file}: {what} is not whole: {sentence}") from error

    def check_canaries(self, numbers: Mapping[str, Mapping[str, int]]) -> None:
        """Compare what was read with what was written down when it was saved. Raises CorruptArtefact."""
        with self.understood("manifest.json", "canaries"):
            difference = canaries.differences(self.manifest.get("canaries", {}), self._states, numbers)
        if difference is not None:
            name, sentence = difference
            raise CorruptArtefact(f"{self.folder / name}.npz or its lists of ids: {sentence}")
