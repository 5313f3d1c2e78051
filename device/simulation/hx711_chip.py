"""An HX711 on mock pins: answers the clock edges of whatever driver is connected, as the data sheet has it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Literal

from device.hx711 import POWER_DOWN_S, PULSES, ChannelGain
from device.load_converter import BITS, FULL_SCALE, SETTLING_PERIODS
from device.pins import MockBoard

LoadFault = Literal["silent", "stuck_low", "rail_high", "rail_low", "noise", "corrupt"]
"""``silent`` DOUT stays high (chip dead or wire to it broken) · ``stuck_low`` DOUT shorted to ground · ``rail_*`` the
bridge overdriven or a wire of it broken · ``noise`` every bit random · ``corrupt`` a share of the frames random."""

_SELECTED: dict[int, ChannelGain] = {pulses: setting for setting, pulses in PULSES.items()}


class SimulatedHX711:
    """Converts ``counts(setting, t_s)`` at its own pace. No thread: it works when its pins are touched.

    ``clock`` (s) paces the conversions, ``pulse_clock`` (s) times the clock's high state.
    """

    def __init__(
        self,
        board: MockBoard,
        data_pin: int,
        clock_pin: int,
        counts: Callable[[ChannelGain, float], int],
        samples_per_s: float = 80.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        pulse_clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._counts, self._clock, self._pulse_clock = counts, clock, pulse_clock
        self.period_s = 1.0 / samples_per_s
        self.fault: LoadFault | None = None
        self.corrupt_share = 0.05
        """Of the frames, under the fault ``corrupt``."""
        self.random = random.Random(711)
        self.setting: ChannelGain = "a128"
        self._high_since_s: float | None = None
        self._pulses = 0
        self._bits: int | None = None
        self._last_pulse_s = 0.0
        self._next_s = 0.0
        self._reset()
        board.feed(data_pin, self._data_level)
        board.watch(clock_pin, self._clock_edge)

    def _reset(self) -> None:
        self.setting = "a128"
        self._pulses, self._bits = 0, None
        # the chip holds DOUT high until it has settled
        self._next_s = self._clock() + SETTLING_PERIODS * self.period_s

    def _clock_edge(self, high: bool) -> None:
        if high:
            self._high_since_s = self._pulse_clock()
            self._convert()
            if self._bits is not None:
                self._pulses += 1
                self._last_pulse_s = self._clock()
            return
        since_s, self._high_since_s = self._high_since_s, None
        if since_s is not None and self._pulse_clock() - since_s > POWER_DOWN_S:
            self._reset()

    def _data_level(self) -> bool:
        if self.fault == "silent":
            return True
        if self.fault == "stuck_low":
            return False
        self._convert()
        if self._bits is None or self._pulses > BITS:
            return True
        if self._pulses == 0:
            return self._powered_down()
        return bool(self._bits >> (BITS - self._pulses) & 1)

    def _powered_down(self) -> bool:
        return self._high_since_s is not None and self._pulse_clock() - self._high_since_s > POWER_DOWN_S

    def _convert(self) -> None:
        """Make the newest conversion that is due the one that waits on the wire.

        A fetch that it overtakes goes on with its bits: the data sheet does not say, so the worst is assumed.
        """
        now_s = self._clock()
        if now_s < self._next_s:
            return
        if self._pulses > BITS:
            chosen = _SELECTED.get(self._pulses, self.setting)
            self._pulses, self._bits = 0, None
            if chosen != self.setting:
                self.setting = chosen
                self._next_s = self._last_pulse_s + SETTLING_PERIODS * self.period_s
                if now_s < self._next_s:
                    return
        made_s = self._next_s + (now_s - self._next_s) // self.period_s * self.period_s
        self._next_s = made_s + self.period_s
        self._bits = self._wire_bits(self._counts(self.setting, made_s))

    def _wire_bits(self, counts: int) -> int:
        if self.fault == "noise" or (self.fault == "corrupt" and self.random.random() < self.corrupt_share):
            return self.random.getrandbits(BITS)
        if self.fault in ("rail_high", "rail_low"):
            counts = FULL_SCALE - 1 if self.fault == "rail_high" else -FULL_SCALE
        return max(-FULL_SCALE, min(FULL_SCALE - 1, counts)) & ((1 << BITS) - 1)
