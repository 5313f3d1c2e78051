"""The records that the three processes exchange: frozen, typed, versioned.

Every time is ``time.monotonic()`` of the one machine that all three run on, in seconds, unless the
name says otherwise (``*_utc`` is an ISO-8601 string for people and the database). ``None`` means
unknown: not seen well enough, stale or never measured. It never means zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

SCHEMA_VERSION = 1

Side = Literal["left", "right"]
View = Literal["side", "front", "oblique"]
Goal = Literal["glutes", "quads", "balanced", "warm_up"]
Priority = Literal["high", "medium", "low"]
Health = Literal["ok", "degraded", "failed"]
Colour = Literal["off", "green", "amber", "red", "blue"]

FaultKind = Literal[
    "back_rounding",
    "back_arching",
    "knee_valgus",
    "knee_lockout",
    "hips_forward",
    "heel_lift",
    "fast_drop",
    "partial_depth",
    "feet_mismatch",
    "seat_misfit",
    "seat_unlocked",
    "overload",
    "load_dropped",
]

Measure = Literal[
    "knee_flexion",
    "valgus",
    "lumbar_flexion",
    "hip_slide",
    "foot_placement",
    "heel_lift",
    "carriage",
]

ConditionKind = Literal[
    "camera_lost",
    "camera_moved",
    "camera_dark",
    "camera_blurred",
    "camera_preview",
    "vision_lost",
    "nobody_in_view",
    "looks_changed",
    "view_covered",
    "load_failed",
    "load_stale",
    "load_uncalibrated",
    "load_drifted",
    "seat_failed",
    "seat_stale",
    "carriage_failed",
    "pads_failed",
    "camera_uncalibrated",
    "store_failed",
    "out_of_order",
]


@dataclass(frozen=True, slots=True)
class Sided:
    """One value per leg, the lifter's own left and right."""

    left: float | None = None
    right: float | None = None

    def of(self, side: Side) -> float | None:
        return self.left if side == "left" else self.right

    @property
    def mean(self) -> float | None:
        """Of what is known; None where neither side is."""
        if self.left is None:
            return self.right
        return self.left if self.right is None else (self.left + self.right) / 2.0


CameraCondition = Literal["ok", "starting", "lost", "dark", "blurred", "moved", "nobody", "uncalibrated"]


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How one camera is doing. ``view`` decides what it can check."""

    name: str
    view: View
    condition: CameraCondition
    frames_per_s: float
    dropped: int
    age_s: float
    """Age of the newest frame when the sample was made."""
    preview: bool = False
    """True while staff look through it to calibrate it; announced on the kiosk."""


Point = tuple[float, float, float]


CARRIAGE_CORRECTED = "carriage_corrected_m"
"""The cue by which a pose says that the carriage's absolute position was off by so much before it."""


@dataclass(frozen=True, slots=True)
class PoseSample:
    """What the cameras say about one moment: vision -> device, one per processed frame.

    Angles in degrees, lengths in metres, machine frame (x to the lifter's left, y backwards, z up).
    Measures here are the fit's own, against the calibrated machine; the contrast with the member's
    neutral is made in ``device.core.posture``, from these and ``cues``.
    """

    seq: int
    t_s: float
    """When the newest frame was exposed."""
    person: bool
    cameras: tuple[CameraStatus, ...]
    checks: tuple[Measure, ...] = ()
    """What these cameras can check at all, the failed ones left out."""
    knee_flexion_deg: Sided = Sided()
    """0 = straight."""
    hip_flexion_deg: Sided = Sided()
    valgus_deg: Sided = Sided()
    """asin(medial distance of the knee from the hip-ankle line / thigh length), + = inwards."""
    lumbar_flexion_deg: float | None = None
    """Pelvis against thorax, + = rounding, - = arching."""
    pelvis_lift_m: float | None = None
    pelvis_offpad_m: float | None = None
    hip_slide_m: float | None = None
    """Hips forward on the seat, against the calibrated pad."""
    foot_placement: Sided = Sided()
    """Middle of the sole: 0 = top edge of the plate, 1 = bottom edge."""
    stance_m: float | None = None
    heel_lift_deg: Sided = Sided()
    carriage_m: float | None = None
    """Plate position along the rail from its calibrated rest, + = lowered towards the lifter."""
    standard_error: dict[str, float] = field(default_factory=dict)
    """By measure name (``valgus_left_deg``, ``lumbar_flexion_deg``, ...), same unit as the measure."""
    cues: dict[str, float] = field(default_factory=dict)
    """Further raw evidence that ``device.core.posture`` contrasts with the member's neutral."""
    cues_behind_m: dict[str, float] = field(default_factory=dict)
    """By cue, where its camera's newest frame is older than this moment: how far the carriage went since."""
    figure: dict[str, Point] = field(default_factory=dict)
    """Fitted joints for drawing, by name (``hip_left``, ``knee_right``, ``plate_top``, ``pad_bottom``, ...)."""
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class LoadSample:
    """One reading of the load path. ``kg`` is None while uncalibrated or when the reading is bad."""

    t_s: float
    raw: int | None
    """Counts; the sum of both where there are two cells."""
    kg: float | None
    """Mass on the sled or stack; while it is accelerated, the force on it seen as a mass (``moving``)."""
    quality: Literal["ok", "rejected", "stale", "saturated", "uncalibrated", "failed", "disabled"]
    left_kg: float | None = None
    """What the left foot's cell carries of ``kg``, where there are two."""
    right_kg: float | None = None
    moving: bool = False
    """The force changes as it does while the sled is accelerated: ``kg`` is not the mass alone."""
    zero_off_kg: float | None = None
    """What the empty machine has been reading for a while instead of zero (drift, creep); None: not known."""
    cells: tuple[LoadSample, ...] = ()
    """Each cell's own newest sample, left first, where there are two: a calibration needs one cell's counts."""

    @property
    def imbalance(self) -> float | None:
        """(left - right) / (left + right), -1 to 1; None with one cell or hardly any load."""
        if self.left_kg is None or self.right_kg is None or self.left_kg + self.right_kg < 5.0:
            return None
        return (self.left_kg - self.right_kg) / (self.left_kg + self.right_kg)


