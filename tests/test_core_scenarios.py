"""The bundled sets, as they truly were, through the core: every rep counted, every fault told, nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from core_story import ALL_CHECKS, CALIBRATED, NEUTRAL, as_measured

from device.core.actions import Action, Publish
from device.core.events import MemberRecalled, Stop
from device.core.state import CoreState
from device.core.step import step
from device.messages import AlertRecord, CameraStatus, PoseSample, RepRecord, Sided

SCENARIOS = Path(__file__).parent.parent / "device/simulation/scenarios"
TRUTHS = sorted(path for path in SCENARIOS.glob("*/*.truth.json") if ".neutral." not in path.name)
TOLD_AS = {"valgus": "knee_valgus", "rounding": "back_rounding", "arching": "back_arching", "lockout": "knee_lockout"}


@pytest.fixture(autouse=True)
def measures_count_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.core.step.judge", as_measured)


def told(truth: dict[str, Any], every: int = 1) -> list[Action]:
    state = CoreState.initial(CALIBRATED)
    state, _ = step(state, MemberRecalled(None, NEUTRAL))
    frames, done = truth["frames"], []
    for i in range(0, len(frames["t"]), every):
        sample = PoseSample(
            seq=i,
            t_s=frames["t"][i],
            person=True,
            cameras=(CameraStatus("a", "side", "ok", 15.0, 0, 0.03),),
            checks=ALL_CHECKS,
            knee_flexion_deg=Sided(frames["knee_flexion_deg"]["L"][i], frames["knee_flexion_deg"]["R"][i]),
            valgus_deg=Sided(frames["valgus_deg"]["L"][i], frames["valgus_deg"]["R"][i]),
            lumbar_flexion_deg=frames["lumbar_flexion_deg"][i],
            carriage_m=frames["carriage_m"][i],
        )
        state, actions = step(state, sample)
        done += actions
    _, actions = step(state, Stop(frames["t"][-1]))
    return [*done, *actions]


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("path", TRUTHS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_bundled_set_is_told_as_it_was(path: Path, every: int) -> None:
    truth = json.loads(path.read_text())
    done = told(truth, every)
    records = [action.record for action in done if isinstance(action, Publish)]
    bottoms = [record.t_bottom_s for record in records if isinstance(record, RepRecord)]
    assert bottoms == pytest.approx([rep["t_bottom"] for rep in truth["reps"]], abs=0.15)
    alerts = {record.alert_id: record for record in records if isinstance(record, AlertRecord)}
    wanted = {
        (TOLD_AS[fault["kind"]], round(fault["t_start"], 1))
        for fault in truth["faults"]
        if fault["kind"] in TOLD_AS and fault["peak"] >= 8.0
    }
    for kind, start_s in wanted:
        delays = [alert.t_start_s - start_s for alert in alerts.values() if alert.kind == kind]
        assert any(-0.3 <= delay <= 0.7 for delay in delays), (kind, start_s, delays)
    assert {alert.kind for alert in alerts.values()} == {kind for kind, _ in wanted}
    assert all(alert.t_end_s is not None for alert in alerts.values())


def test_the_bundle_holds_sets_to_judge() -> None:
    assert len(TRUTHS) >= 4
