"""Model cards: what a released model is for, what it learnt from, how it was judged, and where it should not be used.

Sections follow Mitchell et al., Model Cards for Model Reporting (FAT* 2019), as far as a shop's release can fill them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.evaluation.intervals import Estimate
from models.evaluation.metrics import with_todays_names
from models.release.artefact import read_manifest
from models.release.registry import current_version

INTENDED = {
    "popularity": "What sells in the shop: the fallback for everybody, and the bar that every other model must clear.",
    "item_knn": "Items like the one on the page or in the cart, and the reasons that name them.",
    "als": "A known person's long-term taste, mixed with recent acts on home, item, cart and after-payment lists.",
}
PLACEMENTS = {
    "home": "The home page of a known person: what they may buy in the coming days, with what they look at now mixed in.",
    "item": "The page of an item: what to look at next in this visit.",
    "cart": "The cart: what else belongs into this order.",
    "after_payment": "After a payment: what the person may buy next time.",
}
LIMITS = (
    "Learnt from one shop's acts: it knows nothing of other shops, and of persons only what they did while they were known.",
    "An item without acts has no place in it; serving finds such items by category and stock alone.",
    "Popular items are shown more and so are bought more; the test window cannot tell taste from exposure.",
    "Judged on the days of its test window; a season or campaign that training did not hold may differ.",
    "Not for prices, credit, or any decision about a person other than which goods to show.",
)
PROTOCOLS = {
    "all_items": "all items",
    "new_items": "items new to the person",
    "home": "bought in the test days",
    "item": "acted upon next in the visit",
    "cart": "the line taken out of an order",
    "after_payment": "the next order",
}


@dataclass(frozen=True)
class Card:
    """One model of a published release."""

    shop_id: str
    model: str
    version: str
    parameters: dict[str, Any]
    trained_on: tuple[str, str]
    interactions: int
    items: int
    window: dict[str, str]
    source: str
    licence: str
    gate_sentence: str
    persons: dict[str, int]  # by protocol
    metrics: dict[str, dict[str, Estimate]]  # by protocol, then metric
    gains: dict[str, dict[str, Estimate]]  # over the baseline, likewise
    coverage: dict[str, float]
    placement: str | None = None  # of a model that answers one

    @property
    def intended(self) -> str:
        """Intended use."""
        if self.placement is not None:
            return PLACEMENTS[self.placement]
        return INTENDED.get(self.model, "A recommender of this shop; no use is written down for it.")


def read_cards(models: Path, history: Path) -> list[Card]:
    """Cards of all published releases, by shop and model. ``models`` and ``history`` are those of ``jishi.paths.Paths``.

    Raises CorruptArtefact, and FileNotFoundError when a release's evaluation is gone.
    """
    if not models.is_dir():
        return []
    cards = []
    for folder in sorted(path for path in models.iterdir() if path.is_dir()):
        version = current_version(models, folder.name)
        if version is not None:
            cards += _of_release(folder, version, _source(history / folder.name / "manifest.json"))
    return cards


def _of_release(folder: Path, version: str, source: str) -> list[Card]:
    manifest = read_manifest(folder / "releases" / version)
    candidate = folder / "candidates" / manifest.get("candidate", version)
    report = json.loads((candidate / "evaluation.json").read_text(encoding="utf-8"))
    gate_sentence = json.loads((candidate / "gate.json").read_text(encoding="utf-8"))["sentence"]

    def card(model: str, parameters: dict[str, Any], sentence: str, protocols: dict[str, Any], placement: str | None) -> Card:
        judged = {name: result["models"][model] for name, result in protocols.items()}
        return Card(
            shop_id=manifest["shop_id"],
            model=model,
            version=version,
            parameters=parameters,
            trained_on=(manifest["trained_on"]["from"], manifest["trained_on"]["to"]),
            interactions=manifest["interactions"],
            items=report["items"],
            window=report["window"],
            source=source,
            licence=licence_of(source),
            gate_sentence=sentence,
            persons={name: result["persons"] for name, result in protocols.items()},
            metrics={name: _estimates(result["metrics"]) for name, result in judged.items()},
            gains={name: _gains(result["metrics"], report["baseline"]) for name, result in judged.items()},
            coverage={name: result["coverage@20"] for name, result in judged.items()},
            placement=placement,
        )

    cards = [
        card(model, chosen, gate_sentence, report["protocols"], None) for model, chosen in sorted(manifest["models"].items())
    ]
    for placement, chosen in manifest.get("placements", {}).items():
        if chosen["recipe"] is not None:
            judged = {placement: report["placements"][placement]}
            cards.append(card(chosen["model"], _parameters(chosen["recipe"], manifest), chosen["sentence"], judged, placement))
    return cards


def _parameters(recipe: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    """The recipe, and what the ranker's trees go by."""
    parameters = {name: value for name, value in recipe.items() if value is not None}
    ranker = manifest.get("ranker")
    return parameters | ranker if ranker and recipe["own"] == "ranked" else parameters


def _estimates(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Estimate]:
    named = with_todays_names(metrics)
    return {name: Estimate(metric["mean"], metric["low"], metric["high"]) for name, metric in named.items()}


def _gains(metrics: Mapping[str, Mapping[str, Any]], baseline: str) -> dict[str, Estimate]:
    key = f"over_{baseline}"
    return _estimates({name: metric[key] for name, metric in metrics.items() if key in metric})


def _source(manifest: Path) -> str:
    """Where a shop's history came from, as its landing manifest says; live events come on top."""
    if not manifest.exists():
        return "the shop's own events"
    return str(json.loads(manifest.read_text(encoding="utf-8")).get("source", "the shop's own events"))


def licence_of(source: str) -> str:
    """The licence of the data, as NOTICE says."""
    if source.startswith("simulator"):
        return "simulated by this project, Apache-2.0; describes nobody"
    if source.startswith("completejourney"):
        return "CC0 1.0 (84.51°, Complete Journey)"
    return "the shop's own data; not licensed to others"