SeatQuality = Literal[
    "ok", "between", "open", "short", "jump", "stale", "uncalibrated", "failed",
    "no_switch", "two_switches", "disagree", "disabled",
]  # fmt: skip
"""``no_switch``, ``two_switches``: not exactly one notch switch is closed; ``disagree``: two sensors differ."""


@dataclass(frozen=True, slots=True)
class SeatSample:
    """One reading of the seat. ``notch`` is None between notches."""

    t_s: float
    position_m: float | None
    notch: int | None
    quality: SeatQuality
    reading: float | None = None
    """The potentiometer's own reading, new with this sample: share of full scale."""
    distance_m: float | None = None
    """The ranger's own distance, new with this sample; also where it makes no place of the seat."""


@dataclass(frozen=True, slots=True)
class CarriageSample:
    """The carriage's own sensor. ``position_m`` along the rail, + = lowered, from wherever it began."""

    t_s: float
    position_m: float | None
    quality: Literal["ok", "stale", "failed"]


@dataclass(frozen=True, slots=True)
class PadSample:
    """How hard the back rests on the pad: shares (0-1) of the force sensors' full scale, None = that one is bad."""

    t_s: float
    lumbar: float | None
    sacrum: float | None
    quality: Literal["ok", "open", "short", "stale", "failed"]


@dataclass(frozen=True, slots=True)
class PartReport:
    """How one part of the hardware has been doing for the last two seconds (``device.sensor_report``)."""

    part: str
    """As a person calls it: ``load cell``, ``load cell left``, ``seat potentiometer``, ``seat switches``, ..."""
    health: Health
    detail: str
    """One sentence, with the measured figures."""
    advice: str = ""
    """What to do; empty when nothing is."""
    unit: str = ""
    """Of ``noise`` and ``mean``: counts, steps, mm."""
    rate_hz: float | None = None
    """Valid readings a second."""
    wanted_hz: float | None = None
    noise: float | None = None
    """Standard deviation of the raw readings."""
    mean: float | None = None
    unique: int = 0
    """Different raw values among the valid readings."""
    readings: int = 0
    """Valid and rejected ones."""
    saturated: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """By reason."""
    last_fault: str | None = None
    last_fault_age_s: float | None = None


@dataclass(frozen=True, slots=True)
class PartsReport:
    """Every sensor, once a second: device -> doctor, staff page."""

    t_s: float
    parts: tuple[PartReport, ...]
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class ButtonPressed:
    t_s: float
    held: bool = False
    """True for a long press (help call); False for a short one (acknowledge, else next goal)."""


