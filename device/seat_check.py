"""Two sensors of one seat, each watching the other."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from device.config import Seat
from device.messages import PartReport, SeatQuality, SeatSample
from device.sensor_report import Sensor

TELLS: Final = ("ok", "between", "no_switch")
"""Qualities that say where the seat is, or that it is in no notch."""
FRESH_S = 0.5
DISAGREE_S = 0.6
"""They may differ while the seat moves, for a ranger is 0.3 s behind (ours)."""


def joint(first: SeatSample, second: SeatSample, disagree_m: float) -> SeatSample | None:
    """What two samples of one moment say together; None where they contradict each other. Pure.

    A notch counts where both see it, or one of them does and the other's place is near enough.
    """
    if first.position_m is not None and second.position_m is not None:
        if abs(first.position_m - second.position_m) > disagree_m:
            return None
        return first if first.notch is not None or second.notch is None else second
    if first.notch is not None or second.notch is not None:
        return None  # one is in a notch, the other's switches are all open
    return first if first.position_m is not None else second


class CrossCheckedSeat:
    """Two readers as one. While one of them is out of order the other goes on alone; its report tells."""

    def __init__(self, first: Sensor[SeatSample], second: Sensor[SeatSample], config: Seat) -> None:
        self._sensors = (first, second)
        self._disagree_m = config.disagree_m
        self._latest: list[SeatSample | None] = [None, None]
        self._agreed_s: float | None = None
        self.next_due_s = -math.inf

    def poll(self, now_s: float) -> SeatSample | None:
        """A sample with every new one of either."""
        if self._agreed_s is None:
            self._agreed_s = now_s
        new: list[SeatSample] = []
        for i, sensor in enumerate(self._sensors):
            if sensor.next_due_s <= now_s:
                sample = sensor.poll(now_s)
                if sample is not None:
                    self._latest[i] = sample
                    new.append(sample)
        self.next_due_s = min(sensor.next_due_s for sensor in self._sensors)
        together = self._together(now_s) if new else None
        if together is None:
            return None
        reading = next((sample.reading for sample in new if sample.reading is not None), None)
        distance_m = next((sample.distance_m for sample in new if sample.distance_m is not None), None)
        return replace(together, reading=reading, distance_m=distance_m)

    def _together(self, now_s: float) -> SeatSample | None:
        known = [sample for sample in self._latest if sample is not None and now_s - sample.t_s <= FRESH_S]
        telling = [sample for sample in known if sample.quality in TELLS]
        if len(telling) < 2:
            self._agreed_s = now_s
            found = telling or known
            return replace(found[0], t_s=now_s) if found else None
        sample = joint(telling[0], telling[1], self._disagree_m)
        if sample is not None:
            self._agreed_s = now_s
            return replace(sample, t_s=now_s)
        assert self._agreed_s is not None
        quality: SeatQuality = "disagree" if now_s - self._agreed_s >= DISAGREE_S else "jump"
        return SeatSample(now_s, None, None, quality)

    def reports(self, now_s: float) -> tuple[PartReport, ...]:
        parts = tuple(part for sensor in self._sensors for part in sensor.reports(now_s))
        if self._agreed_s is None or now_s - self._agreed_s < DISAGREE_S:
            return parts
        known_m = [s.position_m for s in self._latest if s is not None and s.position_m is not None]
        places = " and ".join(f"{place_m:.3f} m" for place_m in known_m)
        return (
            *parts,
            PartReport(
                "seat cross-check",
                "failed",
                f"its two sensors differ ({places})" if places else "its two sensors differ",
                "run 'legpress calibrate seat'; if they differ again, look at which one follows the seat",
                last_fault="disagree",
                last_fault_age_s=0.0,
            ),
        )
