"""The virtual leg press: a scenario felt through simulated chips, button and wires on mock pins."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from functools import partial

from device.config import Config
from device.hx711 import ChannelGain
from device.messages import Side
from device.pins import MockBoard
from device.scenario import CELL_COUNTS_PER_KG, CELL_TARE_COUNTS, Moment, Scenario, ScenarioClock
from device.scenario_faults import Broken, PotFault, ScenarioFaults
from device.simulation.encoder import SimulatedEncoder
from device.simulation.hand import Hand
from device.simulation.hx711_chip import SimulatedHX711
from device.simulation.mcp3008_chip import SimulatedMCP3008
from device.simulation.nau7802_chip import SimulatedNAU7802
from device.simulation.vl53l1x_chip import SimulatedVL53L1X

CELL_NOISE_COUNTS = 150.0
"""Standard deviation of a reading: 0.02 kg."""
POT_NOISE_STEPS = 0.6
RANGER_NOISE_M = 0.003
FAR_SIDE_SHARE = 0.2
"""Of a weight on one side, what the other foot's cell carries: the plate is one piece."""


class PulseTimer:
    """The time that passes on the virtual wires: a little with every look at it, and what is slept on purpose.

    A pulse on simulated pins has no length of its own. If it were timed by the computer's clock, a computer
    busy with something else would seem to power the chip down.
    """

    LOOK_S = 3e-6

    def __init__(self) -> None:
        self._now_s = 0.0

    def now(self) -> float:
        self._now_s += self.LOOK_S
        return self._now_s

    def sleep(self, duration_s: float) -> None:
        """So much time on the wires, and none for whoever waits. In a test: a slow pulse."""
        self._now_s += duration_s


class SimulatedButton:
    """A switch to ground."""

    def __init__(self, board: MockBoard, pin: int) -> None:
        self._board, self._pin = board, pin

    def press(self) -> None:
        self._board.drive(self._pin, False)

    def release(self) -> None:
        self._board.drive(self._pin, True)