@dataclass(frozen=True, slots=True)
class Command:
    """A wish from the kiosk, staff or a test: web_ui -> device. Answered by ``CommandReply``."""

    name: Literal[
        "goal", "acknowledge", "tag", "help", "enrol", "tare", "shutdown_demo", "review", "delete_member", "audit",
        "restart", "calibrate", "look", "backup", "restore",
    ]  # fmt: skip
    value: str | None = None
    id: str = ""
    target: str | None = None
    """What it is about, where the value does not say: the alert of a review, the word of an audit entry; ``show``: a
    ``calibrate`` that only looks."""
    who: str | None = None
    """The role of the person who asked (``staff``, ``admin``), for the audit log; None: the member, or a program."""
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class CommandReply:
    id: str
    ok: bool
    error: str | None = None
    """One sentence for the person who asked: what is wrong, what is allowed."""
    data: str | None = None
    """JSON, for commands that ask for figures (``calibrate``, ``look``, ``backup``)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something about the system itself that limits the form check, in force now."""

    kind: ConditionKind
    detail: str
    """One sentence: what is wrong and what to do."""
    since_s: float


@dataclass(frozen=True, slots=True)
class Warning:
    """The one warning that the member sees and hears now (the most urgent of all active faults)."""

    kind: FaultKind
    side: Side | None
    priority: Priority
    sentence: str
    since_s: float


@dataclass(frozen=True, slots=True)
class RepMark:
    """One finished rep, for the bar on the kiosk."""

    number: int
    verdict: Literal["good", "fault", "uncertain"]
    rom_m: float | None
    faults: tuple[FaultKind, ...] = ()


@dataclass(frozen=True, slots=True)
class SetProgress:
    number: int
    reps: tuple[RepMark, ...] = ()
    rep_phase: Literal["top", "eccentric", "bottom", "concentric"] = "top"
    depth: float | None = None
    """0 at the top, 1 at the depth of this set's deepest rep (or the neutral's)."""
    phase_elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LiveState:
    """The whole truth about now: device -> web_ui, on every change and at least twice a second."""

    seq: int
    t_s: float
    time_utc: str
    phase: Literal["idle", "enrolment", "seated", "ready", "lifting", "rest", "out_of_order"]
    form_check: bool
    """True while at least one posture check runs on fresh data."""
    checks: tuple[Measure, ...]
    """What is being checked right now; what is missing must be said."""
    conditions: tuple[Condition, ...]
    warning: Warning | None
    active_faults: tuple[Warning, ...]
    confirmation: str | None
    """Shown for two seconds after a fault was corrected: "Good - knees in line"."""
    advice: tuple[str, ...]
    """Coaching for the moment (brace cue, seat, feet, next set); at most two, most useful first."""
    goal: Goal
    goal_band: tuple[float, float]
    """Foot placement wanted by the goal."""
    member: str | None
    """Opaque tag, None = guest."""
    enrolled: bool
    enrolment_reps_left: int
    load_kg: float | None
    load_quality: str
    seat_notch: int | None
    seat_quality: str
    set: SetProgress | None
    rest_elapsed_s: float | None
    knee_flexion_deg: Sided
    valgus_deg: Sided
    lumbar_flexion_deg: float | None
    foot_placement: Sided
    figure: dict[str, Point]
    cameras: tuple[CameraStatus, ...]
    pose_age_s: float | None
    light: Colour
    sound: str | None
    """Name of the sound pattern playing, None = silent."""
    help_called: bool
    load_left_kg: float | None = None
    """Each foot's share of the load, where there are two cells."""
    load_right_kg: float | None = None
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class RepRecord:
    """One finished rep as stored and as published."""

    set_id: str
    number: int
    t_start_s: float
    t_bottom_s: float
    t_end_s: float
    started_utc: str
    rom_m: float | None
    min_knee_flexion_deg: float | None
    max_knee_flexion_deg: float | None
    eccentric_s: float
    concentric_s: float
    peak_load_kg: float | None
    mean_speed_m_s: float | None
    peak_speed_m_s: float | None
    mean_power_w: float | None
    worst_valgus_left_deg: float | None
    worst_valgus_right_deg: float | None
    worst_rounding_deg: float | None
    worst_arching_deg: float | None
    verdict: Literal["good", "fault", "uncertain"]
    faults: tuple[FaultKind, ...] = ()


@dataclass(frozen=True, slots=True)
class SetRecord:
    set_id: str
    member: str | None
    goal: Goal
    started_utc: str
    ended_utc: str | None
    load_kg: float | None
    seat_notch: int | None
    reps: int
    enrolled: bool
    enrolment: bool = False
    """True for the two neutral reps themselves."""


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One fault from onset to release. Published at onset (``t_end_s`` None) and at release."""

    alert_id: str
    set_id: str | None
    rep_number: int | None
    kind: FaultKind
    side: Side | None
    priority: Priority
    t_start_s: float
    t_end_s: float | None
    started_utc: str
    peak: float
    """Largest magnitude, in the unit of the fault's threshold."""
    sentence: str
