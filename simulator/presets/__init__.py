"""The shops that the simulator knows by name, and a generic one for every other id."""

from __future__ import annotations

from simulator.preset import Preset
from simulator.presets.generic import generic
from simulator.presets.lanting import LANTING
from simulator.presets.shanhai import SHANHAI
from simulator.presets.xinghe import XINGHE

PRESETS = {"lanting": LANTING, "shanhai": SHANHAI, "xinghe": XINGHE}


def preset_of(shop_id: str) -> Preset:
    """The shop's preset; an unknown id gets a generic shop that depends on the id alone."""
    return PRESETS.get(shop_id) or generic(shop_id)
