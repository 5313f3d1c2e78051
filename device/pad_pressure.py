"""How hard the back rests on its pad: two force sensors on the MCP3008, behind the lumbar curve and the sacrum.

A force-sensing resistor lies between the supply and its channel, with 10 kOhm to ground and 1 MOhm across it: unloaded
it reads about 1 % of full scale, a broken wire reads 0, a short circuit full scale.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median_low
from typing import Final, Literal

from device.messages import PadSample, PartReport
from device.pins import AnalogInput
from device.sensor_report import ReadingLog, Trouble

FULL_SCALE = 1023
OPEN_BELOW = 0.004
"""1 MOhm against 10 kOhm gives 0.0099 of full scale: below 4 steps there is no sensor (ours)."""
SHORT_ABOVE = 0.985
"""The stiffest sensor keeps some 300 Ohm: 0.97 (ours)."""
PERIOD_S = 0.02
MEDIAN_OF = 3
STALE_AFTER_S = 0.1
FAILED_AFTER_S = 1.0
DISABLED_S = 0.5

TROUBLES: Final = {
    "open": Trouble("reads 0: a wire is broken", "check its two wires, its 1 MOhm resistor and the converter"),
    "short": Trouble("reads full scale: it is squashed or short-circuited", "check its wires; replace it if damaged"),
    "silent": Trouble("the converter (MCP3008) does not answer", "check SPI's four wires and its supply"),
}

Fault = Literal["open", "short", "silent"]


class _Pad:
    """One sensor: a median, or the reason for none."""

    def __init__(self, part: str, adc: AnalogInput) -> None:
        self._adc = adc
        self._raw: deque[int] = deque(maxlen=MEDIAN_OF)
        self.log = ReadingLog(part, "steps", 1.0 / PERIOD_S, TROUBLES)

    def read(self, now_s: float) -> tuple[float | None, Fault | None]:
        try:
            raw = self._adc.raw_value
        except OSError:
            self._raw.clear()
            self.log.refused(now_s, "silent")
            return None, "silent"
        self._raw.append(raw)
        share = median_low(self._raw) / FULL_SCALE
        if OPEN_BELOW <= share <= SHORT_ABOVE:
            self.log.took(now_s, raw)
            return share, None
        fault: Fault = "open" if share < OPEN_BELOW else "short"
        self.log.refused(now_s, fault)
        return None, fault


class PadReader:
    """Both sensors at once. ``poll`` when ``next_due_s`` has come; no thread, no clock of its own."""

    def __init__(self, lumbar: AnalogInput, sacrum: AnalogInput) -> None:
        self._lumbar, self._sacrum = _Pad("back pad lumbar", lumbar), _Pad("back pad sacrum", sacrum)
        self.next_due_s = -math.inf
        self._answered_s: float | None = None

    def poll(self, now_s: float) -> PadSample | None:
        """One sample a call; none for a moment while the converter does not answer."""
        self.next_due_s = now_s + PERIOD_S
        if self._answered_s is None:
            self._answered_s = now_s
        lumbar, lumbar_fault = self._lumbar.read(now_s)
        sacrum, sacrum_fault = self._sacrum.read(now_s)
        faults = (lumbar_fault, sacrum_fault)
        if "silent" in faults:
            silent_s = now_s - self._answered_s
            if silent_s <= STALE_AFTER_S:
                return None
            return PadSample(now_s, None, None, "failed" if silent_s > FAILED_AFTER_S else "stale")
        self._answered_s = now_s
        if "open" in faults:
            return PadSample(now_s, lumbar, sacrum, "open")
        return PadSample(now_s, lumbar, sacrum, "short" if "short" in faults else "ok")

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return (self._lumbar.log.report(now_s), self._sacrum.log.report(now_s))


class NoPads:
    """In place of pad sensors on a machine without."""

    next_due_s = -math.inf

    def poll(self, now_s: float) -> None:
        self.next_due_s = now_s + DISABLED_S

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return ()
