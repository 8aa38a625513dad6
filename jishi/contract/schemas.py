"""Write ``docs/schemas/<event type>.schema.json``, the contract for other languages. ``python -m jishi.contract.schemas``."""

from __future__ import annotations

import json
from pathlib import Path

from jishi.contract.events import EVENT_TYPES, event_json_schema
from jishi.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docs" / "schemas"


def render() -> dict[str, str]:
    """File name to content, one file an event type."""
    return {
        f"{name}.schema.json": json.dumps(event_json_schema(name), indent=2, ensure_ascii=False) + "\n" for name in EVENT_TYPES
    }


def main(folder: Path = FOLDER) -> None:
    """Write all files and remove those of types that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    files = render()
    for stale in folder.glob("*.schema.json"):
        if stale.name not in files:
            stale.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"wrote {len(files)} schemas to {folder}")


if __name__ == "__main__":
    main()
