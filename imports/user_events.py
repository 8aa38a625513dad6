"""A shop's own event files (JSON lines) → landing files, untouched."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jishi.landing import LandingError

MB = 1_000_000


def lines_of_files(files: Sequence[Path], progress: Callable[[int, int], None] = lambda done, total: None) -> Iterator[bytes]:
    """Every line of the files in the order given, without line ends; blank lines are no events and are left out.

    The order should be the order in which the events became known. ``progress`` is called with megabytes read and in
    all. Raises LandingError for a file that cannot be read.
    """
    for file in files:
        if not file.is_file():
            raise LandingError(f"{file} does not exist or is not a file; name JSON-lines files of raw events")
    total, done, reported = sum(file.stat().st_size for file in files), 0, 0
    for file in files:
        try:
            with file.open("rb") as stream:
                _refuse_other_forms(file, stream.read(64))
                stream.seek(0)
                for number, line in enumerate(stream):
                    done += len(line)
                    if number == 0:
                        line = line.removeprefix(codecs.BOM_UTF8)
                    if done - reported >= MB:
                        reported = done
                        progress(done // MB, total // MB)
                    text = line.rstrip(b"\r\n")
                    if text.strip():
                        yield text
        except OSError as error:
            raise LandingError(f"{file} cannot be read: {error.strerror}") from None


def _refuse_other_forms(file: Path, start: bytes) -> None:
    """What is no file of lines would become one line that nobody can read. Raises LandingError with the fix."""
    if start.startswith(b"\x1f\x8b"):
        raise LandingError(f"{file} is compressed; unpack it with gunzip and name what it holds")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise LandingError(f"{file} is UTF-16; write it in UTF-8: iconv -f utf-16 -t utf-8")
    if start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
        raise LandingError(f"{file} holds an array; write one event a line: jq -c '.[]'")
