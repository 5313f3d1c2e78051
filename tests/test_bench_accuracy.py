"""The accuracy bench: which sets it takes, what it asks of them, and which of them say nothing new."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from device.command import bench_accuracy
from device.command.analysis import Analysis
from device.command.analyze import Inputs
from device.command.bench_accuracy import CHECKABLE, Conditions, Unit, figures, fresh_units, score_unit, units_in
from device.command.main import main
from device.command.truth import Score
from device.config import Config
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


def test_an_enrolment_that_is_of_no_use_makes_an_unknown_member_not_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def analyzed(inputs: Inputs, config: Config) -> Analysis:
        if inputs.neutrals:
            raise UserError("you were seen in 0 frames only")
        return Analysis()

    monkeypatch.setattr(bench_accuracy, "analyze", analyzed)
    scenario = Path(bench_accuracy.__file__).parents[1] / "simulation" / "scenarios" / "clean"
    (tmp_path / "one.calibration.toml").write_bytes((scenario / "side.calibration.toml").read_bytes())
    frames = {"t": [0.0], "valgus_deg": {"L": [0], "R": [0]}, "knee_flexion_deg": {"L": [20], "R": [20]},
              "lumbar_flexion_deg": [0], "foot_placement": {"L": [0.5], "R": [0.5]}}  # fmt: skip
    (tmp_path / "one.truth.json").write_text(json.dumps({"frames": frames, "faults": [], "reps": []}))
    unit = Unit("one", (str(tmp_path / "one"),))
    camera, score = score_unit(unit, Config(), Conditions())
    assert camera == "side"
    assert [note for note in score.notes if "unknown member" in note and "0 frames" in note]
