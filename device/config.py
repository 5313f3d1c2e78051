"""The configuration: one TOML file, every key optional, every default explained in ``config.example.toml``.

The models below are the schema. Reading, checking across sections, and telling a person what is
wrong with which line is ``device.config_file``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Pin = Annotated[int, Field(ge=2, le=27, description="BCM number of a header pin")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Paths(Section):
    """Where state lives. Relative paths are taken from the folder of the configuration file."""

    state_dir: Path = Path("~/.local/state/legpress")
    """Database, replays, crash reports."""
    runtime_dir: Path = Path("~/.cache/legpress/run")
    """Sockets; emptied at a reboot."""
    model_dir: Path = Path("~/.cache/legpress/models")


class Machine(Section):
    name: str = "Leg press 1"
    load_limit_kg: Annotated[float, Field(gt=0, le=1000)] = 400.0
    seat_notches_m: tuple[float, ...] = (0.0, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30)
    """Seat position of notch 1, 2, ... (m from the first)."""
    seat_notch_tolerance_m: Annotated[float, Field(gt=0, le=0.05)] = 0.012
    units: Literal["kg", "lb"] = "kg"
    house_rules: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=200)] | None = Field(
        None, description="a web address (http:// or https://), or nothing"
    )
    """Shown as a QR code on the idle kiosk."""


class Pins(Section):
    factory: Literal["lgpio", "mock"] = "lgpio"
    """``mock`` only together with [simulation]; never chosen by itself."""
    load_data: Pin = 5
    load_clock: Pin = 6
    load_data_right: Pin = 24
    """Second HX711, with ``load.cells = 2``; likewise the next."""
    load_clock_right: Pin = 25
    load_ready: Pin = 4
    """Data-ready (DRDY) of a NAU7802; its I2C is on 2 and 3."""
    load_ready_right: Pin = 26
    seat_spi_clock: Pin = 11
    seat_spi_mosi: Pin = 10
    seat_spi_miso: Pin = 9
    seat_spi_select: Pin = 8
    seat_switches: tuple[Pin, ...] = ()
    """One switch to ground a notch, the first notch first."""
    carriage_a: Pin = 16
    carriage_b: Pin = 20
    buzzer: Pin = 18
    light_red: Pin = 17
    light_green: Pin = 27
    light_blue: Pin = 22
    button: Pin = 23


I2cBus = Annotated[int, Field(ge=0, le=22, description="number of /dev/i2c-...")]
CountsPerKg = Annotated[float, Field(ge=-1e6, le=1e6)]
AdcChannel = Annotated[int, Field(ge=0, le=7, description="channel of the MCP3008")]
Direction = Literal["away", "towards"]


class Load(Section):
    """One load cell, or one for each foot, on an HX711 or a NAU7802 each."""

    converter: Literal["hx711", "nau7802", "none"] = "hx711"
    cells: Literal[1, 2] = 1
    """2: left and right foot; the keys without ``_right`` are the left one's."""
    location: Literal["plate", "stack"] = "plate"
    channel_gain: Literal["a128", "a64", "b32"] = "a128"
    samples_per_s: Literal[10, 20, 40, 80, 320] = 80
    bus: I2cBus = 1
    bus_right: I2cBus = 3
    counts_per_kg: CountsPerKg | None = None
    """From ``legpress calibrate load``; None: load unknown, treated as heavy."""
    tare_counts: int = 0
    counts_per_kg_right: CountsPerKg | None = None
    tare_counts_right: int = 0
    rail_deg: Annotated[float, Field(ge=0, le=90)] = 45.0
    """Angle of the rails above the floor; enters where the cell sits under the plate."""
    zero_limit_kg: Annotated[float, Field(gt=0, le=20)] = 2.0
    """The empty machine may read this much before staff are asked to set it to zero."""

    @property
    def calibrated(self) -> bool:
        return self.counts_per_kg is not None and (self.cells == 1 or self.counts_per_kg_right is not None)


