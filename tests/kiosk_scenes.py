"""Live states of a leg press at work, one for each thing the kiosk can show."""

from __future__ import annotations

import math
from dataclasses import replace

from device.messages import CameraStatus, Condition, LiveState, Measure, Point, RepMark, SetProgress, Sided
from device.messages import Warning as LiveWarning

SIDE_CAMERA = CameraStatus("side", "side", "ok", 19.8, 3, 0.05)
FRONT_CAMERA = CameraStatus("front", "front", "ok", 18.9, 4, 0.06)
ALL_CHECKS: tuple[Measure, ...] = (
    "knee_flexion",
    "valgus",
    "lumbar_flexion",
    "hip_slide",
    "foot_placement",
    "heel_lift",
    "carriage",
)
THIGH_M, SHANK_M = 0.43, 0.405
RAIL = (-0.682, 0.731)
"""Of a sled at 47 degrees: (y, z), away from the lifter."""


def figure(depth: float, valgus_left_m: float = 0.0, valgus_right_m: float = 0.0) -> dict[str, Point]:
    """The joints of a lifter with the plate lowered by `depth` (0 to 1) of 0.35 m, knees shifted inwards."""
    reach_m = 0.82 - 0.35 * depth
    joints: dict[str, Point] = {
        "head": (0.0, 0.40, 0.97),
        "plate_top": (0.0, -0.42 - 0.682 * (reach_m - 0.82) + 0.0, 1.28 + 0.731 * (reach_m - 0.82)),
        "plate_bottom": (0.0, -0.74 - 0.682 * (reach_m - 0.82), 0.985 + 0.731 * (reach_m - 0.82)),
        "pad_bottom": (0.0, 0.003, 0.37),
        "pad_top": (0.0, 0.652, 0.92),
    }
    along = (THIGH_M**2 - SHANK_M**2 + reach_m**2) / (2 * reach_m)
    off = math.sqrt(max(THIGH_M**2 - along**2, 0.0))
    for side, sign, inwards_m in (("left", 1, valgus_left_m), ("right", -1, valgus_right_m)):
        hip_y, hip_z = 0.0, 0.452
        knee_y = hip_y + RAIL[0] * along + RAIL[1] * off * 0.9
        knee_z = hip_z + RAIL[1] * along - RAIL[0] * off * 0.9
        ankle_y, ankle_z = hip_y + RAIL[0] * reach_m, hip_z + RAIL[1] * reach_m
        joints[f"shoulder_{side}"] = (sign * 0.16, 0.338, 0.774)
        joints[f"hip_{side}"] = (sign * 0.105, hip_y, hip_z)
        joints[f"knee_{side}"] = (sign * (0.15 - inwards_m), knee_y, knee_z)
        joints[f"ankle_{side}"] = (sign * 0.17, ankle_y, ankle_z)
        joints[f"heel_{side}"] = (sign * 0.17, ankle_y - 0.07, ankle_z - 0.02)
        joints[f"toe_{side}"] = (sign * 0.20, ankle_y + 0.10, ankle_z + 0.19)
    return joints


IDLE = LiveState(
    seq=1,
    t_s=100.0,
    time_utc="2026-11-23T12:00:00+00:00",
    phase="idle",
    form_check=False,
    checks=(),
    conditions=(Condition("nobody_in_view", "nobody is on the machine", 90.0),),
    warning=None,
    active_faults=(),
    confirmation=None,
    advice=(),
    goal="glutes",
    goal_band=(0.10, 0.40),
    member=None,
    enrolled=False,
    enrolment_reps_left=0,
    load_kg=0.0,
    load_quality="ok",
    seat_notch=3,
    seat_quality="ok",
    set=None,
    rest_elapsed_s=None,
    knee_flexion_deg=Sided(),
    valgus_deg=Sided(),
    lumbar_flexion_deg=None,
    foot_placement=Sided(),
    figure={},
    cameras=(SIDE_CAMERA, FRONT_CAMERA),
    pose_age_s=0.08,
    light="off",
    sound=None,
    help_called=False,
)

REPS = (
    RepMark(1, "good", 0.41),
    RepMark(2, "good", 0.42),
    RepMark(3, "fault", 0.40, ("knee_valgus",)),
    RepMark(4, "uncertain", 0.36),
    RepMark(5, "good", 0.42),
)

