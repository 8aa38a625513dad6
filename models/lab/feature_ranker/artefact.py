"""A fitted ranker as an artefact: arrays of trees, calibration and sources, a manifest with the facts, a card for people.

It does not serve: releases hold the trees of ``models.ranking.request_ranker``, whose columns serving has at a request.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.lab.feature_ranker.ranker import Ranker
from models.lab.feature_ranker.sources import Sources
from models.release.artefact import load_state, read_manifest, save

CARD = "card.md"
_SHOWN = 20  # importances on the card; the manifest has all


def save_ranker(folder: Path, shop_id: str, ranker: Ranker, sources: Sources, item_ids: list[str]) -> None:
    """Write the artefact; ``item_ids`` name the numbers of items."""
    save(folder, sources.states() | ranker.states(), {"items": item_ids}, {"shop_id": shop_id, "ranker": ranker.facts_})
    (folder / CARD).write_text(render_card(shop_id, ranker.facts_), encoding="utf-8")


def load_ranker(folder: Path) -> tuple[Ranker, Sources]:
    """Read and verify both. Raises models.release.artefact.CorruptArtefact."""
    manifest = read_manifest(folder)
    states = {name: load_state(folder, manifest, name) for name in manifest["shapes"]}
    ranker = Ranker().from_states(states)
    ranker.facts_ = manifest["ranker"]
    return ranker, Sources().from_states(states)


def render_card(shop_id: str, facts: dict[str, Any]) -> str:
    """What the ranker learnt from, what it looks at, and how far its chances can be trusted, in Markdown."""
    growth, calibration = facts["growth"], facts["calibration"]
    error = f"{calibration['expected_error']:.4f}" if "expected_error" in calibration else "unknown: it is empty"
    lines = [
        f"# Ranker of {shop_id}",
        "",
        f"A line and {growth['forests']} × {growth['trees']} symmetric trees, depth {growth['depth']}, loss {growth['loss']}.",
        f"Learnt from {facts['lists']:,} lists with {facts['candidates']:,} candidates and {facts['hits']:,} hits.",
        f"Labels: {facts['labels']}.",
        "",
        f"Chances are calibrated ({calibration['method']}) on lists from {calibration['held_out_from']} on, which the trees",
        f"have not seen; on the other half of those lists the expected error is {error}.",
        "",
        "| candidates | mean chance | share of hits |",
        "|---|---|---|",
        *(
            f"| {row['candidates']:,} | {row['mean_chance']:.4f} | {row['share_of_hits']:.4f} |"
            for row in calibration["reliability"]
        ),
        "",
        f"The {_SHOWN} columns that move most what trees add to the line, of {len(facts['columns'])}:",
        "",
        "| column | importance, % |",
        "|---|---|",
        *(f"| `{name}` | {value:.1f} |" for name, value in list(facts["importances"].items())[:_SHOWN]),
    ]
    return "\n".join(lines) + "\n"
