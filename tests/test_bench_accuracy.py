"""The accuracy bench: which sets it takes, what it asks of them, and which of them say nothing new."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from device.command.bench_accuracy import CHECKABLE, figures, fresh_units, units_in
from device.command.main import main
from device.command.truth import Score
from device.errors import UserError
from vision.training import used_seeds


def make_sets(folder: Path, seeds: dict[str, int | None]) -> None:
    for name, seed in seeds.items():
        meta = {} if seed is None else {"seed": seed}
        (folder / f"{name}.truth.json").write_text(json.dumps({"meta": meta}))


def test_two_cameras_of_a_set_are_one_set(tmp_path: Path) -> None:
    make_sets(tmp_path, {"01_a__front": 1, "01_a__side": 1, "02_b": 2})
    assert [(u.name, len(u.stems)) for u in units_in(tmp_path)] == [("01_a", 2), ("02_b", 1)]


def test_a_folder_without_truth_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no clip with its truth"):
        units_in(tmp_path)


def test_fresh_sets_are_those_that_nothing_was_learned_or_chosen_on(tmp_path: Path) -> None:
    used = min(used_seeds())
    make_sets(tmp_path, {"01_known": used, "02_new": used + 1, "03_own": None, "04_new": used + 2})
    units = units_in(tmp_path)
    assert [u.name for u in fresh_units(units, 3)] == ["02_new", "03_own", "04_new"]
    assert fresh_units(units, 2) == fresh_units(units, 2)
    with pytest.raises(UserError, match="--fresh 4: only 3 of these 4 sets took no part"):
        fresh_units(units, 4)


@pytest.mark.parametrize("value", ["0", "-1", "two"])
def test_a_count_that_is_none_is_refused(value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "accuracy", str(tmp_path), "--fresh", value])
    assert ended.value.code == 2
    assert "give a whole number of sets, 1 or more" in capsys.readouterr().err


def test_a_view_is_asked_only_for_what_it_can_check() -> None:
    score = Score(sets=1, reps_true=3)
    score.required.update({"valgus": 2, "rounding": 4, "lockout": 1})
    score.caught.update({"rounding": 3, "lockout": 1})
    side = figures(score, CHECKABLE["side"])
    assert "caught: valgus" not in side
    assert (side["caught: all but arching"]["hits"], side["caught: all but arching"]["total"]) == (4, 5)
    assert figures(score, CHECKABLE["pair"])["caught: all but arching"]["total"] == 7
