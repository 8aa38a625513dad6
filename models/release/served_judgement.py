"""What follows from the lists that serving made for the judged cases: who answers a placement, and which release is in use.

``serving.judge`` serves the window models of a candidate to cases of every placement, and to the same cases the ladder, the
release in use (its own window models) and trivial lists. Beside the candidate it keeps the main metric of each case, so that
every decision here can be made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from models.data.sequences import Numbers
from models.evaluation.comparison import BASELINE
from models.evaluation.intervals import Estimate, bootstrap
from models.evaluation.metrics import MAIN_METRIC, Values
from models.evaluation.placement_evaluation import mean_of_each
from models.release.artefact import load_state, read_manifest
from models.release.champion import Champion
from models.release.checks import LEAST_PERSONS, Check
from models.release.model_choice import LADDER

FOLDER = "served"
MODEL, CHAMPION = "model", "champion"  # the placement's model as served, and the release in use
# What may stand beside the model at home, by the name of its list: how many items each source brings there at most.
BESIDE: Mapping[str, Mapping[str, int]] = {
    "with_offers_and_taste": {"new": 20, "on_sale": 20, "beside": 50},
    "with_offers": {"new": 20, "on_sale": 20},
    "with_new": {"new": 20},
    "with_on_sale": {"on_sale": 20},
    "with_taste": {"beside": 50},
}
TRIVIAL = (BASELINE, "personal_frequency", LADDER)
MOST_BEHIND = timedelta(days=7)  # acts that a release in use may miss before a tie no longer keeps it


@dataclass(frozen=True)
class ServedCases:
    """The cases of a placement: the person of each, and by list the main metric of each case."""

    person: Numbers
    values: Mapping[str, Values]

    @property
    def persons(self) -> int:
        """Persons who have a case."""
        return len(set(self.person.tolist()))

    def mean(self, name: str) -> Estimate:
        """Mean over persons with its 95 % interval."""
        return self._estimate(self.values[name])

    def difference(self, name: str, other: str, level: float = 0.95) -> Estimate:
        """Mean over persons of the paired difference of two lists."""
        return self._estimate(self.values[name] - self.values[other], level)

    def _estimate(self, values: Values, level: float = 0.95) -> Estimate:
        return bootstrap(mean_of_each(values, self.person), level=level)


def read_served(folder: Path) -> tuple[dict[str, Any], dict[str, ServedCases]]:
    """Facts and, by placement, cases that ``serving.judge`` kept in a candidate's folder. Raises CorruptArtefact."""
    manifest = read_manifest(folder / FOLDER)
    cases = {}
    for placement in manifest["shapes"]:
        state = load_state(folder / FOLDER, manifest, placement)
        cases[placement] = ServedCases(
            state["person"].astype("int64"), {name: each.astype("float64") for name, each in state.items() if name != "person"}
        )
    return manifest, cases


def certify(chosen: dict[str, Any], served: ServedCases | None) -> dict[str, Any]:
    """The decision on a placement after a look at what would be served.

    A model stays if its list surely beats what sells and no trivial list surely beats it; else the ladder answers. The ladder
    is held to the same: where it does not surely beat what sells, what sells answers. Without enough persons nothing changes.
    Beside a model that stays come the sources of ``BESIDE`` that serve best of those that surely serve better than none.
    """
    if served is None or served.persons < LEAST_PERSONS:
        return chosen
    result = chosen
    if chosen["recipe"] is not None:
        problem = _problem(served, MODEL, [name for name in TRIVIAL if name in served.values])
        if problem is not None:
            result = {"model": LADDER, "recipe": None, "sentence": f"{chosen['model']} as served: {problem}"}
    if result["recipe"] is None:
        problem = _problem(served, LADDER, [BASELINE])
        if problem is not None:
            sentence = f"{result['sentence']}; the ladder: {problem}"
            result = {"model": BASELINE, "recipe": None, "sentence": sentence}
    if result["recipe"] is not None:
        result = result | _beside(served)
    return result | {"served": {"persons": served.persons, MAIN_METRIC: served.mean(list_of(result)).as_json()}}


