"""One command goes back to an older release, serving follows, and what was left does not come back by itself."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jishi.shop_runs import NothingToDo
from models.release.artefact import CorruptArtefact
from models.release.registry import KEPT_RELEASES, current_version, publish
from models.release.rollback import NoWayBack, listed, resume, roll_back
from models.release.switches import Switches
from serving.releases import ReleaseUnusable
from tests.releases import edit_manifest

LATER = datetime(2026, 4, 2, tzinfo=UTC)


def back(registry: Any, version: str | None = None, **more: Any) -> Any:
    return roll_back(registry.paths.models, "a", version, by="on call", now=LATER, **more)


def test_serving_goes_back_in_its_next_round_and_says_who_and_why(registry: Any) -> None:
    before = registry.listed_by("a")
    registry.publish("a", "second", 1, seed=2)
    registry.look()
    assert registry.in_use("a") == "second"
    assert registry.listed_by("a") != before
    went = back(registry, note="empty lists at home")
    assert (went.version, went.before, went.passed_over) == ("first", "second", [])
    registry.look()
    assert (registry.in_use("a"), registry.problem("a")) == ("first", None)
    assert registry.listed_by("a") == before
    newest, oldest = listed(registry.paths.models, "a")
    assert (newest.version, newest.state) == ("second", "withdrawn")
    assert newest.sentence == "withdrawn on 2026-04-02 00:00 UTC by on call: empty lists at home"
    assert (oldest.version, oldest.state, oldest.placements["home"]) == ("first", "in use", ("tifu_knn", 0.25))
    assert oldest.sentence.startswith("rolled back on 2026-04-02")


def test_what_was_withdrawn_is_not_published_again_until_somebody_names_it(registry: Any) -> None:
    registry.publish("a", "second", 1)
    back(registry, note="wrong prices")
    with pytest.raises(
        NothingToDo, match=r"candidate second was withdrawn on .* by on call: wrong prices; release first stays"
    ):
        publish(registry.paths, "a")
    assert current_version(registry.paths.models, "a") == "first"
    registry.publish("a", "third", 2)  # another candidate is judged and published as ever
    assert current_version(registry.paths.models, "a") == "third"
    back(registry, "second")
    registry.look()
    assert registry.in_use("a") == "second"
    assert Switches.read(registry.paths.models, "a").withdrawn().keys() == {"third"}


def test_a_second_step_back_passes_over_what_was_withdrawn_and_what_is_damaged(registry: Any) -> None:
    for days, name in enumerate(("second", "third", "fourth"), 1):
        folder = registry.publish("a", name, days)
        if name == "second":
            (folder / "als.npz").write_bytes(b"scribble")
    assert back(registry).version == "third"
    went = back(registry)
    assert went.version == "first"
    assert "second/als.npz: checksum differs" in went.passed_over[0]
    with pytest.raises(NoWayBack, match="keeps no release from before first"):
        back(registry)
    with pytest.raises(CorruptArtefact, match="second/als"):
        back(registry, "second")
    with pytest.raises(NoWayBack, match=r"keeps no release '\.\./x'; kept: first, fourth, second, third"):
        back(registry, "../x")
    with pytest.raises(NoWayBack, match="first of shop 'a' is in use already"):
        back(registry, "first")
    assert current_version(registry.paths.models, "a") == "first"


def test_a_hold_keeps_every_candidate_out_until_it_is_ended(registry: Any) -> None:
    registry.publish("a", "second", 1)
    back(registry, holds=True, note="the feed is broken")
    with pytest.raises(NothingToDo, match=r"release first is held since .*: the feed is broken; .*jishi models resume"):
        registry.publish("a", "third", 2)
    assert next((each.version, each.state) for each in listed(registry.paths.models, "a")) == ("third", "refused")
    assert resume(registry.paths.models, "a", by="on call", now=LATER) == "first"
    assert publish(registry.paths, "a") == "third"
    with pytest.raises(NoWayBack, match="no release of shop 'a' is held"):
        resume(registry.paths.models, "a", by="on call", now=LATER)


def test_the_gate_deciding_anew_on_one_candidate_does_not_bring_back_what_was_left(registry: Any) -> None:
    gate = registry.paths.models / "a" / "candidates" / "first" / "gate.json"
    decided = json.loads(gate.read_text())
    decided["placements"]["cart"] = {"model": "ladder", "recipe": None, "sentence": "refused since"}
    gate.write_text(json.dumps(decided))
    anew = publish(registry.paths, "a", LATER - timedelta(hours=1))
    assert anew is not None
    assert anew.startswith("first-")
    assert back(registry).version == "first"
    with pytest.raises(NothingToDo, match=f"release {anew} was withdrawn"):
        publish(registry.paths, "a")
    assert current_version(registry.paths.models, "a") == "first"


def test_the_release_before_is_kept_and_what_was_withdrawn_goes_first(registry: Any) -> None:
    names = ["first", *(f"c{number}" for number in range(KEPT_RELEASES - 1))]
    for days, name in enumerate(names[1:], 1):
        folder = registry.publish("a", name, days)
        os.utime(folder, (days, days))
    os.utime(folder.parent / "first", (0, 0))
    back(registry, "first")
    registry.publish("a", "newest", 9)
    kept = {each.version for each in listed(registry.paths.models, "a")}
    assert kept == {"newest", *names} - {names[-1]}  # not the oldest, which was in use until now


def test_an_older_release_comes_back_by_the_command_alone(registry: Any) -> None:
    registry.publish("a", "second", 1)
    registry.look()
    (registry.paths.models / "a" / "CURRENT").write_text("first\n")  # a pointer moved by hand, or out of a backup
    registry.look()
    assert registry.in_use("a") == "second"
    assert registry.problem("a").endswith("to go back: jishi models rollback a first")
    (registry.paths.models / "a" / "CURRENT").write_text("second\n")
    back(registry)
    registry.look()
    assert (registry.in_use("a"), registry.problem("a")) == ("first", None)


def test_what_changes_while_a_release_is_tried_is_in_its_shelf(registry: Any, tiny: Any) -> None:
    """The trial holds up neither requests nor the catalogue."""
    state = registry.engine.states.of("a")
    folder = registry.publish("a", "second", 1, seed=2)
    model = type(state._model).load(registry.paths.models, "a", folder.name)
    gone = [item_id for item_id, _ in registry.listed_by("a")]

    def sell_out(shelf: Any, catalogue: Any) -> None:
        for item_id in gone:
            assert state.apply(tiny.item(item_id, stock=0, at_ms=10))
        assert not {each for each, _ in registry.listed_by("a")} & set(gone)  # the old one answers, by the newest stock

    state.use_release(model, 0.0, check=sell_out)
    assert registry.in_use("a") == "second"
    assert [bool(state.shelf.sellable[state.shelf.number_of[each]]) for each in gone] == [False] * len(gone)

    def refuse(shelf: Any, catalogue: Any) -> None:
        raise ReleaseUnusable("no")

    shelf = state.shelf
    with pytest.raises(ReleaseUnusable):
        state.use_release(model, 0.0, check=refuse)
    assert state.shelf is shelf
    assert state.apply(tiny.item(gone[0], stock=3, at_ms=20))
    assert shelf.sellable[shelf.number_of[gone[0]]]


def test_a_snapshot_that_comes_while_a_release_is_tried_counts(registry: Any, tiny: Any) -> None:
    state = registry.engine.states.of("a")
    folder = registry.publish("a", "second", 1)
    model = type(state._model).load(registry.paths.models, "a", folder.name)
    items = dict(list(state.catalogue.items.items())[:4])
    state.use_release(model, 0.0, check=lambda *_: state.use_snapshot(items))
    assert int(state.shelf.sellable.sum()) == 4


@pytest.mark.parametrize("is_kept", [True, False])
def test_the_command_lists_and_goes_back(registry: Any, monkeypatch: Any, capsys: Any, is_kept: bool) -> None:
    from models.release import __main__ as command

    monkeypatch.setattr(command, "get_settings", lambda: registry.engine.settings)
    registry.publish("a", "second", 1)
    assert command.main(["list", "a"]) == 0
    assert "tifu_knn 0.2500" in capsys.readouterr().out
    assert command.main(["rollback", "a", *([] if is_kept else ["ninth"]), "--note", "why not"]) == (0 if is_kept else 1)
    out, err = capsys.readouterr()
    if is_kept:
        assert out.startswith("a: release first is in use, second is not")
    else:
        assert "keeps no release 'ninth'; kept: first, second" in err
    assert command.main(["list", "a", "--json"]) == 0
    states = {each["version"]: each["state"] for each in json.loads(capsys.readouterr().out)}
    assert states == ({"first": "in use", "second": "withdrawn"} if is_kept else {"first": "kept", "second": "in use"})
    assert command.main(["list", "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err


def test_a_line_that_a_crash_cut_short_is_passed_over(registry: Any) -> None:
    file = registry.paths.models / "a" / "switches.jsonl"
    file.write_text(file.read_text() + '{"at": "2026-04-')
    registry.publish("a", "second", 1)
    assert [each.version for each in Switches.read(registry.paths.models, "a").lines] == ["first", "second"]


def test_an_unreadable_release_is_listed_as_damaged(registry: Any) -> None:
    folder = registry.publish("a", "second", 1)
    edit_manifest(folder, lambda manifest: manifest.update(format=9))
    assert "damaged: " in listed(registry.paths.models, "a")[0].sentence
