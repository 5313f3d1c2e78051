"""What the core remembers between two events. Immutable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from device.config import Config
from device.core.actions import Flash, ReplayFrame
from device.core.carriage_watch import CarriageWatch
from device.core.pad_watch import PadWatch
from device.core.posture import NeutralProfile, Posture, PostureState
from device.core.rep_signals import RepShape
from device.core.reps import RepTracker
from device.core.rulebook import Rule, rules_of
from device.messages import (
    AlertRecord,
    Colour,
    Condition,
    FaultKind,
    Goal,
    LoadSample,
    PoseSample,
    Priority,
    RepMark,
    SeatSample,
    Side,
)


class Clock(NamedTuple):
    now_s: float = float("-inf")
    """The newest time of any event."""
    tick_s: float | None = None
    """The newest tick."""
    first_tick_s: float | None = None
    read_s: float | None = None
    """When the wall clock was read that times for people are counted from; not during a set, whose times keep their
    distances when somebody, or the network, sets the clock."""
    read_utc: str = ""


class Sensors(NamedTuple):
    """The newest samples of the sensors, and what is made of them."""

    load: LoadSample | None = None
    load_kg: float | None = None
    """The last good reading; good for ``load_fresh_s`` only."""
    load_good_s: float = float("-inf")
    smooth_kg: float | None = None
    """Half a second's average: the load without the swing of the sled."""
    taken_since_s: float | None = None
    """Since when the lifter holds the load."""
    released_s: float | None = None
    light_since_s: float | None = None
    """Since when the load was nearly nothing in mid-rep: the start of a free fall."""
    seat: SeatSample | None = None
    seat_ok_s: float = float("-inf")
    last_notch: int | None = None
    between_since_s: float | None = None
    static_kg: float | None = None
    """The load when it last stood still in the lifter's hands: what the sled weighs, whatever its movement adds."""
    beyond_since_s: float | None = None
    """Since when the load is more than any movement of a permitted sled explains."""
    carriage: CarriageWatch = CarriageWatch()
    pads: PadWatch = PadWatch()


class View(NamedTuple):
    """The newest pose, judged."""

    sample: PoseSample | None = None
    posture: Posture | None = None
    judging: PostureState = PostureState()
    person_s: float = float("-inf")
    """When somebody was last seen on the machine."""
    empty_since_s: float | None = None
    watched_since_s: float = float("-inf")
    """The last frame in which nobody lifted in view: measures are only missed after it."""
    knee_known_s: float = float("-inf")
    valgus_known_s: float = float("-inf")
    lumbar_known_s: float = float("-inf")


class RepTally(NamedTuple):
    """What is gathered over one rep, from the moment the carriage leaves the top."""

    frames: int = 0
    posture_frames: int = 0
    """Frames in which what the cameras can check was known well enough."""
    min_knee_deg: float | None = None
    max_knee_deg: float | None = None
    valgus_left_deg: float | None = None
    valgus_right_deg: float | None = None
    rounding_deg: float | None = None
    arching_deg: float | None = None
    load_sum_kg: float = 0.0
    load_n: int = 0
    peak_load_kg: float | None = None
    faults: tuple[FaultKind, ...] = ()
    rounding_from_deg: float | None = None
    """Knee flexion at which the back began to round."""


class LoadSum(NamedTuple):
    """The load of the set under way, while it was held."""

    sum_kg: float = 0.0
    n: int = 0

    @property
    def mean_kg(self) -> float | None:
        return self.sum_kg / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class FinishedRep:
    """A rep that is counted, but still open for what happens at its top (locked knees) before it is recorded."""

    number: int
    shape: RepShape
    tally: RepTally
    counted_s: float


@dataclass(frozen=True, slots=True)
class LiftingSet:
    set_id: str
    number: int
    started_s: float
    started_utc: str
    enrolment: bool
    enrolled: bool
    last_effort_s: float
    """Last end of a rep, or the start."""
    lifting: bool = False
    """A rep has begun in it."""
    announced: bool = False
    """Published and stored, for alerts and reps to refer to."""
    marks: tuple[RepMark, ...] = ()
    finished: FinishedRep | None = None
    deepest_rom_m: float | None = None
    feet_told: bool = False
    feet_off_since_s: float | None = None
    warm_up_reminder: bool = False
    shallow_reps: int = 0
    rounded_early_reps: int = 0
    least_knee_deg: float | None = None
    """The straightest the legs were at the end of any rep."""