def list_of(chosen: Mapping[str, Any]) -> str:
    """Name of the list that answers a placement by a decision."""
    if chosen["recipe"] is None:
        return str(chosen["model"])
    return next((name for name, quotas in BESIDE.items() if quotas == chosen.get("quotas")), MODEL)


def _beside(served: ServedCases) -> dict[str, Any]:
    """The quotas of the best list that surely serves better than the model alone (Bonferroni over the lists); none where no
    list does.
    """
    tried = [name for name in BESIDE if name in served.values]
    gains = {name: served.difference(name, MODEL, 1 - 0.05 / len(tried)) for name in tried}
    sure = [name for name, gain in gains.items() if gain.low > 0]
    return {"quotas": dict(BESIDE[max(sure, key=lambda name: gains[name].mean)])} if sure else {}


def _problem(served: ServedCases, name: str, rivals: Sequence[str]) -> str | None:
    """Why a list may not be served, if anything speaks against it."""
    gain = served.difference(name, BASELINE)
    if not gain.low > 0:
        return f"not surely better than {BASELINE}: {_figures(served, name, BASELINE, gain)}"
    for rival in rivals:
        loss = served.difference(name, rival)
        if loss.high < 0:
            return f"worse than {rival}: {_figures(served, name, rival, loss)}"
    return None


def _figures(served: ServedCases, name: str, other: str, difference: Estimate) -> str:
    means = (served.mean(name).mean, served.mean(other).mean)
    interval = f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
    return f"{MAIN_METRIC} {means[0]:.4f} against {means[1]:.4f}, difference {interval}"


def compare(
    champion: Champion | None, chosen: Mapping[str, Mapping[str, Any]], trained_to: datetime, cases: Mapping[str, ServedCases]
) -> Check:
    """Whether a candidate may replace the release in use.

    Not when its lists are surely worse at a placement (Bonferroni over the placements); else when they are better at one.
    A tie keeps the release in use, unless the candidate is the same models learnt anew from newer acts, or the one in use
    misses a week of acts.
    """
    name = "champion"
    if champion is None:
        return Check(name, True, "no other release is in use")
    if champion.problem is not None:
        return Check(name, True, f"release {champion.version} in use could not be judged: {champion.problem}")
    judged = {each: cases[each] for each in chosen if each in cases and cases[each].persons >= LEAST_PERSONS}
    if not judged:
        return Check(name, True, f"too few persons to compare with release {champion.version} in use")
    level = 1 - 0.05 / len(judged)
    figures, better, worse = {}, [], []
    for placement, served in judged.items():
        difference = served.difference(list_of(chosen[placement]), CHAMPION, level)
        figures[placement] = _figures(served, list_of(chosen[placement]), CHAMPION, difference)
        better += [placement] * (difference.low > 0)
        worse += [placement] * (difference.high < 0)
    sentences = {placement: f"{placement}: {figure}" for placement, figure in figures.items()}
    if worse:
        return Check(
            name, False, f"worse than release {champion.version} in use at {'; '.join(sentences[each] for each in worse)}"
        )
    if better:
        return Check(
            name, True, f"better than release {champion.version} in use at {'; '.join(sentences[each] for each in better)}"
        )
    tie = f"as good as release {champion.version} in use ({'; '.join(sentences.values())})"
    newer = timedelta(0) if champion.trained_to is None else trained_to - champion.trained_to
    if newer > timedelta(0) and all(each["model"] == champion.models.get(placement) for placement, each in chosen.items()):
        return Check(name, True, f"{tie}, its models learnt anew from newer acts")
    if newer >= MOST_BEHIND:
        return Check(name, True, f"{tie}, which misses {MOST_BEHIND.days} days of acts or more")
    return Check(name, False, f"{tie}, which stays")