SEATED = replace(
    IDLE,
    phase="seated",
    form_check=True,
    checks=ALL_CHECKS,
    conditions=(),
    member="4711",
    enrolled=True,
    foot_placement=Sided(0.52, 0.53),
    figure=figure(0.05),
    knee_flexion_deg=Sided(20.0, 20.5),
    valgus_deg=Sided(0.4, 0.6),
    lumbar_flexion_deg=0.3,
    light="blue",
)
READY = replace(
    SEATED,
    phase="ready",
    load_kg=120.0,
    foot_placement=Sided(0.26, 0.27),
    advice=("Back flat, core braced, knees over toes",),
    light="green",
)
LIFTING = replace(
    READY,
    phase="lifting",
    advice=(),
    set=SetProgress(2, REPS, "eccentric", 0.7, 1.3),
    figure=figure(0.7),
    lumbar_flexion_deg=1.5,
    knee_flexion_deg=Sided(71.0, 70.2),
)

ROUNDING = LiveWarning("back_rounding", None, "medium", "Lower back is rounding - less depth, hips back", 120.0)
ROUNDING_HIGH = replace(ROUNDING, priority="high")
LEFT_VALGUS = LiveWarning("knee_valgus", "left", "medium", "Left knee out", 121.0)
FEET_MISMATCH = LiveWarning("feet_mismatch", None, "low", "Feet higher for glutes", 119.0)


def warned(warning: LiveWarning, state: LiveState = LIFTING) -> LiveState:
    """`state` with this warning on the screen, the light and the buzzer."""
    light = {"high": "red", "medium": "amber", "low": "amber"}[warning.priority]
    return replace(
        state,
        warning=warning,
        active_faults=(warning,),
        light=light,
        sound=f"{warning.priority}:{warning.kind}",
    )


SCENES: dict[str, LiveState] = {
    "idle": IDLE,
    "idle_camera_lost": replace(
        IDLE, conditions=(Condition("camera_lost", "camera side gives no pictures; check its cable", 80.0),)
    ),
    "camera_starting": replace(
        IDLE, conditions=(), cameras=(replace(SIDE_CAMERA, condition="starting", frames_per_s=0.0),), pose_age_s=None
    ),
    "vision_starting": replace(
        IDLE, conditions=(Condition("vision_lost", "No news from the cameras", 91.0),), cameras=(), pose_age_s=None
    ),
    "seated_camera_starting": replace(
        SEATED,
        form_check=False,
        checks=(),
        cameras=(replace(SIDE_CAMERA, condition="starting", frames_per_s=0.0),),
        figure={},
        foot_placement=Sided(),
        lumbar_flexion_deg=None,
        light="amber",
    ),
    "camera_preview": replace(
        IDLE,
        conditions=(
            Condition("camera_preview", "Staff are looking through camera side to calibrate it", 95.0),
            Condition("load_uncalibrated", "calibrate the load: legpress calibrate load", 1.0),
            Condition("seat_failed", "The seat sensor has failed", 1.0),
        ),
    ),
    "first_start": replace(
        IDLE,
        conditions=(
            Condition("camera_uncalibrated", "camera side is not calibrated: legpress calibrate camera", 1.0),
            Condition("load_uncalibrated", "calibrate the load: legpress calibrate load", 1.0),
        ),
        load_kg=None,
        load_quality="uncalibrated",
        light="amber",
    ),
    "idle_member": replace(IDLE, member="4711", enrolled=True, goal="quads", goal_band=(0.55, 0.85)),
    "enrolment": replace(
        SEATED, phase="enrolment", enrolled=False, enrolment_reps_left=2, load_kg=20.0, set=SetProgress(1)
    ),
    "enrolment_again": replace(
        SEATED,
        phase="enrolment",
        enrolled=False,
        enrolment_reps_left=1,
        load_kg=20.0,
        set=SetProgress(1, REPS[:1], "eccentric", 0.6, 1.1),
        figure=figure(0.6),
        advice=(
            "Slower: two seconds down, two seconds up. Two more reps, please",
            "Show me your neutral: two slow reps, light load",
        ),
    ),
    "seated": SEATED,
    "seat_unlocked": warned(
        LiveWarning("seat_unlocked", None, "high", "Seat not locked", 121.0),
        replace(LIFTING, seat_notch=None, seat_quality="between"),
    ),
    "ready": READY,
    "lifting": LIFTING,
    "lifting_side_camera_only": replace(
        LIFTING,
        checks=("knee_flexion", "lumbar_flexion", "hip_slide", "foot_placement", "heel_lift", "carriage"),
        cameras=(SIDE_CAMERA,),
        member=None,
    ),
    "new_clothes": replace(
        LIFTING, conditions=(Condition("looks_changed", "You look other than at your enrolment", 100.0),)
    ),
    "covered": replace(
        LIFTING,
        checks=("knee_flexion", "valgus", "foot_placement", "carriage"),
        conditions=(Condition("view_covered", "Something covers your hips or knees", 118.0),),
        lumbar_flexion_deg=None,
        light="amber",
    ),
    "rounding": warned(
        ROUNDING,
        replace(LIFTING, figure=figure(0.98), lumbar_flexion_deg=14.0, set=SetProgress(2, REPS, "bottom", 1, 0.2)),
    ),
    "rounding_high": warned(
        ROUNDING_HIGH,
        replace(LIFTING, figure=figure(0.98), lumbar_flexion_deg=24.0, set=SetProgress(2, REPS, "bottom", 1, 0.2)),
    ),
    "left_knee": warned(
        LEFT_VALGUS, replace(LIFTING, figure=figure(0.8, valgus_left_m=0.07), valgus_deg=Sided(10.5, 0.8))
    ),
    "feet": warned(FEET_MISMATCH, replace(LIFTING, foot_placement=Sided(0.52, 0.51))),
    "confirmed": replace(LIFTING, confirmation="Good - knees in line"),
    "rest": replace(
        SEATED,
        phase="rest",
        load_kg=0.0,
        set=SetProgress(2, REPS),
        rest_elapsed_s=42.0,
        advice=("Next set: try seat 5",),
    ),
    "form_check_off": replace(
        LIFTING,
        form_check=False,
        checks=(),
        conditions=(Condition("vision_lost", "the vision process does not report; it restarts by itself", 118.0),),
        figure={},
        foot_placement=Sided(),
        lumbar_flexion_deg=None,
        light="amber",
    ),
    "load_unknown": replace(
        LIFTING,
        load_kg=None,
        load_quality="uncalibrated",
        conditions=(Condition("load_uncalibrated", "calibrate the load: legpress calibrate load", 1.0),),
        help_called=True,
    ),
    "warm_up": replace(LIFTING, goal="warm_up", goal_band=(0.35, 0.60), load_kg=40.0, set=SetProgress(12, REPS * 4)),
    "balanced_seat_unknown": replace(LIFTING, goal="balanced", seat_notch=None, seat_quality="between", load_kg=1000.0),
    "out_of_order": replace(IDLE, phase="out_of_order", help_called=True, light="amber"),
}

