"""What the training script learns of the landmarks' offsets, on landmarks with offsets that are known exactly."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seen_machine import make_machine, seen_from

from vision.fit import BIAS_AT_DEG, BIAS_STEP_DEG
from vision.lifter import POSE_MEAN, SHAPE_MEAN, LegModel, knee_flexion_deg
from vision.sights import JOINTS, LEARNED_FILE
from vision.training.landmark_fit import SHOWN, Clip, as_text, learned, offsets_m

EYES = {"side": (2.7, -0.1, 0.9), "front": (0.1, -1.2, 2.6), "oblique": (1.6, -1.9, 1.5)}
OFFSET = st.floats(-0.08, 0.08)


def seen_clip(view, bias, slope, mirrored=False):
    """A camera whose landmarks lie off the joints by ``bias`` at 50 degrees and ``slope`` more for each 40."""
    eye = np.array(EYES[view]) * (-1.0 if mirrored else 1.0, 1.0, 1.0)
    calibration = seen_from(make_machine(), eye, view)
    machine = calibration.machine
    joints = LegModel(calibration).joints(SHAPE_MEAN, POSE_MEAN, np.linspace(0.02, 0.3, 12))
    flexion = knee_flexion_deg(joints)
    places = joints.stacked()
    across = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])[:, None, :]
    u = ((flexion - BIAS_AT_DEG) / BIAS_STEP_DEG)[..., None, None]
    apart = np.zeros_like(places)
    for axis, direction in enumerate((across, machine.pad_up, machine.pad_normal)):
        apart = apart + (bias[axis] + slope[axis] * u) * direction
    px = calibration.project(places + apart)
    near = 1 if mirrored else 0
    return Clip(view, view, near, offsets_m(calibration, px, places), flexion)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(EYES)), st.tuples(OFFSET, OFFSET), st.tuples(OFFSET, OFFSET), st.booleans())
def test_offsets_that_a_view_shows_are_learned_as_they_are(view, bias, slope, mirrored):
    full = [np.zeros(3), np.zeros(3)]
    for given_values, values in zip((bias, slope), full, strict=True):
        values[list(SHOWN[view])] = given_values
    others = [seen_clip(other, np.zeros(3), np.zeros(3)) for other in EYES if other != view]
    model = learned([seen_clip(view, *full, mirrored), *others])
    for leg in ("near", "far"):
        for joint in JOINTS:
            found = model[view][leg][joint]
            # A shift of centimetres changes the distance to the camera, and with it the scale, by a percent or two.
            assert found["bias"] == pytest.approx(full[0].tolist(), abs=0.004)
            assert found["slope"] == pytest.approx(full[1].tolist(), abs=0.004)
            assert found["sd"] < 0.003


def test_what_nobody_saw_takes_no_part():
    clip = seen_clip("side", np.array([0.0, 0.03, 0.01]), np.zeros(3))
    clip.offset_m[3:5] = np.nan
    others = [seen_clip(view, np.zeros(3), np.zeros(3)) for view in ("front", "oblique")]
    model = learned([clip, *others])
    assert model["side"]["near"]["knee"]["bias"] == pytest.approx([0.0, 0.03, 0.01], abs=0.002)


def test_the_shipped_model_is_in_the_form_that_the_script_writes():
    text = LEARNED_FILE.read_text("utf-8")
    assert as_text(json.loads(text)) == text
