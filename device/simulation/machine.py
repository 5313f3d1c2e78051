"""The virtual leg press: a scenario felt through simulated chips, button and wires on mock pins."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Literal

from device.config import Config
from device.hx711 import ChannelGain
from device.pins import MockBoard
from device.scenario import CELL_COUNTS_PER_KG, CELL_TARE_COUNTS, Moment, Scenario, ScenarioClock
from device.simulation.hx711_chip import SimulatedHX711
from device.simulation.mcp3008_chip import SimulatedMCP3008

CELL_NOISE_COUNTS = 150.0
"""Standard deviation of a reading: 0.02 kg."""
POT_NOISE_STEPS = 0.6

PotFault = Literal["open", "short", "jump"]
"""``open`` the wiper's wire is broken · ``short`` it touches the supply · ``jump`` a worn spot: readings leap about."""


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
        self._random = random.Random(3008)
        self.timer = timer or PulseTimer()
        """For the HX711 driver: ``HX711(..., pulse_clock=machine.timer.now, sleep=machine.timer.sleep)``."""
        self.pot_fault: PotFault | None = None
        self.extra_kgf = 0.0
        """Somebody leaning on the plate."""
        self.seat_offset_notches = 0.0
        """The seat's pin not fallen into its hole: between notches."""
        self.load_chip = SimulatedHX711(
            board,
            config.pins.load_data,
            config.pins.load_clock,
            self._counts,
            config.load.samples_per_s,
            clock=now,
            pulse_clock=self.timer.now,
        )
        self.seat_chip = SimulatedMCP3008(board, config.pins, self._pot)
        self.button = SimulatedButton(board, config.pins.button)

    def moment(self) -> Moment:
        """The scenario as it stands now."""
        return self._scenario.moment(self._clock.elapsed(self._now()), self._once)

    def _counts(self, setting: ChannelGain, t_s: float) -> int:
        if setting == "b32":
            return round(self._random.gauss(0.0, CELL_NOISE_COUNTS))  # nothing is wired to channel B
        moment = self._scenario.moment(self._clock.elapsed(t_s), self._once)
        kgf = moment.cell_kgf if self._config.load.location == "plate" else moment.stack_kgf
        counts = CELL_TARE_COUNTS + CELL_COUNTS_PER_KG * (kgf + self.extra_kgf)
        counts += self._random.gauss(0.0, CELL_NOISE_COUNTS)
        return round(counts if setting == "a128" else counts / 2)

    def _pot(self, channel: int) -> int:
        if channel != self._config.seat.channel:
            return 0
        if self.pot_fault == "open":
            return 0
        if self.pot_fault == "short":
            return 1023
        if self.pot_fault == "jump":
            return self._random.randrange(60, 960)
        notches, seat = self._config.machine.seat_notches_m, self._config.seat
        place = self.moment().seat_place + self.seat_offset_notches - 1
        below = max(0, min(int(place), len(notches) - 2))
        place_m = notches[below] + (place - below) * (notches[below + 1] - notches[below])
        share = (place_m - notches[0]) / (notches[-1] - notches[0])
        reading = seat.reading_at_first + share * (seat.reading_at_last - seat.reading_at_first)
        return round(1023 * reading + self._random.gauss(0.0, POT_NOISE_STEPS))