HEADLINES = {
    "idle": "Choose your goal",
    "camera_starting": "The camera is starting",
    "vision_starting": "The camera is starting",
    "seated_camera_starting": "The camera is starting",
    "camera_preview": "Choose your goal",
    "first_start": "The camera is not set up yet",
    "idle_member": "Choose your goal",
    "enrolment_again": "Slower: two seconds down, two seconds up",
    "seat_unlocked": "Seat not locked",
    "idle_camera_lost": "The camera is not working",
    "enrolment": "Show me your neutral",
    "seated": "Feet on the plate",
    "ready": "Back flat, core braced, knees over toes",
    "lifting": "Back and knees look good",
    "lifting_side_camera_only": "Back looks good",
    "new_clothes": "Back and knees look good",
    "covered": "Knees look good",
    "rounding": "Less depth, hips back",
    "rounding_high": "Less depth, hips back",
    "left_knee": "Left knee out",
    "feet": "Feet higher for glutes",
    "confirmed": "Knees in line",
    "rest": "Next set: try seat 5",
    "form_check_off": "No news from the camera",
    "load_unknown": "Back and knees look good",
    "warm_up": "Back and knees look good",
    "balanced_seat_unknown": "Back and knees look good",
    "out_of_order": "Please use another machine",
}
MOODS = {
    "idle": "calm",
    "camera_starting": "wait",
    "vision_starting": "wait",
    "seated_camera_starting": "off",
    "camera_preview": "calm",
    "first_start": "off",
    "idle_member": "calm",
    "enrolment_again": "info",
    "seat_unlocked": "high",
    "idle_camera_lost": "off",
    "enrolment": "info",
    "seated": "info",
    "ready": "ok",
    "lifting": "ok",
    "lifting_side_camera_only": "ok",
    "new_clothes": "ok",
    "covered": "ok",
    "rounding": "medium",
    "rounding_high": "high",
    "left_knee": "medium",
    "feet": "notice",
    "confirmed": "confirmed",
    "rest": "info",
    "form_check_off": "off",
    "load_unknown": "ok",
    "warm_up": "ok",
    "balanced_seat_unknown": "ok",
    "out_of_order": "off",
}
