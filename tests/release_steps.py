"""All steps from a shop's acts to its release, in their order: those of ``models``, and ``serving.judge`` between them."""

from __future__ import annotations

from models.steps import STEPS, Step
from serving.judge import judge_served

RELEASE_STEPS: dict[str, Step] = {}
for _name, _step in STEPS.items():
    RELEASE_STEPS[_name] = _step
    if _name == "evaluate":
        RELEASE_STEPS["judge"] = judge_served
