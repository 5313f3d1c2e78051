"""``legpress analyze`` on bundled clips, with the real pose model."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from device.command.main import main
from device.scenario import Scenario, load_scenario

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def rounding() -> Scenario:
    return load_scenario("rounding")


def arguments(scenario: Scenario, *more: str) -> list[str]:
    words = ["analyze", *(str(camera.clip) for camera in scenario.cameras)]
    for camera in scenario.cameras:
        words += ["--calibration", str(camera.calibration), "--neutral", str(camera.neutral)]
    return [*words, *more]


@pytest.fixture(scope="module")
def result(rounding: Scenario, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("analysis")
    outputs = [
        "--json",
        str(folder / "out.json"),
        "--csv",
        str(folder / "out.csv"),
        "--overlay",
        str(folder / "out.mp4"),
    ]
    assert main(arguments(rounding, *outputs)) == 0
    data: dict[str, Any] = json.loads((folder / "out.json").read_text())
    return data | {"folder": folder}


def truth_of(scenario: Scenario) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(scenario.cameras[0].truth.read_text())
    return data


def test_every_frame_has_its_row_with_every_measure_or_null(result: dict[str, Any], rounding: Scenario) -> None:
    frames = result["frames"]
    assert len(frames) == len(truth_of(rounding)["frames"]["t"])
    assert set(frames[0]) >= {
        "t", "person", "knee_flexion_deg", "valgus_deg", "lumbar_flexion_deg", "foot_placement"
    }  # fmt: skip
    assert sum(frame["person"] for frame in frames) >= 0.95 * len(frames)
    assert all(frame["valgus_deg"] == {"left": None, "right": None} for frame in frames)


def test_every_rep_is_counted_at_its_time(result: dict[str, Any], rounding: Scenario) -> None:
    true_s = [rep["t_bottom"] for rep in truth_of(rounding)["reps"]]
    assert [rep["t_bottom"] for rep in result["reps"]] == pytest.approx(true_s, abs=0.5)


def test_the_true_rounding_is_caught_and_no_other_posture_fault_alleged(
    result: dict[str, Any], rounding: Scenario
) -> None:
    true = [fault for fault in truth_of(rounding)["faults"] if fault["kind"] == "rounding"]
    alerts = [alert for alert in result["alerts"] if alert["kind"] == "back_rounding"]
    for fault in true:
        assert any(a["t_start"] <= fault["t_end"] + 0.6 and a["t_end"] >= fault["t_start"] - 0.3 for a in alerts), fault
    # a back that rounds before 90 degrees of knee flexion is a reason to try another seat
    assert {alert["kind"] for alert in result["alerts"]} <= {"back_rounding", "seat_misfit"}


def test_knee_flexion_is_close_to_the_truth(result: dict[str, Any], rounding: Scenario) -> None:
    true = truth_of(rounding)["frames"]["knee_flexion_deg"]["L"]
    seen = [frame["knee_flexion_deg"]["left"] for frame in result["frames"]]
    errors = [abs(a - b) for a, b in zip(seen, true, strict=True) if a is not None]
    assert len(errors) >= 0.9 * len(true)
    assert sum(errors) / len(errors) <= 6.0


def test_the_table_and_the_drawn_video_hold_every_frame(result: dict[str, Any]) -> None:
    with (result["folder"] / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["t"]) for row in rows] == [frame["t"] for frame in result["frames"]]
    assert "knee_flexion_deg_left" in rows[0]
    video = cv2.VideoCapture(str(result["folder"] / "out.mp4"))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == len(rows)
    video.release()


def test_two_cameras_of_one_set_are_told_apart_by_their_view(tmp_path: Path) -> None:
    mixed = load_scenario("mixed")
    side, front = ({camera.view: camera for camera in mixed.cameras}[view] for view in ("side", "front"))
    counts = []
    for order in ((side, front), (front, side)):
        words = ["analyze", *(str(camera.clip) for camera in order)]
        for camera in order:
            words += ["--calibration", str(camera.calibration), "--neutral", str(camera.neutral)]
        out = tmp_path / "out.json"
        assert main([*words, "--json", str(out), "--max-fps", "8"]) == 0
        data = json.loads(out.read_text())
        counts.append(len(data["reps"]))
        lifting = [frame for frame in data["frames"] if frame["t"] > 2]
        assert sum(frame["valgus_deg"]["left"] is not None for frame in lifting) > len(lifting) / 2
        assert sum(frame["lumbar_flexion_deg"] is not None for frame in lifting) > len(lifting) / 2
    assert counts == [len(truth_of(mixed)["reps"])] * 2


BAD: list[tuple[list[str], str]] = [
    (["missing.mp4"], "missing.mp4: no such file"),
    (["text.mp4"], "text.mp4: not a video that can be read"),
    (["CLIP", "--calibration", "CAL"], "1 clip(s) but 2 --calibration; give one per clip, in the same order"),
    (["CLIP", "CLIP", "--calibration", "CAL"], "both calibrations say view = 'side'"),
    (["CLIP", "--neutral", "missing.mp4"], "missing.mp4: no such file"),
    (["CLIP", "--neutral", "CLIP", "--neutral", "CLIP"], "1 clip(s) but 2 --neutral"),
    (["CLIP", "--max-fps", "0"], "--max-fps 0: give a rate from 1 to 240 frames/s"),
    (["CLIP", "--json", "nowhere/out.json"], "the folder nowhere does not exist"),
]


@pytest.mark.parametrize(("words", "said"), BAD)
def test_bad_input_gives_one_line_and_exit_code_2(
    words: list[str], said: str, rounding: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("this is not a video")
    camera = rounding.cameras[0]
    paths = {"CLIP": str(camera.clip), "CAL": str(camera.calibration)}
    code = main(["analyze", "--calibration", str(camera.calibration), *(paths.get(word, word) for word in words)])
    lines = capfd.readouterr().err.splitlines()
    assert code == 2
    assert len(lines) == 1 and lines[0].startswith("legpress: ") and said in lines[0]


def test_a_calibration_that_is_none_is_named_with_the_file(rounding: Scenario, tmp_path: Path, capfd: Any) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('view = "ceiling"\n')
    assert main(["analyze", str(rounding.cameras[0].clip), "--calibration", str(bad)]) == 2
    assert str(bad) in capfd.readouterr().err
