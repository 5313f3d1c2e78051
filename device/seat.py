"""The seat's place, from a potentiometer on an MCP3008: metres and notch, or an honest reason for none.

The potentiometer is wired with a resistor at either end, so that its whole travel reads 5 to 95 % of full
scale: what reads outside is a broken wire, never a seat.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from statistics import median_low
from typing import Final

from device.config import Machine, Seat
from device.messages import PartReport, SeatSample
from device.pins import AnalogInput
from device.seat_place import NOISE_M, SETTLED_READINGS, SeatPlace
from device.sensor_report import ReadingLog, Trouble

__all__ = ["NOISE_M", "SETTLED_READINGS", "NoSeat", "SeatReader"]

FULL_SCALE = 1023
OPEN_BELOW = 0.02
SHORT_ABOVE = 0.98
"""Shares of full scale (ours): half-way between the wired ends and the rails."""
PERIOD_S = 0.05
MEDIAN_OF = 3
STEADY_OF = 5
"""A seat that stands gives readings that agree, but for a lone wild one; a worn potentiometer's leap about, and one of
them lies at a notch now and then (ours)."""
NOISE_STEPS = 14
"""``NOISE_M`` on 0.3 m of travel, in steps of the converter."""
STALE_AFTER_S = 0.15
FAILED_AFTER_S = 1.0
DISABLED_S = 0.5
"""How often a machine without a seat sensor says so."""

TROUBLES: Final = {
    "silent": Trouble("the converter (MCP3008) does not answer", "check SPI's four wires and its supply"),
    "open": Trouble("reads 0: a wire is broken", "check the wiper's wire, the converter's supply and MISO"),
    "short": Trouble("reads full scale: a wire touches the supply", "check the wiper's wire for a short circuit"),
    "jump": Trouble("readings leap about", "clean or replace the potentiometer; check its connector"),
    "uncalibrated": Trouble("is not calibrated", "run 'legpress calibrate seat'"),
}


class SeatReader:
    """Turns readings into samples. Call ``poll`` when ``next_due_s`` has come; no thread, no clock of its own."""

    def __init__(self, adc: AnalogInput, config: Seat, machine: Machine) -> None:
        self._adc, self._config, self._machine = adc, config, machine
        self.next_due_s = -math.inf
        self._raw: deque[int] = deque(maxlen=STEADY_OF)
        self._place = SeatPlace(config, machine)
        self._last_read_s: float | None = None
        self._log = ReadingLog("seat potentiometer", "steps", 1.0 / PERIOD_S, TROUBLES)

    def poll(self, now_s: float) -> SeatSample | None:
        """One sample a call; None before the first readings, and for a moment when the converter does not answer."""
        self.next_due_s = now_s + PERIOD_S
        try:
            raw = self._adc.raw_value
        except OSError:
            self._log.refused(now_s, "silent")
            return self._unanswered(now_s)
        sample = self._judge(now_s, raw)
        if sample is None:
            return None
        if sample.quality in TROUBLES:
            self._log.refused(now_s, sample.quality)
        else:
            self._log.took(now_s, raw)
        return sample

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return (self._log.report(now_s),)

    def _judge(self, now_s: float, raw: int) -> SeatSample | None:
        self._last_read_s = now_s
        self._raw.append(raw)
        latest = list(self._raw)[-MEDIAN_OF:]
        share = median_low(latest) / FULL_SCALE
        if not OPEN_BELOW <= share <= SHORT_ABOVE:
            # what was read over a broken wire says nothing of the seat
            self._raw.clear()
            return SeatSample(now_s, None, None, "open" if share < OPEN_BELOW else "short")
        if len(latest) < MEDIAN_OF:
            return None
        if not self._steady() and latest != sorted(latest) and latest != sorted(latest, reverse=True):
            return SeatSample(now_s, None, None, "jump")
        place_m = self._to_metres(share)
        if place_m is None:
            return SeatSample(now_s, None, None, "uncalibrated", reading=share)
        sample = self._place.sample(now_s, place_m)
        if sample.quality == "jump":
            return sample
        if sample.notch is not None and not self._steady():
            # on its way through the notch
            return SeatSample(now_s, place_m, None, "between", reading=share)
        return replace(sample, reading=share)

    def _steady(self) -> bool:
        """All of the last readings agree, but for one."""
        middle = median_low(self._raw)
        far = sum(abs(raw - middle) > NOISE_STEPS for raw in self._raw)
        return far <= 1

    def _unanswered(self, now_s: float) -> SeatSample | None:
        if self._last_read_s is None:
            self._last_read_s = now_s
        silent_s = now_s - self._last_read_s
        if silent_s > FAILED_AFTER_S:
            return SeatSample(now_s, None, None, "failed")
        return SeatSample(now_s, None, None, "stale") if silent_s > STALE_AFTER_S else None

    def _to_metres(self, share: float) -> float | None:
        notches, config = self._machine.seat_notches_m, self._config
        span = config.reading_at_last - config.reading_at_first
        if not notches or span == 0:
            return None
        return notches[0] + (share - config.reading_at_first) / span * (notches[-1] - notches[0])


class NoSeat:
    """In place of a seat sensor on a machine without one: the seat is not watched."""

    next_due_s = -math.inf

    def poll(self, now_s: float) -> SeatSample:
        self.next_due_s = now_s + DISABLED_S
        return SeatSample(now_s, None, None, "disabled")

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        return (PartReport("seat", "ok", "not watched (seat.sensors = [])"),)