class Seat(Section):
    """Where the seat stands, by one sensor or by two that watch each other; none: the seat is not watched."""

    sensors: tuple[Literal["pot", "switches", "tof"], ...] = ("pot",)
    channel: AdcChannel = 0
    reading_at_first: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Fraction of full scale at notch 1."""
    reading_at_last: Annotated[float, Field(ge=0, le=1)] = 0.95
    max_rate_m_s: Annotated[float, Field(gt=0, le=5)] = 1.5
    tof_bus: I2cBus = 1
    tof_first_m: Annotated[float, Field(ge=0, le=3)] = 0.2
    """Distance that the VL53L1X reads at notch 1."""
    tof_direction: Direction = "away"
    """Whether the distance grows or shrinks from notch to notch."""
    disagree_m: Annotated[float, Field(gt=0, le=0.2)] = 0.03


class Carriage(Section):
    """A sensor of the sled's own; where there is none the cameras see the plate."""

    sensor: Literal["encoder", "tof", "none"] = "none"
    counts_per_m: Annotated[float, Field(ge=-1e6, le=1e6)] = 4000.0
    """Edges of both channels; negative where lowering counts down."""
    tof_bus: I2cBus = 1
    tof_direction: Direction = "away"


class Pads(Section):
    """Force sensors behind the back pad, on the MCP3008."""

    enabled: bool = False
    lumbar_channel: AdcChannel = 1
    sacrum_channel: AdcChannel = 2
    contact: Annotated[float, Field(gt=0, le=1)] = 0.15
    lost: Annotated[float, Field(gt=0, le=1)] = 0.08
    dwell_s: Annotated[float, Field(ge=0, le=5)] = 0.15


Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Outputs(Section):
    buzzer: Literal["active", "passive", "none"] = "active"
    tone_hz: Annotated[int, Field(ge=150, le=4000)] = 880
    loudness_day: Annotated[float, Field(ge=0, le=1)] = 1.0
    loudness_night: Annotated[float, Field(ge=0, le=1)] = 1.0
    night_from: Clock = "22:00"
    night_to: Clock = "07:00"
    light: Literal["rgb", "traffic", "none"] = "rgb"


