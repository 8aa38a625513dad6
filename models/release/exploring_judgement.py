"""Whether a candidate's way to choose new items would have earned less than that of the release in use, by the decision log.

Of what serving decides only the exploring place is left to chance, so only it can be judged by what was logged
(``models.evaluation.exploring_policy``). A candidate's belief has learnt from the clicks that it is judged by, which speaks for
it; the judgement can refuse a candidate and never lets one through.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jishi.lake.reading import LakeVersion
from models.algorithms.exploration import Belief
from models.data.explored import read_explored
from models.evaluation.exploring_policy import chances_of, compare_policies
from models.release.artefact import CorruptArtefact, load_ids, load_state, read_manifest
from models.release.champion import Champion
from models.release.checks import Check

NEWCOMERS = "newcomers"


def judge_exploring(lake: LakeVersion, shop_id: str, full: Path, releases: Path, champion: Champion | None) -> dict[str, Any]:
    """Both policies on the shop's log as plain values with a ``sentence``; ``full`` is the candidate's folder of all acts."""
    if champion is None:
        return _not_judged("no other release is in use")
    policies = []
    for name, folder in (("the candidate", full), (f"release {champion.version} in use", releases / champion.version)):
        try:
            policy = _policy(folder)
        except CorruptArtefact as error:
            return _not_judged(f"{name} cannot be read ({error})")
        if policy is None:
            return _not_judged(f"{name} has no new items")
        policies.append(policy)
    return compare_policies(read_explored(lake, shop_id), *policies).as_json()


def exploring_check(judged: dict[str, Any]) -> Check:
    """The gate's check: only one that is surely worse fails."""
    return Check("exploring", not judged["is_surely_worse"], judged["sentence"])


def _policy(folder: Path) -> dict[str, float] | None:
    """Chance of each new item of a release by its id; None without any."""
    manifest = read_manifest(folder)
    if NEWCOMERS not in manifest["shapes"]:
        return None
    state = load_state(folder, manifest, NEWCOMERS)
    try:
        belief = Belief(state["a"].astype("float64"), state["b"].astype("float64"))
        return chances_of(load_ids(folder, manifest, "items"), state["items"].astype("int64"), belief)
    except (KeyError, IndexError, ValueError) as error:
        raise CorruptArtefact(f"{folder}: {NEWCOMERS} are no belief: {error}") from error


def _not_judged(reason: str) -> dict[str, Any]:
    return {"is_surely_worse": False, "is_supported": False, "sentence": f"exploring: not judged, {reason}"}