class VirtualMachine:
    """All of it. Make it before the drivers; it has no thread: the drivers' reads move it along."""

    def __init__(
        self,
        config: Config,
        scenario: Scenario,
        board: MockBoard,
        clock: ScenarioClock,
        once: bool = False,
        *,
        now: Callable[[], float] = time.monotonic,
        timer: PulseTimer | None = None,
    ) -> None:
        self._config, self._scenario, self._clock, self._once, self._now = config, scenario, clock, once, now
        self._hand = Hand(config.paths.runtime_dir)
        self._random = random.Random(3008)
        self.timer = timer or PulseTimer()
        """For the HX711 driver: ``HX711(..., pulse_clock=machine.timer.now, sleep=machine.timer.sleep)``."""
        self._faults: ScenarioFaults | None = None
        self._broken = Broken()
        self.pot_fault: PotFault | None = None
        """``open`` the wiper's wire is broken · ``short`` it touches the supply · ``jump`` a worn spot: leaps about."""
        self.extra_kgf = 0.0
        """Somebody leaning on the plate."""
        self.on_load_changed: Callable[[float, bool], None] = lambda made_s, loaded: None
        """Called with the first conversion that carries another ``extra_kgf``: when it was made, and whether any."""
        self._felt_kgf = 0.0
        self.seat_offset_notches = 0.0
        """The seat's pin not fallen into its hole: between notches."""
        self.pad_shares = (0.45, 0.45)
        """How hard the back rests on the lumbar and on the sacral force sensor."""
        pins, load = config.pins, config.load
        if load.converter == "hx711":
            self.load_chip = self._hx711(board, pins.load_data, pins.load_clock, "left")
            if load.cells == 2:
                self.load_chip_right = self._hx711(board, pins.load_data_right, pins.load_clock_right, "right")
        elif load.converter == "nau7802":
            left, right = partial(self._bridge_counts, side="left"), partial(self._bridge_counts, side="right")
            self.bridge = SimulatedNAU7802(board, load.bus, pins.load_ready, left, now)
            if load.cells == 2:
                self.bridge_right = SimulatedNAU7802(board, load.bus_right, pins.load_ready_right, right, now)
        if "pot" in config.seat.sensors or config.pads.enabled:
            self.adc = SimulatedMCP3008(board, pins, self._adc_reading)
        if "switches" in config.seat.sensors:
            for i, pin in enumerate(pins.seat_switches, start=1):
                board.feed(pin, partial(self._switch_level, i))
        if "tof" in config.seat.sensors:
            self.seat_ranger = SimulatedVL53L1X(board, config.seat.tof_bus, self._seat_distance_m, now)
        if config.carriage.sensor == "encoder":
            self.encoder = SimulatedEncoder(board, pins.carriage_a, pins.carriage_b)
        elif config.carriage.sensor == "tof":
            self.carriage_ranger = SimulatedVL53L1X(board, config.carriage.tof_bus, self._carriage_distance_m, now)
        self.button = SimulatedButton(board, pins.button)

    def _hx711(self, board: MockBoard, data_pin: int, clock_pin: int, side: Side) -> SimulatedHX711:
        return SimulatedHX711(
            board,
            data_pin,
            clock_pin,
            partial(self._counts, side=side),
            self._config.load.samples_per_s,
            clock=self._now,
            pulse_clock=self.timer.now,
        )

    @property
    def seat_chip(self) -> SimulatedMCP3008:
        """The converter that the potentiometer hangs on."""
        return self.adc

    def turn_encoder(self) -> None:
        """Let the encoder follow the carriage to where it is now; its edges come as the pins change."""
        self.encoder.move_to(round(self.moment().carriage_m * self._config.carriage.counts_per_m))

    def moment(self) -> Moment:
        """The scenario as it stands now."""
        return self._scenario.moment(self._clock.elapsed(self._now()), self._once)

    def break_as(self, faults: ScenarioFaults) -> None:
        """From now on what `faults` says is broken, is."""
        self._faults = faults

    def _look_at_faults(self) -> None:
        # on a change only: a test may break things by hand besides
        if self._faults is not None and (broken := self._faults.now()) != self._broken:
            self._broken = broken
            self.load_chip.fault, self.pot_fault = broken.load, broken.pot
            self.extra_kgf, self.seat_offset_notches = broken.extra_kgf, broken.seat_offset_notches

    def _counts(self, setting: ChannelGain, t_s: float, side: Side = "left") -> int:
        self._look_at_faults()
        if self.extra_kgf != self._felt_kgf:
            self._felt_kgf = self.extra_kgf
            self.on_load_changed(t_s, self.extra_kgf != 0.0)
        if setting == "b32":
            return round(self._random.gauss(0.0, CELL_NOISE_COUNTS))  # nothing is wired to channel B
        counts = self._bridge_counts(t_s, side)
        return round(counts if setting == "a128" else counts / 2)

    def _bridge_counts(self, t_s: float, side: Side = "left") -> int:
        """Of one cell; two share the load equally, but for what is put on one side."""
        moment, load = self._scenario.moment(self._clock.elapsed(t_s), self._once), self._config.load
        kgf = moment.cell_kgf if load.location == "plate" else moment.stack_kgf
        along = math.sin(math.radians(load.rail_deg)) if load.location == "plate" else 1.0
        kgf = (kgf + self.extra_kgf + along * self._hand.load_kg) / load.cells
        left_kg, right_kg = self._hand.load_left_kg, self._hand.load_right_kg
        near_kg, far_kg = (left_kg, right_kg) if side == "left" else (right_kg, left_kg)
        if load.cells == 2:
            kgf += along * ((1 - FAR_SIDE_SHARE) * near_kg + FAR_SIDE_SHARE * far_kg)
        else:
            kgf += along * (near_kg + far_kg)
        return round(CELL_TARE_COUNTS + CELL_COUNTS_PER_KG * kgf + self._random.gauss(0.0, CELL_NOISE_COUNTS))

    def _adc_reading(self, channel: int) -> int:
        pads = self._config.pads
        if pads.enabled and channel in (pads.lumbar_channel, pads.sacrum_channel):
            share = self.pad_shares[0 if channel == pads.lumbar_channel else 1]
            return round(1023 * share + self._random.gauss(0.0, POT_NOISE_STEPS))
        return self._pot(channel)

    def _seat_m(self) -> float:
        notches = self._config.machine.seat_notches_m
        place = (self._hand.seat_notch or self.moment().seat_place) + self.seat_offset_notches - 1
        below = max(0, min(int(place), len(notches) - 2))
        return notches[below] + (place - below) * (notches[below + 1] - notches[below])

    def _switch_level(self, notch: int) -> bool:
        """A closed switch pulls its pin to ground."""
        return not self._switch_closed(notch)

    def _switch_closed(self, notch: int) -> bool:
        machine = self._config.machine
        return abs(self._seat_m() - machine.seat_notches_m[notch - 1]) <= machine.seat_notch_tolerance_m

    def _seat_distance_m(self, t_s: float) -> float:
        seat = self._config.seat
        sign = 1 if seat.tof_direction == "away" else -1
        return seat.tof_first_m + sign * self._seat_m() + self._random.gauss(0.0, RANGER_NOISE_M)

    def _carriage_distance_m(self, t_s: float) -> float:
        sign = 1 if self._config.carriage.tof_direction == "away" else -1
        moved_m = self._scenario.moment(self._clock.elapsed(t_s), self._once).carriage_m
        return 1.0 + sign * moved_m + self._random.gauss(0.0, RANGER_NOISE_M)

    def _pot(self, channel: int) -> int:
        self._look_at_faults()
        if channel != self._config.seat.channel:
            return 0
        if self.pot_fault == "open":
            return 0
        if self.pot_fault == "short":
            return 1023
        if self.pot_fault == "jump":
            return self._random.randrange(60, 960)
        notches, seat = self._config.machine.seat_notches_m, self._config.seat
        share = (self._seat_m() - notches[0]) / (notches[-1] - notches[0])
        reading = seat.reading_at_first + share * (seat.reading_at_last - seat.reading_at_first)
        return round(1023 * reading + self._random.gauss(0.0, POT_NOISE_STEPS))


class EncoderMotion:
    """Turns the encoder with the carriage: the one part whose edges come by themselves, and not when it is read."""

    PERIOD_S = 0.01

    def __init__(self, machine: VirtualMachine) -> None:
        self._machine = machine
        self.next_due_s = -math.inf

    def poll(self, now_s: float) -> None:
        self.next_due_s = now_s + self.PERIOD_S
        self._machine.turn_encoder()