class Camera(Section):
    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,20}$")] = "side"
    source: Literal["picamera2", "usb", "clip", "scenario"] = "picamera2"
    location: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Where it is plugged in: ``cam0`` or ``cam1`` (the Pi's connectors) or a full Id of picamera2; for USB a name in
    /dev/v4l/by-path. Numbers are not used: they change when a camera is added or breaks."""
    mains_hz: Literal[50, 60] = 50
    """Lamps flicker at twice this; frame time and exposure keep to it."""
    exposure_us: Annotated[int, Field(ge=100, le=33_000)] | None = None
    """None: by itself, in whole periods of the lamps."""
    gain: Annotated[float, Field(ge=1, le=255)] | None = None
    """Only with ``exposure_us``. The Pi's cameras: times the light (1 to 16); USB: the camera's own units."""
    clip: Path | None = None
    calibration: Path | None = None
    """From ``legpress calibrate camera``; without one no posture is judged."""
    model: Literal["lite", "full", "heavy"] = "full"


class Band(Section):
    low: Annotated[float, Field(ge=0, le=1)]
    high: Annotated[float, Field(ge=0, le=1)]


class Goals(Section):
    """Foot placement wanted by each goal: 0 = the plate's top edge, 1 = its bottom edge (ours)."""

    glutes: Band = Band(low=0.10, high=0.40)
    balanced: Band = Band(low=0.35, high=0.60)
    quads: Band = Band(low=0.55, high=0.85)
    warm_up: Band = Band(low=0.35, high=0.60)


class Hysteresis(Section):
    """A fault that begins at ``onset`` held for ``dwell_s``, and ends at ``release``."""

    onset: float
    release: float
    dwell_s: Annotated[float, Field(ge=0, le=5)] = 0.1
    enabled: bool = True


class Severe(Hysteresis):
    """As above, and high priority from ``high``, or from ``high_heavy`` under heavy load."""

    high: float
    high_heavy: float


class Faults(Section):
    """Thresholds. All are ours where docs/accuracy.md names no source."""

    back_rounding_deg: Severe = Severe(onset=9, release=6, dwell_s=0.05, high=18, high_heavy=12)
    back_arching_deg: Hysteresis = Hysteresis(onset=6, release=4, dwell_s=0.05)
    knee_valgus_deg: Severe = Severe(onset=5.5, release=3.5, dwell_s=0.05, high=14, high_heavy=10)
    knee_lockout_deg: Hysteresis = Hysteresis(onset=6.5, release=9)
    """Knee flexion: below ``onset``, released above ``release``."""
    hips_forward_m: Hysteresis = Hysteresis(onset=0.04, release=0.025, dwell_s=0.5)
    heel_lift_deg: Hysteresis = Hysteresis(onset=8, release=5, dwell_s=0.4)
    fast_drop_s: Annotated[float, Field(gt=0, le=5)] = 0.8
    fast_drop_m_s: Annotated[float, Field(gt=0, le=5)] = 0.8
    partial_depth_deg: Annotated[float, Field(gt=0, le=150)] = 70.0
    feet_mismatch: Annotated[float, Field(gt=0, le=1)] = 0.05
    feet_mismatch_dwell_s: Annotated[float, Field(ge=0, le=10)] = 1.0
    seat_misfit_deg: Annotated[float, Field(gt=0, le=150)] = 90.0
    """Knee flexion before which rounding must not begin."""
    seat_unlocked_dwell_s: Annotated[float, Field(ge=0, le=5)] = 0.2
    heavy_fraction: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Heavy = over this share of the member's usual working load, or unknown."""
    guest_margin: Annotated[float, Field(ge=1, le=3)] = 1.35
    """A guest without a neutral is judged with limits this many times wider."""
    error_allowance: Annotated[float, Field(ge=0, le=3)] = 1.0
    """How far an uncertain measure must go beyond its onset: this many times its standard error in
    excess of the gap between onset and release. 0: take every measure at its word."""
    pose_stale_s: Annotated[float, Field(gt=0, le=10)] = 1.0


class Cueing(Section):
    coaching_per_rep: Annotated[int, Field(ge=0, le=5)] = 1
    confirmation_s: Annotated[float, Field(gt=0, le=10)] = 2.0
    acknowledge_s: Annotated[float, Field(gt=0, le=120)] = 60.0
    """How long the button silences medium and low sounds (IEC 60601-1-8: at most 120 s)."""
    set_ends_after_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """Rest with the carriage up and no rep begun that ends a set."""
    load_taken_kg: Annotated[float, Field(gt=0, le=50)] = 5.0
    """A seated lifter has taken the load above this."""


HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$")]


class Web(Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    threads: Annotated[int, Field(ge=4, le=128)] = 16
    event_streams: Annotated[int, Field(ge=1, le=512)] = 64
    session_hours: Annotated[float, Field(gt=0, le=168)] = 12.0
    names: tuple[HostName, ...] = ()
    """Under which a proxy on this machine serves the staff's pages to the network."""


Days = Annotated[int, Field(ge=1, le=3650)]


class Retention(Section):
    """How long what is stored is kept (days). Deleted once a day, and announced on the staff's pages before."""

    sets_days: Days = 730
    """With the reps, curves and stick figures of the sets."""
    reps_days: Days = 730
    alerts_days: Days = 730
    """With their reviews and replays."""
    replays_days: Days = 90
    """Stick figures and curves of alerts and reps."""
    audit_days: Days = 730
    at_hour: Annotated[int, Field(ge=0, le=23)] = 3
    """Hour of the day, local time."""


class Simulation(Section):
    """The virtual leg press. Only takes effect where it is named."""

    scenario: Literal["clean", "rounding", "valgus", "mixed"] | None = None
    once: bool = False
    pin_trace: Path | None = None
    """Every edge of buzzer and light is appended to this file, one JSON line each."""
    stickers: bool = False
    """The simulated machine carries the stickers of the sled45 profile, for trying the calibration."""


class Config(Section):
    paths: Paths = Paths()
    machine: Machine = Machine()
    pins: Pins = Pins()
    load: Load = Load()
    seat: Seat = Seat()
    carriage: Carriage = Carriage()
    pads: Pads = Pads()
    outputs: Outputs = Outputs()
    cameras: tuple[Camera, ...] = (Camera(),)
    goals: Goals = Goals()
    faults: Faults = Faults()
    cueing: Cueing = Cueing()
    web: Web = Web()
    retention: Retention = Retention()
    simulation: Simulation = Simulation()

    def calibration_file(self, camera: Camera) -> Path:
        """Where this camera's calibration is, or will be: the file that is named, or one in the state folder."""
        return camera.calibration or self.paths.state_dir / "calibration" / f"{camera.name}.toml"