@dataclass(frozen=True, slots=True)
class LastSet:
    """What the rest screen still shows of the set before."""

    number: int
    marks: tuple[RepMark, ...]
    ended_s: float
    rest_since_s: float
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Two slow reps are being shown. ``failure`` says why the last try was not good enough."""

    since_s: float
    samples: tuple[PoseSample, ...] = ()
    reps: int = 0
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Lifter:
    """Who is on the machine, and what they want."""

    tag: str | None = None
    neutral: NeutralProfile | None = None
    usual_load_kg: float | None = None
    last_seat_notch: int | None = None
    recalled: bool = False
    """The store has answered for this tag."""
    goal: Goal = "balanced"
    warmed_up: bool = False
    warm_up_reminded: bool = False
    since_s: float = float("-inf")
    sets: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """One posture rule's patience: since when its onset holds, and when the measure was last known."""

    beyond_since_s: float | None = None
    beyond_s: float = float("-inf")
    known_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """One fault from onset to release."""

    kind: FaultKind
    side: Side | None
    priority: Priority
    sentence: str
    since_s: float
    peak: float
    alert_id: str
    set_id: str | None
    rep_number: int | None
    started_utc: str
    until_s: float | None = None
    """An event-like fault ends by itself at this time; None: it ends when it is released."""
    corrected: str | None = None
    """What confirms its correction; None: nothing to confirm."""
    cued: bool = False
    """The member has been told of it."""


@dataclass(frozen=True, slots=True)
class Cues:
    """What the member hears and sees, and what they have been told."""

    sound: str | None = None
    sound_until_s: float | None = None
    light: Colour = "off"
    flash: Flash = "steady"
    to_confirm: str | None = None
    """A correction seen in this step, not told yet."""
    confirmation: str | None = None
    confirmed_until_s: float = float("-inf")
    silenced_until_s: float = float("-inf")
    silenced_rank: int = 0
    """The most urgent priority that was silenced: more urgent ones still sound."""
    coached: int = 0
    """Coaching cues given in this rep."""
    sounded: tuple[tuple[str, float], ...] = ()
    """When each sound of the last moments began."""
    told: tuple[tuple[str, Priority], ...] = ()
    """(alert_id, priority) of the faults that have had their sound, or their turn in silence."""
    form_check: bool = True
    """As it was last seen, for its edge."""
    rep_began: bool = False
    """In this step."""
    awaiting: tuple[FaultKind, ...] = ()
    """Event-like faults that the next rep may show to be corrected."""
    help_called: bool = False
    out_of_order: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """The last seconds, for replays; and the alerts whose five seconds after are not over yet."""

    frames: tuple[ReplayFrame, ...] = ()
    waiting: tuple[AlertRecord, ...] = ()


class Published(NamedTuple):
    seq: int = 0
    t_s: float = float("-inf")
    stale: bool = True
    """Something a person can see has changed since."""


class CoreState(NamedTuple):
    config: Config
    rules: tuple[Rule, ...]
    session: str
    clock: Clock
    sensors: Sensors
    view: View
    reps: RepTracker
    set: LiftingSet | None
    tally: RepTally
    """Of the rep under way."""
    set_load: LoadSum
    last_set: LastSet | None
    enrolment: Enrolment | None
    lifter: Lifter
    watches: tuple[Watch, ...]
    faults: tuple[ActiveFault, ...]
    cues: Cues
    conditions: tuple[Condition, ...]
    store_trouble: str | None
    history: History
    published: Published
    alerts: int
    sets: int

    @staticmethod
    def initial(config: Config, session: str = "0") -> CoreState:
        """The state at start. ``session`` makes set and alert ids unique: another at every start of the process."""
        rules = rules_of(config.faults)
        return CoreState(
            config, rules, session, Clock(), Sensors(), View(), RepTracker(), None, RepTally(), LoadSum(), None, None,
            Lifter(), (Watch(),) * len(rules), (), Cues(), (), None, History(), Published(), 0, 0,
        )  # fmt: skip
