"""Driver of the HX711 load-cell converter on two header pins. Figures from AVIA's data sheet unless said.

The chip pulls DOUT low when a conversion is ready. 24 clock pulses fetch it, most significant bit first,
as two's complement; one to three further pulses choose channel and gain of the next conversion, and DOUT
goes high. A clock that stays high for 60 us powers the chip down. There is no checksum: what can be told
from the wire is told here (``Frame.fault``), what can be told from the value's neighbours in ``device.load``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from device.load_converter import BITS, SETTLING_PERIODS, Frame, FrameFault, doubt_value, signed
from device.pins import InputPin, OutputPin

ChannelGain = Literal["a128", "a64", "b32"]

PULSES: dict[ChannelGain, int] = {"a128": 25, "b32": 26, "a64": 27}
MAX_HIGH_S = 50e-6
"""Longest clock pulse that the data sheet allows."""
POWER_DOWN_S = 60e-6
"""A pulse this long resets the chip."""
SHORTEST_PERIOD = 0.9
"""Of the nominal period: the chip's own clock may be off by some per cent (ours)."""


class HX711:
    """One chip. ``now_s`` is monotonic; ``pulse_clock`` (s) times the pulses, ``sleep`` waits between them."""

    def __init__(
        self,
        data: InputPin,
        clock: OutputPin,
        channel_gain: ChannelGain = "a128",
        samples_per_s: int = 80,
        *,
        pulse_clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._data, self._clock = data, clock
        self._wanted: ChannelGain = channel_gain
        self._selected: ChannelGain = "a128"
        self._tick, self._sleep = pulse_clock, sleep
        self.period_s = 1.0 / samples_per_s
        self._idle_s = 0.0  # when DOUT was last known to be high
        self._ready_s = 0.0  # before this the conversion fetched last was not ready
        self.settled_s = 0.0
        """Before this moment a conversion is not to be trusted."""

    def reset(self, now_s: float) -> None:
        """Power the chip down and up: a known state (channel A, gain 128), settled ``SETTLING_PERIODS`` later."""
        self.power_down()
        self.power_up(now_s)

    def power_down(self) -> None:
        """Below 1 uA until ``power_up``."""
        self._clock.state = True
        self._sleep(2 * POWER_DOWN_S)

    def power_up(self, now_s: float) -> None:
        self._clock.state = False
        self._selected = "a128"
        self._settle(now_s)

    def _settle(self, now_s: float) -> None:
        self._idle_s = self._ready_s = now_s
        self.settled_s = now_s + SETTLING_PERIODS * self.period_s

    @property
    def next_ready_s(self) -> float:
        """No conversion after the last fetched one is ready before this."""
        return max(self._idle_s, self._ready_s + SHORTEST_PERIOD * self.period_s)

    def ready(self) -> bool:
        """True while a conversion waits to be fetched."""
        return not self._data.state

    def read(self, now_s: float) -> Frame | None:
        """Fetch the waiting conversion; None when there is none. Takes about 0.3 ms on a Pi."""
        if not self.ready():
            self._idle_s = now_s
            return None
        start = self._tick()
        bits, slowest_s = self._clock_out(BITS)
        if slowest_s <= POWER_DOWN_S:
            _, tail_s = self._clock_out(PULSES[self._wanted] - BITS)
            slowest_s = max(slowest_s, tail_s)
        self._ready_s = self.next_ready_s
        self._idle_s = now_s + (self._tick() - start)
        if slowest_s > POWER_DOWN_S:
            # measured around the pulse, so it may or may not have reset the chip: make sure, and start in step
            self.reset(now_s)
        if slowest_s > MAX_HIGH_S:
            return Frame(now_s, None, "slow_pulse")
        if not self._data.state:
            return Frame(now_s, None, "not_released")
        raw = signed(bits)
        return Frame(now_s, raw, self._doubt(raw, now_s))

    def _doubt(self, raw: int, now_s: float) -> FrameFault | None:
        """Why a frame that was clocked out in order is not to be believed all the same."""
        if self._selected != self._wanted:
            # this conversion was still made with the old setting
            self._selected = self._wanted
            self._settle(now_s)
            return "settling"
        if now_s < self.settled_s:
            return "settling"
        if self._idle_s > self._ready_s + SHORTEST_PERIOD * self.period_s:
            # the data sheet does not say what the bits are when the next conversion comes during a fetch
            return "late"
        return doubt_value(raw)

    def _clock_out(self, pulses: int) -> tuple[int, float]:
        """Bits read and the longest time (s) that the clock was high; ends early once the chip must have reset."""
        data, clock, tick = self._data, self._clock, self._tick
        bits, slowest_s = 0, 0.0
        for _ in range(pulses):
            start = tick()
            clock.state = True
            clock.state = False
            high_s = tick() - start
            if high_s > slowest_s:
                slowest_s = high_s
                if high_s > POWER_DOWN_S:
                    break
            bits = bits << 1 | data.state
        return bits, slowest_s
